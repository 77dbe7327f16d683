"""Sagas in a world in which everything breaks: workers, a ledger, one shard and a service outside; one seed a story.

The workers run the engine and the mark protocol themselves; modelled are what they speak to.  A process may be killed
or paused at every wait, its connection may break with the answer lost, functions fail before or after their work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from outgrow.errors import OperationalError
from outgrow.transactions import saga as kernel
from outgrow.transactions.saga import (
    Change,
    Fenced,
    Limit,
    Mark,
    Progress,
    Rejected,
    Retry,
    Saga,
    SagaContext,
    SagaMeans,
    Step,
    Work,
    changed,
)
from outgrow.waits import Until

Gen = Generator[Any, Any, Any]

LEASE = 10.0
MARGIN = 2.0
#: The server ends a transaction whose client does nothing for so long, and a wait for a lock.
IDLE, LOCK = 20.0, 5.0


class Failed(Exception):
    """A function of the application's says no, this time."""


class Moment:
    """A wait that is over at once, and where anything may happen meanwhile."""


MOMENT = Moment()


@dataclass
class Row:
    progress: Progress
    wake_at: float | None
    deadline: float | None
    holder: Process | None = None


@dataclass(eq=False)
class Txn:
    """One transaction on the shard: nothing of it is seen before its end."""

    world: World
    active_at: float
    marks: dict[tuple[UUID, int, str], list[Any]] = field(default_factory=dict)
    effects: list[tuple[UUID, int, bool]] = field(default_factory=list)
    open: bool = True

    def end(self, commit: bool) -> None:
        if not self.open:
            return
        self.open = False
        self.world.txns.remove(self)
        if commit:
            self.world.marks.update(self.marks)
            self.world.effects += self.effects


class Marks:
    """See `kernel.Marks`."""

    def __init__(self, txn: Txn) -> None:
        self.txn = txn

    def insert_steps(self, saga: UUID, step: int, kind: str, tombstone: bool) -> Gen:
        world, key = self.txn.world, (saga, step, kind)
        limit = world.now + LOCK
        while True:
            yield from alive_steps(self.txn)
            if any(key in other.marks for other in world.txns if other is not self.txn):
                if world.now > limit:
                    raise OperationalError("OG-X", "lock timeout")
                yield Until(world.now + 0.5)
                continue
            if key in world.marks or key in self.txn.marks:
                return False
            self.txn.marks[key] = [tombstone, "null"]
            return True

    def read_steps(self, saga: UUID, step: int) -> Gen:
        yield from alive_steps(self.txn)
        mark = self.txn.marks.get((saga, step, "step")) or self.txn.world.marks[saga, step, "step"]
        return Mark(*mark)

    def keep_steps(self, saga: UUID, step: int, result: str) -> Gen:
        yield from alive_steps(self.txn)
        self.txn.marks[saga, step, "step"][1] = result


def alive_steps(txn: Txn) -> Gen:
    yield MOMENT
    if not txn.open:
        raise OperationalError("OG-X", "the connection is gone")
    txn.active_at = txn.world.now


class Hands:
    """See `kernel.Hands`: functions that fail as the story wants it."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process

    def place_steps(self, step: Step, context: SagaContext) -> Gen:
        if self.world.chance() < 0.1:
            raise Failed("where?")
        return "s1"
        yield

    def act_steps(self, step: Step, context: SagaContext, undo: bool, limit: Limit) -> Gen:
        """(Between being sure and the call no time passes: that is what the lease's margin is for.)"""
        self.function(step, context, undo)
        self.world.outside.append((context.saga, step.name, undo))
        yield MOMENT
        self.late()
        return f'"{step.name}"'

    def transact_steps(self, step: Step, context: SagaContext, index: int, place: str, undo: bool, limit: Limit) -> Gen:
        world = self.world
        if place != "s1":
            raise AssertionError(f"{step.name} has no place")
        txn = Txn(world, world.now)
        world.txns.append(txn)
        self.process.txn = txn
        try:
            work = self.work_steps(txn, step, context, index, undo)
            if undo:
                yield from world.undo(Marks(txn), context.saga, index, work)
                result = ""
            else:
                result = yield from world.do(Marks(txn), context.saga, index, work)
            yield from alive_steps(txn)
            txn.end(True)
            yield MOMENT
            self.late()
            return result
        finally:
            if not self.process.killed:
                txn.end(False)

    def work_steps(self, txn: Txn, step: Step, context: SagaContext, index: int, undo: bool) -> Gen:
        self.function(step, context, undo)
        yield from alive_steps(txn)
        txn.effects.append((context.saga, index, undo))
        return f'"{step.name} at {len(self.world.effects)}"'

    def function(self, step: Step, context: SagaContext, undo: bool) -> None:
        chance = self.world.chance() if not self.world.calm or not undo else 1.0
        if chance < 0.1:
            raise Failed("before")
        if not undo and chance < 0.13 and context.attempt == 1 and self.process.first_try:
            raise Rejected("no")

    def late(self) -> None:
        """The answer is lost."""
        if not self.world.calm and self.world.chance() < 0.1:
            raise Failed("behind")


class Journal:
    """See `kernel.Journal`.  Answers are certain, as the writer makes them; a ledger that is away raises."""

    def __init__(self, world: World, process: Process, row: Row, until: float) -> None:
        self.world = world
        self.process = process
        self.row = row
        self.until = until

    def change_steps(self, progress: Progress, change: Change) -> Gen:
        yield MOMENT
        world, row, now = self.world, self.row, self.row.progress
        mine = now.epoch == progress.epoch and (now.state, now.step) == (progress.state, progress.step)
        if world.fences and not mine:
            raise Fenced
        self.process.first_try = True
        row.progress = replace(changed(progress if world.fences else now, change), epoch=now.epoch)
        if row.progress.over:
            row.wake_at, row.holder = None, None
            world.ended.append(row.progress.id)
        elif change.rest_seconds is not None:
            row.wake_at, row.holder = world.now + change.rest_seconds, None
        yield MOMENT

    def sure_steps(self, progress: Progress) -> Gen:
        if self.world.now < self.until - self.world.margin:
            return
        yield MOMENT
        if self.world.fences and self.row.progress.epoch != progress.epoch:
            raise Fenced
        self.row.wake_at = self.world.now + LEASE
        self.until = self.world.now + LEASE


@dataclass(eq=False)
class Process:
    """A worker: it claims one saga that is due, works on it, and looks for the next."""

    world: World
    steps: Gen = field(init=False)
    wait: Any = MOMENT
    paused_until: float = 0.0
    killed: bool = False
    txn: Txn | None = None
    #: Nobody has tried the step that is at work before: it may say that it has done nothing.
    first_try: bool = False

    def __post_init__(self) -> None:
        self.steps = self.run_steps()

    def run_steps(self) -> Gen:
        world = self.world
        while True:
            yield Until(world.now + world.chance())
            due = [row for row in world.rows if row.wake_at is not None and row.wake_at <= world.now]
            if not due:
                continue
            row = world.random.choice(due)
            row.progress = replace(row.progress, epoch=row.progress.epoch + 1)
            row.wake_at, row.holder = world.now + LEASE, self
            journal = Journal(world, self, row, world.now + LEASE)
            self.first_try = False
            work = Work(
                row.progress,
                world.saga.settled(),
                journal,
                Hands(world, self),
                SagaMeans(lambda: world.now, world.chance),
                deadline=row.deadline,
                patience_seconds=world.random.choice((0.0, 1.0, 100.0)),
            )
            try:
                yield from work.run_steps()
            except (Fenced, OperationalError):
                continue

    def go(self) -> None:
        self.wait = self.steps.send(None)

    def kill(self) -> None:
        self.killed = True
        self.steps.close()


class World:
    #: Switched off by mutants.
    fences = True
    margin = MARGIN
    do = staticmethod(kernel.do_steps)
    undo: Callable[..., Any] = staticmethod(kernel.undo_steps)

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chance = self.random.random
        self.now = 0.0
        self.calm = False
        self.marks: dict[tuple[UUID, int, str], list[Any]] = {}
        #: What the shard's transactions have committed, and what the service outside was told, in order.
        self.effects: list[tuple[UUID, int, bool]] = []
        self.outside: list[tuple[UUID, str, bool]] = []
        self.txns: list[Txn] = []
        self.ended: list[UUID] = []
        self.saga = self.definition()
        self.rows = [self.begun(number) for number in range(self.random.choice((1, 1, 2)))]
        self.processes = [Process(self) for _ in range(self.random.choice((1, 2, 3)))]

    def definition(self) -> Saga:
        """Three to five steps of both kinds; some leave nothing to undo."""
        saga = Saga("s")
        for number in range(self.random.randint(2, 4)):
            inside = self.chance() < 0.6

            def function(*_: Any) -> None: ...

            function.__name__ = f"{'in' if inside else 'out'}{number}"
            retry = Retry(tries=self.random.choice((1, 2, 4)), first_seconds=0.5, longest_seconds=4.0)
            patient = Retry(tries=3, first_seconds=0.5, longest_seconds=4.0)
            compensate = (lambda *_: None) if self.chance() < 0.8 else None
            declare = saga.transaction if inside else saga.step
            declare(compensate=compensate, retry=retry, compensate_retry=patient)(function)
        return saga

    def begun(self, number: int) -> Row:
        progress = Progress(UUID(int=number + 1), "s", 1, str(number), "null", epoch=0)
        deadline = 30.0 * self.chance() if self.chance() < 0.15 else None
        return Row(progress, 0.0, deadline)

    def play(self, limit: int = 4000) -> None:
        """Until all is over, or it should be."""
        troubles = self.random.choice((0, 1, 2, 4, 6))
        for turn in range(limit):
            if not any(row.wake_at is not None for row in self.rows):
                break
            if troubles and self.chance() < 0.04:
                troubles -= 1
                self.trouble()
            self.calm = turn > limit // 4
            for txn in [txn for txn in self.txns if self.now > txn.active_at + IDLE]:
                txn.end(False)
            self.now += self.chance() * 0.1 if self.chance() < 0.95 else self.chance() * 3.0
            ready = [p for p in self.processes if p.paused_until <= self.now and self.over(p.wait)]
            if not ready:
                self.now += 0.5 if turn < limit // 2 else kernel.STUCK_REST_SECONDS / 100
                continue
            self.random.choice(ready).go()
        # Whoever was only slow wakes up when all is long over, and goes on.
        for _ in range(60):
            self.now += 1.0
            for process in self.processes:
                process.paused_until = 0.0
                if self.over(process.wait):
                    process.go()

    def over(self, wait: Any) -> bool:
        return wait is MOMENT or (isinstance(wait, Until) and wait.until <= self.now)

    def trouble(self) -> None:
        kind = self.chance()
        victim = self.random.choice(self.processes)
        if kind < 0.4:
            victim.kill()
            if victim.txn is not None and self.chance() < 0.8:
                victim.txn.end(False)
            self.processes[self.processes.index(victim)] = Process(self)
        elif kind < 0.8:
            victim.paused_until = self.now + self.chance() * 60.0
            if len(self.processes) < 3:
                self.processes.append(Process(self))
        elif kind < 0.9:
            for txn in list(self.txns):
                txn.end(False)
        else:
            row = self.random.choice(self.rows)
            if row.progress.state == kernel.RUNNING:
                self.abort(row)

    def abort(self, row: Row) -> None:
        """As an operator does."""
        now = row.progress
        row.progress = replace(
            now, state=kernel.COMPENSATING, step=now.step + 1, epoch=now.epoch + 1, tries=0, failure="aborted"
        )
        if row.holder is None:
            row.wake_at = self.now
