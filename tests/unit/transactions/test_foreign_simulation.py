"""Thousands of histories of transactions that somebody else decides, and what each protection is for."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from outgrow.errors import Error
from outgrow.transactions import Ending, Finished, Handover, InDoubt, Participant, Unclear, Xid, read_marker
from outgrow.waits import Steps
from tests.unit.transactions.foreign_history import ForeignWorld, History
from tests.unit.transactions.history import Wrong

SEEDS = 2_000
#: A mutant is found within so many seeds, or the harness is blind to it.
SEEDS_MUTANT = 4_000


@pytest.fixture(autouse=True)
def collected_seldom() -> Iterator[None]:
    """Histories are full of cycles, and looking for them all the time takes half of it."""
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_all_or_nothing_whoever_decides(request: pytest.FixtureRequest) -> None:
    seeds = SEEDS * (20 if request.config.getoption("--long") else 1)
    ends: Counter[str] = Counter()
    for seed in range(seeds):
        if seed % 500 == 0:
            gc.collect()
        history = History(seed)
        try:
            ends[history.play()] += 1
        except Wrong as wrong:
            pytest.fail(f"seed {seed}: {wrong}")
        ends.update(str(getattr(p.answer, "code", p.answer)) for p in [history.preparer, *history.deciders])
    # The histories are worth something only where all of this happens.
    seen = {end for end, count in ends.items() if count > seeds / 1000}
    assert seen >= {
        *("committed", "rolled back", "waited, then committed", "waited, then rolled back"),
        *("commit", "rollback", "killed", "nothing yet", "OG-TX-024", "OG-TX-004"),
    }, ends


class WithoutPrimaryKey(ForeignWorld):
    """What is prepared does not keep the key of its decision."""

    unique = False


class MarkerFirst(ForeignWorld):
    """The marker is prepared before the others are."""

    class handover_class(Handover):
        def _hold_steps(self, writers: Sequence[Participant]) -> Steps[None]:
            *others, decider = writers
            self.id = id = self.name(decider.shard)
            shards = [p.shard for p in writers]
            yield from decider.hold_steps(id, shards, self.xid.marker(id.number, len(writers)), self.until)
            for number, other in enumerate(others, 1):
                yield from other.prepare_steps(id, shards, id.gid(number), self.until)


class TakesSilenceForNo(ForeignWorld):
    """The answer to the marker was lost, so the others are rolled back without asking."""

    class handover_class(Handover):
        def _stands_steps(self, marker: str, seconds: float) -> Steps[bool]:
            yield from ()
            return False


class TakesTheMarkerBackAndLeavesNoAbort(ForeignWorld):
    """It is not there now, so it will not come."""

    class handover_class(Handover):
        def _stands_steps(self, marker: str, seconds: float) -> Steps[bool]:
            assert self.id is not None
            yield from self.shards.at(self.id.decider).finish_steps(marker, False, self._limit(seconds))
            return False


class OthersFirst(ForeignWorld):
    """The marker is ended last."""

    class ending_class(Ending):
        def _decide_steps(self, marker: InDoubt, commit: bool) -> Steps[None]:
            for name in self.shards.names:
                for branch in (yield from self.shards.at(name).in_doubt_steps("d", 1e9)):
                    if branch.marker is None and branch.id == marker.id:
                        yield from self._finish_steps(branch, commit, 1e9)
            yield from super()._decide_steps(marker, commit)


class TakesAbsenceForDone(ForeignWorld):
    """The marker is not there any more, so it has ended as was asked."""

    class ending_class(Ending):
        def _decide_steps(self, marker: InDoubt, commit: bool) -> Steps[None]:
            shard = self.shards.at(marker.shard)
            while (yield from shard.finish_steps(marker.gid, commit, 1e9)) is Finished.BUSY:
                pass


class RecoveryDecides(ForeignWorld):
    """Whoever recovers takes the marker for a branch like others, and rolls it back."""

    class handover_class(Handover):
        def _hold_steps(self, writers: Sequence[Participant]) -> Steps[None]:
            decider, others, gids = yield from self._prepare_steps(writers)
            assert self.id is not None
            shards = [*(p.shard for p in others), decider.shard]
            try:
                yield from decider.prepare_steps(self.id, shards, self.id.gid(len(writers)), self.until)
            except (Error, Unclear):
                yield from self._undo_steps(writers, gids)
                raise


@pytest.mark.parametrize(
    "mutant",
    [
        WithoutPrimaryKey,
        MarkerFirst,
        TakesSilenceForNo,
        TakesTheMarkerBackAndLeavesNoAbort,
        OthersFirst,
        TakesAbsenceForDone,
        RecoveryDecides,
    ],
)
def test_the_harness_finds_what_a_protection_is_for(mutant: type[ForeignWorld]) -> None:
    for seed in range(SEEDS_MUTANT):
        try:
            History(seed, mutant).play()
        except Wrong:
            return
    pytest.fail(f"{mutant.__name__} lived through {SEEDS_MUTANT} seeds: {mutant.__doc__}")


def test_a_markers_name_is_read_as_it_was_written() -> None:
    xid = Xid.of(0x7FFFFFFF, "é/'%\\ \0", "")
    from uuid import UUID

    gid = xid.marker(UUID(int=5), 3)
    assert gid.isascii() and "'" not in gid and "\\" not in gid
    assert read_marker(gid) == (UUID(int=5), 3, xid)
    longest = Xid.of(0x7FFFFFFF, "g" * 64, "b" * 64).marker(UUID(int=1), 9999)
    assert len(longest) <= 199
    for other in ("outgrow/d/s1/00.1", "outgrow-xid/zz/1/1/g/b", "mine"):
        assert read_marker(other) is None
