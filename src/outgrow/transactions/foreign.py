"""Transactions that an application's own coordinator decides: prepared in one process, ended in any.

The decision's row is written into the branch that decides, as in every commit over shards, but that branch is prepared
too, last, under a name that carries the coordinator's: the *marker*.  To commit the marker is the decision, to roll it
back is the other one, and either server command is atomic.  What remains is recovery's everyday work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outgrow.errors import Error
from outgrow.transactions import failures, foreign_failures
from outgrow.transactions.commit import (
    BUSY_SECONDS,
    PHASE_TWO_SECONDS,
    SETTLE_INTERRUPTED_SECONDS,
    SETTLE_SECONDS,
    Commit,
)
from outgrow.transactions.model import InDoubt, Means, Outcome, TransactionId
from outgrow.transactions.port import Fenced, Finished, Participant, Shards, Unclear
from outgrow.transactions.recovery import LOOK_SECONDS, RETRY_SECONDS
from outgrow.transactions.xid import Xid
from outgrow.waits import Steps, Until


@dataclass(slots=True)
class Handover(Commit):
    """The first half.  Afterwards, where `id` is set, every branch that wrote is prepared and waits for `Ending`."""

    xid: Xid = field(kw_only=True)

    def _run_steps(self) -> Steps[None]:
        writers, readers = yield from self._parted_steps()
        if not writers:
            # Nothing is left to be decided.
            yield from self._all_steps([p.commit_steps(self.until) for p in readers])
            return
        seen = yield from look_steps(self.shards, self.means)
        if seen.markers(self.xid):
            raise foreign_failures.taken(self.xid)
        yield from self._hold_steps(writers)
        yield from self._let_go_steps(readers)

    def _hold_steps(self, writers: Sequence[Participant]) -> Steps[None]:
        decider, others, gids = yield from self._prepare_steps(writers)
        assert self.id is not None
        marker = self.xid.marker(self.id.number, len(writers))
        shards = [*(p.shard for p in others), decider.shard]
        try:
            yield from decider.hold_steps(self.id, shards, marker, self.until)
        except GeneratorExit:
            raise
        except Unclear as error:
            if (yield from self._stands_steps(marker, SETTLE_SECONDS)):
                return
            yield from self._undo_steps(others, gids)
            raise failures.aborted(self.id) from error
        except Error as error:
            yield from self._undo_steps(writers, gids)
            raise (failures.aborted(self.id) if isinstance(error, Fenced) else error) from error
        except BaseException as interruption:
            # Its branches would stay locked for a decision that nobody may know of.
            try:
                stands = yield from self._stands_steps(marker, SETTLE_INTERRUPTED_SECONDS)
            except Error as unknown:
                raise interruption from unknown
            if not stands:
                yield from self._undo_steps(others, gids)
            raise

    def _stands_steps(self, marker: str, seconds: float) -> Steps[bool]:
        """The answer to the marker's PREPARE was lost: take the marker back; whether somebody has committed it."""
        assert self.id is not None
        until = self._limit(seconds)
        while True:
            try:
                done = yield from self.shards.at(self.id.decider).finish_steps(marker, False, until)
                # It may come yet, worked off late: the abort that stands then is what stops it.
                if done is not Finished.BUSY:
                    ruling = yield from self.shards.at(self.id.decider).rule_steps(self.id, True, until)
                    if ruling is not Outcome.UNKNOWN:
                        return ruling is Outcome.COMMITTED
            except Error:
                pass
            again = self.means.clock() + RETRY_SECONDS * (0.5 + self.means.chance())
            if again >= until:
                raise foreign_failures.unclear_prepare(self.xid)
            yield Until(again)


@dataclass(frozen=True, slots=True)
class Look:
    """What is prepared on the shards that could be asked."""

    branches: Sequence[InDoubt]
    unreachable: Sequence[str]

    def markers(self, xid: Xid) -> list[InDoubt]:
        return [branch for branch in self.branches if branch.marker is not None and branch.marker.xid == xid]

    def others(self, id: TransactionId) -> list[InDoubt]:
        return [branch for branch in self.branches if branch.marker is None and branch.id == id]


def look_steps(shards: Shards, means: Means) -> Steps[Look]:
    unreachable: list[str] = []

    def one_steps(name: str) -> Steps[list[InDoubt]]:
        try:
            return (yield from shards.at(name).in_doubt_steps(shards.domain, means.clock() + LOOK_SECONDS))
        except Error:
            unreachable.append(name)
            return []

    found = yield from means.together([one_steps(name) for name in shards.names])
    return Look([branch for branches in found for branch in branches], unreachable)


def foreign_steps(shards: Shards, means: Means) -> Steps[list[InDoubt]]:
    """The markers of every foreign transaction that waits for its decision, oldest first.

    All shards or an error: whoever misses one here might take it for rolled back.
    """
    try:
        seen = yield from look_steps(shards, means)
    finally:
        shards.close()
    if seen.unreachable:
        raise foreign_failures.unreachable("which transactions are prepared", seen.unreachable)
    return sorted((one for one in seen.branches if one.marker is not None), key=lambda one: -one.age_seconds)


@dataclass(slots=True)
class Ending:
    """The second half, in any process.  Its fields tell how far it has come."""

    shards: Shards
    means: Means
    xid: Xid
    #: Which one of that name, where the process knows: its own.
    id: TransactionId | None = None
    decided: bool = False
    #: Every shard that it wrote on, as far as they are known.
    wrote: list[str] = field(default_factory=list)
    #: shard → prepared name, of the branches that have not confirmed the commit.
    pending: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def run_steps(self, commit: bool) -> Steps[None]:
        """Commit or roll back everywhere.  Raises when that was not decided; what is left then, recovery finishes."""
        try:
            yield from self._run_steps(commit)
        finally:
            self.shards.close()

    def _run_steps(self, commit: bool) -> Steps[None]:
        seen = yield from look_steps(self.shards, self.means)
        marker = self._found(seen)
        self.id = marker.id
        others = {branch.shard: branch for branch in seen.others(marker.id)}
        if commit and self._missing(marker, seen):
            # Somebody else may just have committed it, and finished some.  Before that no branch goes.
            again = yield from look_steps(self.shards, self.means)
            missing = self._missing(marker, again)
            if missing and marker.gid in [branch.gid for branch in again.branches]:
                raise foreign_failures.incomplete(self.xid, missing, again.unreachable)
            # What only the second look has found (its shard was away for a moment) is to be committed like the rest.
            others |= {branch.shard: branch for branch in again.others(marker.id)}
        self.wrote = [marker.shard, *(branch.shard for branch in others.values())]
        yield from self._decide_steps(marker, commit)
        self.decided = True
        if commit:
            self.pending = {branch.shard: branch.gid for branch in others.values()}
        until = self.means.clock() + PHASE_TWO_SECONDS
        yield from self.means.together([self._finish_steps(branch, commit, until) for branch in others.values()])
        if self.lost:
            raise failures.lost_branch(marker.id, self.lost)

    def _missing(self, marker: InDoubt, seen: Look) -> int:
        """How many of its branches are not there."""
        assert marker.marker is not None
        return marker.marker.branches - 1 - len(seen.others(marker.id))

    def _found(self, seen: Look) -> InDoubt:
        markers = [one for one in seen.markers(self.xid) if self.id is None or one.id == self.id]
        if len(markers) > 1:
            raise foreign_failures.several(self.xid)
        if markers:
            return markers[0]
        if seen.unreachable:
            raise foreign_failures.unreachable(f"whether {self.xid} is prepared", seen.unreachable)
        raise foreign_failures.not_prepared(self.xid)

    def _decide_steps(self, marker: InDoubt, commit: bool) -> Steps[None]:
        """End the marker.  To try again is safe: it can be ended once, and what became of it can be read."""
        until = self.means.clock() + SETTLE_SECONDS
        decider = self.shards.at(marker.shard)
        while True:
            try:
                done = yield from decider.finish_steps(marker.gid, commit, until)
                if done is Finished.ABSENT:
                    ruling = yield from decider.ruling_steps(marker.id, until)
            except Error:
                done = Finished.BUSY
            if done is Finished.DONE:
                break
            if done is Finished.ABSENT:
                # By us, with an answer that was lost, or by somebody else.
                if ruling is Outcome.UNKNOWN:
                    raise foreign_failures.not_prepared(self.xid)
                if (ruling is Outcome.COMMITTED) is not commit:
                    raise foreign_failures.otherwise(self.xid, not commit)
                break
            again = self.means.clock() + RETRY_SECONDS * (0.5 + self.means.chance())
            if again >= until:
                raise foreign_failures.unclear(self.xid, marker.id, commit)
            yield Until(again)
        if not commit:
            yield from self._rule_steps(marker, until)

    def _rule_steps(self, marker: InDoubt, until: float) -> Steps[None]:
        """Let the abort stand for whoever asks what became of it; where that fails, recovery does it."""
        try:
            yield from self.shards.at(marker.shard).rule_steps(marker.id, True, until)
        except Error:
            return

    def _finish_steps(self, branch: InDoubt, commit: bool, until: float) -> Steps[None]:
        shard = self.shards.at(branch.shard)
        try:
            while (done := (yield from shard.finish_steps(branch.gid, commit, until))) is Finished.BUSY:
                if self.means.clock() > until:
                    return
                yield Until(self.means.clock() + BUSY_SECONDS)
            if commit and done is Finished.ABSENT and not (yield from shard.stamped_steps([branch.id.number], until)):
                self.lost.append(branch.shard)
        except Error:
            return
        self.pending.pop(branch.shard, None)
