"""Groups whose rows lie on several shards: each shard gives partial results, and the one server puts them together.

Only what is exactly the same in the end: counts, sums and averages of exact numbers, the least and the greatest, and
`bool_and`/`bool_or`.  An average is the sum of sums over the sum of counts, with the scale that PostgreSQL gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from outgrow.plan.blocks import has_aggregate, has_unknown, returns_set
from outgrow.plan.bringing.conditions import plain, speaks_of
from outgrow.plan.bringing.reshaping import keeping_names, rebuilt, with_columns
from outgrow.plan.walking import everything_below
from outgrow.statement import type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    Collate,
    ColumnRef,
    Expr,
    Literal,
    Operation,
    Query,
    Select,
)

_EXACT = frozenset(("int2", "int4", "int8", "numeric"))
_ORDERED = _EXACT | {"date", "timestamp", "timestamptz", "text", "bpchar"}
_GROUPED = _ORDERED | {"bool", "uuid", "varchar", "oid", "bytea", "interval", "time", "timetz"}
_TEXTUAL = frozenset(("text", "varchar", "bpchar"))
_BOOLEAN = frozenset(("bool_and", "bool_or", "every"))


@dataclass(frozen=True, slots=True)
class PartialColumn:
    expr: Expr
    type: str


@dataclass(frozen=True, slots=True)
class Partial:
    #: The first `keys` are grouped by.
    columns: tuple[PartialColumn, ...]
    keys: int
    #: The block over a relation of that name with columns c1, c2, …; its FROM is left open.
    finished: Callable[[str], Select]


class _Unsplit(Exception):
    """It has to see all rows."""


def split(select: Select, aliases: set[str], collated: Callable[[ColumnRef], bool]) -> Partial | None:
    """The block (without its FROM, whose items bear these aliases) in two halves; None where it has to see all rows.

    `collated`: the column has a collation of its own.
    """
    if not has_aggregate(select) or select.grouping_sets or has_unknown(select) or returns_set(select):
        return None
    try:
        return _Splitting(select, aliases, collated).split()
    except _Unsplit:
        return None


class _Splitting:
    def __init__(self, select: Select, aliases: set[str], collated: Callable[[ColumnRef], bool]) -> None:
        self.select = select
        self.aliases = aliases
        self.collated = collated
        self.columns: list[PartialColumn] = []

    def split(self) -> Partial:
        for expr in self.select.group:
            self._add(expr, self._grouped_type(expr))
        keys = len(self.columns)
        halved = self._block("\0")
        if any(isinstance(node, ColumnRef) and node.relation in self.aliases for node in _own(halved, self.aliases)):
            raise _Unsplit
        return Partial(tuple(self.columns), keys, self._block)

    def _add(self, expr: Expr, type: str) -> int:
        for at, column in enumerate(self.columns):
            if column.expr == expr:
                return at
        self.columns.append(PartialColumn(expr, type))
        return len(self.columns) - 1

    def _block(self, name: str) -> Select:
        """The block over its halves."""
        keys = self.select.group

        def column(at: int) -> ColumnRef:
            return ColumnRef(name, f"c{at + 1}", self.columns[at].type)

        def change(node: Any) -> Any:
            if isinstance(node, Query):
                return node
            if isinstance(node, Expr) and node in keys:
                return column(self._add(node, ""))
            if isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None:
                return self._combined(node, column)
            return None

        kept = replace(self.select, with_=type(self.select.with_)())
        changed = rebuilt(kept, change)
        return replace(keeping_names(changed, self.select), with_=self.select.with_)

    def _combined(self, call: Call, column: Callable[[int], ColumnRef]) -> Expr:
        def half(expr: Expr, type: str) -> ColumnRef:
            return column(self._add(expr, type))

        found = combined(call, self.aliases, self.collated, half)
        if found is None:
            raise _Unsplit
        return found

    def _grouped_type(self, expr: Expr) -> str:
        kind = type_of(expr) or ""
        if kind not in _GROUPED or not plain(expr) or not speaks_of(expr, self.aliases):
            raise _Unsplit
        if not _collates_plainly(expr, kind, self.collated):
            raise _Unsplit
        return kind


def combined(
    call: Call,
    aliases: Collection[str],
    collated: Callable[[ColumnRef], bool],
    half: Callable[[Expr, str], ColumnRef],
) -> Expr | None:
    """The aggregate as made of partial results; None where it has to see all rows.

    `half` gives the column of such results: of an expression over rows of these FROM items, and its type.
    """
    if not call.builtin or call.distinct or call.order or call.within_group or call.variadic:
        return None
    for expr in (*call.args, call.filter):
        if expr is not None and not plain(expr):
            return None
        if expr is not None and not isinstance(expr, Literal) and not speaks_of(expr, aliases):
            return None
    if call.name == "count":
        return counted(half(call, "int8"))
    if len(call.args) != 1:
        return None
    kind = type_of(call.args[0]) or ""
    if call.name in ("min", "max") and kind in _ORDERED and _collates_plainly(call.args[0], kind, collated):
        return replace(call, args=(half(call, kind),), filter=None)
    if call.name in _BOOLEAN:
        return replace(call, args=(half(call, "bool"),), filter=None)
    if kind not in _EXACT or call.name not in ("sum", "avg"):
        return None
    summed = "int8" if kind in ("int2", "int4") else "numeric"
    total = _sum(half(replace(call, name="sum", type=summed), summed))
    if call.name == "sum":
        return Cast(total, "int8") if summed == "int8" else total
    number = _sum(half(replace(call, name="count", type="int8"), "int8"))
    none = Call("nullif", (number, Literal("number", "0")), builtin=True)
    return Operation("/", (total, none))


def _collates_plainly(expr: Expr, kind: str, collated: Callable[[ColumnRef], bool]) -> bool:
    """No text, or of the database's own collation: what comes back has no other."""
    return kind not in _TEXTUAL or not any(
        isinstance(node, Collate) or (isinstance(node, ColumnRef) and collated(node)) for node in everything_below(expr)
    )


def _sum(column: Expr) -> Call:
    return Call("sum", (column,), kind=CallKind.AGGREGATE, builtin=True, type="numeric")


def counted(column: Expr) -> Expr:
    """The whole number of numbers; zero of none."""
    return Cast(Call("coalesce", (_sum(column), Literal("number", "0")), builtin=True), "int8")


def _own(select: Select, aliases: set[str]) -> list[ColumnRef]:
    """References to this block's FROM items."""
    found: list[ColumnRef] = []

    def note(ref: ColumnRef, depth: int) -> Expr:
        if not depth and ref.relation in aliases:
            found.append(ref)
        return ref

    with_columns(select, note)
    return found
