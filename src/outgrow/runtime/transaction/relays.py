"""Writing parts that hand rows from shard to shard, one after another in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.plan import Located, Plan, build
from outgrow.runtime.directories import directory, listed
from outgrow.runtime.directories.outdated import NO_EDITIONS, Outdated
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.result import Result
from outgrow.runtime.transaction.sources import check_text_steps, types_steps
from outgrow.statement import Statement
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def relay_steps(
    conversation: Conversation, plan: Plan, located: Located, values: Sequence[Any], until: float | None
) -> Steps[Result]:
    """Each part in turn; the last one's answer is the statement's."""
    relay, transaction = plan.relay, conversation.transaction
    assert relay is not None and transaction is not None
    everything = list(values)
    types: dict[str, list[str]] = {}
    wrote = False
    if plan.listed:
        # No part behind the first may find that keys have gone elsewhere.
        placer = conversation.state.picture.placer
        yield from directory.settled_steps(conversation.state, placer, transaction, placer.shards)
    try:
        for at, (name, part) in enumerate(relay.parts):
            if part.returning:
                typing = relay.typing(at, types, lambda statement: _built(conversation, statement))
                shard = next(iter(transaction.branches), located.shards[0])
                shown = yield from types_steps(transaction, typing, shard, everything, until)
            statement, used = relay.step(at, types)
            wrote = True
            given = [everything[n - 1] for n in used]
            result = yield from _run_steps(conversation, statement, given, until, bool(part.returning))
            if not part.returning:
                everything.append([])
                continue
            rows = result.fetchall()
            everything += [[row[column] for row in rows] for column in range(len(part.returning))]
            types[name] = shown
        statement, used = relay.step(len(relay.parts), types)
        return (yield from _run_steps(conversation, statement, [everything[n - 1] for n in used], until))
    except Outdated as outdated:
        # Later parts may not be placed anew: earlier ones have written.
        if wrote:
            transaction.fail(outdated)
        raise


def _built(conversation: Conversation, statement: Statement) -> Plan:
    picture = conversation.state.picture
    return build(statement, picture.schema, picture.domain)


def _run_steps(
    conversation: Conversation, statement: Statement, values: Sequence[Any], until: float | None, handed: bool = False
) -> Steps[Result]:
    """`handed`: what it returns is handed on as text, by whichever shards its rows are written on."""
    state, transaction = conversation.state, conversation.transaction
    assert transaction is not None
    prepared = Prepared(statement.placeholders, _built(conversation, statement), None)
    if prepared.drawing is not None:
        values = yield from state.sequences.values_steps(prepared.drawing, values, until)
    plan = prepared.plan
    # Which shards get rows is known now, or turns out when the rows are there.
    late = plan.listed or any(each is not None for each in (plan.move, plan.delivery, plan.merging))
    if handed and late:
        yield from check_text_steps(transaction, state.picture.placer.shards, until)
    if plan.listed:
        return (yield from listed.run_steps(conversation, prepared, values, until, False))
    located = prepared.locate(values, state.picture.placer)
    if handed and not late:
        yield from check_text_steps(transaction, located.shards, until)
    return (yield from conversation.located_steps(prepared, located, values, until, False, NO_EDITIONS))
