"""AUTO_INCREMENT over several shards: no number twice, whoever writes, wherever the row goes."""

from __future__ import annotations

import threading

import pytest

from outgrow.doors import dbapi
from outgrow.errors import NotSupportedError

TABLES = (
    "CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, total int, note varchar(20) DEFAULT 'x')",
    "CREATE TABLE events (account int, n int UNSIGNED UNIQUE AUTO_INCREMENT, what int, PRIMARY KEY (account, n))",
    "CREATE TABLE kinds (id tinyint AUTO_INCREMENT PRIMARY KEY, name varchar(20))",
    "CREATE TABLE notes (id int AUTO_INCREMENT PRIMARY KEY, text varchar(20))",
)
PLACED = "{orders: {shard_by: id}, events: {shard_by: account}, kinds: {copy: everywhere}, notes: {single: s2}}"


@pytest.fixture
def fleet(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(3, PLACED)) as opened:
        with opened.session() as session:
            for sql in TABLES:
                session.execute(sql)
        yield opened


def held(fleet, sql: str) -> list:
    with fleet.session() as session:
        return session.execute(sql).fetchall()


def test_what_leaves_the_column_out_gets_the_fleets_numbers(fleet):
    with fleet.session() as session:
        one = session.execute("INSERT INTO orders (total) VALUES (%s)", [10])
        assert (one.lastrowid, one.rowcount) == (1, 1)
        many = session.execute("INSERT INTO orders (total, note) VALUES (1, 'a)'), (2, DEFAULT), (%s, ',')", [3])
        assert (many.lastrowid, many.rowcount) == (2, 3)
        for text in ("NULL", "0", "DEFAULT", "FALSE"):
            session.execute(f"INSERT INTO orders (id, total) VALUES ({text}, 5)")
        session.execute("INSERT INTO orders VALUES (NULL, 6, 'y')")
        session.execute("REPLACE INTO orders (total) VALUES (7)")
        assert session.execute("INSERT INTO orders (total) VALUES (8) RETURNING id, total").fetchall() == [(11, 8)]
        assert session.execute("INSERT INTO orders VALUES (100, 9, 'z')").lastrowid == 100
    rows = held(fleet, "SELECT id, total FROM orders ORDER BY id")
    assert rows == [
        *((1, 10), (2, 1), (3, 2), (4, 3), (5, 5), (6, 5), (7, 5), (8, 5), (9, 6), (10, 7), (11, 8), (100, 9)),
    ]
    # Each is where its key says.
    for id, total in rows:
        assert held(fleet, f"SELECT total FROM orders WHERE id = {id}") == [(total,)]
    assert {row[1] for row in held(fleet, "SELECT note, total FROM orders WHERE note = 'a)'")} == {1}


def test_a_parameter_that_is_null_or_zero_is_drawn(fleet):
    with fleet.session() as session:
        for value in (None, 0, False, "0", 0.0, 70, None, True):
            session.execute("INSERT INTO events (account, n, what) VALUES (%s, %s, 1)", [90 - (int(value or 0)), value])
        both = {"n": None, "a": 3}
        assert session.execute("INSERT INTO events VALUES (%(a)s, %(n)s, %(n)s), (4, 50, 2)", both).lastrowid == 7
        result = session.execute("INSERT INTO orders VALUES (%s, 1, 'a'), (%s, 2, 'b')", [None, 77])
        assert result.lastrowid == 1
    assert held(fleet, "SELECT n, what FROM events ORDER BY n, what") == [
        *((1, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, None), (50, 2), (70, 1)),
    ]
    assert held(fleet, "SELECT id, note FROM orders ORDER BY id") == [(1, "a"), (77, "b")]
    assert held(fleet, "SELECT note FROM orders WHERE id = 1") == [("a",)]


def test_copies_get_the_same_numbers_and_a_single_table_its_own(fleet):
    with fleet.session() as session:
        session.execute("INSERT INTO kinds (name) VALUES ('a'), ('b')")
        session.execute("INSERT INTO notes (text) VALUES ('n')")
        for shard in ("s1", "s2", "s3"):
            assert session.execute("SELECT * FROM kinds ORDER BY id", shard=shard).fetchall() == [(1, "a"), (2, "b")]
        assert session.execute("SELECT * FROM notes").fetchall() == [(1, "n")]


def test_what_might_come_to_nothing_is_refused(fleet):
    with fleet.session() as session:
        for sql in (
            "INSERT INTO events (account, n) VALUES (1, NULLIF(1, 1))",
            "INSERT INTO events (account, n) VALUES (1, '0.2')",
            "INSERT INTO events (account, n) SELECT total, total FROM orders WHERE id = 1",
            "INSERT INTO events SET account = 3",
        ):
            with pytest.raises(NotSupportedError) as caught:
                session.execute(sql)
            assert caught.value.code in ("OG-PLAN-006", "OG-PLAN-041"), sql
    assert held(fleet, "SELECT count(*) FROM events") == [(0,)]


def test_processes_share_the_numbers_and_begin_behind_what_is_there(mariadb_servers):
    text = mariadb_servers.fresh(2, "{orders: {shard_by: id}}")
    fleets = [mariadb_servers.open(text) for _ in range(3)]
    try:
        with fleets[0].session() as session:
            session.execute(TABLES[0])
            session.execute("INSERT INTO orders VALUES (500, 1, 'a')")
            session.execute("DELETE FROM orders")
        made: list[list[int]] = [[] for _ in fleets]

        def write(fleet, into):
            with fleet.session() as session:
                for _ in range(100):
                    into.append(session.execute("INSERT INTO orders (total) VALUES (1)").lastrowid)

        threads = [threading.Thread(target=write, args=pair) for pair in zip(fleets, made, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ids = [id for each in made for id in each]
        assert len(set(ids)) == 300 and min(ids) == 501
        with fleets[1].session() as session:
            assert session.execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM orders").fetchall() == [(300, 300)]
        assert fleets[2].sequence("orders.id").next() not in ids
        fleets[2].sequence("orders.id").skip_to(100_000)
        assert fleets[2].sequence("orders.id").next() == 100_000
    finally:
        for fleet in fleets:
            fleet.close()


def test_a_small_type_runs_out_by_name(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(2, "{t: {shard_by: k}}")) as fleet, fleet.session() as session:
        session.execute("CREATE TABLE t (k int, id tinyint AUTO_INCREMENT UNIQUE)")
        session.execute("INSERT INTO t VALUES (1, 125)")
        assert [session.execute("INSERT INTO t (k) VALUES (1)").lastrowid for _ in range(2)] == [126, 127]
        with pytest.raises(Exception, match="OG-RUN-071"):
            session.execute("INSERT INTO t (k) VALUES (1)")


def test_a_cursor_tells_the_number(fleet):
    with dbapi.connect(fleet) as connection:
        cursor = connection.cursor()
        cursor.execute("INSERT INTO orders (total) VALUES (%s)", [1])
        assert cursor.lastrowid == 1
        cursor.executemany("INSERT INTO orders (total) VALUES (%s)", [[number] for number in range(50)])
        assert cursor.lastrowid is None and cursor.rowcount == 50
        cursor.execute("SELECT COUNT(DISTINCT id) FROM orders")
        assert cursor.lastrowid is None and cursor.fetchall() == [(51,)]
        connection.commit()


def test_one_shard_counts_by_itself(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(1, "{orders: {shard_by: id}}")) as fleet:
        with fleet.session() as session:
            session.execute(TABLES[0])
            assert session.execute("INSERT INTO orders (total) VALUES (1)").lastrowid == 1
            assert session.execute("INSERT INTO orders (total) VALUES (1), (2)").lastrowid == 2
            with session.transaction():
                assert session.execute("INSERT INTO orders (total) VALUES (1)").lastrowid == 4
        with pytest.raises(NotSupportedError, match="OG-RUN-086"):
            fleet.sequence("orders.id").next()
