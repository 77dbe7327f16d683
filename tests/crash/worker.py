"""A worker process: transfers through a session, one after another, and stands still where it is told to.

It drives the session's own steps, so that it can stop before or after any of their waits without a hook in what is
tested: `Block` and `execute_steps` are what `session.transaction()` and `session.execute()` drive.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import outgrow
from outgrow.errors import Error, InternalError
from outgrow.nodes import drive
from outgrow.runtime.block import Block
from outgrow.topology import Topology
from outgrow.waits import Socket, Sockets, Steps, Wait
from tests.crash import mutants
from tests.crash.journal import Journal

T = TypeVar("T")

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
#: Between two transfers: the machine has other things to do, too.
PAUSE_SECONDS = 0.01

#: Errors of COMMIT that leave open what became of the transaction; every other error says that nothing was done.
UNKNOWN = frozenset(("OG-RUN-021", "OG-TX-005"))


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


@dataclass(frozen=True, slots=True)
class Stand:
    """Stand still in the next transfer over several shards: how far into which stage, before a wait or after it."""

    number: int
    #: "write" (statements) or "commit"
    stage: str
    fraction: float
    after: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a worker stands, and by which order."""

    number: int
    transfer: str
    shards: tuple[str, ...]


class Worker:
    def __init__(self, orders: Orders, pipe: Connection, fleet: outgrow.Fleet) -> None:
        self.orders = orders
        self.pipe = pipe
        self.rng = random.Random(orders.seed)
        self.journal = Journal(orders.journals / f"{orders.name}.journal")
        self.place = {account: shard for shard, accounts in orders.accounts.items() for account in accounts}
        self.session = fleet.session()
        self.stand: Stand | None = None
        #: What was said while this stood still, for after this transfer.
        self.later: deque[object] = deque()
        self.stage = ""
        #: Waits so far in the stage, and how many it had at the last transfer over as many shards.
        self.waits = 0
        self.usual: dict[tuple[str, int], int] = {}
        self.shards: tuple[str, ...] = ()
        self.transfer = ""
        #: The transaction that the session named before this transfer.
        self.named_before = ""

    def work(self) -> None:
        """Until told to stop."""
        for number in itertools.count():
            while self.later or self.pipe.poll():
                match self.later.popleft() if self.later else self.pipe.recv():
                    case "rest":
                        self.pipe.send("resting")
                        if self.pipe.recv() == "stop":
                            return
                    case "stop":
                        return
                    case Stand() as stand:
                        self.stand = stand
                    case "forget":
                        self.stand = None
            self.attempt(f"{self.orders.name}.{number}")
            time.sleep(PAUSE_SECONDS)

    # -- one transfer ---------------------------------------------------------------------------------------------

    def drawn(self) -> tuple[tuple[int, int], ...]:
        """Accounts and amounts: over two shards mostly, over three sometimes, within one now and then.

        Where it is to stand still, mostly over three: only those can be prepared, or finished, in part.
        """
        rng = self.rng
        names = sorted(self.orders.accounts)
        three = 0.4 if self.stand is None else 0.8
        count = 1 if self.stand is None and rng.random() < 0.25 else min(len(names), 2 + (rng.random() < three))
        shards = sorted(rng.sample(names, count))
        chosen = [rng.choice(self.orders.accounts[shard]) for shard in shards]
        while len(chosen) < 2:
            chosen = sorted({*chosen, rng.choice(self.orders.accounts[shards[0]])})
        amounts = [rng.randint(1, 9) for _ in chosen[1:]]
        return tuple(zip(chosen, [-sum(amounts), *amounts], strict=True))

    def attempt(self, name: str) -> None:
        parts = self.drawn()
        self.transfer = name
        self.shards = tuple(dict.fromkeys(self.place[account] for account, _ in parts))
        self.named_before = self.last_transaction()
        self.journal.intent(name, parts)
        self.stage = "write"
        try:
            drive(self.watched_steps(self.transfer_steps(name, parts)))
        except Error as error:
            if isinstance(error, InternalError):
                self.journal.anomaly(f"{name}: {error}")
            self.journal.answer(name, self.meaning(error), str(error), self.known_as())
            time.sleep(2 * PAUSE_SECONDS)
        else:
            self.usual[self.stage, len(self.shards)] = self.waits
            self.journal.answer(name, "committed", "", self.known_as())
            self.see(name, parts)

    def meaning(self, error: Error) -> str:
        return "unknown" if self.stage == "commit" and error.code in UNKNOWN else "aborted"

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
            wide = self.rng.random()
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
        self.next_stage()
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

    # -- standing still --------------------------------------------------------------------------------------------

    def next_stage(self) -> None:
        self.usual["write", len(self.shards)] = self.waits
        self.stage, self.waits = "commit", 0

    def watched_steps(self, steps: Steps[T]) -> Steps[T]:
        """The same steps, standing still where `stand` says."""
        self.waits = 0
        try:
            wait = steps.send(None)
            while True:
                here = self.due()
                if here is not None and not here.after:
                    self.stand_still(here, wait)
                ready = yield wait
                if here is not None and here.after:
                    self.stand_still(here, wait)
                self.waits += 1
                wait = steps.send(ready)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def due(self) -> Stand | None:
        stand = self.stand
        if stand is None or stand.stage != self.stage or len(self.shards) < 2:
            return None
        # The first transfer goes through where nothing is known of how long it will be.
        usual = self.usual.get((self.stage, len(self.shards)))
        if usual is None or self.waits < int(stand.fraction * usual):
            return None
        self.stand = None
        return stand

    def stand_still(self, stand: Stand, wait: Wait) -> None:
        """Say where, and wait for the word to go on; it never comes when this process is to be killed."""
        self.pipe.send(Standing(stand.number, self.transfer, self.shards))
        while (said := self.pipe.recv()) not in ("on", "deaf", "forget"):
            self.later.append(said)
        if said == "deaf":
            for fd in wait.wants if isinstance(wait, Sockets) else [wait.fd] if isinstance(wait, Socket) else []:
                lose(fd)


def lose(fd: int) -> None:
    """What has come on this connection was never received, and nothing more comes."""
    with socket.socket(fileno=os.dup(fd)) as same, contextlib.suppress(OSError):
        with contextlib.suppress(BlockingIOError):
            while same.recv(1 << 16, socket.MSG_DONTWAIT):
                pass
        same.shutdown(socket.SHUT_RDWR)


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
