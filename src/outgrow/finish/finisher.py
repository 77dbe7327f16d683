"""Fragment rows in, finished rows out.  No I/O: the caller feeds what arrives, in any order, and takes what is ready.

finisher = Finisher(plan.finish, params)
fields = finisher.begin([rows.fields for each fragment])
while not finisher.done: wait for one of finisher.wants(); feed(…) or end(…); send out ready()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from outgrow.plan.spec import Convert, Final, Finish, Given, Position

from .combine import Groups
from .compare import Order, Ranker, equality_ranker
from .errors import disagree, negative
from .evaluate import Compiler, Typed
from .merge import Merge

Row = tuple[Any, ...]


class FieldLike(Protocol):
    """`nodes.Field`."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def typmod(self) -> int: ...
    @property
    def oid(self) -> int: ...


class Column(NamedTuple):
    """A column of the finished result; `nodes.Field` by shape."""

    name: str
    type: str
    typmod: int
    oid: int


#: Built-in types have the same OID on every server.
_OIDS = {
    "bool": 16,
    "bytea": 17,
    "name": 19,
    "int8": 20,
    "int2": 21,
    "int4": 23,
    "text": 25,
    "oid": 26,
    "float4": 700,
    "float8": 701,
    "bpchar": 1042,
    "varchar": 1043,
    "date": 1082,
    "time": 1083,
    "timestamp": 1114,
    "timestamptz": 1184,
    "numeric": 1700,
    "uuid": 2950,
}


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
        self._groups: Groups | None = None
        self._order: Order | None = None
        self._merge: Merge | None = None
        self._gathered: list[Row] = []
        self._outputs: list[Typed] = []
        self._having: Callable[[Row], Any] | None = None
        self._told: list[tuple[int, Ranker | None]] | None = None
        self._seen: set[Any] = set()

    # --- types -----------------------------------------------------------------------------------------------------

    def begin(self, fields: Sequence[Sequence[FieldLike]]) -> tuple[Column, ...]:
        """The result's columns, from each fragment's.

        Raises InternalError OG-FINISH-001 where fragments disagree, NotSupportedError OG-FINISH-002 or 006 for types
        that cannot be finished here.
        """
        first = fields[0]
        for number, other in enumerate(fields):
            if [field.type for field in other] != [field.type for field in first]:
                _disagreement(number, first, other)
        spec = self.spec
        self._open = set(range(len(fields)))
        types = [field.type for field in first]
        columns = self._columns(first, types)
        output_types = [column.type for column in columns]
        if spec.sort:
            self._order = Order(spec.sort, output_types)
            if spec.merged:
                self._merge = Merge(self._order, len(fields))
        if spec.distinct is not None:
            self._told = [(at, equality_ranker(output_types[at], spec.enums)) for at in spec.distinct]
        return tuple(columns[: spec.visible])

    def _columns(self, first: Sequence[FieldLike], types: list[str]) -> list[Column]:
        spec = self.spec
        if spec.combine is None:
            return [Column(field.name, field.type, field.typmod, field.oid) for field in first]
        self._groups = Groups(spec.combine, types, spec.enums)
        sources = (*spec.combine.keys, *spec.combine.carried)
        compiler = Compiler(self._groups.types, self.params, spec.text_bytes)
        columns: list[Column] = []
        for output in spec.outputs:
            typed = compiler.settle(compiler.compile(output.expr), "text")
            self._outputs.append(typed)
            if isinstance(output.expr, Position) and output.expr.index < len(sources):
                field = first[sources[output.expr.index]]
                columns.append(Column(output.name, field.type, field.typmod, field.oid))
            else:
                columns.append(Column(output.name, typed.type, -1, _OIDS.get(typed.type, 25)))
        if spec.having is not None:
            self._having = compiler.settle(compiler.compile(spec.having), "bool").value
        return columns

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
            if self._groups is not None:
                self._gathered = self._finished_groups(self._groups)
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

    def _finished_groups(self, groups: Groups) -> list[Row]:
        rows = groups.rows()
        if self._having is not None:
            having = self._having
            rows = [row for row in rows if having(row)]
        outputs = self.spec.outputs
        if all(isinstance(output.expr, Position) for output in outputs):
            positions = [output.expr.index for output in outputs if isinstance(output.expr, Position)]
            if rows and positions == list(range(len(rows[0]))):
                return rows
            return [tuple([row[at] for at in positions]) for row in rows]
        values = [typed.value for typed in self._outputs]
        return [tuple([value(row) for value in values]) for row in rows]

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

    def _undoubled(self, rows: list[Row], told: list[tuple[int, Ranker | None]]) -> list[Row]:
        kept: list[Row] = []
        for row in rows:
            key = tuple([row[at] if ranker is None or row[at] is None else ranker(row[at]) for at, ranker in told])
            if key not in self._seen:
                self._seen.add(key)
                kept.append(row)
        return kept


def _disagreement(number: int, first: Sequence[FieldLike], other: Sequence[FieldLike]) -> None:
    for at, (one, two) in enumerate(zip(first, other, strict=False)):
        if one.type != two.type:
            raise disagree(number, at, one.type, two.type)
    raise disagree(number, min(len(first), len(other)), f"{len(first)} columns", f"{len(other)} columns")


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
