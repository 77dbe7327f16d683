"""What is wrong in a statement, or about its servers, and what a user is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.plan.bringing import staging
from outgrow.topology import Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "goods"): Sharded(("id",)),
    TableName("public", "sales"): Sharded(("buyer",)),
}
JOINED = "SELECT g.label, s.amount FROM goods g JOIN sales s ON s.good = g.id WHERE g.id < 4 ORDER BY 1, 2"


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as opened:
        opened.execute("CREATE TABLE goods (id int8, label text) WITH (autovacuum_enabled = off)")
        opened.execute("CREATE TABLE sales (buyer int8, good int8, amount int4) WITH (autovacuum_enabled = off)")
        # It says that it depends on its argument alone, and so it may stand over several shards.
        opened.execute(
            "CREATE FUNCTION dawdle(n int4) RETURNS int4 IMMUTABLE LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_sleep(0.1); RETURN n; END'"
        )
        with opened.session() as session:
            for n in range(1, 30):
                session.execute("INSERT INTO goods VALUES (%s, %s)", [n, f"good {n}"])
                session.execute("INSERT INTO sales VALUES (%s, %s, %s)", [n, n % 9, n])
        yield opened
    fleet_servers.drop(topology)


@pytest.mark.parametrize(
    ("sql", "code", "sqlstate", "told"),
    [
        ("SELECT id FROM goods a JOIN goods b USING (label)", "OG-STMT-014", "42702", "'id' is ambiguous"),
        ("SELECT label FROM goods, (SELECT label FROM goods) x", "OG-STMT-014", "42702", "'label' is ambiguous"),
        ("SELECT 1 FROM godos", "OG-STMT-010", "42P01", r"the domain \S+ has no table 'godos' \(did you mean 'goods'"),
        ("SELECT lable FROM goods", "OG-STMT-011", "42703", "no column 'lable' .did you mean 'label'"),
    ],
)
def test_names_that_are_wrong(fleet: Fleet, sql: str, code: str, sqlstate: str, told: str) -> None:
    with pytest.raises(outgrow.ProgrammingError, match=told) as raised:
        fleet.execute(sql)
    assert (raised.value.code, raised.value.sqlstate) == (code, sqlstate)
    assert raised.value.cure


def test_tables_that_were_never_analysed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without statistics servers guess; the guess is shown, and the answer is the same."""
    for shard in fleet.topology.domains[0].shards:
        with psycopg.connect(shard.primary.dsn) as connection:
            known = "SELECT count(*) FROM pg_stats WHERE tablename IN ('goods', 'sales')"
            assert connection.execute(known).fetchone() == (0,)
    expected = [(f"good {n % 9}", n) for n in range(1, 30) if 0 < n % 9 < 4]
    assert fleet.execute(JOINED).fetchall() == sorted(expected)
    monkeypatch.setattr(staging, "FEW_ROWS", 0)
    assert fleet.execute(JOINED + " ").fetchall() == sorted(expected)
    assert fleet.explain(JOINED + "  ").to_dict()["stages"]


def broken_into(fleet: Fleet, servers: Servers, sql: str, **how: Any) -> tuple[list[Any], outgrow.Error | None]:
    """The answer, or the error, where all connections of one shard's servers end in the middle of it."""
    shard = fleet.topology.domains[0].shards[1]
    broken = threading.Event()

    def end() -> None:
        working = f"query LIKE '%dawdle%' AND datname = '{database}' AND pid <> pg_backend_pid()"
        until = time.monotonic() + 10
        while time.monotonic() < until and not broken.is_set():
            for node in (shard.primary, *shard.replicas):
                sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND {working}"
                if servers.sql(node, sql, database="postgres"):
                    broken.set()
            time.sleep(0.01)

    database = psycopg.conninfo.conninfo_to_dict(shard.primary.dsn)["dbname"]
    thread = threading.Thread(target=end)
    thread.start()
    try:
        with fleet.session(level="strong") as session:
            if how.get("transaction"):
                with session.transaction():
                    session.execute("UPDATE goods SET label = label")
                    return session.execute(sql).fetchall(), None
            if how.get("stream"):
                return list(session.stream(sql, chunk_rows=1)), None
            return session.execute(sql).fetchall(), None
    except outgrow.Error as error:
        return [], error
    finally:
        thread.join()
        assert broken.is_set(), "nobody was broken into"


READS = {
    "scatter": "SELECT sum(dawdle(amount)) FROM sales WHERE amount < 9",
    "brought": "SELECT sum(dawdle(s.amount)) FROM goods g JOIN sales s ON s.good = g.id"
    " WHERE s.amount < 9 AND dawdle(s.amount) > 0",
}


@pytest.mark.parametrize("sql", READS.values(), ids=READS)
def test_a_shard_lost_in_a_read_is_asked_again(fleet: Fleet, fleet_servers: Servers, sql: str) -> None:
    rows, error = broken_into(fleet, fleet_servers, sql)
    assert error is None, error
    assert rows == [(sum(n for n in range(1, 9)),)]


@pytest.mark.parametrize(
    ("sql", "how"),
    [
        (READS["scatter"], "transaction"),
        (READS["brought"], "transaction"),
        ("SELECT dawdle(amount) FROM sales WHERE amount < 9", "stream"),
    ],
)
def test_where_it_cannot_be_asked_again_the_shard_is_named(
    fleet: Fleet, fleet_servers: Servers, sql: str, how: str
) -> None:
    """A transaction has lost its snapshot and its writes; of a stream rows have gone out already."""
    rows, error = broken_into(fleet, fleet_servers, sql, **{how: True})
    assert error is not None, rows
    assert "s2" in str(error), error
    with fleet.session(level="strong") as session:
        assert session.execute("SELECT count(*) FROM goods").fetchone() == (29,)
