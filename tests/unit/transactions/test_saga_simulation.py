"""Thousands of sagas whose workers are killed, paused and cut off at any wait; and what is said without protections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any
from uuid import UUID

import pytest

from outgrow.transactions import saga as kernel
from tests.unit.transactions.saga_verdict import Wrong, play
from tests.unit.transactions.saga_world import Marks, Row, World

SEEDS = 10_000
#: A mutant is found within so many seeds, or the harness is blind to it.
SEEDS_MUTANT = 10_000


def test_done_or_undone_whatever_breaks(request: pytest.FixtureRequest) -> None:
    ends: Counter[str] = Counter()
    seeds = SEEDS * (10 if request.config.getoption("--long") else 1)
    for seed in range(seeds):
        try:
            world = play(World(seed))
        except Wrong as wrong:
            pytest.fail(f"seed {seed}: {wrong}")
        ends.update(row.progress.state for row in world.rows)
        ends.update("tombstone" for mark in world.marks.values() if mark[0])
        ends.update("aborted" for row in world.rows if row.progress.failure == "aborted")
        ends.update("late" for row in world.rows if "deadline" in (row.progress.failure or ""))
        ends.update("taken over" for row in world.rows if row.progress.epoch > 1)
    # The stories are worth something only where all of this happens.
    assert {end for end, count in ends.items() if count > seeds / 200} >= {
        *("done", "compensated", "tombstone", "aborted", "late", "taken over")
    }, ends


class WithoutFencing(World):
    """A process that was slow writes its checkpoint over those of its successor."""

    fences = False


class MarkAside(World):
    """The mark is committed by itself, behind the work."""

    @staticmethod
    def do(marks: Marks, saga: UUID, step: int, work: Generator[Any, Any, str]) -> Generator[Any, Any, str]:
        world = marks.txn.world
        if (saga, step, "step") in world.marks:
            return (yield from kernel.do_steps(marks, saga, step, work))
        result = yield from work
        world.effects += marks.txn.effects
        marks.txn.effects = []
        yield from marks.insert_steps(saga, step, "step", False)
        return result


class WithoutTombstone(World):
    """A compensation that finds nothing leaves nothing behind."""

    @staticmethod
    def undo(marks: Marks, saga: UUID, step: int, work: Generator[Any, Any, None]) -> Generator[Any, Any, None]:
        if (saga, step, "step") in marks.txn.world.marks:
            yield from kernel.undo_steps(marks, saga, step, work)
        work.close()


class CompensatesTwice(World):
    """Compensations leave no mark."""

    @staticmethod
    def undo(marks: Marks, saga: UUID, step: int, work: Generator[Any, Any, None]) -> Generator[Any, Any, None]:
        if (yield from marks.insert_steps(saga, step, "step", True)):
            work.close()
        elif not (yield from marks.read_steps(saga, step)).tombstone:
            yield from work


class AbortsAtOnce(World):
    """An operator's abort does not wait until the holder has stopped trusting its lease."""

    def abort(self, row: Row) -> None:
        super().abort(row)
        row.wake_at = self.now


class TrustsForEver(World):
    """A process that was paused begins the next step without looking whether it still holds the saga."""

    margin = float("-inf")


@pytest.mark.parametrize(
    "mutant", [WithoutFencing, MarkAside, WithoutTombstone, CompensatesTwice, AbortsAtOnce, TrustsForEver]
)
def test_a_missing_protection_is_found(mutant: type[World]) -> None:
    for seed in range(SEEDS_MUTANT):
        try:
            play(mutant(seed))
        except (Wrong, IndexError):
            return
    pytest.fail(f"{mutant.__name__} was not found")
