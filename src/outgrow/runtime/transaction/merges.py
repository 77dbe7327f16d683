"""A MERGE over several shards, run: its source is read, and each row merged on the shard of its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.errors import DataError, NotSupportedError
from outgrow.finish import Finisher
from outgrow.keyspace import Unknowable, stored
from outgrow.nodes import Field, Rows
from outgrow.plan import Located, Part, Plan, refuse, type_mark
from outgrow.runtime.result import Result
from outgrow.runtime.transaction.homes import homes_steps
from outgrow.runtime.transaction.sources import Source, types_steps
from outgrow.runtime.transaction.spreading import alike_steps, parts_steps
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

_Row = tuple[Any, ...]


def merge_steps(
    conversation: Conversation, plan: Plan, located: Located, values: Sequence[Any], until: float | None
) -> Steps[Result]:
    """`values` are the statement's parameters with those computed once behind."""
    merge, transaction = plan.merging, conversation.transaction
    assert merge is not None and transaction is not None and plan.fragment_sql is not None and plan.finish is not None
    shards = [merge.shard] if merge.shard else list(located.shards)
    at = next(iter(transaction.branches), shards[0])
    sql = plan.fragment_sql
    for number, type_ in enumerate((yield from types_steps(transaction, merge.selection.typing, at, values, until))):
        sql = sql.replace(type_mark(0, number), type_)
    none: list[list[str | None]] = [[]] * merge.arrays
    # What is wrong with the statement is said before anything is read.
    explained = [(shards[0], f"EXPLAIN {sql}")]
    yield from transaction.run_steps(explained, plan.fragment_values([*values, *none]) or None, False, until)
    rows = yield from _rows_steps(conversation, plan, values, until)
    arrays = yield from _arrays_steps(conversation, plan, rows, until)
    if merge.copied:
        params = plan.fragment_values([*values, *arrays])
        answers = [(yield from alike_steps(transaction, plan, [(s, sql) for s in shards], params, until))]
    else:
        places = yield from _places_steps(conversation, plan, shards, rows, until)
        todo = []
        for shard, chosen in places.items():
            own = [[column[row] for row in chosen] for column in arrays]
            todo.append(Part(shard, sql, tuple(plan.fragment_values([*values, *own])), tuple(chosen)))
        answers = yield from parts_steps(transaction, list(places), todo, until)
    return _answered(plan, values, answers, tuple(branch.node.name for branch in transaction.branches.values()))


def _answered(plan: Plan, values: Sequence[Any], answers: Sequence[Rows], nodes: tuple[str, ...]) -> Result:
    assert plan.finish is not None
    finisher = Finisher(plan.finish, values)
    fields = [Field(*column) for column in finisher.begin([answer.fields for answer in answers])]
    rows = [row for answer in answers for row in answer.rows]
    return Result(fields, rows, "MERGE", sum(answer.count for answer in answers), nodes)


def _rows_steps(
    conversation: Conversation, plan: Plan, values: Sequence[Any], until: float | None
) -> Steps[list[_Row]]:
    """The source's rows, all of them: a row of the target that two of them match must be an error."""
    merge = plan.merging
    assert merge is not None
    source = Source(conversation, merge.selection, values, until)

    def all_steps() -> Steps[list[_Row]]:
        rows: list[_Row] = []
        while (portion := (yield from source.more_steps())) is not None:
            rows += portion
            if len(rows) > merge.rows_max:
                raise NotSupportedError(
                    "OG-RUN-102",
                    f"the source of the MERGE into {merge.table} has more than {merge.rows_max:,} rows, and all of a "
                    "shard must stand in one statement",
                    cure="merge fewer rows at a time, or raise the domain's finish: {rows_max: …}",
                )
        return rows

    return (yield from source.read_steps(all_steps()))


def _arrays_steps(
    conversation: Conversation, plan: Plan, rows: Sequence[_Row], until: float | None
) -> Steps[list[list[Any]]]:
    merge = plan.merging
    assert merge is not None
    arrays: list[list[Any]] = [[row[at] for row in rows] for at in range(merge.selection.width)]
    for each in merge.drawn:
        numbers = yield from conversation.state.sequences.take_steps(each.sequence, len(rows), until)
        arrays.append(list(map(str, numbers)))
    return arrays or [["" for _ in rows]]


def _places_steps(
    conversation: Conversation, plan: Plan, shards: Sequence[str], rows: Sequence[_Row], until: float | None
) -> Steps[dict[str, list[int]]]:
    """The shards that have something to merge, with the rows of the source that each is given."""
    merge = plan.merging
    assert merge is not None
    if not merge.types:
        return {shard: list(range(len(rows))) for shard in shards}
    homes = yield from _homes_steps(conversation, plan, rows, until)
    places: dict[str, list[int]] = {shard: [] for shard in (shards if merge.everywhere else shards[: not homes])}
    for row, home in enumerate(homes):
        places.setdefault(home, []).append(row)
    return places


def _homes_steps(conversation: Conversation, plan: Plan, rows: Sequence[_Row], until: float | None) -> Steps[list[str]]:
    merge = plan.merging
    assert merge is not None
    width, homeless = merge.selection.width, conversation.state.picture.placer.shards[0]
    keys: dict[int, _Row] = {}
    for at, row in enumerate(rows):
        try:
            keys[at] = tuple(map(stored, merge.types, merge.typmods, row[width:]))
        except DataError:
            # No row has such a key, so that nothing matches; and to insert it the server refuses.
            continue
        except Unknowable:
            raise refuse("merge", str(merge.table), f"the shard of {row[width:]} is only known to the server") from None
    found = yield from homes_steps(conversation, merge.types, list(keys.values()), plan.listed, until)
    homes = dict(zip(keys, found, strict=True))
    return [homes.get(at, homeless) for at in range(len(rows))]
