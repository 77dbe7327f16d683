"""Time, chance, processes and faults around the modelled servers: one seed is one history.

A process is a generator of the kernel's; it waits for a `Call`, a time, or any of several.  The world picks what
happens next: a server runs a statement, a process goes on, or something breaks.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from outgrow.errors import Error
from outgrow.transactions import (
    Commit,
    Means,
    Part,
    TransactionId,
    numbered,
    recover_steps,
)
from outgrow.transactions import failures as failing
from outgrow.waits import Until
from tests.unit.transactions.ports import Branch, Shards
from tests.unit.transactions.servers import LOST, Backend, Call, Server

Gen = Generator[Any, Any, Any]


class Stopped(BaseException):
    """Thrown into the siblings of what failed."""


class Interrupted(BaseException):
    """Ctrl-C, or a cancelled task."""


def together(many: Sequence[Gen]) -> Gen:
    """As `nodes.together`: all at once, the first error stops the rest and is raised when they are done."""
    waits: dict[int, Any] = {}
    results: list[Any] = [None] * len(many)
    failure: BaseException | None = None

    def resume(child: int, call: Callable[[Any], Any], value: Any) -> None:
        nonlocal failure
        try:
            waits[child] = call(value)
        except StopIteration as stop:
            results[child] = stop.value
        except BaseException as error:
            if failure is None:
                fail(error)

    def fail(error: BaseException) -> None:
        nonlocal failure
        if failure is None:
            failure = error
            error = Stopped()
        waiting = list(waits)
        waits.clear()
        for child in waiting:
            resume(child, many[child].throw, error)

    try:
        for child, steps in enumerate(many):
            if failure is None:
                resume(child, steps.send, None)
            else:
                steps.close()
        while waits:
            try:
                ready = yield list(waits.values())
            except GeneratorExit:
                raise
            except BaseException as interruption:
                fail(interruption)
                continue
            for child, wait in list(waits.items()):
                if waits.get(child) is wait and ready(wait):
                    del waits[child]
                    resume(child, many[child].send, ready)
    finally:
        for child in waits:
            many[child].close()
    if failure is not None:
        raise failure
    return results


class World:
    #: Switched off by mutants: the primary key of decisions, the abort that a recoverer leaves behind.
    unique = True
    tombstones = True
    commit_class: type[Commit] = Commit
    #: How often a recoverer looks.
    looks = 10_000
    #: Whether anybody waits for replicas: of what was prepared, and of a decision.
    prepared_first, decided_first = True, True

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chance = self.random.random
        self.now = 0.0
        self.servers = {f"s{n}": Server(f"s{n}", self) for n in range(1, self.random.choice((2, 2, 3, 4)) + 1)}
        self.rulings: dict[UUID, list[str]] = {}
        self.processes: list[Process] = []
        self.coordinators: list[Process] = []
        self.means = Means(together, lambda: self.now, self.chance)
        self.calm = False
        self.troubles = self.random.choice((1, 1, 2, 2, 3, 5))
        #: As MariaDB has it: the branch opened first decides, and who prepared one must finish it or be gone.
        self.xa = seed % 3 == 0
        #: Replicas take over that have not got all; and transactions that are to outlive that.
        self.lossy = seed % 4 == 1

    # -- what happens next --------------------------------------------------------------------------------------------

    def ready(self, wait: Any) -> bool:
        if wait.__class__ is list:
            return any(self.ready(one) for one in wait)
        if wait.__class__ is Call:
            return wait.done or (wait.until is not None and wait.until <= self.now)
        return bool(wait.until <= self.now)

    def run(self, over: Callable[[], bool], limit: int) -> bool:
        """Let things happen until `over`; False when `limit` events were not enough."""
        chance, ready, servers = self.chance, self.ready, list(self.servers.values())
        for _ in range(limit):
            if over():
                return True
            moves: list[Any] = [p for p in self.processes if p.wait is not None and not p.paused and ready(p.wait)]
            for server in servers:
                for backend in server.backends:
                    if backend.calls or backend.orphan:
                        moves.append(backend)
            if not self.calm and self.troubles and chance() < 0.12:
                self.troubles -= 1
                self.trouble()
                continue
            if self.lossy:
                for server in servers:
                    if self.calm or chance() < 0.15:
                        server.follow()
            self.now += chance() * 0.02 if chance() < 0.97 else chance() * 4.0
            if not moves:
                self.now += 0.8
                continue
            move = moves[int(chance() * len(moves))]
            if move.__class__ is Process:
                move.go()
            elif move.calls:
                move.work()
            elif chance() < 0.3:
                # The server has noticed that nobody is there.
                move.end()
                move.server.backends.remove(move)
        return over()

    def trouble(self) -> None:
        kind = self.chance()
        workers = [p for p in self.processes if p.wait is not None]
        victim = self.random.choice(workers) if workers else None
        if kind < 0.3 and victim is not None:
            victim.kill()
        elif kind < 0.45 and victim is not None:
            victim.paused = not victim.paused
            if victim.paused and self.chance() < 0.5:
                self.now += self.chance() * 40.0
        elif kind < 0.55 and victim is not None:
            victim.interrupt()
        elif kind < 0.75:
            server = self.random.choice(list(self.servers.values()))
            if server.up:
                server.die()
            else:
                server.up = True
        elif kind < 0.87 and self.lossy:
            self.random.choice(list(self.servers.values())).fail_over()
        else:
            backends = [b for s in self.servers.values() for b in s.backends if not b.orphan]
            if backends:
                self.cut(self.random.choice(backends))

    def cut(self, backend: Backend) -> None:
        """The client hears no more; the server may not know yet."""
        backend.orphan = True
        for call in backend.calls:
            lost = Call(backend, deque(call.asked), None, list(call.outcomes))
            # The client's side of the call is over; the server goes on with a copy.
            call.outcomes += [LOST] * len(call.asked)
            call.done = True
            backend.calls[backend.calls.index(call)] = lost

    def heal(self) -> None:
        self.calm = True
        for server in self.servers.values():
            server.up = True
        for process in self.processes:
            process.paused = False

    # -- one flush ----------------------------------------------------------------------------------------------------

    def call_steps(self, backend: Backend, asked: Sequence[Callable[[], Any]], until: float | None) -> Gen:
        """The outcomes of statements sent in one flush; raises when nothing is known of any."""
        if backend.broken:
            raise LOST.with_traceback(None)
        call = Call(backend, deque(asked), until)
        backend.calls.append(call)
        try:
            while not call.done:
                if until is not None and until <= self.now:
                    self.cancel(call)
                    break
                yield call
        except GeneratorExit:
            raise
        except BaseException:
            self.cancel(call)
            raise
        if all(outcome is LOST for outcome in call.outcomes):
            raise LOST.with_traceback(None)
        return call.outcomes

    def cancel(self, call: Call) -> None:
        """Ask the server to stop: it obeys, is too late, or cannot be reached, and then the connection is closed."""
        backend = call.backend
        if call.done:
            return
        if self.chance() < 0.2:
            self.cut(backend)
            return
        while not call.done and self.chance() < 0.5 and backend.work():
            pass
        if not call.done:
            backend.drop()


@dataclass(slots=True, eq=False)
class Process:
    """A generator that runs in the world, with the connections that die with it."""

    world: World
    steps: Gen
    backends: list[Backend]
    wait: Any = None
    paused: bool = False
    answer: Any = None
    commit: Commit | None = None

    @property
    def ended(self) -> str:
        """How, in a word."""
        if isinstance(self.answer, failing.Undecided):
            return "undecided"
        if isinstance(self.answer, Error):
            return "fenced" if self.answer.code == "OG-TX-004" else "failed"
        if isinstance(self.answer, Interrupted):
            return "interrupted"
        if self.answer == "committed":
            return "pending" if self.commit is not None and self.commit.pending else "answered"
        return str(self.answer)

    def start(self) -> None:
        self._resume(self.steps.send, None)

    def go(self) -> None:
        self._resume(self.steps.send, self.world.ready)

    def interrupt(self) -> None:
        self._resume(self.steps.throw, Interrupted())

    def _resume(self, call: Callable[[Any], Any], value: Any) -> None:
        try:
            self.wait = call(value)
        except StopIteration as stop:
            self._over(stop.value or "committed")
        except (Error, Interrupted) as error:
            self._over(error)

    def _over(self, answer: Any) -> None:
        self.wait = None
        self.answer = answer
        for backend in self.backends:
            # Given back to a pool: what is open is closed.
            if not backend.closed and (backend.txn is not None or backend.server.holds(backend)):
                self.world.cut(backend)

    def kill(self) -> None:
        """SIGKILL: it does nothing more; its connections are found closed sooner or later."""
        self.wait = None
        self.answer = "killed"
        self.steps.close()
        for backend in self.backends:
            if not backend.closed:
                self.world.cut(backend)


def recoverer_steps(world: World, shards: Shards) -> Gen:
    for _ in range(world.looks):
        yield Until(world.now + 0.5 + 2.0 * world.chance())
        yield from recover_steps(shards, world.means)


def coordinator(world: World, number: int) -> Process:
    """A process that commits one transaction on some of the shards."""
    branches, backends, name = begun(world, number, 2)
    until = world.now + 3.0 * world.chance() if world.chance() < 0.2 else None
    commit = world.commit_class(branches, Shards(world, backends), world.means, name, until)
    return Process(world, commit.run_steps(), backends, commit=commit)


def begun(world: World, number: int, least: int) -> tuple[list[Branch], list[Backend], Callable[[str], TransactionId]]:
    """A transaction's branches on some of the shards, their connections, and its name."""
    count = len(world.servers)
    names = sorted(world.random.sample(sorted(world.servers), world.random.randint(least, count)))
    parts = [Part.WROTE] * len(names)
    if len(names) > 2 and world.chance() < 0.3:
        parts[world.random.randrange(len(parts))] = world.random.choice((Part.READ, Part.CHECKED))
    its_number = numbered(float(number), world.random.randbytes(10), replicated=world.lossy)
    # All but the branch that was opened first, unless more was asked of that one too.
    first = world.random.choice([*names, None])
    decides = names[0] if world.xa else None
    branches = [
        Branch(world, world.servers[name], part, None if name == first else its_number, name == decides)
        for name, part in zip(names, parts, strict=True)
    ]

    def name(decider: str) -> TransactionId:
        return TransactionId("d", decider, its_number)

    return branches, [branch.backend for branch in branches], name
