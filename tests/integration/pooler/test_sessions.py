"""Sessions behind PgBouncer in transaction mode: what a session promises holds, though no connection is its own."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import ExitStack

import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Node
from tests.pgbouncer import Pooler
from tests.servers import Servers

READ = "SELECT name FROM customers WHERE customer_id = %s"
WRITE = "INSERT INTO customers VALUES (%s, %s, 'DE') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name"


def keys_of(fleet: Fleet, shard: str, count: int = 1) -> list[int]:
    found = (key for key in range(1000) if fleet.explain(READ, [key]).to_dict()["shards"]["shards"] == [shard])
    return [next(found) for _ in range(count)]


def replica_of(fleet: Fleet, shard: str) -> Node:
    return fleet.topology.domains[0].shard(shard).replicas[0]


def test_own_writes_are_read_and_from_replicas_too(fleet: Fleet) -> None:
    nodes = set()
    with fleet.session() as session:
        until = time.monotonic() + 20
        round_ = 0
        while round_ < 100 or (not any("replica" in node for node in nodes) and time.monotonic() < until):
            round_ += 1
            session.execute(WRITE, [round_ % 7, f"n{round_}"])
            result = session.execute(READ, [round_ % 7])
            assert result.fetchall() == [(f"n{round_}",)]
            nodes.add(str(result.node))
    assert any("replica" in node for node in nodes), "no replica was ever read"


def test_a_paused_replica_never_hides_a_write(fleet: Fleet, fleet_servers: Servers) -> None:
    [key] = keys_of(fleet, "s1")
    with fleet.session() as session, fleet.session(level="eventual") as eventual, fleet_servers.restored():
        session.execute(WRITE, [key, "old"])
        time.sleep(0.2)
        fleet_servers.sql(replica_of(fleet, "s1"), "SELECT pg_wal_replay_pause()")
        for round_ in range(40):
            session.execute(WRITE, [key, f"new{round_}"])
            assert session.execute(READ, [key]).fetchall() == [(f"new{round_}",)]
            streamed = list(session.stream(READ, [key]))
            assert streamed == [(f"new{round_}",)]
        assert eventual.execute(READ, [key]).fetchall() == [("old",)]


def test_bounded_reads_leave_a_replica_that_is_too_old(fleet: Fleet, fleet_servers: Servers) -> None:
    [key] = keys_of(fleet, "s1")
    with fleet.session() as writer, fleet.session(level="bounded(0.4)") as session, fleet_servers.restored():
        writer.execute(WRITE, [key, "old"])
        session.execute(READ, [key])
        time.sleep(0.3)
        fleet_servers.sql(replica_of(fleet, "s1"), "SELECT pg_wal_replay_pause()")
        writer.execute(WRITE, [key, "new"])
        time.sleep(0.5)
        for _ in range(20):
            assert session.execute(READ, [key]).fetchall() == [("new",)]


def test_settings_go_along_and_reach_nobody_else(fleet: Fleet) -> None:
    with fleet.session() as one, fleet.session() as other:
        one.execute("SET TimeZone = 'Asia/Tokyo'")
        one.execute("SET SESSION work_mem = '8MB';")
        counted = "count(*) FROM customers WHERE customer_id = 7777"
        asked = f"SELECT current_setting('TimeZone'), current_setting('work_mem'), {counted}"
        for _ in range(10):
            for session, zone, memory in ((one, "Asia/Tokyo", "8MB"), (other, "UTC", "4MB")):
                assert session.execute(asked).fetchall() == [(zone, memory, 0)]
                assert session.execute(asked, shard="s2").fetchall() == [(zone, memory, 0)]
                assert list(session.stream(asked)) == [(zone, memory, 0)]
        with one.transaction():
            assert one.execute("SHOW work_mem").fetchall() == [("8MB",)]
            one.execute("SET LOCAL work_mem = '9MB'")
            assert one.execute("SHOW work_mem").fetchall() == [("9MB",)]
        one.execute("RESET work_mem")
        assert one.execute("SHOW work_mem").fetchall() == [("4MB",)]
        with pytest.raises(outgrow.Error, match="invalid value"):
            one.execute("SET work_mem = 'much'")
        assert one.execute("SHOW TimeZone").fetchall() == [("Asia/Tokyo",)]


def test_values_are_written_and_read_under_the_session_s_settings(fleet: Fleet) -> None:
    """SET LOCAL ends with its transaction: rows that are loaded afterwards would be read by other rules."""
    day, span, moment = dt.date(2024, 2, 1), dt.timedelta(days=-1, seconds=3), dt.datetime(2024, 2, 1, 3, tzinfo=dt.UTC)
    with fleet.session() as session, fleet.session() as far:
        session.execute("SET DateStyle = 'SQL, DMY'")
        session.execute("SET IntervalStyle = 'sql_standard'")
        far.execute("SET TimeZone = 'Asia/Tokyo'")
        asked = "SELECT %s::date, extract(epoch FROM %s::interval)::int8"
        for shard in (None, "s2", None):
            assert session.execute(asked, [day, span], shard=shard).fetchall() == [(day, -86397)]
            [(found,)] = far.execute("SELECT %s::timestamptz", [moment], shard=shard).fetchall()
            assert found == moment and str(found.tzinfo) == "Asia/Tokyo"
            assert list(session.stream(asked, [day, span])) == [(day, -86397)]
        # Whoever used the connection last had other settings.
        far.execute("SELECT 1", shard="s1")
        with session.transaction():
            assert session.execute(asked, [day, span], shard="s1").fetchall() == [(day, -86397)]
            session.execute("SET LOCAL DateStyle = 'German'")
            assert session.execute("SELECT %s::date", [day]).fetchall() == [(day,)]
            # A branch that opens later begins with that setting.
            assert session.execute("SELECT %s::date", [day], shard="s2").fetchall() == [(day,)]


def test_defaults_of_transactions_hold_for_single_statements(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("SET default_transaction_isolation = 'serializable'")
        session.execute("SET default_transaction_read_only = on")
        shown = "SELECT current_setting('transaction_isolation'), pg_backend_pid() > 0"
        assert session.execute(shown, shard="s1").fetchall()[0][0] in ("serializable", "read committed")
        with pytest.raises(outgrow.Error) as caught:
            session.execute(WRITE, [1, "no"])
        assert caught.value.sqlstate == "25006"
        with session.transaction():
            assert session.execute("SHOW transaction_isolation").fetchall() == [("serializable",)]
            assert session.execute("SHOW transaction_read_only").fetchall() == [("on",)]
        with session.transaction("REPEATABLE READ"):
            assert session.execute("SHOW transaction_isolation").fetchall() == [("repeatable read",)]
        session.execute("RESET ALL")
        session.execute(WRITE, [1, "yes"])


def test_nothing_is_prepared_by_name(fleet: Fleet) -> None:
    with fleet.session() as session:
        for key in range(30):
            session.execute(WRITE, [key, "a"])
            session.execute(READ, [key])
        for _ in range(10):
            assert session.execute("SELECT count(*) FROM pg_prepared_statements", shard="s1").fetchall() == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock(customer_id) FROM customers WHERE customer_id = 7777",
        "SELECT set_config('work_mem', '8MB', false)",
        "SET seed = 0.5",
    ],
)
def test_what_belongs_to_one_connection_is_refused(fleet: Fleet, sql: str) -> None:
    with fleet.session() as session:
        for _ in range(2):
            with pytest.raises(outgrow.NotSupportedError) as caught:
                session.execute(sql)
            assert caught.value.code == "OG-RUN-095"
            session.execute("BEGIN")
            with pytest.raises(outgrow.NotSupportedError):
                session.execute(sql)
            session.execute("ROLLBACK")


@pytest.mark.parametrize(
    "sql",
    ["LISTEN news", "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE ALL", "SET work_mem = '8MB'", "DISCARD ALL"],
)
def test_what_is_sent_to_one_shard_is_refused_too(fleet: Fleet, sql: str) -> None:
    with fleet.session() as session, pytest.raises(outgrow.NotSupportedError) as caught:
        session.execute(sql, shard="s1")
    assert caught.value.code == "OG-RUN-095"


def test_commands_that_refuse_transaction_blocks_run_alone(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("VACUUM customers", shard="s1")
        session.execute("CREATE INDEX CONCURRENTLY by_name ON customers (name)", shard="s2")
        session.execute(
            "CREATE PROCEDURE halves() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO settings VALUES ('a', '1'); COMMIT; "
            "INSERT INTO settings VALUES ('b', '2'); ROLLBACK; END $$"
        )
        session.execute("CALL halves()", shard="s1")
        assert session.execute("SELECT name FROM settings ORDER BY name").fetchall() == [("a",)]
        session.execute("SET work_mem = '8MB'")
        with pytest.raises(outgrow.NotSupportedError) as caught:
            session.execute("VACUUM customers", shard="s1")
        assert caught.value.code == "OG-RUN-095"


def test_a_late_cancel_hits_nobody_else(fleet: Fleet, pooler: Pooler) -> None:
    """Statements that are cancelled share their servers' connections with statements that must not be."""
    over = threading.Event()
    wrong: list[BaseException] = []

    def ask() -> None:
        try:
            with fleet.session(level="strong") as session:
                while not over.is_set():
                    assert session.execute("SELECT pg_sleep(0.01)::text, 7", shard="s1").fetchall() == [("", 7)]
        except BaseException as error:
            wrong.append(error)

    others = [threading.Thread(target=ask) for _ in range(3)]
    for other in others:
        other.start()
    with fleet.session(level="strong") as session:
        for round_ in range(60):
            with pytest.raises(outgrow.OperationalError) as caught:
                session.execute("SELECT pg_sleep(5)", shard="s1", timeout_seconds=0.005 + round_ % 20 / 1000)
            assert caught.value.code == "OG-NODE-012"
    over.set()
    for other in others:
        other.join()
    assert wrong == []
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    with fleet.session(level="strong") as session:
        assert session.execute(busy, shard="s1").fetchall() == [(0,)]


def test_a_statement_that_is_stopped_leaves_no_transaction_open(fleet: Fleet) -> None:
    with fleet.session() as session:
        for sql in ("SELECT pg_sleep(5)", "UPDATE customers SET name = pg_sleep(5)::text WHERE customer_id = 1"):
            session.execute(WRITE, [1, "a"])
            with pytest.raises(outgrow.OperationalError):
                session.execute(sql, timeout_seconds=0.1)
        with pytest.raises(outgrow.Error):
            session.execute("INSERT INTO customers VALUES (1, 'twice', 'DE')")
        assert session.execute(READ, [1]).fetchall() == [("a",)]


def test_numbers_are_drawn_past_a_pooler_that_has_no_connection_left(fleet: Fleet, pooler: Pooler) -> None:
    """Transactions hold all that it has, and wait for numbers that are leased on the same server."""
    [key] = keys_of(fleet, "s1")
    with ExitStack() as stack:
        sessions = [stack.enter_context(fleet.session()) for _ in range(pooler.pool_size)]
        for session in sessions:
            session.execute("BEGIN")
            session.execute("SELECT 1", shard="s1")
        for session in sessions:
            session.execute("INSERT INTO visits (customer_id) VALUES (%s)", [key], timeout_seconds=10)
            session.execute("ROLLBACK")
