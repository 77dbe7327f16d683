"""Statements of an open transaction, stopped at every wait: their branches keep all of it or nothing, or no COMMIT.

Each kind of write over several shards is stopped by Ctrl-C, a cancelled task, a time that ran out or a generator that
is closed, before and behind what the servers answer.  Then the application goes on as if nothing had been: it commits,
or goes back to its savepoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.clock import monotonic
from outgrow.errors import Error, OperationalError
from outgrow.nodes import drive
from outgrow.runtime import Conversation, batch_steps
from outgrow.topology import Copied, Sharded, TableName
from outgrow.waits import Socket, Sockets, Steps
from tests.servers import Servers

TABLES = {
    TableName("public", "accounts"): Sharded(("account",)),
    TableName("public", "entries"): Sharded(("entry",)),
    TableName("public", "marks"): Sharded(("mark",)),
    TableName("public", "rates"): Copied(),
}
SCHEMA = """CREATE TABLE accounts (account int8 PRIMARY KEY, amount int8 NOT NULL)
CREATE TABLE entries (entry int8 PRIMARY KEY, amount int8)
CREATE TABLE marks (mark int8 PRIMARY KEY, seen int8 NOT NULL DEFAULT 0)
CREATE TABLE rates (name text PRIMARY KEY, rate int8)"""
FILL = """INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 12) n
INSERT INTO marks SELECT n, 0 FROM generate_series(1, 12) n
INSERT INTO entries VALUES (101, 7)
INSERT INTO rates VALUES ('a', 1), ('b', 2)"""
MARK = "UPDATE marks SET seen = seen + 1"

Run = Callable[[Conversation], Steps[Any]]


def one(sql: str) -> Run:
    return lambda conversation: conversation.execute_steps(sql, None, 60.0, None)


BATCH = "UPDATE accounts SET amount = amount + %s WHERE account = %s"
KINDS: dict[str, tuple[Run, str]] = {
    "update": (one("UPDATE accounts SET amount = amount + 1"), "accounts"),
    "key move": (one("UPDATE accounts SET account = account + 100, amount = 5 WHERE amount = 100"), "accounts"),
    "copies": (one("UPDATE rates SET rate = rate + 1"), "rates"),
    "batch": (lambda talk: batch_steps(talk, BATCH, [[n, n] for n in range(1, 13)]), "accounts"),
    "delivery": (one("INSERT INTO entries (entry, amount) SELECT account + 500, amount FROM accounts"), "entries"),
    "merge": (
        one(
            "MERGE INTO entries e USING (SELECT account + 100 AS entry, amount FROM accounts) s ON s.entry = e.entry "
            "WHEN MATCHED THEN UPDATE SET amount = s.amount WHEN NOT MATCHED THEN INSERT VALUES (s.entry, s.amount)"
        ),
        "entries",
    ),
    "writing query": (
        one("WITH gone AS (DELETE FROM accounts RETURNING amount) SELECT count(*), sum(amount) FROM gone"),
        "accounts",
    ),
    "relay": (
        one(
            "WITH gone AS (DELETE FROM accounts RETURNING account, amount) "
            "INSERT INTO entries (entry, amount) SELECT account + 500, amount FROM gone"
        ),
        "entries",
    ),
}


@pytest.fixture(scope="module")
def opened(fleet_servers: Servers) -> Iterator[Bank]:
    topology = fleet_servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as fleet:
        with fleet.session() as session:
            for statement in SCHEMA.splitlines():
                session.execute(statement)
        yield Bank(fleet, fleet_servers)
    fleet_servers.drop(topology)


@pytest.fixture
def bank(opened: Bank) -> Bank:
    opened.fill()
    return opened


class Bank(NamedTuple):
    fleet: Fleet
    servers: Servers

    def fill(self) -> None:
        self.on_shards("TRUNCATE accounts, entries, marks, rates")
        with self.fleet.session() as session:
            for statement in FILL.splitlines():
                session.execute(statement)

    def on_shards(self, sql: str) -> list[list[Any]]:
        return [self.servers.sql(shard.primary, sql) for shard in self.fleet.topology.domains[0].shards]

    def rows(self) -> dict[str, Any]:
        """All rows by table; those of copies by shard."""
        found: dict[str, Any] = {}
        for table in TABLES:
            shards = self.on_shards(f"SELECT * FROM {table.name}")
            parts = [sorted(rows) for rows in shards]
            found[table.name] = parts if table.name == "rates" else sorted(row for part in parts for row in part)
        return found


class Stop(NamedTuple):
    """What is thrown in at the nth wait; `late`: behind what the servers have answered; None: the time has run out."""

    kind: type[BaseException] | None
    late: bool = False

    def steps(self, steps: Steps[Any], at: int) -> Steps[bool]:
        """Run these with the stop in them; whether it came so far."""
        past = 0
        try:
            wait = steps.send(None)
            while True:
                here = past == at
                ready = None if here and not self.late and self.kind is not None else (yield wait)
                past += 1
                if not here:
                    wait = steps.send(ready)
                elif self.kind is GeneratorExit:
                    steps.close()
                    return True
                elif self.kind is not None:
                    wait = steps.throw(self.kind())
                else:
                    wait = steps.send({} if isinstance(wait, (Socket, Sockets)) else ready)
        except StopIteration:
            return past > at


LATE = Stop(KeyboardInterrupt, late=True)
STOPS = [
    Stop(KeyboardInterrupt),
    LATE,
    Stop(asyncio.CancelledError, late=True),
    Stop(GeneratorExit, late=True),
    Stop(None),
]


def stopped(session: Session, run: Run, stop: Stop, at: int) -> bool:
    try:
        return drive(stop.steps(run(session._conversation), at))
    except (KeyboardInterrupt, asyncio.CancelledError) as interruption:
        # It is what the application sees, too.
        assert type(interruption) is stop.kind
    except OperationalError as error:
        assert stop.kind is None, error
    return True


def outcomes(bank: Bank, run: Run, marked: bool) -> tuple[Any, Any, Any]:
    """The rows as they are, and as they are when all is done, without the statement and with it."""
    before = bank.rows()
    with bank.fleet.session() as session, session.transaction():
        if marked:
            session.execute(MARK)
    without = bank.rows()
    bank.fill()
    with bank.fleet.session() as session, session.transaction():
        if marked:
            session.execute(MARK)
        drive(run(session._conversation))
    after = bank.rows()
    bank.fill()
    assert after != without
    return before, without, after


@pytest.mark.parametrize("marked", [False, True], ids=["fresh", "marked"])
@pytest.mark.parametrize("kind", KINDS)
def test_commit_behind_a_statement_that_was_stopped(
    bank: Bank, kind: str, marked: bool, request: pytest.FixtureRequest
) -> None:
    run, _ = KINDS[kind]
    before, without, after = outcomes(bank, run, marked)
    for stop in STOPS if request.config.getoption("--long") else [LATE]:
        for at in range(200):
            with bank.fleet.session() as session:
                session.execute("BEGIN")
                if marked:
                    session.execute(MARK)
                came = stopped(session, run, stop, at)
                try:
                    session.execute("COMMIT")
                except OperationalError:
                    assert bank.rows() == before, (stop, at)
                else:
                    seen = bank.rows()
                    assert seen in (without, after), (stop, at)
                    if seen != before:
                        bank.fill()
            if not came:
                break
        else:
            pytest.fail("a statement does not wait so often")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_back_to_a_savepoint_before_a_statement_that_was_stopped(bank: Bank, kind: str) -> None:
    """As one PostgreSQL's transaction, it is usable again, and has nothing of the statement."""
    run, _ = KINDS[kind]
    for marked in (False, True):
        _, without, _ = outcomes(bank, run, True)
        for stop in STOPS[:2]:
            for at in range(200):
                with bank.fleet.session() as session:
                    session.execute("BEGIN")
                    if marked:
                        session.execute(MARK)
                    session.execute("SAVEPOINT here")
                    came = stopped(session, run, stop, at)
                    session.execute("ROLLBACK TO here")
                    if not marked:
                        session.execute(MARK)
                    session.execute("COMMIT")
                assert bank.rows() == without, (stop, at)
                bank.fill()
                if not came:
                    break
            else:
                pytest.fail("a statement does not wait so often")


def stuck_steps(steps: Steps[Any]) -> Steps[None]:
    """Interrupt these as soon as a server does not answer: it waits for a lock."""
    with suppress(StopIteration):
        wait = steps.send(None)
        while True:
            if isinstance(wait, (Socket, Sockets)):
                limit = monotonic() + 0.2
                ready = yield wait._replace(until=limit)
                if not ready and monotonic() >= limit:
                    wait = steps.throw(KeyboardInterrupt())
                    continue
                wait = steps.send(ready)
            else:
                wait = steps.send((yield wait))


@pytest.mark.parametrize("marked", [False, True], ids=["fresh", "marked"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_shard_is_done_and_the_other_waits(bank: Bank, kind: str, marked: bool) -> None:
    run, table = KINDS[kind]
    before = bank.rows()
    for shard in bank.fleet.topology.domains[0].shards:
        with bank.fleet.session() as session:
            session.execute("BEGIN")
            if marked:
                session.execute(MARK)
            bank.servers.sql(shard.primary, "BEGIN")
            bank.servers.sql(shard.primary, f"LOCK TABLE {table} IN SHARE MODE")
            try:
                with pytest.raises(KeyboardInterrupt):
                    drive(stuck_steps(run(session._conversation)))
            finally:
                bank.servers.sql(shard.primary, "ROLLBACK")
            with pytest.raises(OperationalError, match="OG-RUN-020"):
                session.execute("COMMIT")
        assert bank.rows() == before


def test_an_error_behind_what_was_written(bank: Bank) -> None:
    """The finish fails in this process, where no server's transaction has failed with it."""
    before = bank.rows()
    with bank.fleet.session() as session:
        session.execute("BEGIN")
        with pytest.raises(Error, match="division by zero"):
            session.execute(
                "WITH gone AS (DELETE FROM accounts RETURNING amount) SELECT 1 / (count(*) - count(*)) FROM gone"
            )
        with pytest.raises(OperationalError, match="OG-RUN-020"):
            session.execute("COMMIT")
    assert bank.rows() == before
