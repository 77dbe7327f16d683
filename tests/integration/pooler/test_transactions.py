"""Transactions, bulk and doors behind PgBouncer where nothing else is known: no address leads past the pooler."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.doors import dbapi
from outgrow.nodes import drive
from outgrow.topology import Topology
from outgrow.transactions import recovery
from tests.integration.pooler.test_sessions import READ, WRITE, keys_of
from tests.integration.transactions.coordinators import held_steps

COUNT = "SELECT count(*) FROM customers"


@pytest.fixture(autouse=True)
def empty(only: Fleet) -> Iterator[tuple[int, int]]:
    """A key on each shard, and no rows."""
    for table in ("customers", "orders", "visits"):
        only.execute(f"DELETE FROM {table}")
    yield keys_of(only, "s1")[0], keys_of(only, "s2")[0]


def test_all_or_nothing_over_two_shards(only: Fleet, empty: tuple[int, int]) -> None:
    with only.session() as session:
        for round_ in range(20):
            with session.transaction():
                for key in empty:
                    session.execute(WRITE, [key, f"n{round_}"])
                session.execute("SAVEPOINT a")
                session.execute("UPDATE customers SET name = 'undone'")
                session.execute("ROLLBACK TO a")
                assert session.execute("SELECT DISTINCT name FROM customers").fetchall() == [(f"n{round_}",)]
            assert session.execute("SELECT DISTINCT name FROM customers").fetchall() == [(f"n{round_}",)]
            with pytest.raises(ZeroDivisionError), session.transaction():
                for key in empty:
                    session.execute(WRITE, [key, "undone"])
                raise ZeroDivisionError
            assert session.execute("SELECT DISTINCT name FROM customers").fetchall() == [(f"n{round_}",)]
        assert session.execute("UPDATE customers SET country = 'FR'").rowcount == 2
        assert session.execute("INSERT INTO orders VALUES (%s, 1, 1), (%s, 1, 2)", list(empty)).rowcount == 2
        moved = session.execute("UPDATE customers SET customer_id = %s WHERE customer_id = %s", [10**6, empty[0]])
        assert moved.rowcount == 1


def test_a_role_that_could_not_finish_is_refused(only: Fleet, empty: tuple[int, int]) -> None:
    with only.session() as session:
        session.execute("SET ROLE app")
        session.execute(WRITE, [empty[0], "alone"])
        with session.transaction():
            assert session.execute("SELECT current_user", shard="s1").fetchall() == [("app",)]
        with pytest.raises(outgrow.NotSupportedError) as caught, session.transaction():
            for key in empty:
                session.execute(WRITE, [key, "both"])
        assert caught.value.code == "OG-RUN-095"
        session.execute("RESET ROLE")
        session.execute("RESET ALL")
        with pytest.raises(outgrow.NotSupportedError), session.transaction():
            for key in empty:
                session.execute(WRITE, [key, "both"])
            session.execute("SET LOCAL ROLE app")
        assert session.execute("SELECT name FROM customers").fetchall() == [("alone",)]


def test_the_schema_changes_within_a_transaction_only(only: Fleet) -> None:
    with only.session() as session:
        with pytest.raises(outgrow.NotSupportedError) as caught:
            session.execute("ALTER TABLE customers ADD COLUMN more int4")
        assert caught.value.code == "OG-RUN-095"
        with session.transaction():
            session.execute("ALTER TABLE customers ADD COLUMN more int4")
        assert session.execute("SELECT more FROM customers").fetchall() == []
        with session.transaction():
            session.execute("ALTER TABLE customers DROP COLUMN more")
        session.execute("VACUUM customers", shard="s1")


def test_numbers_streams_and_copies(only: Fleet, tmp_path: Path) -> None:
    with only.session() as session:
        rows = [(key, dt.date(2024, 1, 1) + dt.timedelta(days=key)) for key in range(300)]
        with session.copy("COPY visits (customer_id, seen) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        session.execute("INSERT INTO visits (customer_id, seen) VALUES (1, now()), (2, now())")
        numbers = [visit for (visit,) in session.execute("SELECT visit FROM visits").fetchall()]
        assert len(set(numbers)) == 302
        ordered = "SELECT customer_id, seen FROM visits WHERE seen < '2025-01-01' ORDER BY customer_id"
        for level in ("session", "strong", "eventual"):
            with only.session(level=level, token=session.token()) as other:
                if level != "eventual":
                    assert list(other.stream(ordered, chunk_rows=7)) == rows
                stream = other.stream("SELECT g, repeat('x', 1000) FROM generate_series(1, 50000) g", chunk_rows=10)
                next(stream)
                stream.close()
                assert len(list(other.stream("SELECT g FROM generate_series(1, 5000) g", chunk_rows=100))) == 5000
        with session.copy("COPY visits (customer_id, seen) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 302
        session.unload("SELECT customer_id, seen FROM visits", tmp_path / "visits.csv")
        session.execute("DELETE FROM visits")
        loaded = session.load(tmp_path / "visits.csv", "visits")
        assert loaded.rows == 302
        with session.transaction():
            assert len(list(session.stream(ordered, chunk_rows=50))) == 300
            session.execute("DELETE FROM visits")
        assert session.execute("SELECT count(*) FROM visits").fetchall() == [(0,)]
        with pytest.raises(outgrow.Error), session.copy("COPY visits (customer_id, seen) FROM STDIN") as copy:
            copy.write(b"1\t2024-01-01\n2\tnever\n")
        assert session.execute("SELECT count(*) FROM visits").fetchall() == [(0,)]


def test_a_stream_s_effects_stay_when_it_ran_to_its_end(only: Fleet) -> None:
    with only.session() as session:
        with session.transaction():
            session.execute(
                "CREATE FUNCTION noted(n int8) RETURNS int8 LANGUAGE sql VOLATILE AS "
                "'INSERT INTO customers VALUES (n) RETURNING customer_id'"
            )
        [key] = keys_of(only, "s1")
        session.execute("INSERT INTO orders VALUES (%s, 1, 1), (%s, 2, 2), (%s, 3, 3)", [key, key, key])
        asked = "SELECT noted(%s::int8 * 1000 + order_id) FROM orders WHERE customer_id = %s"
        assert len(list(session.stream(asked, [key, key], chunk_rows=1))) == 3
        assert session.execute(COUNT, shard="s1").fetchall() == [(3,)]
        stream = session.stream(asked, [key + 7, key], chunk_rows=1)
        next(stream)
        stream.close()
        assert session.execute(COUNT, shard="s1").fetchall() == [(3,)]


def test_the_dbapi(only: Fleet, empty: tuple[int, int]) -> None:
    with dbapi.connect(only) as connection:
        cursor = connection.cursor()
        cursor.executemany(WRITE, [(key, str(key)) for key in range(100)])
        connection.commit()
        cursor.execute("UPDATE customers SET name = 'x'")
        connection.rollback()
        cursor.execute("SELECT customer_id, name FROM customers ORDER BY 1")
        assert cursor.fetchall() == [(key, str(key)) for key in range(100)]
        named = connection.cursor("rows")
        named.execute("SELECT customer_id FROM customers ORDER BY 1")
        assert named.fetchmany(3) == [(0,), (1,), (2,)]
        named.close()
        connection.commit()


def test_asyncio(only: Fleet, empty: tuple[int, int]) -> None:
    async def talk(own: int) -> None:
        async with only.async_session() as session:
            for round_ in range(20):
                await session.execute(WRITE, [own, f"c{round_}"])
                assert (await session.execute(READ, [own])).fetchall() == [(f"c{round_}",)]
                async with session.transaction():
                    await session.execute(WRITE, [own + 1000, f"c{round_}"])
                    await session.execute(WRITE, [own + 2000, f"c{round_}"])
                rows = [row async for row in session.stream("SELECT name FROM customers WHERE customer_id = %s", [own])]
                assert rows == [(f"c{round_}",)]
            with pytest.raises(outgrow.OperationalError):
                await session.execute("SELECT pg_sleep(9)", timeout_seconds=0.05)

    async def all_of_them() -> None:
        await asyncio.gather(*[talk(own) for own in range(3)])
        async with only.async_session() as session:
            waiting = asyncio.create_task(session.execute("SELECT pg_sleep(9)", shard="s1"))
            await asyncio.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await session.execute(COUNT)).fetchall() == [(9,)]

    asyncio.run(all_of_them())


def test_more_transactions_than_the_pooler_has_connections(only: Fleet) -> None:
    """They wait for their turn in the pooler, and all get it."""

    def transfer(number: int) -> None:
        with only.session() as session:
            for round_ in range(5):
                with session.transaction():
                    session.execute(WRITE, [number, f"{round_}"])

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(transfer, range(9)))
    assert only.execute("SELECT count(*) FROM customers WHERE name = '4'").fetchall() == [(9,)]


def _left(topology: Topology, keys: tuple[int, int], waits: int, end: Any) -> None:
    """In the child: both keys are written; stops before that wait of its commit."""
    with outgrow.open(topology) as fleet, fleet.session() as session:
        session.execute("BEGIN")
        for key in keys:
            session.execute(WRITE, [key, "both"])

        def hold() -> None:
            end.send("held")
            os.kill(os.getpid(), signal.SIGSTOP)

        past = itertools.count().__next__
        drive(held_steps(session._conversation.commit_steps(), lambda: past() == waits, hold))
        end.send("committed")
        signal.pause()


def test_what_a_killed_coordinator_leaves_is_finished_through_the_pooler(
    only: Fleet, empty: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "GRACE_SECONDS", 0.1)
    seen = set()
    for waits in range(12):
        only.execute("DELETE FROM customers")
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=_left, args=(only.topology, empty, waits, theirs), daemon=True)
        child.start()
        theirs.close()
        said = ours.recv()
        child.kill()
        child.join()
        until = time.monotonic() + 20
        time.sleep(0.2)
        while (found := only.recover()).left or found.unreachable:
            assert time.monotonic() < until, found
            time.sleep(0.05)
        [(rows,)] = only.execute(COUNT).fetchall()
        assert rows in (0, 2)
        seen.add(rows)
        if said == "committed":
            break
    assert said == "committed" and seen == {0, 2}
    # Its limits were its own: they are not on connections that others share.
    with only.session(level="strong") as session:
        for shard in ("s1", "s2") * 10:
            limits = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
            assert session.execute(limits, shard=shard).fetchall() == [("0", "0")]
