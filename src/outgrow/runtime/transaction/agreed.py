"""Reads over several shards that see each transaction wholly or not at all: sessions with `atomic_reads`.

Such a read is a transaction whose branches are snapshots that agree, opened together before anything is read of them.
What reads in it (a finish, rows that are brought, a stream) knows nothing of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow.errors import NotSupportedError
from outgrow.nodes import Asked, Link, Rows, together
from outgrow.plan import Gather, Plan
from outgrow.runtime.transaction import atomic
from outgrow.runtime.transaction.branch import Branch
from outgrow.runtime.transaction.branches import Transaction
from outgrow.transactions import AnewSteps, PostgresView, Xid, not_agreed
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.prepared import Prepared

T = TypeVar("T")

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LASTING = re.compile(r"\b(REPEATABLE\s+READ|SERIALIZABLE)\b", re.I)
_READ_ONLY = re.compile(r"\bREAD\s+ONLY\b", re.I)
#: What writes with rows that it reads on other shards first.
_READING = (Gather.DELIVER, Gather.RELAY, Gather.MERGE)
_IN_SNAPSHOTS = "run it in `with session.transaction('REPEATABLE READ'):`, which takes a snapshot of every shard"


class AgreedTransaction(Transaction):
    """Opens all its shards at its first touch, and agrees on what they show; a shard more is an error."""

    def __init__(self, conversation: Conversation, begin: str, scope: Sequence[str]) -> None:
        super().__init__(conversation.state, begin, conversation.dress, conversation.footings)
        self.scope = tuple(scope)
        self._read_only = _READ_ONLY.search(begin) is not None
        self._agreed = False

    def _open_all_steps(self, shards: Sequence[str], until: float | None) -> Steps[None]:
        if not shards:
            return
        if self._agreed:
            raise not_agreed(
                f"the snapshot of {', '.join(shards)} would be a later one than those that were read already",
                "run the transaction again",
            )
        try:
            yield from super()._open_all_steps([shard for shard in self.scope if shard not in self.branches], until)
            views = {
                shard: PostgresView(shard, self._linking(shard), self._anew(shard, until), until)
                for shard in self.scope
            }
            if len(views) > 1:
                yield from atomic.agree_steps(self.state, views, until)
        except BaseException:
            # Snapshots that do not agree are nobody's to read, neither behind ROLLBACK TO nor by what comes next:
            # nothing was read or written in them, and whoever touches a shard again begins with new ones.
            self.abandon()
            raise
        self._agreed = True

    def _linking(self, shard: str) -> Callable[[], Link]:
        return lambda: self.branches[shard].link

    def _anew(self, shard: str, until: float | None) -> AnewSteps:
        def anew_steps(asked: Asked, before: Sequence[Asked]) -> Steps[Sequence[tuple[Any, ...]]]:
            branch = self.branches.get(shard)
            if branch is not None and not branch.fresh:
                yield from branch.rollback_steps(until)
                self._release(branch)
                branch = None
            if branch is None:
                yield from self._open_steps(shard, until)
            if before:
                self._go_before(self.branches[shard], before)
            rows: list[Rows] = yield from self.ask_steps(shard, [asked], until)
            return rows[0].rows

        return anew_steps

    def _go_before(self, branch: Branch, before: Sequence[Asked]) -> None:
        branch.ahead = [*before, *branch.ahead]
        if branch.edition_at is not None:
            branch.edition_at += len(before)

    def _open_steps(self, shard: str, until: float | None) -> Steps[None]:
        yield from super()._open_steps(shard, until)
        # What only reads holds no lock that somebody could wait for, and decides nothing.
        self.branches[shard].attended = self._read_only

    def _end_steps(self, until: float | None, xid: Xid | None) -> Steps[None]:
        if xid is None and self._read_only:
            yield from together([branch.commit_steps(until) for branch in self.branches.values()])
        else:
            yield from super()._end_steps(until, xid)


def transaction_of(conversation: Conversation, begin: str) -> Transaction:
    """What the session's BEGIN opens: snapshots that agree, where they last and the session has asked for that."""
    if conversation.atomic_reads and _LASTING.search(begin):
        return AgreedTransaction(
            conversation, begin, [shard.name for shard in conversation.state.picture.domain.shards]
        )
    return Transaction(conversation.state, begin, conversation.dress, conversation.footings)


def check_session(state: DomainState) -> None:
    """Raises where the domain's servers do not say what a snapshot shows."""
    if state.file.engine != "postgresql":
        raise NotSupportedError(
            "OG-TX-062",
            f"the domain {state.name} is on {state.file.engine}, and atomic reads are made of PostgreSQL's snapshots",
            cure="open the session without atomic_reads; transactions over shards are atomic all the same",
        )


def needed(conversation: Conversation, prepared: Prepared, allow_partial: bool) -> bool:
    """Whether a statement over several shards needs snapshots of its own; raises where its reads cannot agree."""
    if not conversation.atomic_reads or isinstance(conversation.transaction, AgreedTransaction):
        return False
    if prepared.plan.change is not None:
        if prepared.writes and not _reads_first(prepared.plan):
            return False
        what = f"what {prepared.statement.command} reads on several shards is of several moments"
        raise not_agreed(what, _IN_SNAPSHOTS)
    if conversation.transaction is not None:
        what = "a read over several shards is of several moments in a READ COMMITTED transaction"
        raise not_agreed(what, _IN_SNAPSHOTS)
    if allow_partial:
        raise not_agreed("a partial result lacks what the missing shards have", "leave allow_partial out")
    return True


def scope_of(conversation: Conversation, prepared: Prepared, shards: Sequence[str]) -> Sequence[str]:
    """Whose snapshots a statement over these shards needs; where rows are brought, whoever finishes reads too."""
    return [shard.name for shard in conversation.state.picture.domain.shards] if prepared.plan.is_brought else shards


def check_alone(conversation: Conversation, what: str) -> None:
    """What cannot make snapshots of its own, and needs them."""
    if conversation.atomic_reads and not isinstance(conversation.transaction, AgreedTransaction):
        raise not_agreed(f"{what} reads several shards at several moments", _IN_SNAPSHOTS)


def _reads_first(plan: Plan) -> bool:
    return plan.brought is not None or (plan.change is not None and plan.change.gather in _READING)


def within_steps(conversation: Conversation, scope: Sequence[str], many: Steps[T]) -> Steps[T]:
    """Run these in snapshots of their own, and let them go."""
    transaction = AgreedTransaction(conversation, BEGIN, scope)
    try:
        found = yield from aside_steps(conversation, transaction, many)
    except GeneratorExit:
        transaction.abandon()
        raise
    except BaseException:
        yield from let_go_steps(conversation, transaction, False)
        raise
    yield from let_go_steps(conversation, transaction, True)
    return found


def aside_steps(conversation: Conversation, transaction: AgreedTransaction, many: Steps[T]) -> Steps[T]:
    """Run these in a transaction that is the session's only meanwhile."""
    conversation.transaction = transaction
    try:
        return (yield from many)
    finally:
        conversation.transaction = None


def let_go_steps(conversation: Conversation, transaction: AgreedTransaction, whole: bool) -> Steps[None]:
    """The end of one of `aside_steps`; what it has read the session has seen."""
    try:
        yield from transaction.commit_steps(None) if whole else transaction.rollback_steps(None)
    finally:
        conversation.stood_on(transaction.touched)
