"""One statement with many sets of parameters, in one transaction and few round trips.

Sets that concern one shard each wait for that shard's next flush, so that each shard gets its own in their order, and
all shards work at once.  A row has one shard, so what happens to it happens in the order given.  A set that concerns
several shards (a scatter, a copied table) is run by itself, behind all sets before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from outgrow.errors import Error
from outgrow.keyspace import Entry, Lookup
from outgrow.plan import Located
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import Patience, editions_of
from outgrow.runtime.directories.outdated import Outdated
from outgrow.runtime.events.telling import Telling
from outgrow.runtime.prepared import Parameters, Prepared, values_of
from outgrow.runtime.transaction.failing import whole
from outgrow.runtime.uniqueness import settling
from outgrow.statement import Kind
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.nodes import Asked
    from outgrow.runtime.conversation import Conversation

#: Sets of all shards that travel in one flush: their answers are in memory together.
_FLUSH_SETS = 1000


def batch_steps(conversation: Conversation, sql: str, many: Sequence[Parameters]) -> Steps[int]:
    """Run all sets, in the open transaction or in one of their own; how many rows they affected.

    Rows that they return are thrown away.
    """
    if not many:
        return 0
    if conversation.state.tell is not None and not conversation.noting.open:
        telling = Telling(conversation, sql, None, batch=many)
        try:
            total = yield from batch_steps(conversation, sql, many)
        except BaseException as error:
            telling.end(error=error)
            raise
        telling.end(total)
        return total
    prepared = yield from conversation.prepared_steps(sql, True, None)
    if conversation.transaction is not None:
        with whole(conversation.transaction):
            return (yield from _sets_steps(conversation, prepared, many))
    conversation.begin()
    try:
        total = yield from _sets_steps(conversation, prepared, many)
    except GeneratorExit:
        conversation.abandon()
        raise
    except BaseException:
        yield from conversation.rollback_steps()
        raise
    yield from conversation.commit_steps()
    return total


def _sets_steps(conversation: Conversation, prepared: Prepared, many: Sequence[Parameters]) -> Steps[int]:
    keyed = prepared.statement.kind is Kind.WRITE
    waiting: dict[str, list[Asked]] = {}
    count = total = 0
    for at, parameters in enumerate(many):
        shard: str | None = None
        values: Sequence[Any] = ()
        if keyed:
            if at % _FLUSH_SETS == 0 and prepared.plan.listed and prepared.drawing is None:
                yield from _look_up_steps(conversation, prepared, many[at : at + _FLUSH_SETS])
            shard, values = yield from _placed_steps(conversation, prepared, parameters)
        if shard is not None:
            waiting.setdefault(shard, []).append((prepared.sql, values or None))
            count += 1
            if count < _FLUSH_SETS:
                continue
        total += yield from _flush_steps(conversation, prepared, waiting)
        count = 0
        if shard is None:
            result = yield from conversation.execute_steps(prepared.statement.text, parameters, None, None)
            total += max(0, result.rowcount)
    return total + (yield from _flush_steps(conversation, prepared, waiting))


def _look_up_steps(conversation: Conversation, prepared: Prepared, many: Sequence[Parameters]) -> Steps[None]:
    """Look up, or assign, all keys of these sets at once."""
    state = conversation.state
    placer = state.picture.placer
    keys: set[Entry] = set()
    given: set[Entry] = set()
    for parameters in many:
        # What is wrong with a set is told when its turn comes.
        with suppress(Error):
            try:
                prepared.locate(values_of(prepared.placeholders, parameters), placer)
            except Lookup as lookup:
                keys |= lookup.keys
                given |= lookup.given
    if keys:
        yield from directory.look_up_steps(state, placer, Lookup(keys, given), None)


def _placed_steps(
    conversation: Conversation, prepared: Prepared, parameters: Parameters
) -> Steps[tuple[str | None, Sequence[Any]]]:
    """The one shard of a set, and its values; None where it concerns several."""
    values = values_of(prepared.placeholders, parameters)
    if prepared.drawing is not None:
        values = yield from conversation.state.sequences.values_steps(prepared.drawing, values, None)
    if not prepared.plan.listed:
        located = prepared.locate(values, conversation.state.picture.placer)
    else:
        located = yield from _held_steps(conversation, prepared, values)
    if located.scatter or len(located.shards) != 1 or located.any:
        return None, values
    return located.shards[0], values


def _held_steps(conversation: Conversation, prepared: Prepared, values: Sequence[Any]) -> Steps[Located]:
    """Where the directory places it; one shard has a branch from now on, so that it stays true until it is flushed."""
    assert conversation.transaction is not None
    patience = Patience(conversation.state, None)
    while True:
        located, page = yield from directory.located_steps(conversation.state, prepared, values, None)
        if located.scatter:
            return located
        try:
            yield from conversation.transaction.hold_steps(editions_of(page, located.shards), None)
        except Outdated as outdated:
            yield from patience.again_steps(outdated, page)
            continue
        return located


def _flush_steps(conversation: Conversation, prepared: Prepared, waiting: dict[str, list[Asked]]) -> Steps[int]:
    if not waiting:
        return 0
    transaction = conversation.transaction
    assert transaction is not None
    if transaction.definitions:
        transaction.defined.check(prepared.statement)
    asked = dict(waiting)
    waiting.clear()
    conversation.hold()
    try:
        answers = yield from transaction.run_many_steps(asked, None)
        if prepared.claims:
            yield from settling.settle_steps(transaction, None)
    finally:
        conversation.release()
    return sum(max(0, rows.count) for rows in answers)
