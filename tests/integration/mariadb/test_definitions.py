"""DDL on every MariaDB shard: recorded, resumed after a crash at any point, and never inside a transaction."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

import outgrow
from outgrow import ledger
from outgrow.nodes import drive
from outgrow.nodes.mariadb.link import MariadbLink
from outgrow.runtime.definitions import parts
from outgrow.topology import Copied, Sharded, TableName
from tests import mariadb

SHARDS = ("s1", "s2", "s3")
MAKE = "CREATE TABLE `orders` (id bigint PRIMARY KEY, n int, twice int AS (n * 2), KEY by_n (n))"


@pytest.fixture
def fleet(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(3, "{orders: {shard_by: id}}")) as made:
        yield made


def columns(fleet, servers, table="orders"):
    query = "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = "
    return [
        tuple(name for (name,) in servers.sql(n, f"{query}'{table}' ORDER BY ORDINAL_POSITION", database))
        for n, database in enumerate(mariadb.databases_of(fleet))
    ]


def test_tables_indexes_and_views_are_made_everywhere_and_known_at_once(fleet, mariadb_servers):
    with fleet.session() as session:
        assert session.execute(MAKE).nodes == ("sales/s1/primary", "sales/s2/primary", "sales/s3/primary")
        assert session.execute("INSERT INTO orders (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4)").rowcount == 4
        session.execute("ALTER TABLE orders ADD COLUMN note varchar(20) DEFAULT 'x'")
        assert session.execute("SELECT COUNT(*) FROM orders WHERE note = 'x'").fetchone() == (4,)
        session.execute("CREATE UNIQUE INDEX by_note ON orders (note, id)")
        session.execute("DROP INDEX by_n ON orders")
        session.execute("CREATE VIEW seen AS SELECT id, n FROM orders WHERE n > 1")
        assert columns(fleet, mariadb_servers, "seen") == [("id", "n")] * 3
        session.execute("DROP VIEW seen")
        session.execute("DROP TABLE orders")
    assert columns(fleet, mariadb_servers) == [()] * 3
    assert TableName("public", "orders") not in recorded(fleet)
    assert fleet.unfinished_definitions() == ()


def recorded(fleet):
    state = fleet._states["sales"]
    return drive(state.on_home_steps(lambda link: ledger.read_steps(link, "sales"), None)).placements


def test_a_new_table_is_placed_before_it_is_made(fleet):
    with fleet.session() as session:
        with pytest.raises(outgrow.ProgrammingError) as caught:
            session.execute("CREATE TABLE parts (a int, `b` int, PRIMARY KEY (a))")
        assert caught.value.code == "OG-RUN-056" and caught.value.details["key"] == "a"
        fleet.place("parts", shard_by="c")
        with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-057"):
            session.execute("CREATE TABLE parts (a int, `b` int, PRIMARY KEY (a))")
        fleet.place("parts", copy=True)
        session.execute("CREATE TABLE IF NOT EXISTS parts (a int, `b` int, PRIMARY KEY (a))")
        session.execute("CREATE TABLE IF NOT EXISTS parts (a int, `b` int, PRIMARY KEY (a))")
        assert session.execute("INSERT INTO parts VALUES (1, 2)").rowcount == 1
        assert recorded(fleet)[TableName("public", "parts")] == Copied()
        assert recorded(fleet)[TableName("public", "orders")] == Sharded(("id",))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE more AS SELECT 1 AS a",
        "CREATE OR REPLACE TABLE orders (id bigint)",
        "ALTER TABLE orders RENAME TO others",
        "RENAME TABLE orders TO others",
        "DROP TABLE orders, others",
        "CREATE TABLE other.orders (id bigint)",
        "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.n = 1",
    ],
)
def test_what_is_not_understood_needs_a_shard(fleet, sql):
    with fleet.session() as session, pytest.raises(outgrow.NotSupportedError, match="OG-PLAN-002"):
        session.execute(sql)


@pytest.mark.parametrize("shard", [None, "s1", "s2"])
def test_nothing_commits_a_transaction_unseen(fleet, mariadb_servers, shard):
    with fleet.session() as session:
        session.execute(MAKE)
        session.execute("BEGIN")
        session.execute("INSERT INTO orders (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
        for sql in ("ALTER TABLE orders ADD COLUMN x int", "TRUNCATE TABLE orders", "ANALYZE TABLE orders"):
            if shard is not None or not sql.startswith("ANALYZE"):
                with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-087"):
                    session.execute(sql, shard=shard)
        session.execute("ROLLBACK")
        assert session.execute("SELECT COUNT(*) FROM orders").fetchone() == (0,)
    assert columns(fleet, mariadb_servers) == [("id", "n", "twice")] * 3


@pytest.mark.parametrize("after", [False, True], ids=["not run", "run, and nobody heard"])
@pytest.mark.parametrize("where", ["s1", "s2"])
def test_a_crash_around_the_statement_is_finished_once(fleet, mariadb_servers, monkeypatch, after, where):
    """The connection breaks before the statement runs, or when it has: the next one looks which it was."""
    with fleet.session() as session:
        session.execute(MAKE)
        run, hit = MariadbLink.run, [0]

        def broken(self, text):
            if text.startswith("ALTER TABLE orders") and self.node.shard == where and not hit[0]:
                hit[0] += 1
                if after:
                    run(self, text)
                self._hang_up()
                return run(self, "SELECT 1")
            return run(self, text)

        with monkeypatch.context() as patched:
            patched.setattr(MariadbLink, "run", broken)
            patched.setattr(parts, "_LOSSES_MAX", 0)
            with pytest.raises(outgrow.Error):
                session.execute("ALTER TABLE orders ADD COLUMN x int")
        assert hit == [1]
        [unfinished] = fleet.unfinished_definitions()
        assert unfinished.state in ("stopped", "running")
        [done] = fleet.resume_definitions()
        assert done.number == unfinished.number
        assert columns(fleet, mariadb_servers) == [("id", "n", "twice", "x")] * 3
        assert fleet.unfinished_definitions() == ()
        assert session.execute("SELECT COUNT(*) FROM orders WHERE x IS NULL").fetchone() == (0,)


def test_one_shard_says_no_and_the_rest_waits_for_the_cure(fleet, mariadb_servers):
    with fleet.session() as session:
        session.execute(MAKE)
        session.execute("ALTER TABLE orders ADD COLUMN x varchar(9)", shard="s2")
        with pytest.raises(outgrow.OperationalError) as caught:
            session.execute("ALTER TABLE orders ADD COLUMN x int")
        assert caught.value.code == "OG-RUN-032" and caught.value.shard == "s2"
        assert [len(found) for found in columns(fleet, mariadb_servers)] == [4, 4, 3]
        session.execute("ALTER TABLE orders DROP COLUMN x", shard="s2")
        assert len(fleet.resume_definitions()) == 1
        assert columns(fleet, mariadb_servers) == [("id", "n", "twice", "x")] * 3
        with pytest.raises(outgrow.ProgrammingError):
            session.execute("ALTER TABLE orders ADD COLUMN x int")
        assert fleet.unfinished_definitions() == ()


def test_a_reader_in_the_way_is_waited_for_without_stopping_others(fleet, mariadb_servers, monkeypatch):
    monkeypatch.setattr(parts, "LOCK_SECONDS", 1.0)
    with fleet.session() as session:
        session.execute(MAKE)
        [database, *_] = mariadb.databases_of(fleet)
        with contextlib.closing(mariadb_servers.link(0, database)) as link, link.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM orders")
            thread = threading.Thread(target=lambda: (time.sleep(2.5), cursor.execute("COMMIT")))
            thread.start()
            session.execute("ALTER TABLE orders ADD COLUMN x int")
            thread.join()
        assert columns(fleet, mariadb_servers) == [("id", "n", "twice", "x")] * 3
        assert session.execute("SELECT @@lock_wait_timeout", shard="s1").fetchone() == (86400,)
