"""Checkpoints of many sagas in one transaction: who comes while one is being written goes along with the next.

Whoever finds nobody at it writes, for all that wait; then the first of those who have come meanwhile.  No thread, no
delay: one saga alone pays for its own commit, and sixty-four share theirs.  Many go in two halves: while the server
commits the one, this process works on the other.

A row that is written again, because the answer to the first time was lost, is refused by its own first time; a look at
it tells.  So every answer is certain.
"""

from __future__ import annotations

import concurrent.futures
import enum
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, OperationalError
from outgrow.ledger import SagaBegin, SagaCheckpoint
from outgrow.nodes import Asked
from outgrow.runtime.asking import answered
from outgrow.runtime.timed import Timed
from outgrow.waits import Future, Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: How long to wait for whoever writes: his loop may be held up, perhaps by the very call that waits.
_PATIENCE_SECONDS = 5.0
#: How long one transaction may take.
_WRITE_SECONDS = 10.0
#: How often others are given their turn before a transaction begins.
_TURNS = 6
#: Rows of one transaction.
_TOGETHER_MAX = 500
#: So many transactions at once, where as many sagas as that are held.
_HALVES, _HALVED = 2, 16

Row = SagaBegin | SagaCheckpoint


class _Turn(enum.Enum):
    #: Nobody writes: you do.
    LEAD = "lead"
    #: Whoever wrote was stopped, and does not know: write it again.
    AGAIN = "again"
    #: Whoever writes does not come to an end: write it yourself.
    ALONE = "alone"


class _Waiting:
    __slots__ = ("answer", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.answer: concurrent.futures.Future[bool | _Turn] = concurrent.futures.Future()

    def tell(self, answer: bool | Error | _Turn) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Error):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Writer:
    """The one way in which this process writes saga rows.  Safe for threads and tasks."""

    def __init__(self, home: DomainState, active: Callable[[], int]) -> None:
        self._home = home
        #: How many sagas this process holds.
        self._active = active
        self._queries = ledger.queries(home.file.engine)
        self._lock = threading.Lock()
        #: Whom nobody writes for yet.
        self._waiting: list[_Waiting] = []
        #: Who writes, or has been told to.
        self._leaders: set[_Waiting] = set()

    def write_steps(self, row: Row) -> Steps[bool]:
        """Durable when it returns True; False: the row is not as it should be, and was left so."""
        while True:
            mine = _Waiting(row)
            # Whatever happens from here on, and be it an interrupt at the next word: whoever leads passes it on.
            try:
                turn = yield from self._turn_steps(mine)
                if turn is _Turn.LEAD:
                    return (yield from self._lead_steps(mine))
            finally:
                self._leave(mine)
            if turn is _Turn.ALONE:
                (own,) = yield from self._answers_steps([row])
                if isinstance(own, Error):
                    raise own
                return own
            if turn is not _Turn.AGAIN:
                return turn

    def _turn_steps(self, mine: _Waiting) -> Steps[bool | _Turn]:
        with self._lock:
            if not self._leaders:
                self._leaders.add(mine)
                return _Turn.LEAD
            self._waiting.append(mine)
        if not (yield Future(mine.answer, monotonic() + _PATIENCE_SECONDS)):
            with self._lock:
                if not mine.answer.done():
                    if mine in self._waiting:
                        self._waiting.remove(mine)
                    return _Turn.ALONE
        return mine.answer.result()

    def _leave(self, mine: _Waiting) -> None:
        """It waits and leads no more; the first of those who wait leads instead."""
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
            if mine in self._leaders:
                self._call_next()
                self._leaders.discard(mine)

    def _lead_steps(self, mine: _Waiting) -> Steps[bool]:
        batch = [mine]
        answers: list[bool | Error | _Turn] = [_Turn.AGAIN]
        try:
            held = self._active()
            most = _TOGETHER_MAX if held < _HALVED else min(_TOGETHER_MAX, -(-held // _HALVES))
            # Sagas that were answered together come this far within a few turns of their loop, and go together again.
            for _ in range(_TURNS):
                yield Until(0.0)
                if len(self._waiting) + 1 >= min(most, held):
                    break
            with self._lock:
                batch += self._waiting[: most - 1]
                del self._waiting[: most - 1]
            if most < _TOGETHER_MAX:
                self._call_second()
            answers = [*(yield from self._answers_steps([one.row for one in batch]))]
        finally:
            # (An interrupt may come anywhere: whoever has no answer, or waits as well, writes again.)
            for at, one in enumerate(batch[1:], 1):
                one.tell(answers[at] if at < len(answers) else _Turn.AGAIN)
        own = answers[0]
        if isinstance(own, Error):
            raise own
        return own is True

    def _call_second(self) -> None:
        """Those who are left over need not wait for this half's answer."""
        with self._lock:
            if len(self._leaders) < _HALVES:
                self._call_next()

    def _call_next(self) -> None:
        while self._waiting:
            one = self._waiting.pop(0)
            if not one.answer.done():
                self._leaders.add(one)
                one.tell(_Turn.LEAD)
                return

    def _answers_steps(self, rows: Sequence[Row]) -> Steps[list[bool | Error]]:
        try:
            return list((yield from self._write_all_steps(rows)))
        except OperationalError as error:
            return [error, *(_again(error) for _ in rows[1:])]
        except Error as error:
            if len(rows) == 1:
                return [error]
        # One of them is not to the server's taste, and shall not harm the others.
        answers: list[bool | Error] = []
        for row in rows:
            answers += yield from self._answers_steps([row])
        return answers

    def _write_all_steps(self, rows: Sequence[Row]) -> Steps[list[bool]]:
        """All in one transaction, so that one flush serves them."""
        state = self._home
        asked = self._asked(rows)
        home = state.picture.domain.home.name
        done: set[UUID] = set()

        def write_steps(link: Timed) -> Steps[None]:
            done.clear()
            for outcome in (yield from link.run_chained_steps(asked)):
                done.update(row[0] for row in answered(outcome).rows if isinstance(row[0], UUID))

        until = monotonic() + _WRITE_SECONDS
        yield from state.sequences.on_primary_steps(home, write_steps, until)
        missing = [row for row in rows if row.id not in done]
        for row in missing:
            there, _ = yield from state.sequences.on_primary_steps(home, partial(_stands_steps, row), until)
            if there:
                done.add(row.id)
        return [row.id in done for row in rows]

    def _asked(self, rows: Sequence[Row]) -> list[Asked]:
        # In one order for all who write many (other processes, and `leases`): they would wait for each other crosswise.
        begins = sorted((row for row in rows if isinstance(row, SagaBegin)), key=lambda row: (row.name, row.key))
        checkpoints = sorted((row for row in rows if isinstance(row, SagaCheckpoint)), key=lambda row: row.id)
        asked: list[Asked] = []
        if begins:
            asked.append((self._queries["saga_begin"], ledger.columns(begins)))
        if checkpoints:
            asked.append((self._queries["saga_checkpoint"], ledger.columns(checkpoints)))
        if any(row.holder is None for row in begins):
            asked.append((self._queries["saga_notify"], None))
        return asked


def _stands_steps(row: Row, link: Timed) -> Steps[bool]:
    """Whether this very row was written, by a try whose answer was lost.  Nobody else has its id, or its epoch."""
    if isinstance(row, SagaBegin):
        known = yield from ledger.saga_by_key_steps(link, row.name, row.key)
        return known is not None and known[0] == row.id
    note = yield from ledger.look_saga_steps(link, row.id)
    return note is not None and (note.epoch, note.state, note.step) == (row.epoch, row.state, row.step)


def _again(error: Error) -> Error:
    """The same for somebody else: an exception has one traceback."""
    return OperationalError(
        error.code, error.message, cure=error.cure, shard=error.shard, node=error.node, sqlstate=error.sqlstate
    )
