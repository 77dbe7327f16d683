"""What must hold of every story, whatever has broken in it."""

from __future__ import annotations

from outgrow.transactions import saga as kernel
from outgrow.transactions.saga import Progress, Step
from tests.unit.transactions.saga_world import World


class Wrong(AssertionError):
    """What a saga must never do."""


def play(world: World) -> World:
    """The story to its end, and the verdict."""
    world.play()
    for row in world.rows:
        progress = row.progress
        if not progress.over:
            raise Wrong(f"{progress} never ended")
        if world.ended.count(progress.id) != 1:
            raise Wrong("it ended more than once")
        for index, step in enumerate(world.saga.settled()):
            if step.transaction:
                judge_inside(world, progress, index, step)
            else:
                judge_outside(world, progress, step)
    return world


def judge_inside(world: World, progress: Progress, index: int, step: Step) -> None:
    """Exactly once, and undone exactly once."""
    told = [undo for saga, number, undo in world.effects if (saga, number) == (progress.id, index)]
    if progress.state == kernel.DONE:
        right = told == [False]
    else:
        right = told in ([], [False, True] if step.compensate is not None else [False])
    if not right:
        raise Wrong(f"{progress.state}, and {step.name} has {told}")


def judge_outside(world: World, progress: Progress, step: Step) -> None:
    """At least once, and its compensation last."""
    told = [undo for saga, name, undo in world.outside if (saga, name) == (progress.id, step.name)]
    if progress.state == kernel.DONE:
        right = bool(told) and True not in told
    else:
        refused = (progress.failure or "").startswith(f"{step.name}: no")
        right = not told or told[-1] or step.compensate is None or refused
    if not right:
        raise Wrong(f"{progress.state}, and {step.name} has {told}")
