"""An INSERT … SELECT whose rows are read first and then go where they belong, all within one transaction.

The query reads as it would in the transaction by itself: off its branches, so that what was written before is seen.
Where its rows only follow each other, cursors give them in portions, which do not see what the INSERT itself adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.errors import NotSupportedError
from outgrow.finish import Finisher
from outgrow.keyspace import Unknowable, stored
from outgrow.nodes import Field, Rows
from outgrow.plan import Delivery, Located, Part, Plan, refuse
from outgrow.runtime.directories.outdated import Outdated
from outgrow.runtime.result import Result
from outgrow.runtime.transaction.homes import homes_steps
from outgrow.runtime.transaction.sources import Source, types_steps
from outgrow.runtime.transaction.spreading import alike_steps, parts_steps
from outgrow.sqlfile import load
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

QUERIES = load("outgrow.runtime")

_Row = tuple[Any, ...]


def deliver_steps(
    conversation: Conversation, plan: Plan, located: Located, values: Sequence[Any], until: float | None
) -> Steps[Result]:
    """Read the rows and insert them; `values` are the statement's parameters with those computed once behind."""
    delivering = _Delivering(conversation, plan, located, values, until)
    try:
        return (yield from delivering.run_steps())
    except Outdated as outdated:
        # Later rows may not be placed anew: those of earlier portions are there.
        if delivering.wrote:
            delivering.transaction.fail(outdated)
        raise


class _Delivering:
    """One execution."""

    def __init__(
        self, conversation: Conversation, plan: Plan, located: Located, values: Sequence[Any], until: float | None
    ) -> None:
        assert plan.delivery is not None and conversation.transaction is not None
        self.conversation = conversation
        self.transaction = conversation.transaction
        self.plan = plan
        self.delivery: Delivery = plan.delivery
        self.values = values
        self.until = until
        every = conversation.state.picture.placer.shards
        #: Those that rows can go to.
        self.shards = (
            [self.delivery.shard] if self.delivery.shard else list(every if self.delivery.copied else located.shards)
        )
        self.sql = ""
        self.constants: list[Any] = []
        self.count = 0
        self.rows: list[_Row] = []
        #: Rows may have been inserted.
        self.wrote = False

    def run_steps(self) -> Steps[Result]:
        shard = next(iter(self.transaction.branches), self.shards[0])
        selection = self.delivery.selection
        types = yield from types_steps(self.transaction, selection.typing, shard, self.values, self.until)
        self.sql, used = self.delivery.insert(types)
        self.constants = [self.values[index - 1] for index in used]
        # Without rows: what is wrong with the statement is said before anything is read, and its columns are known.
        (first,) = yield from self.transaction.run_steps(
            [(self.shards[0], self.sql)], [*self.constants, *self._arrays([], [], [])], True, self.until
        )
        assert self.plan.finish is not None
        fields = [Field(*column) for column in Finisher(self.plan.finish, self.values).begin([first.fields])]
        source = Source(self.conversation, selection, self.values, self.until)
        yield from source.read_steps(self._all_steps(source))
        nodes = tuple(branch.node.name for branch in self.transaction.branches.values())
        return Result(fields, self.rows, "INSERT", self.count, nodes)

    def _all_steps(self, source: Source) -> Steps[None]:
        gathered: list[_Row] = []
        while True:
            rows = yield from source.more_steps()
            if rows is None:
                break
            if not self.delivery.whole:
                yield from self._portion_steps(rows)
                continue
            gathered += rows
            if len(gathered) > self.delivery.rows_max:
                raise NotSupportedError(
                    "OG-RUN-102",
                    f"all rows of this INSERT … SELECT into {self.delivery.table} must stand in one statement of each "
                    f"shard, and it has more than {self.delivery.rows_max:,}",
                    cure="select fewer rows at a time, leave ON CONFLICT DO UPDATE out, or raise the domain's "
                    "finish: {rows_max: …}",
                )
        if gathered:
            yield from self._portion_steps(gathered)

    # -- one portion -------------------------------------------------------------------------------------------------

    def _portion_steps(self, rows: Sequence[_Row]) -> Steps[None]:
        numbers: list[list[int]] = []
        for each in self.delivery.drawn:
            taken = yield from self.conversation.state.sequences.take_steps(each.sequence, len(rows), self.until)
            numbers.append(taken)
        computed = yield from self._each_steps(len(rows))
        if self.delivery.copied:
            yield from self._copies_steps(rows, numbers, computed)
            return
        homes = yield from self._homes_steps(rows, numbers)
        places: dict[str, list[int]] = {}
        for at, home in enumerate(homes):
            places.setdefault(home, []).append(at)
        todo = [
            Part(
                shard,
                self.sql,
                (
                    *self.constants,
                    *self._arrays(
                        [rows[at] for at in numbered],
                        [[column[at] for at in numbered] for column in numbers],
                        [],
                    ),
                ),
                tuple(numbered),
            )
            for shard, numbered in places.items()
        ]
        self.wrote = True
        answers = yield from parts_steps(self.transaction, list(places), todo, self.until)
        self._take(len(rows), todo, answers)

    def _copies_steps(
        self, rows: Sequence[_Row], numbers: Sequence[Sequence[int]], computed: Sequence[Sequence[str]]
    ) -> Steps[None]:
        params = [*self.constants, *self._arrays(rows, numbers, computed)]
        self.wrote = True
        pairs = [(shard, self.sql) for shard in self.shards]
        first = yield from alike_steps(self.transaction, self.plan, pairs, params, self.until)
        self.count += first.count
        self.rows += first.rows

    def _take(self, count: int, todo: Sequence[Part], answers: Sequence[Rows]) -> None:
        """What was returned, in the order of the rows where it is known: where each of them is there."""
        self.count += sum(answer.count for answer in answers)
        if not self.plan.change or not self.plan.change.returns:
            return
        if any(len(part.rows) != len(answer.rows) for part, answer in zip(todo, answers, strict=True)):
            self.rows += [row for answer in answers for row in answer.rows]
            return
        placed: list[_Row] = [()] * count
        for part, answer in zip(todo, answers, strict=True):
            for at, row in zip(part.rows, answer.rows, strict=True):
                placed[at] = row
        self.rows += placed

    def _arrays(
        self, rows: Sequence[_Row], numbers: Sequence[Sequence[int]], computed: Sequence[Sequence[str]]
    ) -> list[list[str | None]]:
        arrays: list[list[str | None]] = [[row[at] for row in rows] for _, at in self.delivery.columns]
        arrays += [list(map(str, column)) for column in numbers] or [[] for _ in self.delivery.drawn]
        arrays += [list(column) for column in computed] or [[] for _ in self.delivery.each]
        return arrays or [[""] * len(rows)]

    def _each_steps(self, count: int) -> Steps[list[list[str]]]:
        """What one server computes for each row."""
        if not self.delivery.each:
            return []
        items = ", ".join(f"({sql})::text" for _, sql, _ in self.delivery.each)
        sql = QUERIES["for_each_row"].replace("{items}", items)
        (answer,) = yield from self.transaction.run_steps([(self.shards[0], sql)], [count], False, self.until)
        return [list(column) for column in zip(*answer.rows, strict=True)]

    # -- where rows go -----------------------------------------------------------------------------------------------

    def _homes_steps(self, rows: Sequence[_Row], numbers: Sequence[Sequence[int]]) -> Steps[list[str]]:
        delivery = self.delivery
        if delivery.shard:
            return [delivery.shard] * len(rows)
        keys = [
            self._held([row[place] if place >= 0 else numbers[-1 - place][at] for place in delivery.keys])
            for at, row in enumerate(rows)
        ]
        return (yield from homes_steps(self.conversation, delivery.types, keys, self.plan.listed, self.until))

    def _held(self, key: Sequence[Any]) -> _Row:
        """The key as its columns will hold it."""
        delivery = self.delivery
        try:
            return tuple(map(stored, delivery.types, delivery.typmods, key))
        except Unknowable:
            raise refuse("insert key unknown", str(delivery.table), "its key") from None
