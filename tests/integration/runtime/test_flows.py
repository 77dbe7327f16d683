"""Statements with several writing parts, on two real shards: all of them everywhere, or none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.topology import Copied, Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "orders"): Sharded(("customer_id",)),
    TableName("public", "archive"): Sharded(("customer_id",)),
    TableName("public", "rates"): Copied(),
    TableName("public", "marks"): Copied(),
}


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened:
            with opened.session() as session:
                session.execute("CREATE TABLE orders (customer_id int8, id int4, total int4)")
                session.execute("CREATE TABLE archive (customer_id int4, id int4, total int4 CHECK (total < 100))")
                session.execute("CREATE TABLE rates (code text PRIMARY KEY, rate int4)")
                session.execute("CREATE TABLE marks (code text PRIMARY KEY, n int4)")
            yield opened
    finally:
        fleet_servers.drop(topology)


@pytest.fixture
def session(fleet: Fleet) -> Iterator[Session]:
    """A session over twenty orders of as many customers, and three rates."""
    with fleet.session() as opened:
        opened.execute("TRUNCATE orders, archive, rates, marks")
        opened.execute("INSERT INTO orders VALUES " + ", ".join(f"({n}, {n}, {n})" for n in range(1, 21)))
        opened.execute("INSERT INTO rates VALUES ('a', 1), ('b', 2), ('c', 3)")
        yield opened


def rows(session: Session, table: str) -> list[tuple[object, ...]]:
    return sorted(session.execute(f"SELECT * FROM {table}").fetchall())


ARCHIVE = """WITH gone AS (DELETE FROM orders WHERE id > %s RETURNING *)
    INSERT INTO archive SELECT customer_id, id, total FROM gone RETURNING customer_id, total"""


def test_what_one_part_hands_on_another_writes_on_the_same_shard(session: Session) -> None:
    result = session.execute(ARCHIVE, [5])
    assert (result.statusmessage, result.rowcount) == ("INSERT", 15)
    assert sorted(result.fetchall()) == [(n, n) for n in range(6, 21)]
    assert rows(session, "archive") == [(n, n, n) for n in range(6, 21)]
    assert rows(session, "orders") == [(n, n, n) for n in range(1, 6)]
    for n in range(6, 21):
        assert session.execute("SELECT id FROM archive WHERE customer_id = %s", [n]).fetchall() == [(n,)]


def test_a_part_that_fails_on_one_shard_undoes_all_parts_on_all(session: Session) -> None:
    session.execute("UPDATE orders SET total = 100 WHERE customer_id = 7")
    before = rows(session, "orders")
    with pytest.raises(outgrow.IntegrityError):
        session.execute(ARCHIVE, [0])
    assert rows(session, "orders") == before
    assert rows(session, "archive") == []


def test_a_query_over_what_was_written_is_finished(session: Session) -> None:
    sql = "WITH gone AS (UPDATE orders SET total = total + 1 WHERE id <= 10 RETURNING total, id) {}"
    counted = session.execute(sql.format("SELECT count(*), sum(total), max(id) FROM gone"))
    assert (counted.statusmessage, counted.rowcount, counted.fetchall()) == ("SELECT", 1, [(10, 65, 10)])
    top = session.execute(sql.format("SELECT id, total FROM gone ORDER BY id DESC LIMIT 2")).fetchall()
    assert top == [(10, 12), (9, 11)]
    assert session.execute("SELECT sum(total) FROM orders").fetchall() == [(230,)]


def test_rows_given_under_with_go_to_their_shards(session: Session) -> None:
    result = session.execute(
        """WITH born AS (INSERT INTO orders VALUES (101, 1, 1), (102, 2, 2), (103, 3, 3), (%s, 4, 4) RETURNING *)
        INSERT INTO archive SELECT customer_id, id, total FROM born WHERE id < 4""",
        [104],
    )
    assert result.rowcount == 3
    assert rows(session, "archive") == [(101, 1, 1), (102, 2, 2), (103, 3, 3)]
    for key in (101, 102, 103, 104):
        assert len(session.execute("SELECT * FROM orders WHERE customer_id = %s", [key]).fetchall()) == 1
    few = session.execute(
        "WITH born AS (INSERT INTO orders VALUES (201, 1, 1), (202, 2, 2), (203, 3, 3) RETURNING *) SELECT * FROM born"
    )
    assert sorted(few.fetchall()) == [(201, 1, 1), (202, 2, 2), (203, 3, 3)]


def test_copied_tables_change_alike(session: Session) -> None:
    sql = """WITH upped AS (UPDATE rates SET rate = rate + 10 WHERE rate > 1 RETURNING code, rate),
        marked AS (INSERT INTO marks SELECT code, rate FROM upped) SELECT count(*), sum(rate) FROM upped"""
    assert session.execute(sql).fetchall() == [(2, 25)]
    for shard in ("s1", "s2"):
        assert sorted(session.execute("SELECT * FROM rates", shard=shard).fetchall()) == [
            ("a", 1),
            ("b", 12),
            ("c", 13),
        ]
        assert sorted(session.execute("SELECT * FROM marks", shard=shard).fetchall()) == [("b", 12), ("c", 13)]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("WITH gone AS (DELETE FROM orders RETURNING *) INSERT INTO archive SELECT id, id FROM gone", "OG-PLAN-008"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) UPDATE rates SET rate = 0", "OG-PLAN-046"),
        ("WITH gone AS (UPDATE orders SET id = 9 WHERE customer_id = id RETURNING *) DELETE FROM archive USING gone "
         "WHERE archive.customer_id = gone.id", "OG-PLAN-010"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) DELETE FROM archive WHERE id IN (SELECT id FROM gone)",
         "OG-PLAN-012"),
        ("WITH gone AS (UPDATE orders SET customer_id = 3 RETURNING *) SELECT count(*) FROM gone", "OG-PLAN-007"),
        ("WITH born AS (INSERT INTO orders VALUES (1, 50, 0), (2, 51, 0), (3, 52, 0), (4, 53, 0) RETURNING *) "
         "SELECT count(*) FROM born", "OG-PLAN-046"),
    ],
)  # fmt: skip
def test_what_does_not_stay_together_is_refused_and_changes_nothing(session: Session, sql: str, code: str) -> None:
    before = rows(session, "orders"), rows(session, "archive"), rows(session, "rates")
    with pytest.raises(outgrow.NotSupportedError) as refused:
        session.execute(sql)
    assert refused.value.code == code
    assert (rows(session, "orders"), rows(session, "archive"), rows(session, "rates")) == before
