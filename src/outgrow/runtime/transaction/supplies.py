"""What a write over several shards needs of rows elsewhere, read before it: answers of queries, and tables' rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from outgrow.errors import NotSupportedError
from outgrow.plan import Located, Plan, Selection, type_mark
from outgrow.runtime.reading import bringing
from outgrow.runtime.transaction.sources import Source, types_steps
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


class Supplied(NamedTuple):
    """What the shards run, and the statement's values with the arrays behind them."""

    sql: str
    values: list[Any]


def supplied_steps(
    conversation: Conversation, plan: Plan, located: Located, values: Sequence[Any], until: float | None
) -> Steps[Supplied]:
    """`values` are the statement's parameters with those computed once behind."""
    assert plan.fragment_sql is not None and plan.brought is not None
    sql = plan.fragment_sql
    arrays: list[Any] = []
    for number, answer in enumerate(plan.answers):
        types, columns = yield from _answer_steps(conversation, plan, answer, located, values, until)
        arrays += columns
        for at, type_ in enumerate(types):
            sql = sql.replace(type_mark(number, at), type_)
    brought = (
        (yield from bringing.arrays_steps(conversation, plan, values, until)).values if plan.brought.brings else []
    )
    return Supplied(sql, [*values, *arrays, *brought])


def _answer_steps(
    conversation: Conversation,
    plan: Plan,
    answer: Selection,
    located: Located,
    values: Sequence[Any],
    until: float | None,
) -> Steps[tuple[list[str], list[list[str | None]]]]:
    """The types of a query's columns, as SQL, and each column's values."""
    transaction = conversation.transaction
    assert transaction is not None and plan.brought is not None
    shard = next(iter(transaction.branches), located.shards[0])
    types = yield from types_steps(transaction, answer.typing, shard, values, until)
    source = Source(conversation, answer, values, until)
    rows_max, command = plan.brought.rows_max, plan.statement.command

    def all_steps() -> Steps[list[tuple[Any, ...]]]:
        rows: list[tuple[Any, ...]] = []
        while (portion := (yield from source.more_steps())) is not None:
            rows += portion
            if len(rows) > rows_max:
                raise NotSupportedError(
                    "OG-RUN-100",
                    f"a subquery of the {command} has more than {rows_max:,} rows, which "
                    "every shard would have to be told",
                    cure="restrict it, join on the shard key, or raise the domain's finish: {rows_max: …}",
                )
        return rows

    rows = yield from source.read_steps(all_steps())
    if not answer.width:
        return types, [["" for _ in rows]]
    return types, [[row[at] for row in rows] for at in range(answer.width)]
