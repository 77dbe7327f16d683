"""Statements with several writing parts, on two real shards: all of them everywhere, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.plan import refuse
from outgrow.plan.writes import relay
from outgrow.runtime.transaction import relays, writes
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


KEEP = "WITH gone AS (DELETE FROM orders WHERE id > 15 RETURNING *)"


def test_what_does_not_stay_with_its_shard_goes_one_after_another(session: Session) -> None:
    """Each part is a statement of its own, and what it returned a table for those behind it."""
    moved = session.execute(f"{KEEP} INSERT INTO archive SELECT id + 1, id, total FROM gone RETURNING customer_id")
    assert (moved.statusmessage, moved.rowcount) == ("INSERT", 5)
    assert sorted(moved.fetchall()) == [(17,), (18,), (19,), (20,), (21,)]
    for n in range(16, 21):
        assert session.execute("SELECT id FROM archive WHERE customer_id = %s", [n + 1]).fetchall() == [(n,)]
    session.execute(
        "WITH gone AS (DELETE FROM orders WHERE id = 15 RETURNING total) UPDATE rates SET rate = (SELECT total FROM"
        " gone) WHERE code = 'a'"
    )
    for shard in ("s1", "s2"):
        assert session.execute("SELECT rate FROM rates WHERE code = 'a'", shard=shard).fetchall() == [(15,)]
    chain = session.execute(
        "WITH one AS (UPDATE orders SET total = 50 WHERE customer_id = id AND id < 4 RETURNING id), two AS (DELETE FROM"
        " archive a USING one WHERE a.id = one.id + 15 RETURNING a.*), three AS (INSERT INTO marks SELECT 'm' || id, id"
        " FROM two RETURNING n) SELECT count(*), sum(n)::int8 FROM three"
    )
    assert chain.fetchall() == [(3, 51)]
    given = session.execute(
        "WITH born AS (INSERT INTO orders VALUES (1, 50, 0), (2, 51, 0), (3, 52, 0), (4, 53, 0) RETURNING *) "
        "SELECT count(*), max(id) FROM born"
    )
    assert given.fetchall() == [(4, 53)]
    none = session.execute(
        "WITH gone AS (DELETE FROM orders WHERE id < 0 RETURNING total * 1.5 AS t) INSERT INTO archive (customer_id,"
        " total) SELECT t, t FROM gone"
    )
    assert none.rowcount == 0


REFUSED = [
    # Read, or changed, as it was before another part wrote it.
    (f"{KEEP} SELECT count(*) FROM orders o JOIN gone USING (id)", "OG-PLAN-010"),
    (f"{KEEP} DELETE FROM orders USING gone WHERE orders.total = gone.id", "OG-PLAN-010"),
    (f"{KEEP} INSERT INTO archive SELECT id, (SELECT count(*) FROM orders) FROM gone", "OG-PLAN-046"),
    ("WITH r AS (SELECT random() AS x), gone AS (DELETE FROM orders USING r WHERE total < r.x RETURNING *) INSERT INTO"
     " archive SELECT id, r.x FROM gone, r", "OG-PLAN-046"),
    ("WITH gone AS (DELETE FROM orders WHERE id > 15 RETURNING ctid) INSERT INTO marks SELECT ctid::text FROM gone",
     "OG-PLAN-046"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_what_cannot_go_one_after_another_is_refused_and_changes_nothing(session: Session, sql: str, code: str) -> None:
    before = rows(session, "orders"), rows(session, "archive"), rows(session, "rates")
    with pytest.raises(outgrow.NotSupportedError) as refused:
        session.execute(sql)
    assert refused.value.code == code
    assert (rows(session, "orders"), rows(session, "archive"), rows(session, "rates")) == before


def test_a_part_that_fails_takes_those_before_it_back(session: Session) -> None:
    before = rows(session, "orders")
    sql = f"{KEEP} INSERT INTO archive SELECT id + 1, id, total + 90 FROM gone"
    with pytest.raises(outgrow.IntegrityError):
        session.execute(sql)
    assert rows(session, "orders") == before
    session.execute("BEGIN")
    with pytest.raises(outgrow.IntegrityError):
        session.execute(sql)
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-020"):
        session.execute("COMMIT")
    assert rows(session, "orders") == before


def test_mutant_parts_that_see_what_others_wrote(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts see the rows from before the statement: 20 orders, of which 5 are being deleted."""
    sql = f"{KEEP} INSERT INTO archive SELECT id, (SELECT count(*) FROM orders) FROM gone RETURNING id"
    with pytest.raises(outgrow.NotSupportedError, match="OG-PLAN-046"):
        session.execute(sql)
    monkeypatch.setattr(relay, "_check_order", lambda *_: None)
    assert set(session.execute(f"{sql} ").fetchall()) == {(15,)}


def test_mutant_a_table_computed_anew_for_each_part(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = (
        "WITH r AS (SELECT (random() * 1000000000)::int4 AS x), one AS (INSERT INTO archive (customer_id, id) SELECT g,"
        " r.x FROM r, generate_series(1, 9) g RETURNING id), two AS (INSERT INTO orders (customer_id, id) SELECT g, r.x"
        " FROM r, generate_series(1, 9) g RETURNING id) SELECT bool_or(one.id = two.id) FROM one, two"
    )
    with pytest.raises(outgrow.NotSupportedError, match="OG-PLAN-"):
        session.execute(sql)
    monkeypatch.setattr(relay, "_check_shared", lambda _: None)
    assert session.execute(f"{sql} ").fetchall() == [(False,)]


def test_mutant_a_relay_that_forgets_its_failure(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused behind a part that has been done must not let that part be committed."""
    calls = iter(range(10))
    real = relays._run_steps

    def refusing(*args: Any) -> Any:
        if next(calls) % 2:
            raise refuse("key move", "orders", "…")
        return (yield from real(*args))

    monkeypatch.setattr(relays, "_run_steps", refusing)
    sql = f"{KEEP} INSERT INTO archive SELECT id + 1, id, total FROM gone"
    before = rows(session, "orders")
    session.execute("BEGIN")
    with pytest.raises(outgrow.NotSupportedError):
        session.execute(sql)
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-020"):
        session.execute("COMMIT")
    assert rows(session, "orders") == before
    monkeypatch.setattr(writes, "whole", lambda transaction: contextlib.nullcontext())
    with session.transaction(), pytest.raises(outgrow.NotSupportedError):
        session.execute(sql)
    assert rows(session, "orders") != before
