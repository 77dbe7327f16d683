"""Statements that several shards must do together: in the session's transaction, else in one of their own.

What each shard runs and how the answers come together is the plan's `Change`; here it is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from outgrow.finish import Finisher
from outgrow.nodes import Field, Rows
from outgrow.plan import Change, Gather, Located, Part, Plan, check_all_answered, parts
from outgrow.runtime import asking
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.result import Result, finished
from outgrow.runtime.transaction import deliveries, keymoves, merges, relays, supplies
from outgrow.runtime.transaction.branches import Transaction
from outgrow.runtime.transaction.failing import whole
from outgrow.runtime.transaction.spreading import alike_steps, parts_steps
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def change_steps(
    conversation: Conversation,
    prepared: Prepared,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    editions: Editions = NO_EDITIONS,
) -> Steps[Result]:
    """All shards or none; outside of a transaction it is committed before the answer is given.

    Raises Outdated, and has changed nothing, where the shards' editions are not these.
    """
    if not prepared.writes:
        return (yield from _lock_steps(conversation, prepared.plan, located, values, until, editions))
    if conversation.transaction is not None:
        with whole(conversation.transaction):
            return (yield from _run_steps(conversation, prepared.plan, located, values, until, editions))
    conversation.begin()
    try:
        result = yield from _run_steps(conversation, prepared.plan, located, values, until, editions)
    except GeneratorExit:
        conversation.abandon()
        raise
    except BaseException:
        yield from conversation.rollback_steps()
        raise
    yield from conversation.commit_steps(until)
    return result


def _lock_steps(
    conversation: Conversation,
    plan: Plan,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    editions: Editions,
) -> Steps[Result]:
    """A locking read, one shard after another; outside of a transaction the locks are let go as soon as taken."""
    assert plan.change is not None and plan.fragment_sql is not None and plan.finish is not None
    if editions and conversation.transaction is not None:
        yield from conversation.transaction.hold_steps(editions, until)
    if plan.change.once:
        values = [*values, *(yield from _once_steps(conversation, plan.change.once, located, until))]
    params = plan.fragment_values(values) or None
    answers: list[Rows] = []
    nodes: list[str] = []
    for shard in located.shards:
        sql, edition = plan.fragment_sql, editions.get(shard)
        rows, node = yield from _on_primary_steps(conversation, shard, sql, params, until, edition)
        answers.append(rows)
        nodes.append(node)
    fields, found = finished(Finisher(plan.finish, values), answers)
    return Result(fields, found, "SELECT", len(found), tuple(nodes))


def _run_steps(
    conversation: Conversation,
    plan: Plan,
    located: Located,
    values: Sequence[Any],
    until: float | None,
    editions: Editions,
) -> Steps[Result]:
    transaction, change = conversation.transaction, plan.change
    assert transaction is not None and change is not None
    if editions:
        yield from transaction.hold_steps(editions, until)
    if change.once:
        values = [*values, *(yield from _once_steps(conversation, change.once, located, until))]
    fragment_sql = plan.fragment_sql
    if plan.brought is not None:
        fragment_sql, values = yield from supplies.supplied_steps(conversation, plan, located, values, until)
    if change.gather is Gather.MOVE:
        return (yield from keymoves.move_steps(transaction, plan, located, values, until))
    if change.gather is Gather.DELIVER:
        return (yield from deliveries.deliver_steps(conversation, plan, located, values, until))
    if change.gather is Gather.RELAY:
        return (yield from relays.relay_steps(conversation, plan, located, values, until))
    if change.gather is Gather.MERGE:
        return (yield from merges.merge_steps(conversation, plan, located, values, until))
    said = yield from _moment_steps(conversation, change, located, until)
    if change.gather is Gather.ROWS:
        todo = [replace(part, sql=said + part.sql) for part in parts(change, located.rows, values)]
        answers = yield from parts_steps(transaction, located.shards, todo, until)
        return _in_given_order(plan, todo, answers, _nodes(transaction, located))
    if change.given is not None:
        answers = yield from parts_steps(transaction, located.shards, parts(change, located.rows, values), until)
        return _added_up(plan, values, answers, _nodes(transaction, located))
    assert fragment_sql is not None
    params = plan.fragment_values(values) or None
    pairs = [(shard, said + fragment_sql) for shard in located.shards]
    assert plan.finish is not None
    if change.gather is Gather.SAME:
        first = yield from alike_steps(transaction, plan, pairs, params, until)
        fields = _fields(Finisher(plan.finish, values), [first])
        return Result(fields, first.rows, first.status, first.count, _nodes(transaction, located))
    if change.gather is Gather.TURN:
        answers = []
        for pair in pairs:
            answers += yield from transaction.run_steps([pair], params, True, until)
    else:
        answers = yield from transaction.run_steps(pairs, params, True, until)
    return _added_up(plan, values, answers, _nodes(transaction, located))


def _added_up(plan: Plan, values: Sequence[Any], answers: Sequence[Rows], nodes: tuple[str, ...]) -> Result:
    """The shards' answers as one."""
    assert plan.finish is not None and plan.change is not None
    finisher = Finisher(plan.finish, values)
    if plan.change.gather is Gather.FINISH:
        fields, rows = finished(finisher, answers)
        return Result(fields, rows, "SELECT", len(rows), nodes)
    fields = _fields(finisher, answers)
    rows = [row for answer in answers for row in answer.rows]
    if answers[0].status == "DELETE" and plan.statement.command == "TRUNCATE":
        # Which counts nothing.
        return Result((), [], "TRUNCATE", 0, nodes)
    return Result(fields, rows, answers[0].status, _sum(answers), nodes)


def _moment_steps(conversation: Conversation, change: Change, located: Located, until: float | None) -> Steps[str]:
    """What goes before each shard's statement, so that one moment holds for all of them."""
    if not change.moment:
        return ""
    transaction = conversation.transaction
    shard = next(iter(transaction.branches), located.shards[0]) if transaction is not None else located.shards[0]
    answer, _ = yield from _on_primary_steps(conversation, shard, change.moment, None, until)
    return f"SET STATEMENT timestamp = {answer.rows[0][0]} FOR "


def _once_steps(
    conversation: Conversation, once: Sequence[str], located: Located, until: float | None
) -> Steps[tuple[Any, ...]]:
    """What shards would compute differently, from the shard whose branch is the oldest: its moment is the session's."""
    transaction = conversation.transaction
    shard = next(iter(transaction.branches), located.shards[0]) if transaction is not None else located.shards[0]
    sql = "SELECT " + ", ".join(f"({expression})::text" for expression in once)
    answer, _ = yield from _on_primary_steps(conversation, shard, sql, None, until)
    return answer.rows[0]


def _on_primary_steps(
    conversation: Conversation,
    shard: str,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
    edition: int | None = None,
) -> Steps[tuple[Rows, str]]:
    """What writes no rows, in the shard's branch or by itself; with the node that answered."""
    transaction = conversation.transaction
    if transaction is not None:
        (rows,) = yield from transaction.run_steps([(shard, sql)], params, False, until)
        return rows, transaction.branches[shard].node.name
    footing = conversation.footing(shard)
    rows, node = yield from asking.write_steps(conversation.state, shard, footing, sql, params, until, edition)
    return rows, node.name


def _in_given_order(plan: Plan, todo: Sequence[Part], answers: Sequence[Rows], nodes: tuple[str, ...]) -> Result:
    assert plan.finish is not None
    fields = _fields(Finisher(plan.finish, ()), answers)
    rows: list[tuple[Any, ...]] = []
    if fields:
        given = plan.change.given if plan.change is not None else None
        assert given is not None
        if given.runs:
            rows = [row for answer in answers for row in answer.rows]
        else:
            placed: list[Any] = [None] * len(given.rows)
            for part, answer in zip(todo, answers, strict=True):
                check_all_answered(plan, part, len(answer.rows))
                for at, row in zip(part.rows, answer.rows, strict=True):
                    placed[at] = row
            rows = placed
    return Result(fields, rows, answers[0].status, _sum(answers), nodes)


def _fields(finisher: Finisher, answers: Sequence[Rows]) -> list[Field]:
    return [Field(*column) for column in finisher.begin([answer.fields for answer in answers])]


def _sum(answers: Sequence[Rows]) -> int:
    """TRUNCATE counts nothing (-1), and then neither do all shards together."""
    return sum(answer.count for answer in answers) if answers[0].count >= 0 else -1


def _nodes(transaction: Transaction, located: Located) -> tuple[str, ...]:
    return tuple(transaction.branches[shard].node.name for shard in located.shards)
