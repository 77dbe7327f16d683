"""`fleet.yaml` → Topology, strictly: what is not understood is refused with its line and a cure, never guessed.

This file and `outside` alone touch the world: they read the file, the environment and the secrets, once.
Passwords live only in `Node.dsn`, which no error and no repr shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from outgrow.topology import dsn as dsns
from outgrow.topology.directory import directory_of
from outgrow.topology.finishing import finish_of
from outgrow.topology.marks import Spot, compose, nearest, refusal
from outgrow.topology.model import (
    Copied,
    Domain,
    FinishLimits,
    Observe,
    Placement,
    PoolLimits,
    Reads,
    Role,
    Shard,
    Sharded,
    Single,
    TableName,
    Topology,
)
from outgrow.topology.outside import Outside, expanded, referred
from outgrow.topology.ranges import check_order, ranges_of
from outgrow.topology.servers import check_poolers, node_of, pooler_of

ENGINES = ("postgresql", "mariadb")
STRATEGIES = ("hash", "ring", "range", "directory")
BALANCES = ("round_robin", "weighted", "least_connections", "lowest_latency", "sticky")
SCATTER = ("allow", "warn", "refuse")
OF_A_DOMAIN = (
    "engine", "strategy", "slots", "ranges", "directory", "shards", "tables", "pool", "pooler", "reads", "finish",
    "scatter",
)  # fmt: skip
SLOTS_DEFAULT = 1024
SLOTS_MAX = 65536
SECRET_BYTES_MIN = 16

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_TABLE_PART = r'"(?:[^"]|"")+"|[^".]+'
_TABLE = re.compile(rf"(?:({_TABLE_PART})\.)?({_TABLE_PART})", re.S)


def read(path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> Topology:
    """The topology of a `fleet.yaml`; files it refers to are looked for beside it.  Raises ConfigurationError."""
    place = Path(path)
    try:
        content = place.read_bytes()
    except OSError as error:
        raise refusal(
            str(place),
            None,
            "OG-TOPO-001",
            f"cannot be read: {error.strerror or error}",
            "check the path, or run `outgrow up`",
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refusal(str(place), line, "OG-TOPO-002", "this is not UTF-8 text", "save the file as UTF-8") from None
    return parse(text, str(place), environment, folder=place.parent)


def parse(
    text: str, source: str = "fleet.yaml", environment: Mapping[str, str] | None = None, *, folder: Path | None = None
) -> Topology:
    """The topology that the text of a `fleet.yaml` describes; `source` names it in errors."""
    outside = Outside(os.environ if environment is None else environment, folder or Path())
    top = compose(text, source).fields(
        ("fleet", "domains", "secret", "observe"),
        ("fleet", "domains"),
        {"a domain: indent it like that domain's `shards:`": OF_A_DOMAIN},
    )
    secret = _secret(top["secret"], outside) if "secret" in top else None
    domains = []
    for name, (key, spot) in top["domains"].mapping().items():
        domains.append(_domain(_named(key, name, "domain"), spot, outside))
    if not domains:
        top["domains"].fail("OG-TOPO-023", "the fleet has no domains", "add one under `domains:`")
    observe = _observe(top["observe"]) if "observe" in top else Observe()
    return Topology(_named(top["fleet"], top["fleet"].text(), "fleet"), tuple(domains), secret, observe)


def _named(spot: Spot, name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        spot.fail(
            "OG-TOPO-007", f"{name!r} is no name for a {what}", "use letters, digits, _ and -, beginning with a letter"
        )
    return name


def _secret(spot: Spot, outside: Outside) -> bytes:
    value = referred(spot, outside).encode()
    if len(value) < SECRET_BYTES_MIN:
        spot.fail("OG-TOPO-022", f"the secret has fewer than {SECRET_BYTES_MIN} bytes", "use a long random text")
    return value


def _domain(name: str, spot: Spot, outside: Outside) -> Domain:
    fields = spot.fields(OF_A_DOMAIN, ("engine", "shards"))
    engine = fields["engine"].one_of(ENGINES, "OG-TOPO-008", "engine")
    strategy = "hash"
    if "strategy" in fields:
        strategy = fields["strategy"].one_of(STRATEGIES, "OG-TOPO-012", "strategy")
    pooler = pooler_of(fields["pooler"]) if "pooler" in fields else ""
    shards = []
    for shard, (key, value) in fields["shards"].mapping().items():
        shards.append(_shard(name, _named(key, shard, "shard"), value, outside, pooler))
    if not shards:
        fields["shards"].fail("OG-TOPO-009", f"{name} has no shards", "name at least one: s1: {primary: …}")
    slots = SLOTS_DEFAULT
    if "slots" in fields:
        slots = fields["slots"].whole()
        if not 1 <= slots <= SLOTS_MAX or slots & (slots - 1):
            fields["slots"].fail(
                "OG-TOPO-010", f"slots is {slots}", f"choose a power of two up to {SLOTS_MAX}, such as 1024"
            )
    _check_engine(engine, shards, fields["engine"])
    check_poolers(engine, shards, fields["shards"])
    if slots < len(shards):
        where = fields.get("slots", fields["shards"])
        where.fail("OG-TOPO-011", f"{slots} slots cannot cover {len(shards)} shards", "choose more slots")
    names = [shard.name for shard in shards]
    ranges = ranges_of(strategy, fields, names, SLOTS_MAX - slots)
    check_order(engine, ranges, fields)
    directory = directory_of(strategy, fields, shards, SLOTS_MAX - slots)
    tables: dict[TableName, Placement] = {}
    for text, (key, value) in fields["tables"].mapping().items() if "tables" in fields else ():
        table = _table(key, text)
        if table in tables:
            key.fail("OG-TOPO-021", f"the table {table} is here twice", "remove one; without a schema, public is meant")
        tables[table] = _placement(value, text, names)
    pool = _pool(fields["pool"]) if "pool" in fields else PoolLimits()
    reads = _reads(fields["reads"], outside) if "reads" in fields else Reads()
    finish = finish_of(fields["finish"], outside) if "finish" in fields else FinishLimits()
    scatter = fields["scatter"].one_of(SCATTER, "OG-TOPO-060", "scatter") if "scatter" in fields else "allow"
    return Domain(name, engine, slots, tuple(shards), tables, pool, strategy, reads, ranges, finish, directory, scatter)


def _check_engine(engine: str, shards: list[Shard], spot: Spot) -> None:
    for node in (node for shard in shards for node in shard.nodes):
        if (behind := dsns.engine_of(node.dsn)) != engine:
            spot.fail(
                "OG-TOPO-038",
                f"the engine is {engine}, but the address of {node.name} leads to {behind}",
                f"write engine: {behind}, or an address that begins with {engine}://",
            )


def _shard(domain: str, name: str, spot: Spot, outside: Outside, pooler: str) -> Shard:
    fields = spot.fields(("primary", "replicas"), ("primary",))
    primary = node_of(f"{domain}/{name}/primary", domain, name, Role.PRIMARY, fields["primary"], outside, pooler)
    replicas = fields["replicas"].items() if "replicas" in fields else []
    return Shard(
        name,
        primary,
        tuple(
            node_of(f"{domain}/{name}/replica{number}", domain, name, Role.REPLICA, replica, outside, pooler)
            for number, replica in enumerate(replicas, 1)
        ),
    )


def _table(spot: Spot, text: str) -> TableName:
    name = table_name(text)
    if name is None:
        spot.fail(
            "OG-TOPO-007", f"{text!r} is no table name", 'write name or schema.name; quote parts with dots: "a.b"'
        )
    return name


def table_name(text: str) -> TableName | None:
    """A table as people name it (`name`, `schema.name`, parts with dots in double quotes); None for what is no name."""
    match = _TABLE.fullmatch(text)
    if match is None:
        return None
    schema, name = (None if part is None else _unquoted(part) for part in match.groups())
    return TableName(schema or "public", name or "")


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _placement(spot: Spot, table: str, shards: list[str]) -> Placement:
    kinds = ("shard_by", "copy", "single")
    fields = spot.fields(kinds)
    if len(fields) != 1:
        spot.fail(
            "OG-TOPO-013",
            f"{table} needs exactly one placement, not {len(fields)}",
            "write {shard_by: column}, {copy: everywhere} or {single: shard}",
        )
    [(kind, value)] = fields.items()
    if kind == "copy":
        if value.text() != "everywhere":
            value.fail("OG-TOPO-013", f"{table} is copied to {value.text()!r}", "write {copy: everywhere}")
        return Copied()
    if kind == "single":
        shard = value.text()
        if shard not in shards:
            near = nearest(shard, shards)
            value.fail(
                "OG-TOPO-014",
                f"{table} is placed on the unknown shard {shard!r}",
                f"did you mean {near!r}?" if near else f"the shards are: {', '.join(shards)}",
            )
        return Single(shard)
    columns = tuple(item.text() for item in value.items()) if value.is_list() else (value.text(),)
    if not columns or not all(columns) or len(set(columns)) < len(columns):
        value.fail("OG-TOPO-013", f"the key of {table} has no, an empty or a repeated column", "name each column once")
    return Sharded(columns)


def _reads(spot: Spot, outside: Outside) -> Reads:
    fields = spot.fields(("balance", "lag_max_seconds", "lag_max_bytes", "zone"))
    balance = fields["balance"].one_of(BALANCES, "OG-TOPO-025", "balance") if "balance" in fields else "round_robin"
    seconds = fields["lag_max_seconds"].seconds() if "lag_max_seconds" in fields else None
    size = fields["lag_max_bytes"].whole() if "lag_max_bytes" in fields else None
    if (seconds is not None and seconds <= 0) or (size is not None and size < 0):
        spot.fail(
            "OG-TOPO-026", "replicas can never be that little behind", "allow more than 0 seconds, and 0 bytes up"
        )
    zone = expanded(fields["zone"], fields["zone"].text(), outside) if "zone" in fields else ""
    return Reads(balance, seconds, size, zone)


def _observe(spot: Spot) -> Observe:
    fields = spot.fields(("with_parameters", "slow_statement_seconds", "opentelemetry"))
    chosen = {name: fields[name].yes() for name in ("with_parameters", "opentelemetry") if name in fields}
    slow = fields["slow_statement_seconds"].seconds() if "slow_statement_seconds" in fields else None
    return Observe(slow_statement_seconds=slow, **chosen)


def _pool(spot: Spot) -> PoolLimits:
    times = ("wait_timeout_seconds", "idle_max_seconds", "life_max_seconds")
    fields = spot.fields(
        ("size_min", "size_max", "wait_timeout_seconds", "queue_max", "idle_max_seconds", "life_max_seconds")
    )
    usual = PoolLimits()
    size_min = fields["size_min"].whole() if "size_min" in fields else usual.size_min
    size_max = fields["size_max"].whole() if "size_max" in fields else max(usual.size_max, size_min)
    queue_max = fields["queue_max"].whole() if "queue_max" in fields else None
    wait, idle, life = (fields[name].seconds() if name in fields else getattr(usual, name) for name in times)
    if not 0 <= size_min <= size_max or size_max < 1 or min(wait, idle, life) <= 0 or (queue_max or 0) < 0:
        spot.fail(
            "OG-TOPO-019",
            f"a pool of {size_min} to {size_max} connections, with times of {wait:g}, {idle:g} and {life:g} s",
            "0 ≤ size_min ≤ size_max, 1 ≤ size_max, 0 ≤ queue_max, and times above 0",
        )
    return PoolLimits(size_min, size_max, wait, queue_max, idle, life)
