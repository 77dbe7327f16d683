"""Taking a domain's picture from its servers: ledger, schema, and whether the shards agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from outgrow import keyspace, ledger, schema
from outgrow.errors import ConfigurationError, Error, NodeLost
from outgrow.nodes import Link, Nodes, together
from outgrow.runtime.domain import Picture
from outgrow.runtime.health import Health
from outgrow.runtime.prepared import PlanCache
from outgrow.schema import Schema
from outgrow.topology import Domain, TableName
from outgrow.waits import Steps

T = TypeVar("T")


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
    domain = replace(domain, tables={**domain.tables, **known.placements})
    epoch = known.schema_epoch
    schemas = yield from together(
        [
            _on_shard_steps(
                domain, shard.name, nodes, health, until, lambda link: _schema_steps(link, domain.name, epoch)
            )
            for shard in domain.shards
        ]
    )
    first = schemas[0]
    return Picture(
        domain=domain,
        schema=first,
        map=known.map,
        placer=keyspace.Keyspace(domain.slots, known.map),
        disagreements=_disagreements(domain, schemas),
        plans=PlanCache(),
    )


def install_steps(domain: Domain, nodes: Nodes, health: Health, until: float | None) -> Steps[None]:
    """Put the ledger into every shard's database where it is missing or old; safe from several processes at once."""
    for shard in domain.shards:
        node = health.seats(domain.name, shard.name).primary
        pool = nodes.pool(node)
        link = yield from pool.take_steps(until)
        try:
            yield from ledger.install_steps(link, domain, home=shard is domain.home)
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
        except NodeLost as error:
            health.note_lost(node, error)
            lost = lost or error
            continue
        try:
            return (yield from ask(link))
        finally:
            pool.give(link)
    assert lost is not None
    raise lost


def _schema_steps(link: Link, domain: str, epoch: int) -> Steps[Schema]:
    answers = {}
    for name, sql in schema.queries().items():
        rows = yield from link.run_steps(sql, None)
        answers[name] = rows.rows
    return schema.build(domain, epoch, answers)


def _disagreements(domain: Domain, schemas: Sequence[Schema]) -> dict[TableName, Error]:
    """Per table, why some shard cannot be trusted with it."""
    found: dict[TableName, Error] = {}
    for shard, other in zip(domain.shards[1:], schemas[1:], strict=True):
        for difference in schema.differences(schemas[0], other):
            error = difference.error(domain.home.name, shard.name)
            found.setdefault(difference.table, error)
    return found
