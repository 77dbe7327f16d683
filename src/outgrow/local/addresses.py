"""A local fleet's servers as addresses: the `fleet.yaml` that applications open.

The file belongs to the user once it is there: tables, pools, further domains, comments stay, and only the addresses
that this room wrote are replaced when a server had to move to another port.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from urllib.parse import quote

import msgspec

from outgrow.errors import ConfigurationError
from outgrow.local.engines import engine
from outgrow.local.state import Server, State, write_private
from outgrow.topology import Domain, Listing, Node, Role, Shard, Topology, read, without_password, write

FILE, SECRET = "fleet.yaml", "secret"

#: The one domain, database and role of a fleet that `outgrow up` made.
DOMAIN, DATABASE, ROLE = "app", "app", "app"

HEADER = """\
# A fleet on this machine, made by `outgrow up`.  Add your tables; addresses are kept right by `outgrow up`.
"""


def dsn(state: State, server: Server, *, database: str = DATABASE, role: str = ROLE, tcp: bool | None = None) -> str:
    """A server's address: its unix socket, or loopback TCP with the password (of `app` only)."""
    name = quote(database, safe="")
    if state.tcp if tcp is None else tcp:
        return f"{state.engine}://{role}:{quote(state.password, safe='')}@127.0.0.1:{server.port}/{name}"
    return engine(state.engine).socket_dsn(state, server, role, name)


def domain_of(
    state: State, *, database: str = DATABASE, role: str = ROLE, tcp: bool | None = None, strategy: str = "hash"
) -> Domain:
    """The fleet as one domain without tables."""

    def node(server: Server) -> Node:
        address = dsn(state, server, database=database, role=role, tcp=tcp)
        kind = Role.PRIMARY if server.is_primary else Role.REPLICA
        return Node(f"{DOMAIN}/{server.path}", DOMAIN, server.shard, kind, address, without_password(address))

    shards = []
    for name in dict.fromkeys(server.shard for server in state.servers):
        primary, *replicas = (node(server) for server in state.servers if server.shard == name)
        shards.append(Shard(name, primary, tuple(replicas)))
    directory = tuple(Listing(type, "hash") for type in ("int8", "text", "uuid")) if strategy == "directory" else ()
    return Domain(DOMAIN, state.engine, 1024, tuple(shards), {}, strategy=strategy, directory=directory)


def publish(fleet: Path, state: State, strategy: str | None = None) -> tuple[Topology, State]:
    """Write the file, or put right the addresses in it; the topology it describes, and the state that knows of it.

    A file that is there must have that `strategy`, if one is given.
    """
    fresh = domain_of(state, strategy=strategy or "hash")
    addresses = tuple(node.dsn for shard in fresh.shards for node in shard.nodes)
    path = fleet / FILE
    if not (fleet / SECRET).exists():
        write_private(fleet / SECRET, secrets.token_urlsafe(32).encode() + b"\n")
    if not path.exists():
        text = write(Topology("local", (fresh,), None), secret={"file": SECRET})
        write_private(path, (HEADER + text).encode())
    elif state.published != addresses:
        _readdress(path, dict(zip(state.published, addresses, strict=False)))
    told = read(path)
    if not any(one.name == DOMAIN and one.shards == fresh.shards for one in told.domains):
        raise ConfigurationError(
            "OG-LOCAL-027",
            f"{path} does not have this fleet's servers as its domain {DOMAIN!r}",
            cure="correct it; or move the file away, and `outgrow up` writes a new one",
        )
    (ours,) = (one for one in told.domains if one.name == DOMAIN)
    if strategy not in (None, ours.strategy):
        raise ConfigurationError(
            "OG-LOCAL-040",
            f"the fleet has the strategy {ours.strategy} already, not {strategy}",
            cure=f"`outgrow up` without --strategy keeps it; a new fleet in another --dir may have another one; {path} "
            "may be edited before `outgrow init`",
        )
    return told, msgspec.structs.replace(state, published=addresses)


def _readdress(path: Path, moved: dict[str, str]) -> None:
    """Replace addresses in one pass: a server's new port may be another's old one."""
    if not moved:
        return
    one_of = "|".join(re.escape(old) for old in sorted(moved, key=len, reverse=True))
    text = path.read_text(encoding="utf-8")
    write_private(path, re.sub(one_of, lambda match: moved[match[0]], text).encode())
