"""The coordinator: how the branches of one transaction end together.  `DESIGN.md` argues each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from outgrow.errors import Error
from outgrow.transactions import failures
from outgrow.transactions.model import Means, Outcome, TransactionId
from outgrow.transactions.port import Absent, Fenced, Finished, Part, Participant, Shards, Unclear
from outgrow.transactions.recovery import ruled_steps
from outgrow.waits import Steps, Until

#: How long the branches may take to hear of a decision before the answer is "committed, shard X pending".
PHASE_TWO_SECONDS = 5.0
#: How long to ask what was decided when the answer to the decision was lost.
SETTLE_SECONDS = 10.0
#: The same while an interruption (Ctrl-C, a cancelled task) waits to go on.
SETTLE_INTERRUPTED_SECONDS = 1.0
#: How long rolling back may take; what it leaves, recovery finds.
UNDO_SECONDS = 5.0
#: How long a replica may take to get what was prepared; as long all that it has touched is locked.
FOLLOW_SECONDS = 5.0
#: Between two looks at a branch that somebody else is finishing, and at replicas.
BUSY_SECONDS = 0.02


@dataclass(slots=True)
class Commit:
    """One transaction's end.  Its fields tell how far it has come, also when `run_steps` was interrupted."""

    #: In the fixed order of the domain's shards; one that must decides, or one that is attended, if there is one.
    participants: Sequence[Participant]
    shards: Shards
    means: Means
    #: Names the transaction once it is known to write on several shards; called with the shard that decides.
    name: Callable[[str], TransactionId]
    until: float | None = None
    id: TransactionId | None = None
    decided: bool = False
    #: shard → prepared name, of the branches that have not confirmed.
    pending: dict[str, str] = field(default_factory=dict)
    #: Shards whose server no longer knows of the branch that it had prepared.
    lost: list[str] = field(default_factory=list)

    def run_steps(self) -> Steps[None]:
        """Commit everywhere or nowhere.  Raises when nothing was committed, or when nobody knows.

        Afterwards `pending` holds the branches that are committed but have not said so.
        """
        try:
            yield from self._run_steps()
        finally:
            self.shards.close()

    def _run_steps(self) -> Steps[None]:
        writers, readers = yield from self._parted_steps()
        if len(writers) == 1:
            yield from writers[0].commit_steps(self.until)
            self.decided = True
        elif writers:
            yield from self._two_phases_steps(writers)
        if self.decided:
            yield from self._let_go_steps(readers)
            if self.id is not None and self.lost:
                raise failures.lost_branch(self.id, self.lost)
        else:
            yield from self._all_steps([p.commit_steps(self.until) for p in readers])

    def _parted_steps(self) -> Steps[tuple[list[Participant], list[Participant]]]:
        """Who wrote, and who only read and is still to commit."""
        parts = yield from self._all_steps([p.part_steps(self.until) for p in self.participants])
        both = list(zip(self.participants, parts, strict=True))
        writers = [p for p, part in both if part is Part.WROTE]
        if len(writers) > 1:
            # One that can only decide takes part whatever it has done.
            writers = [p for p, part in both if part is Part.WROTE or p.decides]
        others = [(p, part) for p, part in both if p not in writers]
        # A reader's commit that may be refused comes before anything is decided; all others come after, because
        # what they have locked must stay locked until then.
        yield from self._all_steps([p.commit_steps(self.until) for p, part in others if part is Part.CHECKED])
        return writers, [p for p, part in others if part is Part.READ]

    def _let_go_steps(self, readers: Sequence[Participant]) -> Steps[None]:
        yield from self.means.together([_gently_steps(p.commit_steps(self._limit(UNDO_SECONDS))) for p in readers])

    def _all_steps(self, many: Sequence[Steps[Any]]) -> Steps[list[Any]]:
        if not many:
            return []
        if len(many) == 1:
            return [(yield from many[0])]
        return (yield from self.means.together(many))

    def _two_phases_steps(self, writers: Sequence[Participant]) -> Steps[None]:
        decider, others, gids = yield from self._prepare_steps(writers)
        assert self.id is not None
        id, shards = self.id, [*(p.shard for p in others), decider.shard]
        # From here on the decision may stand: nothing is rolled back before it is known that it does not.
        committed, cause = yield from self._decide_steps(id, shards, decider)
        if not committed:
            yield from self._undo_steps(writers, gids)
            if cause is None or isinstance(cause, (Fenced, Unclear)):
                # (None: a failover has lost the decision before anybody acted on it.)
                raise failures.aborted(id) from cause
            raise cause
        self.decided = True
        self.pending = dict(gids)
        yield from self._phase_two_steps(others)
        if cause is not None and not isinstance(cause, Unclear):
            raise cause

    def _prepare_steps(
        self, writers: Sequence[Participant]
    ) -> Steps[tuple[Participant, list[Participant], dict[str, str]]]:
        """Who decides; the others, prepared; and what they are called."""
        bound = next((p for p in writers if p.decides), None)
        decider = bound or next((p for p in reversed(writers) if p.attended), writers[-1])
        others = [p for p in writers if p is not decider]
        shards = [*(p.shard for p in others), decider.shard]
        self.id = id = self.name(decider.shard)
        gids = {p.shard: id.gid(number) for number, p in enumerate(others, 1)}
        first = [p.prepare_steps(id, shards, gids[p.shard], self.until) for p in others]
        if not decider.attended:
            first.append(decider.attend_steps(id, self.until))
        try:
            yield from self._all_steps(first)
            if id.replicated:
                yield from self._all_steps([self._followed_steps(id, p.shard, gids.get(p.shard)) for p in writers])
        except GeneratorExit:
            raise
        except BaseException:
            yield from self._undo_steps(writers, gids)
            raise
        return decider, others, gids

    def _followed_steps(self, id: TransactionId, shard: str, gid: str | None) -> Steps[None]:
        """Wait until a replica of the shard has what was prepared there.

        (The deciding shard has nothing yet; but if its replicas are away, it is better known now than afterwards.)
        """
        until = self._limit(FOLLOW_SECONDS)
        try:
            while not (yield from self.shards.at(shard).followed_steps(gid, self._limit(FOLLOW_SECONDS))):
                if self.means.clock() > until:
                    raise failures.not_followed(id, shard, FOLLOW_SECONDS)
                yield Until(self.means.clock() + BUSY_SECONDS)
        except Absent as error:
            raise failures.aborted(id) from error

    def _decide_steps(
        self, id: TransactionId, shards: Sequence[str], decider: Participant
    ) -> Steps[tuple[bool, BaseException | None]]:
        """Whether it is committed, and what went wrong."""
        try:
            yield from decider.decide_steps(id, shards, self.until)
        except GeneratorExit:
            raise
        except Unclear as error:
            return (yield from self._settled_steps(id, SETTLE_SECONDS)), error
        except Error as error:
            return False, error
        except BaseException as interruption:
            # The branches would stay locked until somebody recovers them: so find out, if that is quick.
            try:
                return (yield from self._settled_steps(id, SETTLE_INTERRUPTED_SECONDS)), interruption
            except failures.Undecided as unknown:
                raise interruption from unknown
        return not id.replicated or (yield from self._kept_steps(id)), None

    def _kept_steps(self, id: TransactionId) -> Steps[bool]:
        """Whether the decision stands now that a replica has it; a failover may have lost it before."""
        try:
            # Mostly one has it at once, and a look tells, on a connection that is there.
            ruling = yield from self.shards.at(id.decider).ruling_steps(id, self._limit(SETTLE_SECONDS))
        except Error:
            ruling = Outcome.UNKNOWN
        return ruling is Outcome.COMMITTED or (yield from self._settled_steps(id, SETTLE_SECONDS))

    def _settled_steps(self, id: TransactionId, seconds: float) -> Steps[bool]:
        """Ask the deciding shard what stands, as anyone may."""
        ruling = yield from ruled_steps(self.shards, id, self.means, self._limit(seconds))
        if ruling is Outcome.UNKNOWN:
            raise failures.Undecided(id)
        return ruling is Outcome.COMMITTED

    def _phase_two_steps(self, others: Sequence[Participant]) -> Steps[None]:
        until = self._limit(PHASE_TWO_SECONDS)
        yield from self._all_steps([self._confirm_steps(p, until) for p in others])

    def _confirm_steps(self, participant: Participant, until: float) -> Steps[None]:
        assert self.id is not None
        gid = self.pending[participant.shard]
        try:
            while (done := (yield from participant.finish_steps(gid, True, until))) is Finished.BUSY:
                if self.means.clock() > until:
                    return
                yield Until(self.means.clock() + BUSY_SECONDS)
            if done is Finished.ABSENT and not (yield from participant.stamped_steps(self.id, until)):
                self.lost.append(participant.shard)
        except Error:
            return
        del self.pending[participant.shard]

    def _undo_steps(self, participants: Sequence[Participant], gids: dict[str, str]) -> Steps[None]:
        until = self._limit(UNDO_SECONDS)
        yield from self._all_steps([_gently_steps(p.undo_steps(gids.get(p.shard), until)) for p in participants])

    def _limit(self, seconds: float) -> float:
        return self.means.clock() + seconds


def _gently_steps(steps: Steps[None]) -> Steps[None]:
    """What fails here changes nothing: the outcome stands, and what is left over is recovered."""
    try:
        yield from steps
    except Error:
        return
