"""Sessions that append to lists and read them, in threads, and the history of what they did and saw."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import outgrow
from outgrow.errors import Error
from outgrow.topology import Placement, Sharded, TableName, Topology
from tests.histories.elle import Append, Outcome, Read, Transaction

TABLES: dict[TableName, Placement] = {TableName("public", "lists"): Sharded(("key",))}
TABLE = "CREATE TABLE lists (key int8 PRIMARY KEY, items int8[] NOT NULL DEFAULT '{}')"
APPEND = "UPDATE lists SET items = items || %s::int8 WHERE key = %s"
READ = "SELECT items FROM lists WHERE key = %s"
READ_MANY = "SELECT key, items FROM lists WHERE key = ANY (%s)"

#: All lists, and how many are in use at a time: few, so that transactions meet; others follow, so that none gets long.
KEYS, IN_USE = 600, 8
#: So many transactions until the next list comes into use.
PACE = 12

#: After these nobody knows whether it was committed.
UNCLEAR = frozenset(("OG-RUN-021", "OG-TX-005"))
STATEMENT_SECONDS = 5.0


@dataclass
class Workload:
    """`level` and `begin` are those of its sessions and of their transactions."""

    fleet: outgrow.Fleet
    seed: int
    level: str = "session"
    begin: str = "BEGIN ISOLATION LEVEL REPEATABLE READ"
    #: shard → its keys
    keys: dict[str, list[int]] = field(default_factory=dict)
    histories: list[list[Transaction]] = field(default_factory=list)
    _values: Any = field(default_factory=lambda: itertools.count(1))
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def history(self) -> list[Transaction]:
        """Each session's transactions in order."""
        return [one for history in self.histories for one in history]

    def set_up(self) -> None:
        with self.fleet.session() as session:
            session.execute(TABLE)
            session.execute("INSERT INTO lists (key) SELECT generate_series(1, %s)", [KEYS])
            for shard in self.fleet.topology.domains[0].shards:
                rows = session.execute("SELECT key FROM lists", shard=shard.name).fetchall()
                self.keys[shard.name] = sorted(row[0] for row in rows)

    def run(self, sessions: int, seconds: float, meanwhile: Any = None) -> None:
        """`meanwhile` is called once, in this thread, while they are at work."""
        threads = []
        for number in range(sessions):
            history: list[Transaction] = []
            self.histories.append(history)
            worker = Worker(self, f"s{number}", random.Random(f"{self.seed}/{number}"), history)
            threads.append(threading.Thread(target=worker.work, args=(self._stop,)))
        for thread in threads:
            thread.start()
        until = time.monotonic() + seconds
        try:
            if meanwhile is not None:
                meanwhile()
            time.sleep(max(0.0, until - time.monotonic()))
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "a session does not come to its end"

    def value(self) -> int:
        return next(self._values)

    def drawn(self, rng: random.Random, count: int, shards: int) -> list[int]:
        """Lists that are in use, on so many shards at most."""
        first = sum(map(len, self.histories)) // PACE
        chosen = rng.sample(sorted(self.keys), min(shards, len(self.keys)))
        drawn = []
        for _ in range(count):
            keys = self.keys[rng.choice(chosen)]
            drawn.append(keys[(first + rng.randrange(IN_USE)) % len(keys)])
        return drawn


class Worker:
    """One session's."""

    def __init__(self, load: Workload, name: str, rng: random.Random, history: list[Transaction]) -> None:
        self.load, self.name, self.rng, self.history = load, name, rng, history
        self.session = load.fleet.session(level=load.level)

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            kind = self.rng.random()
            if kind < 0.25:
                self.read([self.load.drawn(self.rng, 1, 1)[0]])
            elif kind < 0.45:
                self.read(self.load.drawn(self.rng, 4, 9))
            elif kind < 0.6:
                self.append(self.load.drawn(self.rng, 1, 1)[0])
            else:
                self.transaction(self.load.drawn(self.rng, self.rng.randint(2, 4), 1 if kind < 0.75 else 9))

    def note(self, operations: Sequence[Append | Read], outcome: Outcome) -> None:
        name = f"{self.name}.{len(self.history)}"
        self.history.append(Transaction(name, self.name, tuple(operations), outcome))

    def read(self, keys: list[int]) -> None:
        """One statement, which replicas may answer."""
        try:
            if len(keys) == 1:
                (row,) = self.session.execute(READ, keys, timeout_seconds=STATEMENT_SECONDS).fetchall()
                found = {keys[0]: row[0]}
            else:
                found = dict(self.session.execute(READ_MANY, [keys], timeout_seconds=STATEMENT_SECONDS).fetchall())
        except Error:
            time.sleep(0.01)
            return
        self.note([Read(key, tuple(values)) for key, values in found.items()], Outcome.COMMITTED)

    def append(self, key: int) -> None:
        """One statement, committed by itself; after an error nobody knows."""
        append = Append(key, self.load.value())
        try:
            self.session.execute(APPEND, [append.value, key], timeout_seconds=STATEMENT_SECONDS)
        except Error:
            self.note([append], Outcome.UNKNOWN)
            time.sleep(0.01)
        else:
            self.note([append], Outcome.COMMITTED)

    def transaction(self, keys: list[int]) -> None:
        done: list[Append | Read] = []
        outcome, session = Outcome.ABORTED, self.session
        try:
            session.execute(self.load.begin)
            for key in keys:
                if self.rng.random() < 0.5:
                    append = Append(key, self.load.value())
                    done.append(append)
                    session.execute(APPEND, [append.value, key], timeout_seconds=STATEMENT_SECONDS)
                else:
                    (row,) = session.execute(READ, [key], timeout_seconds=STATEMENT_SECONDS).fetchall()
                    done.append(Read(key, tuple(row[0])))
            outcome = Outcome.UNKNOWN
            session.execute("COMMIT", timeout_seconds=STATEMENT_SECONDS)
            outcome = Outcome.COMMITTED
        except Error as error:
            if outcome is Outcome.UNKNOWN and error.code not in UNCLEAR:
                outcome = Outcome.ABORTED
            self.undo()
        self.note(done, outcome)

    def undo(self) -> None:
        try:
            self.session.execute("ROLLBACK")
        except Error:
            time.sleep(0.01)


def opened(topology: Topology) -> outgrow.Fleet:
    return outgrow.open(topology, install=True)
