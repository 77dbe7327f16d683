"""Twenty thousand histories in which everything breaks, and what the harness says of protocols that lack something."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pytest

from outgrow.transactions import Commit, Participant, TransactionId, Unclear
from outgrow.waits import Steps
from tests.unit.transactions.history import Wrong, play
from tests.unit.transactions.world import World

SEEDS = 20_000
#: A mutant is found within so many seeds, or the harness is blind to it.
SEEDS_MUTANT = 6_000


@pytest.fixture
def collected_seldom() -> Iterator[None]:
    """Histories are full of cycles, and looking for them all the time takes half of it.

    What is there before, all the other tests' modules, is not looked through for them.
    """
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_all_or_nothing_whatever_breaks(request: pytest.FixtureRequest, collected_seldom: None) -> None:
    seeds = SEEDS * (10 if request.config.getoption("--long") else 1)
    ends: Counter[str] = Counter()
    for seed in range(seeds):
        if seed % 500 == 0:
            gc.collect()
        try:
            world = play(seed)
        except Wrong as wrong:
            pytest.fail(f"seed {seed}: {wrong}")
        ends.update(outcome for outcomes in world.rulings.values() for outcome in outcomes)
        ends.update(process.ended for process in world.coordinators)
    # The histories are worth something only where all of this happens.
    seen = {end for end, count in ends.items() if count > seeds / 1000}
    assert seen >= {"committed", "aborted", "answered", "pending", "killed", "interrupted", "undecided", "fenced"}


class WithoutPrimaryKey(World):
    """A coordinator that comes late decides all the same."""

    unique = False


class WithoutTombstone(World):
    """Recovery rolls back without leaving an abort behind."""

    tombstones = False


class DecidesFirst(World):
    """The decision before everyone is prepared."""

    class commit_class(Commit):
        def _two_phases_steps(self, writers: Sequence[Participant]) -> Steps[None]:
            *others, decider = writers
            self.id = id = self.name(decider.shard)
            shards = [p.shard for p in writers]
            gids = {p.shard: id.gid(number) for number, p in enumerate(others, 1)}
            yield from decider.decide_steps(id, shards, self.until)
            yield from self._all_steps([p.prepare_steps(id, shards, gids[p.shard], self.until) for p in others])
            self.decided, self.pending = True, gids
            yield from self._phase_two_steps(others)


class TakesSilenceForNo(World):
    """The answer to the decision was lost, so it is rolled back without asking."""

    class commit_class(Commit):
        def _decide_steps(
            self, id: TransactionId, shards: Sequence[str], decider: Participant
        ) -> Generator[Any, Any, tuple[bool, BaseException | None]]:
            try:
                yield from decider.decide_steps(id, shards, self.until)
            except GeneratorExit:
                raise
            except BaseException as error:
                return False, error
            return True, None


class TakesSilenceForYes(World):
    """The answer to the decision was lost, so it is taken for granted."""

    class commit_class(Commit):
        def _decide_steps(
            self, id: TransactionId, shards: Sequence[str], decider: Participant
        ) -> Generator[Any, Any, tuple[bool, BaseException | None]]:
            try:
                return (yield from super()._decide_steps(id, shards, decider))
            except GeneratorExit:
                raise
            except BaseException:
                return True, Unclear("OG-NODE-011", "lost")

        def _settled_steps(self, id: TransactionId, seconds: float) -> Steps[bool]:
            yield from ()
            return True


class ForgetsWhatIsPending(World):
    """Answers at the decision, and says that all have it."""

    class commit_class(Commit):
        def _phase_two_steps(self, others: Sequence[Participant]) -> Steps[None]:
            yield from ()
            self.pending = {}


class LooksOnce(World):
    """A recoverer that believes one look is enough."""

    looks = 1


class DecidesBeforeReplicas(World):
    """A failover loses a branch that is committed elsewhere."""

    prepared_first = False


class CommitsBeforeReplicas(World):
    """A failover loses the decision that others have acted on."""

    decided_first = False


class LeavesTheOthersPrepared(World):
    """One server says no; those that were prepared stay so, and nobody ever looks."""

    looks = 0

    class commit_class(Commit):
        def _undo_steps(self, participants: Sequence[Participant], gids: dict[str, str]) -> Steps[None]:
            yield from ()


@pytest.mark.parametrize(
    "mutant",
    [
        WithoutPrimaryKey,
        WithoutTombstone,
        DecidesFirst,
        TakesSilenceForNo,
        TakesSilenceForYes,
        ForgetsWhatIsPending,
        LooksOnce,
        DecidesBeforeReplicas,
        CommitsBeforeReplicas,
        LeavesTheOthersPrepared,
    ],
)
def test_the_harness_finds_what_a_protection_is_for(mutant: type[World]) -> None:
    for seed in range(SEEDS_MUTANT):
        try:
            play(seed, mutant)
        except Wrong:
            return
    pytest.fail(f"{mutant.__name__} lived through {SEEDS_MUTANT} seeds: {mutant.__doc__}")
