"""Snapshots agree, over many histories; and each protection is missed where it is switched off."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any
from uuid import UUID

import pytest

from outgrow.errors import OperationalError
from outgrow.transactions import Means, agreement
from outgrow.transactions.agreement import Cut, Cuts, Mark, Seen, lagging
from tests.unit.transactions.snapshots import View, World, histories

SEEDS, STEPS = 300, 1500


def test_no_read_is_torn() -> None:
    worlds = histories(SEEDS, STEPS, World)
    assert [world.torn for world in worlds if world.torn] == []
    reads = sum(world.reads for world in worlds)
    assert sum(world.agreed for world in worlds) > 0.8 * reads > 1000
    assert sum(world.again for world in worlds) > 500, "the writers were in nobody's way"


def test_stamps_not_compared_is_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "lagging", lambda seen: {})
    assert any(world.torn for world in histories(SEEDS, STEPS, World))


class Unmoved(View):
    """Reads the stamps anew, and keeps the snapshot of its first try."""

    def take(self) -> None:
        if self.snapshot == (0, frozenset()):
            super().take()

    def seen(self, since: Mark, named: Collection[UUID], snapshot: tuple[int, frozenset[int]]) -> Seen:
        return super().seen(since, named, self.model.snapshot())


def test_an_old_snapshot_kept_is_torn() -> None:
    assert any(world.torn for world in histories(SEEDS, STEPS, lambda seed: World(seed, view=Unmoved)))


def test_stamps_forgotten_at_once_are_torn() -> None:
    assert any(world.torn for world in histories(SEEDS, STEPS, lambda seed: World(seed, kept_steps=1)))


class Heedless(View):
    """Does not look what is prepared."""

    def in_doubt_steps(self) -> Generator[None, None, Collection[UUID]]:
        yield
        return ()


def test_a_first_mark_without_the_prepared_is_torn() -> None:
    assert any(world.torn for world in histories(SEEDS, STEPS, lambda seed: World(seed, view=Heedless)))


def test_cuts_serve_their_shards_and_grow_old() -> None:
    cuts = Cuts()
    cut = Cut({name: Mark("3:3:", "") for name in ("a", "b", "c")}, taken_at=100.0)
    cuts.keep(cut)
    assert cuts.find(("a", "b", "c"), 101.0) == cut
    found = cuts.find(("a", "c"), 101.0)
    assert found is not None and set(found.marks) == {"a", "c"}
    assert cuts.find(("a", "d"), 101.0) is None
    assert cuts.find(("a", "c"), 100.0 + agreement.CUT_SECONDS + 1) is None


def test_who_lags() -> None:
    one, two = UUID(int=1), UUID(int=2)
    mark = Mark("3:3:", "")
    seen = {
        "a": Seen(mark, {one: ("a", "b"), two: ("a", "z")}),
        "b": Seen(mark, {}),
        "c": Seen(mark, {}),
    }
    assert lagging(seen) == {"b": {one}}


class Lagging:
    """A shard that never shows what the other one does; each look at it takes its time."""

    def __init__(self, shard: str, clock: list[float]) -> None:
        self.shard, self.clock = shard, clock

    def mark_steps(self) -> Generator[None, None, Mark]:
        yield
        return Mark("3:3:", "")

    def in_doubt_steps(self) -> Generator[None, None, Collection[UUID]]:
        yield
        return ()

    def open_steps(self, since: Mark, named: object, lacking: object) -> Generator[None, None, Seen]:
        yield
        self.clock[0] += 0.1
        return Seen(since, {UUID(int=1): ("a", "b")} if self.shard == "a" else {})


class NotedGate:
    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.moments: list[tuple[str, float]] = []

    def close_steps(self, shards: Collection[str], until: float) -> Generator[None, None, None]:
        yield
        self.moments.append(("closed", self.clock[0]))

    def open_steps(self) -> Generator[None, None, None]:
        yield
        self.moments.append(("opened", self.clock[0]))

    def abandon(self) -> None:
        raise AssertionError


def test_commits_wait_no_longer_than_the_gate_may_be_closed() -> None:
    """The read goes on for seconds without it, until it gives up."""
    clock = [0.0]
    gate = NotedGate(clock)

    def together(many: Any) -> Any:
        answers = []
        for one in many:
            answers.append((yield from one))
        return answers

    means: Any = Means(together, lambda: clock[0], lambda: 0.5)
    views: Any = {name: Lagging(name, clock) for name in ("a", "b")}
    steps = agreement.Agreement(views, means, gate).run_steps(None)
    with pytest.raises(OperationalError) as caught:
        while True:
            next(steps)
    assert caught.value.code == "OG-TX-060" and clock[0] > agreement.AGREE_SECONDS
    (closing, closed), (opening, opened) = gate.moments
    assert (closing, opening) == ("closed", "opened")
    assert opened - closed <= agreement.GATE_SECONDS + 0.2
