"""Queries over several PostgreSQL domains, beside one PostgreSQL with all the tables."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow.doors import dbapi
from outgrow.errors import NotSupportedError, OperationalError, ProgrammingError
from outgrow.events import StatementEnded
from tests.integration.across.conftest import Sides

QUERIES = [
    line for line in Path(__file__).with_name("across.sql").read_text().splitlines() if line[:2] not in ("--", "")
]


@pytest.mark.parametrize("sql", QUERIES)
def test_the_same_answer(sides: Sides, sql: str) -> None:
    sides.same(sql)


def test_names_with_their_domain(sides: Sides) -> None:
    plain = (
        "SELECT o.id, u.name, l.who FROM orders o JOIN users u ON u.id = o.customer JOIN audit.log l ON l.who = u.id"
    )
    end = " ORDER BY 1, 2, 3, l.at"
    ours = (
        "SELECT o.id, u.name, l.who FROM sales.orders o JOIN users.public.users u ON u.id = o.customer "
        "JOIN users.audit.log l ON l.who = u.id"
    )
    sides.same(ours + end, plain=plain + end)
    sides.same(
        "SELECT users.users.name FROM users.users WHERE users.users.id = 3", plain="SELECT name FROM users WHERE id = 3"
    )
    sides.same(
        "SELECT a.what, b.what FROM shared a FULL JOIN stock.shared b USING (id) ORDER BY 1",
        plain="SELECT a.what, b.what FROM sales_shared a FULL JOIN stock_shared b USING (id) ORDER BY 1",
    )


def test_parameters(sides: Sides) -> None:
    sql = (
        "SELECT o.id, u.name, %s::text FROM orders o JOIN users u ON u.id = o.customer"
        " WHERE u.id = ANY(%s) AND o.total > %s AND u.name <> %s ORDER BY 1"
    )
    assert sides.same(sql, ["it's %", [1, 2, 3], 10, "user 2"])
    assert sides.same(sql, [None, [1, 2, 3], 10.5, ""])
    assert sides.same("SELECT name FROM users WHERE born = %s", [datetime.date(1990, 1, 3)])
    assert sides.same("SELECT name FROM users WHERE born < %s ORDER BY 1", [datetime.datetime(1990, 1, 3, 5)])
    assert sides.same("SELECT name FROM users WHERE id = %s", ["3"])
    assert sides.same(
        "SELECT who FROM audit.log WHERE at = %s", [datetime.datetime(2024, 1, 1, 5, tzinfo=datetime.UTC)]
    )


def test_only_what_is_needed_is_brought(sides: Sides) -> None:
    def brought(sql: str, params: list[Any] | None = None) -> str:
        return "\n".join(sides.fleet.explain(sql, params).to_dict()["plan"]["across"])

    shown = brought("SELECT u.name FROM users u JOIN orders o ON o.customer = u.id WHERE u.id = 3 AND o.total > 5")
    assert 'users.users as u (id, name) where "u"."id" = 3' in shown.replace("u.id", '"u"."id"'), shown
    assert "orders as o (customer, total)" in shown
    with sides.fleet.session("users") as session:
        # Here users has its own table, and an order's key follows from the join.
        result = session.execute(
            "SELECT u.name FROM users u JOIN sales.orders o ON o.customer = u.id WHERE u.id = %s", [3]
        )
        sales = {node for node in result.nodes if node.startswith("sales/")}
        assert len({node.split("/")[1] for node in sales}) == 1, result.nodes


def test_errors_say_where_was_looked(sides: Sides) -> None:
    with pytest.raises(ProgrammingError, match=r"OG-STMT-010.*sales, users, stock") as unknown:
        sides.fleet.execute("SELECT * FROM nothing JOIN users ON true")
    assert unknown.value.sqlstate == "42P01"
    with sides.fleet.session("users") as session, pytest.raises(ProgrammingError, match=r"OG-STMT-030.*sales, stock"):
        session.execute("SELECT * FROM shared JOIN users USING (id)")
    with pytest.raises(ProgrammingError, match="OG-STMT-010"):
        sides.fleet.execute("SELECT * FROM users.public.nothing")
    with pytest.raises(ProgrammingError, match="OG-STMT-011"):
        sides.fleet.execute("SELECT u.nothing FROM users u")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO notes SELECT id, name FROM users", "OG-PLAN-070"),
        ("DELETE FROM users.users", "OG-PLAN-070"),
        ("UPDATE orders SET total = 1 FROM users u WHERE u.id = orders.customer", "OG-PLAN-070"),
        ("WITH x AS (DELETE FROM notes RETURNING id) SELECT * FROM x JOIN users USING (id)", "OG-PLAN-070"),
        ("SELECT * FROM users FOR UPDATE", "OG-PLAN-020"),
        ("SELECT random(), name FROM users", "OG-PLAN-018"),
        ("SELECT u FROM users u", "OG-PLAN-"),
        ("SELECT ctid FROM users", "OG-PLAN-"),
    ],
)
def test_what_is_refused(sides: Sides, sql: str, code: str) -> None:
    with pytest.raises(NotSupportedError, match=code):
        sides.fleet.execute(sql)


def test_a_chosen_shard_is_refused(sides: Sides) -> None:
    with sides.fleet.session() as session, pytest.raises(NotSupportedError, match="OG-PLAN-071"):
        session.execute("SELECT * FROM users", shard="s1")


def test_types_of_one_domain_are_refused_by_name(sides: Sides) -> None:
    with sides.fleet.session("users") as session:
        session.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        session.execute("CREATE TABLE moods (id int8, mood mood, other text)")
        session.execute("INSERT INTO moods VALUES (1, 'ok', 'x')")
    with sides.fleet.session(level="strong") as session:
        assert session.execute("SELECT id, other FROM moods").fetchall() == [(1, "x")]
    with pytest.raises(NotSupportedError, match=r"OG-PLAN-073: users.moods.mood is of type public.mood"):
        sides.fleet.execute("SELECT * FROM moods")


def test_text_in_another_order_is_shown_and_compared_by_equality_alone(sides: Sides) -> None:
    with sides.fleet.session("users") as session:
        session.execute("CREATE COLLATION own (provider = libc, locale = 'C.UTF-8')")
        session.execute('CREATE TABLE words (id int8, word text COLLATE own, plain text COLLATE "C")')
        session.execute("INSERT INTO words VALUES (1, 'a', 'a'), (2, 'B', 'B'), (3, 'c', 'c')")
    run = sides.fleet.session(level="strong").execute
    assert run("SELECT id, word FROM words WHERE word = 'B'").fetchall() == [(2, "B")]
    assert run("SELECT count(DISTINCT word) FROM words").fetchall() == [(3,)]
    assert run("SELECT w.id FROM words w JOIN shared s ON s.what <> w.word ORDER BY 1").fetchall() == [(1,), (2,), (3,)]
    assert run("SELECT word FROM words GROUP BY word ORDER BY count(*), min(id)").fetchall()[0] == ("a",)
    assert run("SELECT plain FROM words ORDER BY plain").fetchall() == [("B",), ("a",), ("c",)]
    for sql in (
        "SELECT word FROM words ORDER BY word",
        "SELECT max(word) FROM words",
        "SELECT id FROM words WHERE word > 'a'",
        "SELECT x.w FROM (SELECT word AS w FROM words) x ORDER BY x.w",
        "WITH x AS (SELECT word AS w FROM words) SELECT w FROM x WHERE w < 'b'",
        "SELECT word FROM words UNION SELECT what FROM shared ORDER BY 1",
        "SELECT id FROM words ORDER BY (SELECT word)",
        "SELECT upper(word) FROM words",
        "SELECT rank() OVER (ORDER BY word) FROM words",
        "SELECT word || 'x' AS y FROM words ORDER BY y",
        "SELECT coalesce(word, 'x') AS y FROM words ORDER BY y",
        "SELECT y FROM (SELECT CASE WHEN id > 0 THEN word END AS y FROM words) z ORDER BY y",
        "SELECT id FROM words WHERE word BETWEEN 'a' AND 'b'",
        "SELECT id FROM words WHERE (word, id) < ('b', 2)",
        "SELECT array_agg(word) FROM words",
        "SELECT id FROM words WHERE word LIKE 'a%'",
        "SELECT id FROM words WHERE word > ANY (SELECT what FROM shared)",
        "SELECT id FROM words WHERE 'a' < ANY (SELECT word FROM words)",
    ):
        with pytest.raises(NotSupportedError, match=r"OG-PLAN-07[45]"):
            run(sql)


def test_own_writes_in_a_transaction_and_nobody_elses(sides: Sides) -> None:
    sql = "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.customer WHERE o.id > 900 ORDER BY 1"
    with sides.fleet.session() as session, session.transaction():
        session.execute("INSERT INTO orders (customer, id) VALUES (1, 901), (2, 902), (3, 903)")
        session.execute("UPDATE countries SET name = 'France!' WHERE code = 'FR'")
        assert session.execute(sql).fetchall() == [(901, "user 1"), (902, "user 2"), (903, "user 3")]
        assert sides.fleet.execute(sql).fetchall() == []
        named = session.execute("SELECT DISTINCT c.name FROM countries c JOIN users u ON u.country = c.code ORDER BY 1")
        assert named.fetchall() == [("France!",), ("Germany",)]
        session.execute("DELETE FROM orders WHERE id > 900")
        session.execute("UPDATE countries SET name = 'France' WHERE code = 'FR'")


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_of_one_moment_is_refused(sides: Sides, isolation: str) -> None:
    with sides.fleet.session() as session, session.transaction(isolation):
        with pytest.raises(NotSupportedError, match="OG-RUN-130"):
            session.execute("SELECT * FROM orders o JOIN users u ON u.id = o.customer")
        assert session.execute("SELECT count(*) FROM orders").fetchall() == [(40,)]


def test_set_role_is_refused(sides: Sides) -> None:
    with sides.fleet.session() as session:
        session.execute("SET ROLE app")
        with pytest.raises(NotSupportedError, match="OG-RUN-131"):
            session.execute("SELECT * FROM users")
        session.execute("RESET ROLE")
        assert session.execute("SELECT count(*) FROM users").fetchall() == [(10,)]


def test_settings_under_which_text_is_not_exact_are_refused(sides: Sides) -> None:
    with sides.fleet.session() as session:
        session.execute("SET IntervalStyle = 'sql_standard'")
        with pytest.raises(NotSupportedError, match="OG-RUN-132"):
            session.execute("SELECT * FROM orders o JOIN users u ON u.id = o.customer")


def test_levels_and_tokens_go_along(sides: Sides) -> None:
    result = sides.fleet.session(level="eventual").execute(QUERIES[0])
    assert all("replica" in node for node in result.nodes), result.nodes
    with sides.fleet.session("users") as writer:
        writer.execute("INSERT INTO audit.log VALUES ('2025-01-01Z', 77, NULL)")
        token = writer.token()
    with sides.fleet.session(token=token) as reader:
        assert reader.execute("SELECT count(*) FROM audit.log WHERE who = 77").fetchall() == [(1,)]
        onward = reader.token()
    assert {key.partition("/")[0] for key in _read(onward).floors} >= {"users"}
    # One who has read nothing there hands on what he was given.
    with sides.fleet.session("stock", token=onward) as idle:
        assert _read(idle.token()).floors["users/s1"] == _read(onward).floors["users/s1"]
    with sides.fleet.session("users") as writer:
        writer.execute("DELETE FROM audit.log WHERE who = 77")


def _read(token: str) -> outgrow.route.Token:
    from outgrow.route import Token

    return Token.read(token, b"0123456789abcdef")


def test_a_stream_and_asyncio(sides: Sides) -> None:
    expected = sides.plain.execute(QUERIES[0]).fetchall()  # type: ignore[call-overload]
    with sides.fleet.session() as session:
        assert list(session.stream(QUERIES[0], chunk_rows=3)) == expected

    async def main() -> list[Any]:
        async with sides.fleet.async_session() as session:
            return (await session.execute(QUERIES[0])).fetchall()

    assert asyncio.run(main()) == expected


def test_events_tell_the_domain_of_each_shard(sides: Sides) -> None:
    told: list[Any] = []
    stop = sides.fleet.subscribe(told.append)
    try:
        sides.fleet.execute(QUERIES[0])
    finally:
        stop()
    (event,) = [each for each in told if isinstance(each, StatementEnded)]
    assert (event.domain, event.why) == ("sales", "across")
    assert set(event.shards) == {"s1", "s2", "users/s1"}
    assert {visit.node.split("/")[0] for visit in event.visits} == {"sales", "users"}


def test_a_table_that_another_domain_changes_is_seen_anew(sides: Sides) -> None:
    sql = "SELECT * FROM fresh"
    with pytest.raises(ProgrammingError, match="OG-STMT-010"):
        sides.fleet.execute(sql)
    with sides.fleet.session("users") as session:
        session.execute("CREATE TABLE fresh (a int8)")
        session.execute("INSERT INTO fresh VALUES (1)")
        reader = sides.fleet.session(level="strong")
        assert reader.execute(sql).fetchall() == [(1,)]
        session.execute("ALTER TABLE fresh ADD COLUMN b text DEFAULT 'x'")
        assert reader.execute(sql).fetchall() == [(1, "x")]
        session.execute("DROP TABLE fresh")
    with pytest.raises(ProgrammingError, match="OG-STMT-010"):
        sides.fleet.execute(sql)


def test_a_statement_within_one_domain_is_what_it_was(sides: Sides) -> None:
    """It is bound to its domain's schema alone."""
    sides.fleet.execute("SELECT * FROM orders WHERE customer = %s", [1])
    state = sides.fleet._states["sales"]
    prepared = state.picture.plans.find(("SELECT * FROM orders WHERE customer = %s", True))
    assert prepared is not None and prepared.point is not None and prepared.abroad is None


def test_an_error_elsewhere_leaves_the_transaction_whole(sides: Sides) -> None:
    """The other domain fails while its own would still be reading; what has been written is committed all the same."""
    users = sides.fleet.topology.domain("users").home.primary
    sales = sides.fleet.topology.domain("sales").shards[1].primary
    sql = "SELECT l.n, u.name FROM lines l JOIN users u ON u.id = l.customer"
    sides.fleet.execute(sql)
    with sides.fleet.session(level="strong") as session:
        with session.transaction():
            session.execute("INSERT INTO orders (customer, id) VALUES (1, 801), (2, 802), (3, 803)")
            sides.servers.sql(users, "ALTER TABLE users RENAME name TO named")
            try:
                with psycopg.connect(sales.dsn) as blocker:
                    blocker.execute("LOCK TABLE lines IN ACCESS EXCLUSIVE MODE")
                    with pytest.raises(ProgrammingError) as caught:
                        session.execute(sql, timeout_seconds=10)
            finally:
                sides.servers.sql(users, "ALTER TABLE users RENAME named TO name")
            assert caught.value.node is not None and caught.value.node.startswith("users/")
            assert len(session.execute(sql).fetchall()) == 40
        assert session.execute("SELECT count(*) FROM orders WHERE id > 800").fetchall() == [(3,)]
        session.execute("DELETE FROM orders WHERE id > 800")


def test_a_time_limit_holds_for_all_domains(sides: Sides) -> None:
    """Whichever of them is slow, the others are cancelled and their servers have nothing left to do."""
    sql = "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.customer"
    slow = {"users": "users", "sales": "orders"}
    with sides.fleet.session(level="strong") as session:
        for domain, table in slow.items():
            node = sides.fleet.topology.domain(domain).shards[-1].primary
            with psycopg.connect(node.dsn) as blocker:
                blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")  # type: ignore[call-overload]
                with pytest.raises(OperationalError) as caught:
                    session.execute(sql, timeout_seconds=0.5)
                assert caught.value.node == node.name
            for shard in sides.fleet.topology.domain("sales").shards:
                active = "SELECT query FROM pg_stat_activity WHERE state = 'active' AND usename = 'app'"
                assert sides.servers.sql(shard.primary, f"{active} AND datname = current_database()") == []
        assert len(session.execute(sql).fetchall()) == 40


def test_catalogues_of_other_domains_are_no_tables(sides: Sides) -> None:
    with pytest.raises(ProgrammingError, match="OG-STMT-010"):
        sides.fleet.execute("SELECT * FROM users.pg_class")


def test_a_connection_lost_in_mid_query_is_made_anew(sides: Sides) -> None:
    """Nobody has seen a row of the read, so it goes again; also in a transaction, outside of which it is made."""
    users = sides.fleet.topology.domain("users").home.primary
    waiting = "pid <> pg_backend_pid() AND datname = current_database() AND wait_event_type = 'Lock'"
    for within in (False, True):
        with sides.fleet.session(level="strong") as session, psycopg.connect(users.dsn) as blocker:
            if within:
                session.execute("BEGIN")
                session.execute("INSERT INTO orders (customer, id) VALUES (1, 701)")
            blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")

            def lose(blocker: psycopg.Connection[Any] = blocker) -> None:
                until = time.monotonic() + 10
                sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waiting}"
                while not sides.servers.sql(users, sql) and time.monotonic() < until:
                    time.sleep(0.01)
                blocker.rollback()

            loser = threading.Thread(target=lose)
            loser.start()
            rows = session.execute("SELECT o.id FROM orders o JOIN users u ON u.id = o.customer", timeout_seconds=20)
            loser.join()
            assert len(rows.fetchall()) == 40 + within
            if within:
                session.execute("ROLLBACK")


def test_the_db_api_asks_too(sides: Sides) -> None:
    with dbapi.connect(sides.fleet) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (customer, id) VALUES (1, 702)")
        cursor.execute("SELECT u.name, o.id FROM orders o JOIN users u ON u.id = o.customer WHERE o.id = %s", [702])
        assert cursor.fetchall() == [("user 1", 702)]
        assert [column[0] for column in cursor.description or ()] == ["name", "id"]
        connection.rollback()


def test_a_scatter_in_another_domain_is_held_up_too(sides: Sides) -> None:
    sql = "SELECT o.id FROM users u JOIN sales.orders o ON o.customer = u.id"
    with sides.fleet.session("users", scatter="refuse") as session:
        with pytest.raises(NotSupportedError, match=r"OG-RUN-135.*s1, s2 of sales"):
            session.execute(sql)
        # The key of one shard follows from the join.
        assert session.execute(sql + " WHERE u.id = 3").fetchall()
    with (
        sides.fleet.session("users", scatter="warn") as session,
        pytest.warns(outgrow.ScatterWarning, match="of sales"),
    ):
        assert len(session.execute(sql).fetchall()) == 40
