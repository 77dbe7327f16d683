"""Who comes second is told so, whatever the moment; and who dies in the middle leaves rows and index agreed."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import pytest

import outgrow
from outgrow import DatabaseError, Fleet, IntegrityError
from outgrow.nodes import drive
from outgrow.topology import Topology
from tests.integration.transactions.coordinators import child, held_steps
from tests.integration.transactions.test_interrupted import interrupted_steps
from tests.integration.transactions.test_killed import recovered
from tests.integration.uniqueness.test_statements import INSERT, placed, right
from tests.servers import Servers

STATEMENTS: list[tuple[str, list[object] | None]] = [
    (INSERT, [1, "a"]),
    ("INSERT INTO people (id, email) SELECT n, n || 'x' FROM generate_series(2, 5) AS n WHERE n <> 4", None),
    ("UPDATE people SET email = email || '!' WHERE id = %s", [2]),
    ("UPDATE people SET email = email || '?'", None),
    ("UPDATE people SET id = id + 10", None),
    ("DELETE FROM people WHERE id = %s", [12]),
    ("DELETE FROM people", None),
]


def test_many_writers_of_the_same_values(fleet: Fleet) -> None:
    """Of all that insert one value at the same time, one succeeds; so with updates, and when it was deleted."""
    ids = [id for ids in placed(fleet).values() for id in ids[:4]]
    won: dict[str, list[int]] = {}
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(ids))

    def write(id: int) -> None:
        with fleet.session() as session:
            session.execute("INSERT INTO people (id) VALUES (%s)", [id])
            for turn in range(12):
                value = f"value {turn}"
                sql = INSERT if turn % 2 else "UPDATE people SET email = %s WHERE id = %s"
                barrier.wait()
                try:
                    session.execute(sql, [1000 * (turn + 1) + id, value] if turn % 2 else [value, id])
                    won.setdefault(value, []).append(id)
                except IntegrityError as error:
                    if error.sqlstate != "23505":
                        failures.append(error)
                except BaseException as error:
                    failures.append(error)

    threads = [threading.Thread(target=write, args=[id]) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert {value: len(ids) for value, ids in won.items()} == {f"value {turn}": 1 for turn in range(12)}
    right(fleet)


def test_writers_that_give_values_to_each_other(fleet: Fleet) -> None:
    """A few values, taken and left by many transactions at once: the rows never have one twice."""
    ids = [id for ids in placed(fleet).values() for id in ids[:3]]
    unexpected: list[BaseException] = []

    def write(seed: int) -> None:
        turns = itertools.islice(itertools.cycle(range(seed, seed + 7)), 60)
        with fleet.session() as session:
            for turn in turns:
                id, value = ids[(turn * 5 + seed) % len(ids)], f"v{(turn * 3 + seed) % 4}"
                try:
                    with session.transaction():
                        session.execute("DELETE FROM people WHERE id = %s", [id])
                        session.execute(INSERT, [id, value])
                        if turn % 3 == 0:
                            session.execute("UPDATE people SET email = NULL WHERE email = %s", [value])
                except DatabaseError as error:
                    if error.sqlstate not in ("23505", "40001", "40P01", "55P03", "25P02"):
                        unexpected.append(error)

    threads = [threading.Thread(target=write, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not unexpected, unexpected[0]
    with fleet.session(level="strong") as session:
        twice = session.execute("SELECT email FROM people WHERE email IS NOT NULL GROUP BY 1 HAVING count(*) > 1")
        assert twice.fetchall() == []
    right(fleet)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, pytest.param(asyncio.CancelledError, marks=pytest.mark.long)])
def test_an_interruption_at_every_wait(fleet: Fleet, fleet_servers: Servers, kind: type[BaseException]) -> None:
    for sql, parameters in STATEMENTS:
        for wait in range(60):
            came = True
            with fleet.session() as session, suppress(kind):
                # One that was interrupted behind its decision has been done.
                if sql.startswith("INSERT"):
                    session.execute("DELETE FROM people")
                steps = session._conversation.execute_steps(sql, parameters, None, None)
                came = drive(interrupted_steps(steps, wait, kind()))
            recovered(fleet, fleet_servers)
            right(fleet)
            if not came:
                break
        else:
            pytest.fail("a statement does not wait so often")


def _write(topology: Topology, at: int, waits: int, end: Connection) -> None:
    """In the child: one statement; stops before the given wait, tells how it ended, and stays."""
    with outgrow.open(topology) as fleet, fleet.session() as session:

        def hold() -> None:
            end.send("held")
            os.kill(os.getpid(), signal.SIGSTOP)

        past = itertools.count().__next__
        try:
            steps = session._conversation.execute_steps(*STATEMENTS[at], None, None)
            drive(held_steps(steps, lambda: past() == waits, hold))
            end.send("done")
        except outgrow.Error as error:
            end.send(error.code)
        signal.pause()


@pytest.mark.parametrize("at", [0, *(pytest.param(at, marks=pytest.mark.long) for at in range(1, 7))])
def test_a_process_is_killed_at_every_wait(fleet: Fleet, fleet_servers: Servers, at: int) -> None:
    with fleet.session() as session:
        for sql, parameters in STATEMENTS[1:at]:
            session.execute(sql, parameters)
    for waits in range(60):
        with child(_write, fleet.topology, at, waits) as (_, says):
            said = says.recv()
        recovered(fleet, fleet_servers)
        # What the dead client had sent may be worked off a moment later.
        time.sleep(0.1)
        recovered(fleet, fleet_servers)
        right(fleet)
        if said != "held":
            break
    else:
        pytest.fail("a statement does not wait so often")
