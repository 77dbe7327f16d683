"""One seed: transactions, recoverers and troubles, then calm; and what must be true at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.errors import Error
from outgrow.transactions import Commit, Outcome, Part, TransactionId, outcome_steps
from outgrow.transactions.failures import Undecided
from tests.unit.transactions.ports import Shards
from tests.unit.transactions.world import Process, World, coordinator, recoverer_steps


class Wrong(AssertionError):
    """An invariant does not hold."""


def play(seed: int, kind: type[World] = World) -> World:
    """Raises Wrong; the same seed tells the same story."""
    world = kind(seed)
    world.coordinators = [coordinator(world, number) for number in range(world.random.choice((1, 1, 2)))]
    recoverers = [_recoverer(world) for _ in range(world.random.choice((1, 1, 2)))]
    world.processes = world.coordinators + recoverers
    for process in world.processes:
        process.start()
    waiting = list(world.coordinators)

    def story_over() -> bool:
        for process in waiting:
            if process.answer is not None:
                waiting.remove(process)
                _check_answer(process)
                break
        return not waiting

    def nothing_prepared() -> bool:
        return story_over() and not any(server.prepared for server in world.servers.values())

    world.run(nothing_prepared, 110)
    world.heal()
    for index, process in enumerate(world.processes):
        if process in recoverers and process.wait is None:
            world.processes[index] = fresh = _recoverer(world)
            fresh.start()

    def at_rest() -> bool:
        return nothing_prepared() and not any(b.orphan for s in world.servers.values() for b in s.backends)

    if not world.run(at_rest, 6000):
        raise Wrong("it does not come to rest: prepared " + str([list(s.prepared) for s in world.servers.values()]))
    for process in world.coordinators:
        _check_end(world, process)
    return world


def _recoverer(world: World) -> Process:
    shards = Shards(world, [])
    return Process(world, recoverer_steps(world, shards), shards.backends)


def _writers(commit: Commit) -> Sequence[Any]:
    return [p for p in commit.participants if p.part is Part.WROTE]  # type: ignore[attr-defined]


def _check_answer(process: Process) -> None:
    """At the moment of the answer: what was not named as pending can be read."""
    commit = process.commit
    assert commit is not None
    if process.answer == "committed" and commit.id is not None:
        for branch in _writers(commit):
            number, server = commit.id.number, branch.server
            # (What a failover has lost since, it lost back to where it was prepared.)
            again = process.world.lossy and any(held.stamp == number for held, *_ in server.prepared.values())
            if number not in server.rows and branch.shard not in commit.pending and not again:
                raise Wrong(f"answered, but {branch.shard} does not show it")


def _check_end(world: World, process: Process) -> None:
    commit = process.commit
    if commit is None or commit.id is None:
        return
    id: TransactionId = commit.id
    shown = [id.number in branch.server.rows for branch in _writers(commit)]
    if any(shown) and not all(shown):
        raise Wrong(f"half done: {shown}")
    rulings = world.rulings.get(id.number, [])
    if len(rulings) > 1:
        raise Wrong(f"decided twice: {rulings}")
    if rulings and (rulings[0] == "committed") != all(shown):
        raise Wrong(f"{rulings[0]}, but {shown}")
    if commit.lost:
        raise Wrong(f"said to be lost: {commit.lost}")
    answer = process.answer
    if answer == "committed" and not all(shown):
        raise Wrong("answered committed, and it is not")
    if isinstance(answer, Error) and not isinstance(answer, Undecided) and any(shown):
        raise Wrong(f"answered {answer!r}, and it is committed")
    told = _asked(world, id)
    if told is not (Outcome.COMMITTED if all(shown) else Outcome.ABORTED):
        raise Wrong(f"outcome says {told}, shown {shown}")


def _asked(world: World, id: TransactionId) -> Any:
    """What `outcome` says at the end, when all is calm and every connection of the coordinator is gone."""
    shards = Shards(world, [])
    process = Process(world, outcome_steps(shards, id, world.means, 1.0, world.now + 1000.0), shards.backends)
    world.processes = [process]
    process.start()
    if not world.run(lambda: process.answer is not None, 2000):
        raise Wrong("outcome does not answer")
    return process.answer
