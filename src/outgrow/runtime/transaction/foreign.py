"""Transactions that the application's own coordinator decides, as a session prepares, lists and ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.runtime.transaction import atomic
from outgrow.transactions import InDoubt, TransactionId, Xid
from outgrow.waits import Steps

__all__ = ["Xid", "end_steps", "possible", "prepare_steps", "waiting_steps"]

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.domain import DomainState


def possible(state: DomainState) -> bool:
    """Whether this domain's servers can leave a transaction to somebody else."""
    return state.engine.foreign


def prepare_steps(conversation: Conversation, xid: Xid) -> Steps[TransactionId | None]:
    """Prepare the open transaction on every shard.  None where nothing was written: then it is over."""
    transaction = conversation.transaction
    assert transaction is not None
    yield from conversation.commit_steps(None, xid)
    return transaction.commit.id if transaction.commit is not None else None


def end_steps(conversation: Conversation, xid: Xid, id: TransactionId | None, commit: bool) -> Steps[None]:
    """Commit or roll back what is prepared; `id` tells it from others of that name."""
    state = conversation.state
    # What a process that dies here leaves behind is finished by whichever looks.
    state.need_recovery()
    ending = atomic.ending(state, xid, id)
    try:
        yield from ending.run_steps(commit)
    finally:
        conversation.stood_on(shard for shard in ending.wrote if shard in conversation.footings)
        for shard, gid in ending.pending.items():
            conversation.footings[shard].pending += (gid,)


def waiting_steps(state: DomainState) -> Steps[list[InDoubt]]:
    """What waits for its decision, oldest first."""
    return atomic.foreign_steps(state)
