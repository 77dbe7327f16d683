"""An INSERT … SELECT whose rows are read first and then go where they belong, all within one transaction.

The query reads as it would in the transaction by itself: off its branches, so that what was written before is seen.
Where its rows only follow each other, cursors give them in portions, which do not see what the INSERT itself adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.errors import Error, NotSupportedError
from outgrow.finish import Finisher
from outgrow.keyspace import Entry, Keyspace, Lookup, Unknowable, stored
from outgrow.nodes import Field, Rows
from outgrow.plan import Delivery, Located, Part, Plan, refuse, type_from
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.result import Result
from outgrow.runtime.transaction.spreading import alike_steps, parts_steps
from outgrow.runtime.transaction.surrounding import given_up
from outgrow.sqlfile import load
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

QUERIES = load("outgrow.runtime")
#: Rows that are on their way at once, of each shard that is read.
PORTION = 1000
#: No name of a program looks like it.
_CURSOR = '"outgrow delivery"'

_Row = tuple[Any, ...]


def deliver_steps(
    conversation: Conversation, plan: Plan, located: Located, values: Sequence[Any], until: float | None
) -> Steps[Result]:
    """Read the rows and insert them; `values` are the statement's parameters with those computed once behind."""
    delivering = _Delivering(conversation, plan, located, values, until)
    try:
        return (yield from delivering.run_steps())
    except BaseException as error:
        transaction = conversation.transaction
        if delivering.wrote and transaction is not None and transaction.failed is None:
            transaction.failed = error if isinstance(error, Error) else given_up(error)
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
        types = yield from self._types_steps()
        self.sql, used = self.delivery.insert(types)
        self.constants = [self.values[index - 1] for index in used]
        # Without rows: what is wrong with the statement is said before anything is read, and its columns are known.
        (first,) = yield from self.transaction.run_steps(
            [(self.shards[0], self.sql)], [*self.constants, *self._arrays([], [], [])], True, self.until
        )
        assert self.plan.finish is not None
        fields = [Field(*column) for column in Finisher(self.plan.finish, self.values).begin([first.fields])]
        source = _Source(self.conversation, self.delivery, self.values, self.until)
        try:
            yield from source.open_steps()
            yield from self._all_steps(source)
        finally:
            if self.transaction.failed is None:
                yield from source.close_steps()
        nodes = tuple(branch.node.name for branch in self.transaction.branches.values())
        return Result(fields, self.rows, "INSERT", self.count, nodes)

    def _types_steps(self) -> Steps[list[str]]:
        """The types of what is selected, as SQL."""
        typing = self.delivery.typing
        shard = typing.shard or next(iter(self.transaction.branches), self.shards[0])
        params = [self.values[index - 1] if index else "{}" for index in typing.params]
        (answer,) = yield from self.transaction.run_steps([(shard, typing.sql)], params or None, False, self.until)
        *shown, faithful = answer.rows[0]
        if not faithful:
            raise NotSupportedError(
                "OG-RUN-101",
                "rows are brought from shard to shard as text, and with this DateStyle, IntervalStyle or "
                "extra_float_digits text does not say every value exactly",
                cure="leave DateStyle at ISO, IntervalStyle at postgres and extra_float_digits at 1 or more",
            )
        return [type_from(each) for each in shown]

    def _all_steps(self, source: _Source) -> Steps[None]:
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
        # A key that the directory lacks is assigned.
        homes, page = yield from directory.resolved_steps(
            self.conversation.state, lambda placer, _: _homes(placer, delivery.types, set(keys)), self.until
        )
        if self.plan.listed:
            yield from self.transaction.hold_steps(editions_of(page, set(homes.values())), self.until)
        return [homes[key] for key in keys]

    def _held(self, key: Sequence[Any]) -> _Row:
        """The key as its columns will hold it."""
        delivery = self.delivery
        try:
            return tuple(map(stored, delivery.types, delivery.typmods, key))
        except Unknowable:
            raise refuse("insert key unknown", str(delivery.table), "its key") from None


def _homes(placer: Keyspace, types: tuple[str, ...], keys: Iterable[_Row]) -> dict[_Row, str]:
    homes: dict[_Row, str] = {}
    unknown: set[Entry] = set()
    for key in keys:
        try:
            homes[key] = placer.shards_for(types, key)
        except Lookup as lookup:
            unknown |= lookup.keys
    if unknown:
        raise Lookup(unknown, given=unknown)
    return homes


class _Source:
    """The query's rows in portions: `open_steps`, `more_steps` until None, `close_steps`."""

    def __init__(
        self, conversation: Conversation, delivery: Delivery, values: Sequence[Any], until: float | None
    ) -> None:
        assert conversation.transaction is not None
        self.conversation = conversation
        self.transaction = conversation.transaction
        self.plan = delivery.source
        self.values = [values[index - 1] for index in delivery.params]
        self.until = until
        #: The shards whose cursors may have more rows, and all that have one.
        self.more: list[str] = []
        self.open: list[str] = []
        #: Rows that came at once.
        self.whole: list[_Row] | None = None

    def open_steps(self) -> Steps[None]:
        prepared = Prepared(self.plan.statement.placeholders, self.plan, None)
        conversation = self.conversation
        located, _ = yield from directory.located_steps(conversation.state, prepared, self.values, self.until)
        if not located.scatter:
            shards = [conversation.preferred() if located.any else located.shards[0]]
            yield from self._declare_steps(shards, prepared.sql, self.values)
        elif not self.plan.is_brought and _follow_each_other(self.plan):
            assert self.plan.fragment_sql is not None
            params = self.plan.fragment_values(self.values)
            yield from self._declare_steps(located.shards, self.plan.fragment_sql, params)
        else:
            steps = conversation.located_steps(prepared, located, self.values, self.until, False, NO_EDITIONS)
            self.whole = (yield from steps).fetchall()

    def _declare_steps(self, shards: Sequence[str], sql: str, params: Sequence[Any]) -> Steps[None]:
        declare = f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {sql}"
        pairs = [(shard, declare) for shard in shards]
        yield from self.transaction.run_steps(pairs, params or None, False, self.until)
        self.open, self.more = list(shards), list(shards)

    def more_steps(self) -> Steps[list[_Row] | None]:
        if self.whole is not None:
            rows, self.whole = self.whole, []
            return rows or None
        if not self.more:
            return None
        pairs = [(shard, f"FETCH {PORTION} FROM {_CURSOR}") for shard in self.more]
        answers = yield from self.transaction.run_steps(pairs, None, False, self.until)
        self.more = [shard for shard, answer in zip(self.more, answers, strict=True) if len(answer.rows) == PORTION]
        return [row for answer in answers for row in answer.rows]

    def close_steps(self) -> Steps[None]:
        if self.open:
            pairs = [(shard, f"CLOSE {_CURSOR}") for shard in self.open]
            self.open = []
            yield from self.transaction.run_steps(pairs, None, False, None)


def _follow_each_other(plan: Plan) -> bool:
    """The shards' rows are the result's, in any order."""
    finish = plan.finish
    if finish is None or finish.combine is not None or finish.having is not None or finish.sort:
        return False
    nothing = finish.distinct is None and finish.limit is None and finish.offset is None
    return nothing and len(finish.outputs) == finish.visible
