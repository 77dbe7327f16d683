"""The fleet's side with its tables spread over several domains; statements are asked in a session of the first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import outgrow
from outgrow.topology import Domain
from tests.differential.sides import Sides, fill_shards, placements, plain_side, stood
from tests.differential.strategies import Places, placed
from tests.differential.world import TABLES, Tab
from tests.domains import named
from tests.servers import Servers, serving

#: Which tables each domain has: co-located groups are torn apart, and every kind of placement is on both sides.
SPREAD = {
    2: (
        ("customers", "orders", "docs", "events", "countries", "days"),
        ("items", "tags", "readings", "sittings", "products", "settings"),
    ),
    # The last one is an ordinary database.
    3: (
        ("customers", "items", "docs", "countries", "settings"),
        ("orders", "events", "days", "products"),
        ("tags", "readings", "sittings"),
    ),
}
NAMES = ("sales", "stock", "log")


@contextlib.contextmanager
def opened(
    domains: int = 2,
    shards: int = 3,
    seed: int = 1,
    servers: Servers | None = None,
    strategy: str = "hash",
    behind: str = "",
) -> Iterator[Sides]:
    """Both sides with data, as `sides.opened` makes them."""
    with contextlib.ExitStack() as stack:
        if servers is None:
            servers = stack.enter_context(serving(shards, 0))
        made: list[Domain] = []
        recorded: list[Places] = []
        for name, tables in zip(NAMES, SPREAD[domains], strict=False):
            empty = servers.fresh()
            stack.callback(servers.drop, empty)
            alone = name == NAMES[2]
            domain = named(empty.domains[0], name, 1 if alone else len(empty.domains[0].shards))
            mine = [table for table in TABLES if table.name in tables]
            domain, places = _filled(domain, mine, seed, "hash" if alone else strategy)
            made.append(domain)
            recorded.append(places)
        plain = stack.enter_context(plain_side(servers, seed))
        topology = stood(stack, replace(servers.topology, domains=tuple(made)), behind)
        fleet = stack.enter_context(outgrow.open(topology, install=True, rows_in_place=True))
        for places in recorded:
            places.record()
        yield Sides(fleet, plain)


def _filled(domain: Domain, tables: Sequence[Tab], seed: int, strategy: str) -> tuple[Domain, Places]:
    names = [shard.name for shard in domain.shards]
    wanted = {table.name for table in tables}
    mine = {name: placement for name, placement in placements(names).items() if name.name in wanted}
    domain = placed(domain, strategy, mine)
    places = Places(domain)
    fill_shards(domain, seed, places, tables)
    return domain, places
