"""One transfer between two accounts, by each peer: what `bench.atomic` times.

A peer is opened with the servers' addresses and gives a callable that makes one transfer.  The textbook's two-phase
commit is written on `psycopg.pq`, below psycopg's cursors, because that is the fastest that psycopg offers: every
phase is sent to both shards before the first answer is awaited, and every message that can be prepared is.
"""

from __future__ import annotations

import itertools
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, Format

from bench.fleet import here
from outgrow import open as open_fleet

#: On each shard about so many; no two transfers of one block share one.
ACCOUNTS = 20_000

UPDATE = "UPDATE accounts SET balance = balance + %s WHERE id = %s"

SETUP = (
    # Half-filled pages, so that no peer pays for the index.
    "CREATE TABLE accounts (id int8 PRIMARY KEY, balance int8 NOT NULL) WITH (fillfactor = 50)",
    f"INSERT INTO accounts SELECT id, 1000 FROM generate_series(1, {2 * ACCOUNTS}) AS s(id) WHERE " + here(),
    # The textbook's decisions; outgrow has its own.
    "CREATE TABLE textbook_decisions (gid text PRIMARY KEY)",
    "VACUUM (ANALYZE, FREEZE) accounts",
)

PLAIN = "two plain commits, not atomic"
TEXTBOOK = "two-phase commit, all in parallel"
IN_TURN = "two-phase commit, statements in turn"
OURS = "outgrow"
SINGLE = "psycopg, one shard"
OURS_SINGLE = "outgrow, one shard"

#: An account to take from, and one to give to.
Pair = tuple[int, int]
Transfer = Callable[[Pair], object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the fleet is: its file, and the application's address of each primary."""

    path: Path
    dsns: tuple[str, ...]


def connect(stack: ExitStack, dsn: str, *, autocommit: bool) -> psycopg.Connection[tuple[Any, ...]]:
    connection = psycopg.connect(dsn, autocommit=autocommit)
    stack.callback(connection.close)
    return connection


def plain(stack: ExitStack, place: Place) -> Transfer:
    """A transaction on each shard, committed one after the other: half of it may be lost."""
    first, second = (connect(stack, dsn, autocommit=False) for dsn in place.dsns)
    on_first, on_second = first.cursor(), second.cursor()

    def transfer(pair: Pair) -> None:
        on_first.execute(UPDATE, (-1, pair[0]), prepare=True)
        on_second.execute(UPDATE, (1, pair[1]), prepare=True)
        first.commit()
        second.commit()

    return transfer


def single(stack: ExitStack, place: Place) -> Transfer:
    """BEGIN, two statements, COMMIT; psycopg begins by itself, which is quicker than its transaction()."""
    connection = connect(stack, place.dsns[0], autocommit=False)
    cursor = connection.cursor()

    def transfer(pair: Pair) -> None:
        cursor.execute(UPDATE, (-1, pair[0]), prepare=True)
        cursor.execute(UPDATE, (1, pair[1]), prepare=True)
        connection.commit()

    return transfer


class Lane:
    """One connection in libpq's pipeline mode: send without waiting, then read what came back."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        pgconn = self.pgconn = connection.pgconn
        pgconn.prepare(b"begin", b"BEGIN")
        pgconn.prepare(b"update", UPDATE.replace("%s", "$1", 1).replace("%s", "$2").encode(), (20, 20))
        pgconn.prepare(b"decide", b"INSERT INTO textbook_decisions VALUES ($1)", (25,))
        pgconn.enter_pipeline_mode()
        self._expected = 0

    def update(self, amount: int, account: int) -> None:
        """BEGIN and the statement in one message."""
        self.pgconn.send_query_prepared(b"begin", None)
        values = (struct.pack("!q", amount), struct.pack("!q", account))
        self.pgconn.send_query_prepared(b"update", values, (Format.BINARY, Format.BINARY))
        self._sent(2)

    def decide(self, gid: str) -> None:
        self.pgconn.send_query_prepared(b"decide", (gid.encode(),))
        self._sent(1)

    def command(self, sql: str) -> None:
        self.pgconn.send_query_params(sql.encode(), None)
        self._sent(1)

    def _sent(self, count: int) -> None:
        self.pgconn.pipeline_sync()
        self.pgconn.flush()
        self._expected = count

    def read(self) -> None:
        """Everything up to the Sync; an error ends the bench."""
        pgconn = self.pgconn
        for _ in range(self._expected):
            result = pgconn.get_result()
            if result is None or result.status != ExecStatus.COMMAND_OK:
                said = result.error_message.decode() if result is not None else "no answer"
                raise SystemExit(f"the textbook's transfer failed: {said}")
            pgconn.get_result()
        synced = pgconn.get_result()
        if synced is None or synced.status != ExecStatus.PIPELINE_SYNC:
            raise SystemExit("the textbook's transfer lost its place in the conversation")


def textbook(stack: ExitStack, place: Place, *, in_turn: bool = False) -> Transfer:
    """Prepare on both at once, record the decision in a transaction of its own, commit on both at once.

    `in_turn`: the two statements are sent one after the other, as they come from an application that reads each answer
    before it goes on.
    """
    first, second = lanes = [Lane(connect(stack, dsn, autocommit=True)) for dsn in place.dsns]
    numbers = itertools.count()
    prefix = secrets.token_hex(8)

    def transfer(pair: Pair) -> None:
        gid = f"{prefix}-{next(numbers)}"
        first.update(-1, pair[0])
        if in_turn:
            first.read()
        second.update(1, pair[1])
        if not in_turn:
            first.read()
        second.read()
        on_both(lanes, f"PREPARE TRANSACTION '{gid}'")
        first.decide(gid)
        first.read()
        on_both(lanes, f"COMMIT PREPARED '{gid}'")

    return transfer


def on_both(lanes: Sequence[Lane], sql: str) -> None:
    for lane in lanes:
        lane.command(sql)
    for lane in lanes:
        lane.read()


def outgrow(stack: ExitStack, place: Place) -> Transfer:
    opened = stack.enter_context(open_fleet(place.path))
    session = stack.enter_context(opened.session())

    def transfer(pair: Pair) -> None:
        with session.transaction():
            session.execute(UPDATE, (-1, pair[0]))
            session.execute(UPDATE, (1, pair[1]))

    return transfer


#: Over two shards; then on one.
TWO_SHARDS: Mapping[str, Callable[[ExitStack, Place], Transfer]] = {
    PLAIN: plain,
    TEXTBOOK: textbook,
    IN_TURN: lambda stack, place: textbook(stack, place, in_turn=True),
    OURS: outgrow,
}
ONE_SHARD: Mapping[str, Callable[[ExitStack, Place], Transfer]] = {SINGLE: single, OURS_SINGLE: outgrow}
