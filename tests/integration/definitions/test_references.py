"""Foreign keys that DDL makes: native where a row and its partner share a shard, refused where they may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet, NotSupportedError
from outgrow.topology import Copied, Sharded, Single, TableName
from tests.servers import Servers

TABLES = {
    "customers": Sharded(("id",)), "orders": Sharded(("customer",)), "lines": Sharded(("customer",)),
    "countries": Copied(), "settings": Single("s1"), "notes": Single("s2"), "tags": Sharded(("tag",)),
}  # fmt: skip


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh({TableName("public", name): placed for name, placed in TABLES.items()})
    try:
        with outgrow.open(topology, install=True) as opened:
            for sql in (
                "CREATE TABLE customers (id int8 PRIMARY KEY, name text UNIQUE)",
                "CREATE TABLE countries (code text PRIMARY KEY)",
                "CREATE TABLE settings (name text PRIMARY KEY)",
                "CREATE TABLE tags (tag text PRIMARY KEY)",
            ):
                opened.execute(sql)
            yield opened
    finally:
        fleet_servers.drop(topology)


def test_rows_that_share_a_shard(fleet: Fleet) -> None:
    fleet.execute(
        "CREATE TABLE orders (customer int4 REFERENCES customers, number int4, land text REFERENCES countries,"
        " before int4, PRIMARY KEY (customer, number), FOREIGN KEY (customer, before) REFERENCES orders)"
    )
    fleet.execute("CREATE TABLE lines (customer int8, number int4, text text)")
    fleet.execute("ALTER TABLE lines ADD FOREIGN KEY (customer, number) REFERENCES orders ON DELETE CASCADE")
    fleet.execute("ALTER TABLE tags ADD COLUMN land text REFERENCES countries")
    assert not [finding for finding in fleet.doctor() if finding.check == "foreign keys"]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            "CREATE TABLE orders (customer int8, name text REFERENCES customers (name))",
            "does not lead from the shard key",
        ),
        ("CREATE TABLE orders (customer int8, tag text REFERENCES tags)", "does not lead from the shard key"),
        ("CREATE TABLE orders (customer int8, setting text REFERENCES settings)", "lives on s1"),
        ("CREATE TABLE notes (setting text REFERENCES settings)", "one lives on s2, the other on s1"),
        ("CREATE TABLE notes (customer int8 REFERENCES customers)", "the other is sharded"),
        ("ALTER TABLE countries ADD COLUMN best int8 REFERENCES customers", "one is copied"),
        ("ALTER TABLE customers ADD COLUMN friend int8 REFERENCES customers", "does not lead"),
    ],
)
def test_rows_that_may_not(fleet: Fleet, sql: str, why: str) -> None:
    table = sql.split()[2]
    with pytest.raises(NotSupportedError, match=rf"OG-RUN-155.*{why}"):
        fleet.execute(sql)
    # In a transaction too; nothing of either is there.
    with fleet.session() as session:
        session.execute("BEGIN")
        with pytest.raises(NotSupportedError, match=r"OG-RUN-155"):
            session.execute(sql)
        session.execute("ROLLBACK")
    assert fleet.unfinished_definitions() == ()
    found = fleet.execute(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(%s)", [table]
    )
    assert found.fetchall() == [(0,)]
