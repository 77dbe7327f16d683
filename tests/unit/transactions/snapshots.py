"""A model of servers that commit transactions over shards while somebody reads: xids, snapshots, stamps, prepared ones.

Everything that happens is one step of somebody; one seed is one history.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from outgrow.transactions import Agreement, Cuts, Means
from outgrow.transactions.agreement import Mark, Seen

#: A writer step lasts so long; the reader's clock.
STEP_SECONDS = 0.0005


@dataclass
class Shard:
    name: str
    next_xid: int = 3
    running: set[int] = field(default_factory=set)
    prepared: dict[UUID, int] = field(default_factory=dict)
    #: Transaction → its xid here, once it is committed; this outlives its stamp.
    committed: dict[UUID, int] = field(default_factory=dict)
    stamps: dict[UUID, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    run: int = 0

    def begin(self) -> int:
        self.next_xid += 1
        self.running.add(self.next_xid - 1)
        return self.next_xid - 1

    def commit(self, number: UUID, xid: int, shards: tuple[str, ...]) -> None:
        self.running.discard(xid)
        self.prepared.pop(number, None)
        self.committed[number] = xid
        self.stamps[number] = (xid, shards)

    def snapshot(self) -> tuple[int, frozenset[int]]:
        return self.next_xid, frozenset(self.running)


def shown(snapshot: tuple[int, frozenset[int]], xid: int) -> bool:
    return xid < snapshot[0] and xid not in snapshot[1]


class World:
    """Shards, writers, whoever forgets, and one reader after another."""

    def __init__(self, seed: int, kept_steps: int = 10**9, view: type[View] | None = None) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.shards = {f"s{n}": Shard(f"s{n}") for n in range(self.random.choice((2, 2, 3)))}
        self.kept_steps = kept_steps
        self.view = view or View
        self.means = Means(self.together, lambda: self.now, self.random.random)
        self.cuts = Cuts()
        self.gate_closed: set[str] = set()
        self.reads = self.agreed = self.again = 0
        self.torn: list[str] = []

    def together(self, many: Sequence[Generator[Any, Any, Any]]) -> Generator[Any, Any, list[Any]]:
        results: list[Any] = [None] * len(many)
        pending = list(range(len(many)))
        while pending:
            at = self.random.choice(pending)
            try:
                next(many[at])
            except StopIteration as stop:
                results[at] = stop.value
                pending.remove(at)
            yield
        return results

    # -- who is at work ------------------------------------------------------------------------------------------

    def writing(self) -> Iterator[None]:
        """Transactions over shards, one after another; some stay in doubt for long, some shards write alone between."""
        while True:
            names = self.random.sample(sorted(self.shards), self.random.randint(1, len(self.shards)))
            number = UUID(int=self.random.getrandbits(128))
            begun = {}
            for name in names:
                begun[name] = self.shards[name].begin()
                yield
            if len(names) == 1:
                self.shards[names[0]].running.discard(begun[names[0]])
                continue
            *others, decider = names
            for name in others:
                self.shards[name].prepared[number] = begun[name]
                yield
            while decider in self.gate_closed:
                yield
            self.shards[decider].commit(number, begun[decider], tuple(names))
            yield
            for name in self.random.sample(others, len(others)):
                for _ in range(self.random.choice((0, 0, 0, 1, 3, 200))):
                    yield
                self.shards[name].commit(number, begun[name], tuple(names))
                yield

    def forgetting(self) -> Iterator[None]:
        """Stamps that every shard has, one shard after another."""
        while True:
            for shard in self.shards.values():
                for number, (_, names) in list(shard.stamps.items()):
                    if all(number in self.shards[name].committed for name in names):
                        for _ in range(min(self.kept_steps, 3)):
                            yield
                        if self.kept_steps < 10:
                            del shard.stamps[number]
                yield
            yield

    def reading(self) -> Iterator[None]:
        while True:
            scope = sorted(self.shards)
            if len(scope) > 2 and self.random.random() < 0.3:
                scope = self.random.sample(scope, 2)
            if self.random.random() < 0.2:
                self.cuts = Cuts()
            views = {name: self.view(self, self.shards[name]) for name in scope}
            agreement = Agreement(views, self.means, Gate(self))
            self.reads += 1
            try:
                cut = yield from agreement.run_steps(self.cuts.find(scope, self.now))
            except Exception as error:
                if getattr(error, "code", "") != "OG-TX-060":
                    raise
                continue
            self.cuts.keep(cut)
            self.agreed += 1
            self.again += agreement.again
            self._judge(views)
            yield

    def _judge(self, views: dict[str, View]) -> None:
        for number in {number for name in views for number in self.shards[name].committed}:
            sides = {}
            for name, view in views.items():
                stamped = next((s.stamps[number] for s in self.shards.values() if number in s.stamps), None)
                if stamped is not None and name not in stamped[1]:
                    continue
                xid = self.shards[name].committed.get(number)
                if xid is None and self.shards[name].prepared.get(number) is None:
                    continue
                sides[name] = xid is not None and shown(view.snapshot, xid)
            if len(set(sides.values())) > 1:
                self.torn.append(f"{number}: {sides}")

    def run(self, steps: int) -> None:
        at_work: list[Iterator[None]] = [self.writing() for _ in range(self.random.randint(1, 4))]
        at_work += [self.reading()]
        if self.kept_steps < 10:
            at_work.append(self.forgetting())
        for _ in range(steps):
            self.now += STEP_SECONDS
            next(self.random.choice(at_work))


class View:
    """See `agreement.View`."""

    def __init__(self, world: World, shard: Shard) -> None:
        self.world, self.model, self.shard = world, shard, shard.name
        self.snapshot: tuple[int, frozenset[int]] = (0, frozenset())

    def _mark(self) -> Mark:
        xmax, running = self.model.snapshot()
        return Mark(f"{xmax}:{','.join(map(str, sorted(running)))}", str(self.model.run))

    def mark_steps(self) -> Generator[None, None, Mark]:
        yield
        return self._mark()

    def in_doubt_steps(self) -> Generator[None, None, Collection[UUID]]:
        yield
        return set(self.model.prepared)

    def open_steps(
        self, since: Mark, named: Collection[UUID], lacking: Collection[UUID]
    ) -> Generator[None, None, Seen]:
        yield
        for number in lacking:
            for _ in range(self.world.random.choice((0, 50))):
                if number in self.model.prepared:
                    yield
        self.take()
        return self.seen(since, named, self.snapshot)

    def take(self) -> None:
        self.snapshot = self.model.snapshot()

    def seen(self, since: Mark, named: Collection[UUID], snapshot: tuple[int, frozenset[int]]) -> Seen:
        xmax, _, listed = since.snapshot.partition(":")
        before = int(xmax), frozenset(int(xid) for xid in listed.split(",") if xid)
        stamps = {
            number: shards
            for number, (xid, shards) in self.model.stamps.items()
            if shown(snapshot, xid) and (not shown(before, xid) or number in named)
        }
        return Seen(self._mark(), stamps)


class Gate:
    """See `agreement.Gate`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def close_steps(self, shards: Collection[str], until: float) -> Generator[None, None, None]:
        for shard in shards:
            yield
            self.world.gate_closed.add(shard)

    def open_steps(self) -> Generator[None, None, None]:
        yield
        self.world.gate_closed.clear()

    def abandon(self) -> None:
        self.world.gate_closed.clear()


def histories(seeds: int, steps: int, made: Callable[[int], World]) -> list[World]:
    worlds = []
    for seed in range(seeds):
        world = made(seed)
        world.run(steps)
        worlds.append(world)
    return worlds
