"""`session.emit`: a message is written where rows of its key live, in the session's transaction or one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from outgrow.clock import monotonic
from outgrow.errors import InterfaceError, NotSupportedError
from outgrow.keyspace import Keyspace, Lookup
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import Patience, editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions, Outdated
from outgrow.runtime.events.telling import Telling
from outgrow.runtime.numbers.ids import uuid7
from outgrow.transactions import outbox
from outgrow.transactions.outbox import Emitted, MessageKey, stored_key
from outgrow.waits import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from outgrow.keyspace import Entry, Page
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.transaction.branches import Transaction

#: A key's family → the type that it is placed by.
_TYPES = {"integer": "int8", "text": "text", "uuid": "uuid"}


def emit_steps(
    conversation: Conversation,
    topic: str,
    payload: object,
    key: MessageKey,
    headers: Mapping[str, str] | None,
    timeout_seconds: float | None,
) -> Steps[UUID]:
    """Write the message; its id.  It is delivered if, and only if, the transaction is committed."""
    check_engine(conversation.state)
    form, body = outbox.encoded(payload)
    written = outbox.checked_headers(headers)
    emitted = Emitted(uuid7(), outbox.checked_topic(topic), key, written, form, body)
    if key is not None:
        stored_key(key)
    until = None if timeout_seconds is None else monotonic() + timeout_seconds
    conversation.hold()
    try:
        if conversation.state.tell is None:
            yield from _surrounded_steps(conversation, emitted, until)
        else:
            yield from _told_steps(conversation, emitted, until)
    finally:
        conversation.release()
    return emitted.id


def check_engine(state: DomainState) -> None:
    if state.file.engine != "postgresql":
        raise NotSupportedError(
            "OG-TX-085",
            f"the domain {state.name} is on {state.file.engine}, and an outbox needs PostgreSQL",
            cure="emit in a session of a PostgreSQL domain, or write the message into a table of your own",
        )


def _told_steps(conversation: Conversation, emitted: Emitted, until: float | None) -> Steps[None]:
    telling = Telling(conversation, f"EMIT {emitted.topic}", None, command="EMIT")
    try:
        yield from _surrounded_steps(conversation, emitted, until)
    except BaseException as error:
        telling.end(error=error)
        raise
    telling.end(1)


def _surrounded_steps(conversation: Conversation, emitted: Emitted, until: float | None) -> Steps[None]:
    if conversation.transaction is not None:
        yield from _placed_steps(conversation, emitted, until)
        return
    conversation.begin()
    try:
        yield from _placed_steps(conversation, emitted, until)
    except GeneratorExit:
        conversation.abandon()
        raise
    except BaseException:
        yield from conversation.rollback_steps()
        raise
    yield from conversation.commit_steps(until)


def _placed_steps(conversation: Conversation, emitted: Emitted, until: float | None) -> Steps[None]:
    transaction = conversation.transaction
    assert transaction is not None
    run = partial(_write_steps, transaction, emitted, until)
    shard = yield from on_home_of_steps(conversation, emitted.key, None, run, until)
    branch = transaction.branches[shard]
    branch.emitted.add(emitted.topic)
    branch.waking = conversation.state.waking


def _write_steps(
    transaction: Transaction, emitted: Emitted, until: float | None, shard: str, editions: Editions
) -> Steps[None]:
    sql, params = outbox.emitting(emitted)
    yield from transaction.run_steps([(shard, sql)], params, True, until, editions)


def on_home_of_steps(
    conversation: Conversation,
    key: MessageKey,
    otherwise: str | None,
    run_steps: Callable[[str, Editions], Steps[None]],
    until: float | None,
) -> Steps[str]:
    """Run on the branch of the shard where rows of that key live; without one `otherwise`, or wherever there is one.

    The name of that shard.
    """
    state, transaction = conversation.state, conversation.transaction
    assert transaction is not None
    if key is None:
        shard = otherwise or _written(transaction) or conversation.preferred()
        yield from run_steps(shard, NO_EDITIONS)
        return shard
    types = (_TYPES[stored_key(key)[0]],)
    patience = Patience(state, until)
    while True:
        placed: tuple[str, Page] = yield from directory.resolved_steps(state, partial(_home, types, key), until)
        shard, page = placed
        editions = editions_of(page, [shard]) if state.picture.placer.lists(types) else NO_EDITIONS
        try:
            yield from run_steps(shard, editions)
            return shard
        except Outdated as outdated:
            yield from patience.again_steps(outdated, page)


def _home(types: tuple[str, ...], key: MessageKey, placer: Keyspace, absent: frozenset[Entry]) -> str:
    try:
        return placer.shards_for(types, (key,))
    except Lookup as lookup:
        # As for a row with that key: it is assigned where it has no entry.
        raise Lookup(lookup.keys, given=lookup.keys) from None


def _written(transaction: Transaction) -> str | None:
    """A shard that the transaction has written on already: one branch more would cost a commit of several."""
    return next((shard for shard, branch in transaction.branches.items() if branch.wrote), None)


def needs_transaction(what: str) -> InterfaceError:
    return InterfaceError(
        "OG-TX-086",
        f"{what} belongs into the transaction that does what the message asks for, and none is open",
        cure="with session.transaction(): if session.once(message): …",
    )
