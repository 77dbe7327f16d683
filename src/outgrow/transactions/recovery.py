"""Finishing what a coordinator has left behind.  Any process may, at any time, as often as it likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outgrow.errors import Error, InternalError
from outgrow.transactions import failures
from outgrow.transactions.model import InDoubt, Means, Outcome, TransactionId, owner_of
from outgrow.transactions.port import Finished, Shards
from outgrow.waits import Steps, Until

#: A branch this young is left alone: its coordinator is most likely about to decide.
GRACE_SECONDS = 1.0
#: A coordinator whose connection stands, but that has not decided for so long, is given up.
PATIENCE_SECONDS = 30.0
#: How long one look at one shard may take.
LOOK_SECONDS = 5.0
#: Between two tries to settle; with jitter, so that two who try do not keep meeting.
RETRY_SECONDS = 0.1
#: Without a decision, the outcome of an id older than this is not to be made up: it may have been forgotten.
REMEMBERED_SECONDS = 12 * 3600.0


@dataclass(slots=True)
class Recovered:
    """What one look over all shards has found and done."""

    committed: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    #: Prepared branches that stay as they are for now: too young, their coordinator there, their decider out of reach.
    left: list[InDoubt] = field(default_factory=list)
    #: Shards that could not be asked.
    unreachable: list[str] = field(default_factory=list)
    #: Prepared for a decision of the application's own coordinator, which is not recovery's to take.
    foreign: list[InDoubt] = field(default_factory=list)

    def with_other(self, other: Recovered) -> Recovered:
        return Recovered(
            self.committed + other.committed,
            self.aborted + other.aborted,
            self.left + other.left,
            self.unreachable + other.unreachable,
            self.foreign + other.foreign,
        )


def recover_steps(shards: Shards, means: Means, grace_seconds: float = GRACE_SECONDS) -> Steps[Recovered]:
    """Look once over all shards, and finish every prepared branch whose coordinator is gone.

    A dead client's backend may prepare after this has looked, so whoever recovers looks again, for ever.
    """
    done = Recovered()
    found = yield from means.together([_look_steps(shards, name, means, done) for name in shards.names])
    by_id: dict[TransactionId, list[InDoubt]] = {}
    for branch in (branch for branches in found for branch in branches):
        by_id.setdefault(branch.id, []).append(branch)
    for id, branches in by_id.items():
        waiting = [branch for branch in branches if branch.marker is not None]
        if waiting:
            done.foreign += waiting
            continue
        oldest = max(branch.age_seconds for branch in branches)
        if oldest < grace_seconds:
            done.left += branches
            continue
        yield from _finish_steps(shards, id, branches, oldest >= PATIENCE_SECONDS, means, done)
    return done


def _look_steps(shards: Shards, name: str, means: Means, done: Recovered) -> Steps[list[InDoubt]]:
    try:
        return (yield from shards.at(name).in_doubt_steps(shards.domain, means.clock() + LOOK_SECONDS))
    except Error:
        done.unreachable.append(name)
        return []


def _finish_steps(
    shards: Shards, id: TransactionId, branches: Sequence[InDoubt], insist: bool, means: Means, done: Recovered
) -> Steps[None]:
    try:
        ruling = yield from shards.at(id.decider).rule_steps(id, insist, means.clock() + LOOK_SECONDS)
    except Error:
        ruling = Outcome.UNKNOWN
    if ruling is Outcome.UNKNOWN:
        done.left += branches
        return
    whole = True
    for branch in branches:
        try:
            finished = yield from shards.at(branch.shard).finish_steps(
                branch.gid, ruling is Outcome.COMMITTED, means.clock() + LOOK_SECONDS
            )
        except Error:
            finished = Finished.BUSY
        if finished is Finished.BUSY:
            whole = False
            done.left.append(branch)
    if whole:
        (done.committed if ruling is Outcome.COMMITTED else done.aborted).append(str(id))


def ruled_steps(shards: Shards, id: TransactionId, means: Means, until: float) -> Steps[Outcome]:
    """What stands against a transaction whose coordinator asks itself, or is gone: aborted where nothing did.

    UNKNOWN when the deciding shard could not be asked before `until`.
    """
    while True:
        try:
            # Our own broken connection's backend may still be there, about to decide: its lock tells.
            ruling = yield from shards.at(id.decider).rule_steps(id, False, until)
            if ruling is not Outcome.UNKNOWN:
                return ruling
        except Error:
            pass
        again = means.clock() + RETRY_SECONDS * (0.5 + means.chance())
        if again >= until:
            return Outcome.UNKNOWN
        yield Until(again)


def outcome_steps(shards: Shards, id: TransactionId, means: Means, now_seconds: float, until: float) -> Steps[Outcome]:
    """What became of a transaction; once this says committed or aborted, it stays so.

    Where nobody has decided and the coordinator is gone, asking settles it.  An id so old that its decision may have
    been forgotten is only looked up.
    """
    decider = shards.at(id.decider)
    try:
        if now_seconds - id.begun_seconds > REMEMBERED_SECONDS:
            return (yield from decider.ruling_steps(id, until))
        return (yield from decider.rule_steps(id, False, until))
    except Error:
        pass
    # The deciding shard is out of reach; a stamp that can be seen elsewhere is proof enough.
    for name in shards.names:
        if name != id.decider:
            try:
                if (yield from shards.at(name).stamped_steps([id.number], until)):
                    return Outcome.COMMITTED
            except Error:
                continue
    return Outcome.UNKNOWN


def settle_steps(shards: Shards, shard: str, gid: str, means: Means, until: float) -> Steps[None]:
    """Make the shard show its part of a transaction that is known to be committed.  Raises when it cannot."""
    id = owner_of(gid)
    if id is None:
        return
    while True:
        try:
            finished = yield from shards.at(shard).finish_steps(gid, True, until)
            if finished is Finished.DONE:
                return
            if finished is Finished.ABSENT:
                if id.number in (yield from shards.at(shard).stamped_steps([id.number], until)):
                    return
                ruling = yield from shards.at(id.decider).ruling_steps(id, until)
                # A decision is forgotten only when all branches have confirmed.
                if ruling is Outcome.UNKNOWN:
                    return
                # It was committed once: an abort against it stands on a server that has lost the decision.
                raise failures.lost_branch(id, [shard if ruling is Outcome.COMMITTED else id.decider])
        except InternalError:
            raise
        except Error as error:
            raise failures.unsettled(id, shard) from error
        again = means.clock() + RETRY_SECONDS * (0.5 + means.chance())
        if again >= until:
            raise failures.unsettled(id, shard)
        yield Until(again)
