"""No message is ever below the floor, in whatever order transactions draw their numbers, end, and are looked at."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from outgrow.transactions.outbox import Floor


@dataclass
class Writer:
    xid: int
    numbers: list[int] = field(default_factory=list)


class World:
    """A server with writers, and a relay that reads behind its floor."""

    def __init__(self, chance: random.Random, floor: Floor) -> None:
        self.chance = chance
        self.floor = floor
        self.next_xid, self.drawn = 100, 0
        #: The greatest transaction number that has ended.
        self.completed = 99
        self.running: list[Writer] = []
        #: Committed, and not deleted yet.
        self.visible: set[int] = set()
        self.committed: set[int] = set()
        self.delivered: set[int] = set()
        self.set_aside: set[int] = set()
        self.limit = chance.choice((1, 2, 5, 100))

    def write(self) -> None:
        what = self.chance.random()
        if what < 0.3 or not self.running:
            self.running.append(Writer(self.next_xid))
            self.next_xid += 1
            return
        writer = self.chance.choice(self.running)
        if what < 0.7:
            self.drawn += 1
            writer.numbers.append(self.drawn)
            return
        self.running.remove(writer)
        self.completed = max(self.completed, writer.xid)
        if what < 0.9:
            self.visible |= set(writer.numbers)
            self.committed |= set(writer.numbers)

    def end(self) -> None:
        """All transactions are committed."""
        for writer in self.running:
            self.visible |= set(writer.numbers)
            self.committed |= set(writer.numbers)
            self.completed = max(self.completed, writer.xid)
        self.running.clear()

    def snapshot(self) -> tuple[int, int]:
        """xmin and xmax as PostgreSQL has them: it knows of no transaction above the last that has ended."""
        xmax = self.completed + 1
        return min((writer.xid for writer in self.running if writer.xid < xmax), default=xmax), xmax

    def begun(self, xmax: int) -> int:
        """The look's own transaction number, where it draws one."""
        if not self.floor.bounds:
            return 0
        self.next_xid += 1
        # The look is a transaction, and has ended behind it.
        self.completed = max(self.completed, self.next_xid - 1)
        return self.next_xid - 1

    def relay(self, meanwhile: int = 0) -> bool:
        """One round, with so many steps of others between its statements; False where it found nothing."""
        found = sorted(n for n in self.visible - self.set_aside if n > self.floor.number)[: self.limit]
        rise = self.floor.read(found, self.limit)
        for _ in range(meanwhile):
            self.write()
        oldest, xmax = self.snapshot()
        # The sequence is read a moment after the snapshot was taken; and the look's own number drawn before that, or
        # behind it.
        early = self.chance.random() < 0.5
        begun = self.begun(xmax) if early else 0
        for _ in range(meanwhile):
            self.write()
        drawn = self.drawn
        self.floor.look(drawn, oldest, begun if early else self.begun(xmax))
        for number in found:
            if self.chance.random() < 0.1:
                self.set_aside.add(number)
            else:
                self.delivered.add(number)
                self.visible.discard(number)
        if rise is not None:
            self.floor.rise(rise)
        if self.set_aside and self.chance.random() < 0.2:
            number = self.chance.choice(sorted(self.set_aside))
            self.set_aside.discard(number)
            self.floor.fall(number - 1)
        return bool(found)

    def run(self, steps: int) -> set[int]:
        """What was lost in the end."""
        for _ in range(steps):
            for _ in range(self.chance.randrange(4)):
                self.write()
            if self.chance.random() < 0.5:
                self.relay(self.chance.randrange(3))
        self.end()
        for number in self.set_aside:
            self.floor.fall(number - 1)
        self.set_aside.clear()
        for _ in range(1000):
            if not (self.relay() or self.set_aside):
                break
            for number in self.set_aside:
                self.floor.fall(number - 1)
            self.set_aside.clear()
        return self.committed - self.delivered


@pytest.mark.parametrize("start", range(0, 2000, 500))
def test_nothing_is_lost(start: int) -> None:
    for at in range(start, start + 500):
        assert World(random.Random(at), Floor()).run(60) == set(), at


def test_it_rises() -> None:
    """Where all transactions end, no read passes what was deleted."""
    world = World(random.Random(1), Floor())
    world.limit = 100
    for _ in range(50):
        world.write()
    world.end()
    for _ in range(5):
        world.relay()
        world.set_aside.clear()
    assert world.floor.number == world.drawn > 5
    # And where nothing is emitted any more, no more transaction numbers are drawn.
    drawn = world.next_xid
    for _ in range(20):
        world.relay()
        world.set_aside.clear()
    assert world.next_xid == drawn


class LastRead(Floor):
    """The protection left out: everything up to what was read last is taken for read."""

    def read(self, numbers: Sequence[int], limit: int) -> int | None:
        return numbers[-1] if numbers else None


class Unended(Floor):
    """Nobody waits for the transactions that run."""

    def look(self, drawn: int, oldest: int, begun: int) -> None:
        super().look(drawn, 2**62, begun)


class SameLook(Floor):
    """The transactions that must end are those before the look that took the number, not before a later one."""

    @property
    def bounds(self) -> bool:
        return self._candidate is None or super().bounds

    def look(self, drawn: int, oldest: int, begun: int) -> None:
        first = self._candidate is None
        super().look(drawn, oldest, begun)
        if first:
            self._bound, self._ended = begun, oldest >= begun


class Unread(Floor):
    """It rises although a read was not shown everything."""

    def read(self, numbers: Sequence[int], limit: int) -> int | None:
        return self._candidate if self._ended else None


class Unfallen(Floor):
    """What was set aside is forgotten."""

    def fall(self, number: int) -> None:
        pass


@pytest.mark.parametrize("mutant", [LastRead, Unended, SameLook, Unread, Unfallen])
def test_mutants_lose_messages(mutant: type[Floor]) -> None:
    assert any(World(random.Random(at), mutant()).run(60) for at in range(2000))


class Completed(World):
    """The look draws no transaction number: its snapshot's xmax stands for one."""

    def begun(self, xmax: int) -> int:
        return xmax if self.floor.bounds else 0


def test_what_has_ended_is_no_bound_for_what_runs() -> None:
    assert sum(bool(Completed(random.Random(at), Floor()).run(60)) for at in range(2000)) > 100
