"""Statements on keys that stand in the directory: placed by a page of it, and again where that is not true any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.plan import Located
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import Patience, editions_of
from outgrow.runtime.directories.outdated import Editions, Outdated
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.result import Result
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def run_steps(
    conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None, allow_partial: bool
) -> Steps[Result]:
    """Place and run it, until every shard that it ran on had the editions that it was placed by."""
    state = conversation.state
    patience = Patience(state, until)
    while True:
        located, page = yield from directory.located_steps(state, prepared, values, until)
        conversation.noting.located = located
        editions = editions_of(page, located.shards)
        try:
            single = not (prepared.read_only or prepared.claims or located.scatter)
            if patience.tried and conversation.transaction is None and single:
                return (yield from _in_block_steps(conversation, prepared, located, values, until, editions))
            return (yield from conversation.located_steps(prepared, located, values, until, allow_partial, editions))
        except Outdated as outdated:
            yield from patience.again_steps(outdated, page)


def _in_block_steps(
    conversation: Conversation,
    prepared: Prepared,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    editions: Editions,
) -> Steps[Result]:
    """One shard's write in a transaction of its own.

    A transaction block holds the shard's keys in every isolation level; what goes before a single write does so in
    READ COMMITTED only, and raises Outdated in others.
    """
    conversation.begin()
    try:
        result = yield from conversation.on_one_steps(prepared, located.shards[0], values, until, editions)
    except GeneratorExit:
        conversation.abandon()
        raise
    except BaseException:
        yield from conversation.rollback_steps()
        raise
    yield from conversation.commit_steps(until)
    return result
