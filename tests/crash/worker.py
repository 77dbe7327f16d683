"""A worker process: transfers through a session, one after another, and what else it is told to do between them.

It drives the session's own steps: `Block` and `execute_steps` are what `session.transaction()` and `session.execute()`
drive.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import outgrow
from outgrow.errors import Error, InternalError
from outgrow.nodes import drive
from outgrow.runtime.block import Block
from outgrow.runtime.transaction import atomic
from outgrow.topology import Topology
from outgrow.waits import Steps
from tests.crash import mutants
from tests.crash.journal import Journal

DEBIT = "UPDATE accounts SET balance = balance + %s WHERE id = %s"
ENTRY = "INSERT INTO transfers (account, transfer, amount) VALUES (%s, %s, %s)"
#: The same for all accounts at once, by statements that read what they write elsewhere: a transfer's rows go to the
#: shards of their accounts, and come back to all of those.
WIDE_ENTRY = "INSERT INTO transfers (account, transfer, amount) SELECT v.a, %s, v.n FROM unnest(%s, %s) AS v (a, n)"
WIDE_DEBIT = """UPDATE accounts SET balance = balance + (SELECT t.amount FROM transfers t
    WHERE t.account + 0 = accounts.id AND t.transfer = %s) WHERE id = ANY (%s)"""
WHOLE = f"""WITH e AS ({WIDE_ENTRY} RETURNING account, amount)
    UPDATE accounts SET balance = balance + e.amount FROM e WHERE e.account = accounts.id"""
ENTRIES = "SELECT amount FROM transfers WHERE account = %s AND transfer = %s"

#: Added to a transfer's name for what a savepoint takes back.
GHOST = "/ghost"
#: A frozen server must not hold a worker for ever.
STATEMENT_SECONDS = 5.0
#: How long a new worker tries to open the fleet.
OPEN_SECONDS = 30.0
#: How long recovery may have a connection of a pool.
HELD_SECONDS = 6.0
#: Between two transfers: the machine has other things to do, too.
PAUSE_SECONDS = 0.02

#: Errors of COMMIT that leave open what became of the transaction; every other error says that nothing was done.
UNKNOWN = frozenset(("OG-RUN-021", "OG-TX-005"))
#: It is committed, and a server has lost its part of it.
LOST = "OG-TX-006"


class Undone(Exception):
    """Ends a nested block, whose work is taken back."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is started with."""

    topology: Topology
    accounts: Mapping[str, Sequence[int]]
    journals: Path
    name: str
    seed: str
    mutant: str = ""
    engine: str = "postgresql"
    #: Servers may forget: what a session has written is not always there.
    lossy: bool = False
    #: Its transfers stay on one shard.
    narrow: bool = False


class Worker:
    def __init__(self, orders: Orders, pipe: Connection, fleet: outgrow.Fleet) -> None:
        self.orders = orders
        self.pipe = pipe
        self.rng = random.Random(orders.seed)
        self.journal = Journal(orders.journals / f"{orders.name}.journal")
        self.fleet = fleet
        self.session = fleet.session()
        #: Every transfer goes over as many shards as it can.
        self.wide = False
        self.committing = False
        #: The transaction that the session named before this transfer.
        self.named_before = ""

    def work(self) -> None:
        """Until told to stop."""
        for number in itertools.count():
            while self.pipe.poll():
                match self.pipe.recv():
                    case "rest":
                        self.check_at_rest()
                        self.pipe.send("resting")
                        if self.pipe.recv() == "stop":
                            return
                    case "stop":
                        return
                    case "wide":
                        self.wide = True
                    case "any":
                        self.wide = False
                    case ("collect", seconds):
                        self.collect(seconds)
                    case ("migrate", account, shard):
                        self.migrate(account, shard)
            self.attempt(f"{self.orders.name}.{number}")
            time.sleep(PAUSE_SECONDS)

    def check_at_rest(self) -> None:
        """Nobody holds a connection, but recovery while it looks."""
        until = time.monotonic() + HELD_SECONDS
        while held := {name: pool for name, pool in self.fleet.stats().items() if pool.idle != pool.size}:
            if time.monotonic() > until:
                self.journal.anomaly(f"{self.orders.name} rests, and connections are held: {held}")
                return
            time.sleep(0.02)

    def collect(self, seconds: float) -> None:
        """Forget what was settled so long ago."""
        with contextlib.suppress(Error):
            drive(atomic.collect_steps(self.session._conversation.state, seconds))

    def migrate(self, account: int, shard: str) -> None:
        """An account with its transfers goes to another shard."""
        with contextlib.suppress(Error):
            self.fleet.directory().migrate(account, shard, patience_seconds=STATEMENT_SECONDS)
        # Whoever waits for a point of it hears that it is over before something else begins.
        self.pipe.send(("migrated", account, shard))
        time.sleep(0.05)

    # -- one transfer ---------------------------------------------------------------------------------------------

    def drawn(self) -> tuple[tuple[int, int], ...]:
        """Accounts and amounts: over two shards mostly, over three sometimes, within one now and then."""
        rng = self.rng
        names = sorted(self.orders.accounts)
        count = 1 if rng.random() < 0.25 else min(len(names), 2 + (rng.random() < 0.4))
        if self.wide:
            count = len(names)
        if self.orders.narrow:
            count = 1
        shards = sorted(rng.sample(names, count))
        chosen = [rng.choice(self.orders.accounts[shard]) for shard in shards]
        while len(chosen) < 2:
            chosen = sorted({*chosen, rng.choice(self.orders.accounts[shards[0]])})
        amounts = [rng.randint(1, 9) for _ in chosen[1:]]
        return tuple(zip(chosen, [-sum(amounts), *amounts], strict=True))

    def attempt(self, name: str) -> None:
        parts = self.drawn()
        self.named_before = self.last_transaction()
        self.journal.intent(name, parts)
        self.committing = False
        try:
            drive(self.transfer_steps(name, parts))
        except Error as error:
            if isinstance(error, InternalError) and error.code != LOST:
                self.journal.anomaly(f"{name}: {error}")
            self.journal.answer(name, self.meaning(error), str(error), self.known_as())
            time.sleep(2 * PAUSE_SECONDS)
        else:
            self.journal.answer(name, "committed", "", self.known_as())
            if not self.orders.lossy:
                self.see(name, parts)

    def meaning(self, error: Error) -> str:
        if self.committing and error.code == LOST:
            return "committed"
        return "unknown" if self.committing and error.code in UNKNOWN else "aborted"

    def known_as(self) -> str:
        """The transaction's id, where this transfer came so far as to have one."""
        last = self.last_transaction()
        return last if last != self.named_before else ""

    def last_transaction(self) -> str:
        return str(getattr(self.session, "last_transaction", None) or "")

    def transfer_steps(self, name: str, parts: Sequence[tuple[int, int]]) -> Steps[None]:
        """As `with session.transaction():` does it."""
        block = Block(self.session._conversation, "")
        yield from block.enter_steps()
        try:
            # The other engine has no such arrays; and they open branches on shards that they only ask.
            wide = self.rng.random() if self.orders.engine == "postgresql" and not self.orders.narrow else 1.0
            if wide < 0.3:
                yield from self.wide_steps(name, parts, whole=wide < 0.15)
                parts = ()
            for account, amount in parts:
                nested = self.rng.random()
                if nested < 0.15:
                    yield from self.ghost_steps(name, account)
                yield from self.part_steps(name, account, amount, nested > 0.85)
        except BaseException:
            yield from block.leave_steps(False)
            raise
        self.committing = True
        yield from block.leave_steps(True)

    def wide_steps(self, name: str, parts: Sequence[tuple[int, int]], whole: bool) -> Steps[None]:
        accounts, amounts = [account for account, _ in parts], [amount for _, amount in parts]
        result = yield from self.say_steps(WHOLE if whole else WIDE_ENTRY, (name, accounts, amounts))
        if not whole:
            result = yield from self.say_steps(WIDE_DEBIT, (name, accounts))
        if result.rowcount != len(parts):
            self.journal.anomaly(f"{name} changed {result.rowcount} of {len(parts)} accounts")

    def part_steps(self, name: str, account: int, amount: int, nested: bool) -> Steps[None]:
        block = Block(self.session._conversation, "") if nested else None
        if block is not None:
            yield from block.enter_steps()
        try:
            yield from self.say_steps(DEBIT, (amount, account))
            yield from self.say_steps(ENTRY, (account, name, amount))
        except BaseException:
            if block is not None:
                yield from block.leave_steps(False)
            raise
        if block is not None:
            yield from block.leave_steps(True)

    def ghost_steps(self, name: str, account: int) -> Steps[None]:
        """Work that a savepoint takes back."""
        block = Block(self.session._conversation, "")
        yield from block.enter_steps()
        yield from self.say_steps(ENTRY, (account, name + GHOST, 1))
        yield from block.leave_steps(False)

    def say_steps(self, sql: str, parameters: tuple[Any, ...]) -> Steps[Any]:
        return (yield from self.session._conversation.execute_steps(sql, parameters, STATEMENT_SECONDS, None))

    def see(self, name: str, parts: Sequence[tuple[int, int]]) -> None:
        """A session sees its own writes, on replicas too."""
        account, amount = self.rng.choice(parts)
        try:
            result = self.session.execute(ENTRIES, (account, name), timeout_seconds=STATEMENT_SECONDS)
        except Error:
            return
        rows = result.fetchall()
        if rows != [(amount,)]:
            self.journal.anomaly(f"{name} was committed, and its session read {rows} from {result.node}")


def serve(orders: Orders, pipe: Connection) -> None:
    """The process's main function."""
    try:
        with mutants.switched_off(orders.mutant), opened(orders.topology) as fleet:
            Worker(orders, pipe, fleet).work()
    except (EOFError, ConnectionError):
        # Whoever gives the orders is gone.
        os._exit(1)
    except BaseException:
        Journal(orders.journals / f"{orders.name}.journal").anomaly(f"{orders.name} failed:\n{traceback.format_exc()}")
        raise


def opened(topology: Topology) -> outgrow.Fleet:
    """The fleet; a worker may be started while a server is down, which `open` needs."""
    until = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            return outgrow.open(topology)
        except Error:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
