"""One node of a shard: its address, its password, and the pooler that may stand before it."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.topology import dsn as dsns
from outgrow.topology.marks import Spot
from outgrow.topology.model import Node, Role, Shard
from outgrow.topology.outside import Outside, expanded, referred

WEIGHT_MAX = 100
TRANSACTION = "transaction"
POOLERS = (TRANSACTION, "none")


def node_of(name: str, domain: str, shard: str, role: Role, spot: Spot, outside: Outside, pooler: str) -> Node:
    """The node that is written at `spot`; `pooler` is the domain's."""
    password, weight, zone = None, 1, ""
    where, direct = spot, None
    if spot.is_mapping():
        fields = spot.fields(("dsn", "password", "weight", "zone", "pooler", "direct"), ("dsn",))
        where = fields["dsn"]
        if "password" in fields:
            password = referred(fields["password"], outside)
        if "weight" in fields:
            weight = _weight(fields["weight"])
        if "zone" in fields:
            zone = expanded(fields["zone"], fields["zone"].text(), outside)
        if "pooler" in fields:
            pooler = pooler_of(fields["pooler"])
        if "direct" in fields:
            if not pooler:
                fields["direct"].fail(
                    "OG-TOPO-036",
                    f"{name} has a direct address, but no pooler before it",
                    "write pooler: transaction beside it, or leave direct out",
                )
            direct = _direct(f"{name}/direct", domain, shard, role, fields["direct"], outside, password)
    dsn = _address(name, where, outside, password)
    if pooler and "options" in dsns.parameters(dsn):
        where.fail(
            "OG-TOPO-037",
            f"the address of {name} has start-up options, which a transaction pooler refuses or loses",
            "set them for the role (ALTER ROLE … SET …), or with SET in the session",
        )
    return Node(name, domain, shard, role, dsn, dsns.without_password(dsn), weight, zone, pooler, direct)


def pooler_of(spot: Spot) -> str:
    """`pooler: transaction` or `pooler: none`, the latter as ""."""
    kind = spot.one_of(POOLERS, "OG-TOPO-035", "pooler")
    return "" if kind == "none" else kind


def check_poolers(engine: str, shards: Sequence[Shard], spot: Spot) -> None:
    for node in (node for shard in shards for node in shard.nodes):
        if node.pooled and engine != "postgresql":
            spot.fail(
                "OG-TOPO-037",
                f"{node.name} is declared to be behind a transaction pooler, which is for PostgreSQL only",
                "leave pooler out: what is known of one is how PgBouncer behaves",
            )


def _direct(name: str, domain: str, shard: str, role: Role, spot: Spot, outside: Outside, password: str | None) -> Node:
    """The way past the pooler; with the node's password unless it has one of its own."""
    where = spot
    if spot.is_mapping():
        fields = spot.fields(("dsn", "password"), ("dsn",))
        where = fields["dsn"]
        password = referred(fields["password"], outside) if "password" in fields else None
    elif "password" in _parameters(name, where, expanded(where, where.text(), outside)):
        password = None
    dsn = _address(name, where, outside, password)
    return Node(name, domain, shard, role, dsn, dsns.without_password(dsn))


def _address(name: str, where: Spot, outside: Outside, password: str | None) -> str:
    """A connection string that no other node has, with its password."""
    dsn = expanded(where, where.text(), outside)
    found = _parameters(name, where, dsn)
    if password is not None:
        if "password" in found:
            where.fail("OG-TOPO-020", f"{name} has two passwords", "keep one of them, outside the address")
        dsn = dsns.with_password(dsn, password)
    address = dsns.address(dsn)
    if address in outside.seen:
        other, line = outside.seen[address]
        where.fail(
            "OG-TOPO-015",
            f"{name} has the same address as {other} in line {line}: {dsns.without_password(dsn)}",
            "give each node a server or database of its own",
        )
    outside.seen[address] = (name, where.line)
    return dsn


def _parameters(name: str, where: Spot, dsn: str) -> dict[str, str]:
    try:
        return dsns.parameters(dsn)
    except dsns.NotADsn as error:
        where.fail(
            "OG-TOPO-016", f"the address of {name} is no connection string: {error}", "write postgresql://user@host/db"
        )


def _weight(spot: Spot) -> int:
    weight = spot.whole()
    if not 0 <= weight <= WEIGHT_MAX:
        spot.fail("OG-TOPO-024", f"a weight of {weight}", f"write a whole number from 0 to {WEIGHT_MAX}")
    return weight
