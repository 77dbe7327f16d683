"""Many staged reads at once, each with links to several shards, and few links to be had."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import outgrow
from outgrow import Fleet
from outgrow.runtime.reading.ground import Ground
from outgrow.runtime.reading.staged import Staging
from outgrow.topology import Placement, PoolLimits, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "goods"): Sharded(("id",)),
    TableName("public", "sales"): Sharded(("buyer",)),
}
SQL = "SELECT g.label, s.buyer FROM goods g JOIN sales s ON s.good = g.id ORDER BY 1, 2"
READERS = 20


@pytest.fixture(scope="module")
def shop(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    narrow = replace(topology.domains[0], pool=PoolLimits(size_max=3, wait_timeout_seconds=5.0))
    with outgrow.open(replace(topology, domains=(narrow,)), install=True) as fleet:
        fleet.execute("CREATE TABLE goods (id int8 PRIMARY KEY, label text)")
        fleet.execute("CREATE TABLE sales (buyer int8, good int8)")
        for n in range(1, 9):
            fleet.execute("INSERT INTO goods VALUES (%s, %s)", [n, f"good {n}"])
            fleet.execute("INSERT INTO sales VALUES (%s, %s)", [n, n % 5])
        yield fleet
    fleet_servers.drop(topology)


def read(fleet: Fleet) -> set[tuple[tuple[str, int], ...]]:
    """What READERS of them see who begin together, each some times."""

    def one(_: int) -> set[tuple[tuple[str, int], ...]]:
        with fleet.session(level="strong") as session:
            return {tuple(session.execute(SQL).fetchall()) for _ in range(5)}

    with ThreadPoolExecutor(READERS) as threads:
        return set().union(*threads.map(one, range(READERS)))


def test_they_do_not_wait_for_each_other(shop: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    stood: list[Ground] = []
    whole = Staging.run_steps

    def noted(self: Staging, *arguments: object) -> object:
        rows = yield from whole(self, *arguments)  # type: ignore[arg-type]
        stood.append(self._ground)
        return rows

    monkeypatch.setattr(Staging, "run_steps", noted)
    expected = tuple(shop.execute(SQL).fetchall())
    assert read(shop) == {expected}
    assert stood == [Ground.ALONE] * (5 * READERS + 1)
