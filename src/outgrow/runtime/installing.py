"""Putting the ledger into a fleet's databases, and what must hold before it records where tables live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outgrow import keyspace, ledger
from outgrow.errors import ConfigurationError
from outgrow.nodes import Link, Nodes
from outgrow.runtime.engines import Engine, engine_of
from outgrow.runtime.health import Health
from outgrow.topology import Domain, Placement, Single, TableName
from outgrow.waits import Steps


def install_steps(
    domain: Domain, nodes: Nodes, health: Health, until: float | None, *, rows_in_place: bool = False
) -> Steps[None]:
    """Put the ledger into every shard's database where it is missing or old; safe from several processes at once.

    Placements that it does not know yet are recorded only where no rows would be looked for on other shards than
    theirs: OG-RUN-156.  `rows_in_place`: whoever asks knows that every row is where it will be looked for.
    """
    links: dict[str, Link] = {}
    pools = {shard.name: nodes.pool(health.seats(domain.name, shard.name).primary) for shard in domain.shards}

    def fit_steps(tables: Mapping[TableName, Placement], shards: Sequence[str]) -> Steps[None]:
        if rows_in_place or len(domain.shards) == 1:
            return
        for table, placement in tables.items():
            yield from _fits_steps(domain, shards, links, table, placement, until)

    try:
        for shard, pool in pools.items():
            links[shard] = yield from pool.take_steps(until)
        yield from ledger.install_steps(links, domain, keyspace.first_map(domain), fit_steps)
    finally:
        for shard, link in links.items():
            pools[shard].give(link)


def _fits_steps(
    domain: Domain,
    shards: Sequence[str],
    links: Mapping[str, Link],
    table: TableName,
    placement: Placement,
    until: float | None,
) -> Steps[None]:
    engine = engine_of(domain.engine)
    holding = []
    for shard, link in links.items():
        if (yield from has_rows_steps(engine, link, table, until)):
            holding.append(shard)
    # (Where the map has one shard, all rows are looked for there.)
    if not looked_for(placement, holding) and not (len(shards) == 1 and holding == list(shards)):
        raise ConfigurationError(
            "OG-RUN-156",
            f"{table} has rows on {', '.join(holding)}, and {ledger.shown(placement)} would look for some of them "
            "elsewhere",
            cure="name databases without rows of it, and load the rows through the fleet (docs/quickstart.md); where "
            "every row does lie where its key says, `outgrow init --rows-in-place`",
        )


def has_rows_steps(engine: Engine, link: Link, table: TableName, until: float | None) -> Steps[bool | None]:
    """Whether the table has rows there; None where it is not there."""
    answer = yield from link.run_steps(*engine.present(table), until=until)
    if not answer.rows:
        return None
    answer = yield from link.run_steps(f"SELECT EXISTS (SELECT 1 FROM {engine.table(table)})", None, until=until)
    return bool(answer.rows[0][0])


def looked_for(placement: Placement, holding: Sequence[str]) -> bool:
    """Whether a table on several shards, of which these have rows, can get that placement without looking at them."""
    return not holding or (isinstance(placement, Single) and holding == [placement.shard])
