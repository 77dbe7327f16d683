"""A statement on the shards that it was placed on: as written on one; on several, of a read the fragment on each, all
at once, and the finish over their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.errors import NotSupportedError
from outgrow.finish import Finisher
from outgrow.nodes import together
from outgrow.plan import Located
from outgrow.runtime import asking, rails
from outgrow.runtime.directories.outdated import Editions
from outgrow.runtime.measuring import Finish
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.reading import bringing
from outgrow.runtime.reading import partial as partially
from outgrow.runtime.reading.disagreeing import explained_steps
from outgrow.runtime.result import Result, finished
from outgrow.runtime.transaction import agreed, writes
from outgrow.runtime.uniqueness import settling
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def located_steps(
    conversation: Conversation,
    prepared: Prepared,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    allow_partial: bool,
    editions: Editions,
) -> Steps[Result]:
    """Run it on the shards that it was placed on.  Raises Outdated where their editions are others."""
    if prepared.claims and not conversation.settles and not (located.scatter or located.any):
        one = partial(settling.one_steps, conversation, prepared, located.shards[0], values, until, editions)
        return (yield from settling.within_steps(conversation, one, until, settled=True))
    if prepared.claims and not conversation.settles:
        run = partial(located_steps, conversation, prepared, located, values, until, allow_partial, editions)
        return (yield from settling.within_steps(conversation, run, until))
    if located.scatter:
        return (yield from several_steps(conversation, prepared, located, values, until, allow_partial, editions))
    there = conversation.preferred() if located.any else located.shards[0]
    return (yield from conversation.on_one_steps(prepared, there, values, until, editions))


def several_steps(
    conversation: Conversation,
    prepared: Prepared,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    allow_partial: bool,
    editions: Editions,
) -> Steps[Result]:
    """A statement that several shards work on, in whichever way its plan says."""
    rails.check(conversation, prepared, located.shards)
    if agreed.needed(conversation, prepared, allow_partial):
        scope = agreed.scope_of(conversation, prepared, located.shards)
        steps = _several_steps(conversation, prepared, located, values, until, allow_partial, editions)
        return (yield from agreed.within_steps(conversation, scope, steps))
    return (yield from _several_steps(conversation, prepared, located, values, until, allow_partial, editions))


def _several_steps(
    conversation: Conversation,
    prepared: Prepared,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    allow_partial: bool,
    editions: Editions,
) -> Steps[Result]:
    if prepared.plan.change is not None:
        steps = writes.change_steps(conversation, prepared, located, values, until, editions)
    elif prepared.plan.is_brought:
        steps = bringing.run_steps(conversation, prepared, values, until, allow_partial)
    else:
        steps = _scatter_steps(conversation, prepared, located, values, until, allow_partial, editions)
    return (yield from explained_steps(conversation.state, prepared, steps, until))


def _scatter_steps(
    conversation: Conversation,
    prepared: Prepared,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    allow_partial: bool,
    editions: Editions,
) -> Steps[Result]:
    """In the session's transaction, or wherever its level allows.  Raises Outdated where the editions are others."""
    plan, transaction = prepared.plan, conversation.transaction
    assert plan.fragment_sql is not None and plan.finish is not None
    params, measuring = plan.fragment_values(values) or None, conversation.noting.measuring
    conversation.noting.anew()
    nodes: tuple[str, ...]
    missing: tuple[str, ...] = ()
    if transaction is not None:
        pairs = [(shard, plan.fragment_sql) for shard in located.shards]
        answers = yield from transaction.run_steps(pairs, params, False, until, editions)
        nodes = tuple(transaction.branches[shard].node.name for shard in located.shards)
    else:
        state, sql, level = conversation.state, plan.fragment_sql, conversation.level
        many = [
            asking.read_steps(
                state, shard, conversation.footings[shard], level, sql, params, until, editions.get(shard)
            )
            for shard in located.shards
        ]
        if allow_partial:
            both, missing = yield from partially.together_steps(located.shards, many)
        else:
            both = yield from together(many)
        answers = [rows for rows, _ in both]
        nodes = tuple(node.name for _, node in both)
    arrived = monotonic()
    try:
        fields, rows = finished(Finisher(plan.finish, values), answers)
    except NotSupportedError as refusal:
        # Of types that it cannot combine or compare as the servers do, which only their answers told.
        if not conversation.state.brings(prepared, refusal):
            raise
        return (yield from bringing.run_steps(conversation, prepared, values, until, allow_partial))
    if measuring is not None:
        measuring.finish = Finish("stream", len(rows), monotonic() - arrived)
    return Result(fields, rows, "SELECT", len(rows), nodes, missing=missing)
