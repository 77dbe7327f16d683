"""`session.once`: a consumer notes that it has seen a message, in the transaction that does something about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import Link
from outgrow.runtime import snapshot
from outgrow.runtime.outbox.emitting import check_engine, needs_transaction, on_home_of_steps
from outgrow.transactions.outbox import Message, MessageKey, checked_topic, stored_key
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.directories.outdated import Editions
    from outgrow.runtime.domain import DomainState

_SQL = ledger.queries()

#: What was seen longer ago is forgotten: nothing should be delivered again so late.
KEPT_SECONDS = 7 * 86400.0
_ASK_SECONDS = 30.0


class _Noted:
    new = False


def once_steps(
    conversation: Conversation, message: Message, key: MessageKey, consumer: str, timeout_seconds: float | None
) -> Steps[bool]:
    """True the first time; False where a transaction that was committed has seen the message before.

    It is noted on the shard where rows of `key` live (the message's own where that is None), or else on the home shard.
    """
    state = conversation.state
    check_engine(state)
    checked_topic(consumer)
    if conversation.transaction is None:
        raise needs_transaction("session.once")
    key = message.key if key is None else key
    until = None if timeout_seconds is None else monotonic() + timeout_seconds
    noted = _Noted()
    conversation.hold()
    try:
        run = partial(_note_steps, conversation, message, key, consumer, until, noted)
        yield from on_home_of_steps(conversation, key, state.picture.domain.home.name, run, until)
    finally:
        conversation.release()
    # Who notes also forgets, now and then.
    state.need_recovery()
    return noted.new


def _note_steps(
    conversation: Conversation,
    message: Message,
    key: MessageKey,
    consumer: str,
    until: float | None,
    noted: _Noted,
    shard: str,
    editions: Editions,
) -> Steps[None]:
    transaction = conversation.transaction
    assert transaction is not None
    family, text = ("", str(message.id)) if key is None else stored_key(key)
    params = [message.id, consumer, family, text]
    (rows,) = yield from transaction.run_steps([(shard, _SQL["inbox_once"])], params, True, until, editions)
    noted.new = bool(rows.rows)


def forget_steps(state: DomainState, kept_seconds: float) -> Steps[int]:
    """Forget what was seen longer ago, on every shard that answers; how many messages."""
    forgotten = 0

    def ask_steps(link: Link) -> Steps[int]:
        gone = 0
        while count := (yield from link.run_steps(_SQL["inbox_forget"], [kept_seconds])).count:
            gone += count
        return gone

    if state.file.engine != "postgresql":
        return 0
    for shard in state.picture.domain.shards:
        node = state.health.seats(state.name, shard.name).primary
        try:
            forgotten += yield from snapshot.on_node_steps(state.nodes, node, monotonic() + _ASK_SECONDS, ask_steps)
        except Error:
            continue
    return forgotten
