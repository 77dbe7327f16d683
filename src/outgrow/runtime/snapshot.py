"""Taking a domain's picture from its servers: ledger, schema, and whether the shards agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from outgrow import keyspace, ledger, schema
from outgrow.clock import monotonic
from outgrow.errors import ConfigurationError, Error, NodeLost
from outgrow.nodes import Link, Nodes, together
from outgrow.runtime.dress import dressed_steps
from outgrow.runtime.health import Health
from outgrow.runtime.picture import Picture
from outgrow.runtime.prepared import PlanCache
from outgrow.schema import Schema
from outgrow.topology import Domain, Node, Single, TableName
from outgrow.waits import Steps, Until

T = TypeVar("T")

#: How long the commits of `unique build` on several shards have, before shards are said to differ in it.
_HALF_BUILT_SECONDS = 0.1


def take_steps(domain: Domain, nodes: Nodes, health: Health, until: float | None) -> Steps[Picture]:
    """The picture as the servers give it; the ledger's map and placements win over the file."""
    known = yield from _on_shard_steps(
        domain, domain.home.name, nodes, health, until, lambda link: ledger.read_steps(link, domain.name)
    )
    if known is None:
        raise ConfigurationError(
            "OG-RUN-040",
            f"the domain {domain.name} has no outgrow ledger yet",
            cure="run `outgrow init` once, or open the fleet with outgrow.open(..., install=True)",
        )
    domain = ledger.as_ledger_says(domain, known)
    epoch = known.schema_epoch
    by_shard = yield from _schemas_steps(domain, epoch, nodes, health, until)
    if _half_built(by_shard):
        # An index of the whole domain comes and goes on one shard after another; a moment later all agree, mostly.
        soon = monotonic() + _HALF_BUILT_SECONDS
        yield Until(soon if until is None else min(soon, until))
        by_shard = yield from _schemas_steps(domain, epoch, nodes, health, until)
    return Picture(
        domain=domain,
        schema=_one_schema(domain, by_shard),
        map=known.shard_map,
        placer=keyspace.Keyspace(domain.slots, known.shard_map, domain.engine),
        disagreements=_disagreements(domain, by_shard),
        plans=PlanCache(),
    )


def _schemas_steps(
    domain: Domain, epoch: int, nodes: Nodes, health: Health, until: float | None
) -> Steps[dict[str, Schema]]:
    schemas = yield from together(
        [
            _schema_if_there_steps(
                domain, shard.name, nodes, health, until, lambda link: _schema_steps(link, domain, epoch, until)
            )
            for shard in domain.shards
        ]
    )
    # A shard that is wholly gone cannot be compared; its statements will fail by themselves.
    return {shard.name: found for shard, found in zip(domain.shards, schemas, strict=True) if found is not None}


def _half_built(by_shard: Mapping[str, Schema]) -> bool:
    """Whether shards keep other indexes of the whole domain: somebody commits one now, or it is broken."""
    kept = [
        {name: table.fleet_unique for name, table in one.tables.items() if table.fleet_unique}
        for one in by_shard.values()
    ]
    return any(one != kept[0] for one in kept)


def on_node_steps(
    nodes: Nodes, node: Node, until: float | None, ask: Callable[[Link], Steps[T]], *, past: bool = False
) -> Steps[T]:
    """Ask one node, in nobody's dress: what is seen must not depend on who used the connection last.

    `past`: past its pooler, where that is possible.
    """
    pool = nodes.past(node) if past else nodes.pool(node)
    link = yield from pool.take_steps(until)
    try:
        if link.dress:
            yield from dressed_steps(link, ())
        return (yield from ask(link))
    finally:
        pool.give(link)


def _on_shard_steps(
    domain: Domain, shard: str, nodes: Nodes, health: Health, until: float | None, ask: Callable[[Link], Steps[T]]
) -> Steps[T]:
    """Ask the shard's primary, or a replica where the primary is gone."""
    lost: Error | None = None
    for node in health.seats(domain.name, shard).all:
        pool = nodes.pool(node)
        try:
            link = yield from pool.take_steps(until)
            try:
                if link.dress:
                    yield from dressed_steps(link, ())
                return (yield from ask(link))
            except NodeLost:
                # A pooler lets clients in without a server: only what is asked shows that there is none.
                if not link.pooled:
                    raise
            finally:
                pool.give(link)
        except NodeLost as error:
            health.note_lost(node, error)
            lost = lost or error
    assert lost is not None
    raise lost


def _schema_if_there_steps(
    domain: Domain, shard: str, nodes: Nodes, health: Health, until: float | None, ask: Callable[[Link], Steps[Schema]]
) -> Steps[Schema | None]:
    try:
        return (yield from _on_shard_steps(domain, shard, nodes, health, until, ask))
    except NodeLost:
        if shard == domain.home.name:
            raise
        return None


def _schema_steps(link: Link, domain: Domain, epoch: int, until: float | None) -> Steps[Schema]:
    catalogue = schema.catalogue(domain.engine)
    answers = {}
    for name, sql in catalogue.queries.items():
        rows = yield from link.run_steps(sql, None, until=until)
        answers[name] = rows.rows
    return catalogue.build(domain.name, epoch, answers)


def _one_schema(domain: Domain, by_shard: Mapping[str, Schema]) -> Schema:
    """The home shard's schema, with every single table as its own shard has it, and what keeps rows apart anywhere."""
    one = by_shard[domain.home.name]
    for shard, other in by_shard.items():
        lives_there = [
            table for table, placed in domain.tables.items() if isinstance(placed, Single) and placed.shard == shard
        ]
        one = schema.with_tables_of(one, other, lives_there)
        one = schema.with_apart_of(one, other)
    return one


def _disagreements(domain: Domain, by_shard: Mapping[str, Schema]) -> dict[TableName, Error]:
    """Per table, why some shard cannot be trusted with it; raises where the servers themselves are set up apart."""
    found: dict[TableName, Error] = {}
    home = domain.home.name
    everywhere = [table for table, placed in domain.tables.items() if not isinstance(placed, Single)]
    # Views have a place only where somebody has said so; a SELECT that is not the same everywhere is none for all.
    if domain.engine == "postgresql":
        tables = {table.name: table for other in by_shard.values() for table in other.tables.values()}
        views = [name for name, table in tables.items() if table.definition is not None]
        everywhere += [name for name in views if name not in domain.tables]
    for shard, other in by_shard.items():
        for difference in schema.differences(by_shard[home], other, everywhere):
            error = difference.error(home, shard)
            if difference.table is None:
                raise error
            found.setdefault(difference.table, error)
    return found
