"""A table that somebody has altered on one shard, past outgrow: an error that says so, and no answer."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

import outgrow
from outgrow.plan.bringing import staging
from outgrow.topology import Placement, Sharded, TableName, Topology
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "orders"): Sharded(("customer",)),
    TableName("public", "goods"): Sharded(("id",)),
}
VIEW = "CREATE VIEW dear AS SELECT customer, total FROM orders WHERE good > 0"
STATEMENTS = {
    "rows": "SELECT customer, total FROM orders",
    "sum": "SELECT sum(total) FROM orders",
    "group": "SELECT total, count(*) FROM orders GROUP BY 1",
    "order": "SELECT total FROM orders ORDER BY 1 LIMIT 3",
    "join": "SELECT g.id, o.total FROM orders o JOIN goods g ON g.id = o.good",
    "window": "SELECT total, rank() OVER (ORDER BY total) FROM orders",
    "view": "SELECT sum(total) FROM dear",
    "update": "UPDATE goods SET label = o.total::text FROM orders o WHERE o.good = goods.id",
}
CHANGES = {
    "wider": "ALTER TABLE orders ALTER total TYPE numeric",
    "text": "ALTER TABLE orders ALTER total TYPE text",
    "gone": "ALTER TABLE orders DROP total",
}


@pytest.fixture(scope="module")
def topology(fleet_servers: Servers) -> Iterator[Topology]:
    made = fleet_servers.fresh(TABLES)
    with outgrow.open(made, install=True) as fleet:
        fleet.execute("CREATE TABLE orders (customer int8, good int8, total int4)")
        fleet.execute("CREATE TABLE goods (id int8, label text)")
        fleet.execute(VIEW)
        for n in range(1, 9):
            fleet.execute("INSERT INTO orders VALUES (%s, %s, %s)", [n, 1 + n % 4, n])
            fleet.execute("INSERT INTO goods VALUES (%s, %s)", [n, f"good {n}"])
    yield made
    fleet_servers.drop(made)


@pytest.fixture(params=CHANGES)
def changed(request: pytest.FixtureRequest, topology: Topology) -> Iterator[outgrow.Fleet]:
    """A fleet that has taken its picture before the second shard was changed."""
    with outgrow.open(topology) as fleet:
        fleet.execute("SELECT 1 FROM orders")
        with psycopg.connect(topology.domains[0].shards[1].primary.dsn, autocommit=True) as shard:
            shard.execute("DROP VIEW dear")
            shard.execute("BEGIN")
            shard.execute("CREATE TABLE kept AS TABLE orders")
            shard.execute(CHANGES[request.param])  # type: ignore[call-overload]
            if request.param != "gone":
                shard.execute(VIEW)
            shard.execute("COMMIT")
            yield fleet
            shard.execute("DROP TABLE orders CASCADE")
            shard.execute("ALTER TABLE kept RENAME TO orders")
            shard.execute(VIEW)


@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("how", ["execute", "stream", "transaction", "narrowed"])
def test_it_is_told(changed: outgrow.Fleet, monkeypatch: pytest.MonkeyPatch, sql: str, how: str) -> None:
    if how == "narrowed":
        monkeypatch.setattr(staging, "FEW_ROWS", 0)
        monkeypatch.setattr(staging, "TIMES_FEWER", 0)
    with changed.session(level="strong") as session:
        reads = sql.startswith("SELECT")
        with pytest.raises(outgrow.Error) as told:
            if how == "transaction":
                with session.transaction():
                    session.execute(sql)
            elif how == "stream" and reads:
                list(session.stream(sql))
            else:
                session.execute(sql)
        shown = str(told.value)
        assert "s2" in shown, shown
        assert "orders" in shown, shown
        assert "total" in shown, shown
        # From then on nothing is asked.
        with pytest.raises(outgrow.ConfigurationError, match=r"OG-SCHEMA-01[23].*orders.*column total"):
            session.execute("SELECT total FROM orders WHERE good = 1")
