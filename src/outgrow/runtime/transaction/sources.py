"""The rows of a query that a writing statement needs, read within its transaction.

The query reads as it would in the transaction by itself: off its branches, so that what was written before is seen.
Where its rows only follow each other, cursors give them in portions, which do not see what the statement adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow.errors import Error, NotSupportedError
from outgrow.nodes import Asked
from outgrow.plan import FAITHFUL, Plan, Selection, Typing, type_from
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.outdated import NO_EDITIONS, Outdated
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.transaction.branches import Transaction
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

T = TypeVar("T")

#: Rows that are on their way at once, of each shard that is read.
PORTION = 1000
#: No name of a program looks like it.
_CURSOR = '"outgrow rows"'

#: Asks whether text says every value.
_FAITHFUL = f"SELECT {FAITHFUL}"

_Row = tuple[Any, ...]


def types_steps(
    transaction: Transaction, typing: Typing, shard: str, values: Sequence[Any], until: float | None
) -> Steps[list[str]]:
    """The types of what is selected, as SQL; `shard` says them where any can."""
    params = [values[index - 1] if index else "{}" for index in typing.params]
    pairs = [(typing.shard or shard, typing.sql)]
    (answer,) = yield from transaction.run_steps(pairs, params or None, False, until)
    *shown, faithful = answer.rows[0]
    _check_faithful(typing.shard or shard, faithful)
    return [type_from(each) for each in shown]


def check_text_steps(transaction: Transaction, shards: Sequence[str], until: float | None) -> Steps[None]:
    """Raises NotSupportedError where text of one of these does not say every value: each has settings of its own."""
    answers = yield from transaction.run_steps([(shard, _FAITHFUL) for shard in shards], None, False, until)
    for shard, answer in zip(shards, answers, strict=True):
        _check_faithful(shard, answer.rows[0][0])


def _check_faithful(shard: str, faithful: bool) -> None:
    if not faithful:
        raise NotSupportedError(
            "OG-RUN-101",
            "rows of several shards are brought together as text, and with this DateStyle, IntervalStyle or "
            "extra_float_digits text does not say every value exactly",
            shard=shard,
            cure="leave DateStyle at ISO, IntervalStyle at postgres and extra_float_digits at 1 or more, for the "
            "session and in the settings of each shard's database and role",
        )


class Source:
    """The query's rows in portions: `more_steps` until None, within `read_steps`."""

    def __init__(
        self, conversation: Conversation, selection: Selection, values: Sequence[Any], until: float | None
    ) -> None:
        assert conversation.transaction is not None
        self.conversation = conversation
        self.transaction = conversation.transaction
        self.plan = selection.source
        self.values = [values[index - 1] for index in selection.params]
        self.until = until
        #: The shards whose cursors may have more rows, and all that have one.
        self.more: list[str] = []
        self.open: list[str] = []
        #: Rows that came at once.
        self.whole: list[_Row] | None = None

    def read_steps(self, steps: Steps[T]) -> Steps[T]:
        """Open it, run these, and close it."""
        try:
            yield from self._open_steps()
            found = yield from steps
        except (Error, Outdated):
            if self.transaction.failed is None:
                yield from self._close_steps()
            raise
        except BaseException as interruption:
            # Nothing more is sent; and a cursor that stays open is in the way of the next one.
            self.transaction.fail(interruption)
            raise
        yield from self._close_steps()
        return found

    def _open_steps(self) -> Steps[None]:
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
            # What is brought is checked as it comes, and its text is made on the server that told the types.
            if not self.plan.is_brought:
                yield from check_text_steps(self.transaction, located.shards, self.until)
            steps = conversation.located_steps(prepared, located, self.values, self.until, False, NO_EDITIONS)
            self.whole = (yield from steps).fetchall()

    def _declare_steps(self, shards: Sequence[str], sql: str, params: Sequence[Any]) -> Steps[None]:
        declare = f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {sql}"
        asked: list[Asked] = [(_FAITHFUL, None), (declare, params or None)]
        answers = yield from self.transaction.run_many_steps(dict.fromkeys(shards, asked), self.until, writes=False)
        self.open, self.more = list(shards), list(shards)
        for shard, answer in zip(shards, answers[::2], strict=True):
            _check_faithful(shard, answer.rows[0][0])

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

    def _close_steps(self) -> Steps[None]:
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
