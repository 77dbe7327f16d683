"""Fragment rows in, finished rows out.  No I/O: the caller feeds what arrives, in any order, and takes what is ready.

finisher = Finisher(plan.finish, params)
fields = finisher.begin([rows.fields for each fragment])
while not finisher.done: wait for one of finisher.wants(); feed(…) or end(…); send out ready()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.plan.spec import Convert, Final, Finish, Given

from .combine import Groups
from .compare import Order, Ranker
from .errors import negative
from .evaluate import Compiler
from .merge import Merge
from .settled import Column, FieldLike, Settled, check_alike, settle

Row = tuple[Any, ...]


class Finisher:
    """Finishes one execution."""

    def __init__(self, spec: Finish, params: Sequence[Any]) -> None:
        self.spec = spec
        self.params = params
        #: Rows that may still go out; None for no limit.
        self._left = _rows(spec.limit, params, "LIMIT")
        self._skip = _rows(spec.offset, params, "OFFSET") or 0
        self._ready: list[Row] = []
        self._open: set[int] = set()
        self._settled: Settled | None = None
        self._groups: Groups | None = None
        self._order: Order | None = None
        self._merge: Merge | None = None
        self._gathered: list[Row] = []
        self._told: tuple[tuple[int, Ranker | None], ...] | None = None
        self._seen: set[Any] = set()

    # --- types -----------------------------------------------------------------------------------------------------

    def begin(self, fields: Sequence[Sequence[FieldLike]]) -> tuple[Column, ...]:
        """The result's columns, from each fragment's.

        Raises InternalError OG-FINISH-001 where fragments disagree, NotSupportedError OG-FINISH-002 or 006 for types
        that cannot be finished here.
        """
        check_alike(fields)
        settled = settle(self.spec, tuple(fields[0]), self.params)
        self._open = set(range(len(fields)))
        self._order, self._told, self._settled = settled.order, settled.told, settled
        if settled.folding is not None:
            self._groups = Groups(settled.folding)
        if settled.order is not None and self.spec.merged:
            self._merge = Merge(settled.order, len(fields))
        return settled.columns

    # --- rows ------------------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Nothing more will come out once `ready()` has been taken."""
        return self._left == 0 or not self._open

    def wants(self) -> Sequence[int]:
        """Fragments of which rows are needed before more can come out; none when done."""
        if self._left == 0:
            return ()
        if self._merge is not None:
            return [fragment for fragment in sorted(self._open) if self._merge.starves(fragment)]
        return sorted(self._open)

    def feed(self, fragment: int, rows: list[Row]) -> None:
        if self._groups is not None:
            self._groups.feed(rows)
        elif self._merge is not None:
            self._merge.feed(fragment, rows)
        elif self._order is not None:
            self._gathered.extend(rows)
        else:
            self._send(rows)

    def end(self, fragment: int) -> None:
        """The fragment has no more rows."""
        self._open.discard(fragment)
        if self._merge is not None:
            self._merge.end(fragment)
        if not self._open and self._merge is None:
            if self._groups is not None and self._settled is not None:
                self._gathered = self._settled.finished(self._groups.rows())
            if self._order is not None:
                self._gathered = self._order.sort(self._gathered)
            gathered, self._gathered = self._gathered, []
            self._send(gathered)

    def ready(self) -> list[Row]:
        """Rows that may go out now."""
        if self._merge is not None and self._left != 0:
            self._send(self._merge.ready())
        rows, self._ready = self._ready, []
        return rows

    def _send(self, rows: list[Row]) -> None:
        """Duplicates, OFFSET, LIMIT, hidden columns: what happens to rows in their final order."""
        if self._told is not None and rows:
            rows = self._undoubled(rows, self._told)
        if self._skip and rows:
            dropped = min(self._skip, len(rows))
            self._skip -= dropped
            rows = rows[dropped:]
        if self._left is not None:
            rows = rows[: self._left]
            self._left -= len(rows)
        visible = self.spec.visible
        if len(self.spec.outputs) > visible:
            rows = [row[:visible] for row in rows]
        if rows:
            self._ready = [*self._ready, *rows] if self._ready else rows

    def _undoubled(self, rows: list[Row], told: tuple[tuple[int, Ranker | None], ...]) -> list[Row]:
        kept: list[Row] = []
        for row in rows:
            key = tuple([row[at] if ranker is None or row[at] is None else ranker(row[at]) for at, ranker in told])
            if key not in self._seen:
                self._seen.add(key)
                kept.append(row)
        return kept


def _rows(final: Final | None, params: Sequence[Any], clause: str) -> int | None:
    """A number of rows as the server reads it; None for NULL or no clause."""
    if final is None:
        return None
    value = params[final.index - 1] if isinstance(final, Given) else None
    if type(value) is not int:
        value = Compiler((), params, False).compile(Convert(final, "int8")).value(())
    if value is None:
        return None
    if value < 0:
        raise negative(clause)
    return int(value)
