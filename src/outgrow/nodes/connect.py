"""Opening a link: address, time limit, and whether the server is one that outgrow can work with."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes.exchange import Late, connect_steps, resolve_steps
from outgrow.nodes.link import Link
from outgrow.nodes.settings import LinkSettings
from outgrow.topology import Node
from outgrow.waits import Steps

#: As libpq counts: 15.0.
SERVER_VERSION_MIN = 150000
#: Cancel connections and chunked rows came with it; psycopg's binary package brings a newer one.
LIBPQ_VERSION_MIN = 170000

#: What servers and libpq say when a connection fails, in the order they are tried.  There is no SQLSTATE to go by.
_REASONS: tuple[tuple[str, str, str, str], ...] = (
    (
        r"password authentication failed|no password supplied|authentication failed",
        "OG-NODE-002",
        "the server refused the user or password",
        "correct the user or password of the node's address",
    ),
    (
        r"no pg_hba\.conf entry|no such user|role \".*\" does not exist|is not permitted to log in",
        "OG-NODE-002",
        "the server does not let this user in",
        "create the role, or allow it in the server's pg_hba.conf",
    ),
    (
        r"database \".*\" does not exist|no such database",
        "OG-NODE-003",
        "the server has no such database",
        "create the database, or correct its name in the node's address",
    ),
    (
        r"certificate|SSL error|does not support SSL",
        "OG-NODE-028",
        "no encrypted connection to a server that can be trusted",
        "correct sslmode, sslrootcert and the host's name in the node's address, or the server's certificate",
    ),
    (
        r"unsupported startup parameter",
        "OG-NODE-035",
        "the pooler refuses a start-up option",
        "set it for the role (ALTER ROLE … SET …), not in the address and not in PGOPTIONS",
    ),
    (
        r"starting up|shutting down|in recovery mode|not yet accepting|not accepting",
        "OG-NODE-008",
        "the server takes no connections now",
        "wait until it is up; a replica needs hot_standby = on",
    ),
    (
        r"pgbouncer cannot connect|server login has been failing",
        "OG-NODE-008",
        "the pooler has no connection to the server",
        "start the server, or correct its address in the pooler's configuration; the pooler's log says why",
    ),
    (
        r"too many (clients|connections)|remaining connection slots|no more connections allowed",
        "OG-NODE-008",
        "the server has no connection left",
        "lower the pools' size_max, or raise max_connections on the server",
    ),
)
#: Failures of the server or the way to it; the others are mistakes that another server would not mend.
_LOST = frozenset(("OG-NODE-001", "OG-NODE-006", "OG-NODE-008", "OG-NODE-009"))
_UNREACHABLE = (
    "OG-NODE-001",
    "the server cannot be reached",
    "start the server, or correct the node's host and port; check firewalls",
)


def link_steps(
    node: Node, settings: LinkSettings, names: dict[int, str] | None = None, until: float | None = None
) -> Steps[Link]:
    """Connect to `node`.

    `names` is the type names that the links of one server share.  Raises OperationalError OG-NODE-001 to 009, and
    ConfigurationError OG-NODE-007 for an address that cannot be read; never with the password in it.
    """
    _check_libpq()
    own_limit = monotonic() + settings.connect_timeout_seconds
    limit = own_limit if until is None else min(own_limit, until)
    parameters = _parameters(node, settings)
    try:
        if (host := _name_to_resolve(parameters)) is not None:
            address = yield from resolve_steps(host, limit)
            if address is None:
                raise _failure(node, "OG-NODE-009", f"the host name {host!r} is unknown", "correct the node's host")
            parameters["hostaddr"] = address
        conninfo = make_conninfo(**parameters).encode()
        pgconn = yield from connect_steps(conninfo, pq.PGconn.connect_start, limit)
    except Late:
        raise _failure(
            node,
            "OG-NODE-006",
            f"no connection within {settings.connect_timeout_seconds:g} s",
            "check that the host answers, or raise the connect time limit",
        ) from None
    try:
        if pgconn.status != 0:
            raise _refused(node, pgconn.get_error_message("utf-8"))
        _check_server(node, pgconn)
        pgconn.nonblocking = 1
        if node.pooled:
            settings = replace(settings, prepare_after=None)
        return Link(node, pgconn, settings, {} if names is None else names)
    except BaseException:
        pgconn.finish()
        raise


def _check_libpq() -> None:
    if pq.version() < LIBPQ_VERSION_MIN:
        raise errors.ConfigurationError(
            "OG-NODE-022", f"libpq {pq.version()} is too old", cure='pip install "psycopg[binary]"'
        )


def _parameters(node: Node, settings: LinkSettings) -> dict[str, str]:
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(node.dsn).items() if value is not None}
    except psycopg.Error as error:
        # libpq quotes what it could not read, which may be a part of the password.
        reason = re.sub(r'"[^"]*"', '"…"', str(error)).strip()
        raise errors.ConfigurationError(
            "OG-NODE-007",
            f"the address cannot be read: {reason}",
            cure="write it as postgresql://user@host:port/database; escape special characters of a password",
            shard=node.shard,
            node=node.name,
        ) from None
    parameters.setdefault("application_name", settings.application_name)
    parameters["client_encoding"] = "UTF8"
    return parameters


def _name_to_resolve(parameters: dict[str, str]) -> str | None:
    """The one host name that the resolver must be asked for; several hosts are left to libpq."""
    host = parameters.get("host", "")
    if not host or "," in host or host.startswith(("/", "@")) or host == "localhost" or "hostaddr" in parameters:
        return None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return None


def _failure(node: Node, code: str, message: str, cure: str) -> errors.OperationalError:
    where = f" [{node.shown}]" if node.shown else ""
    kind = errors.NodeLost if code in _LOST else errors.OperationalError
    return kind(code, message + where, cure=cure, shard=node.shard, node=node.name)


def _refused(node: Node, libpq_says: str) -> errors.OperationalError:
    said = " ".join(libpq_says.split())
    for pattern, code, message, cure in _REASONS:
        if re.search(pattern, said):
            return _failure(node, code, f"{message}: {said}", cure)
    code, message, cure = _UNREACHABLE
    return _failure(node, code, f"{message}: {said}", cure)


def _check_server(node: Node, pgconn: pq.abc.PGconn) -> None:
    if pgconn.server_version < SERVER_VERSION_MIN:
        version = pgconn.parameter_status(b"server_version") or b"?"
        raise _failure(
            node,
            "OG-NODE-004",
            f"the server is PostgreSQL {version.decode()}; outgrow needs 15 or newer",
            "upgrade the server",
        )
    if (encoding := pgconn.parameter_status(b"client_encoding")) != b"UTF8":
        raise _failure(
            node,
            "OG-NODE-005",
            f"the connection speaks {(encoding or b'?').decode()} instead of UTF8",
            "remove client_encoding from the address's options and the role's settings",
        )
