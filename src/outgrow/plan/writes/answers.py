"""Subqueries of a write that are answered beforehand, once: their rows become parameters of what every shard runs.

For those that depend on no row of the statement around them.  What would have each shard choose for itself (LIMIT,
DISTINCT ON, window functions over ties) is chosen once so, and aggregates are worked off where their rows lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from outgrow.plan.blocks import first_items
from outgrow.plan.cutting.copies import check_copies
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused
from outgrow.plan.walking import children, everything_below
from outgrow.plan.writes.selection import Build, Selection, selection
from outgrow.schema import Column, Volatility
from outgrow.statement import Statement, columns_of, transform
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    Collate,
    ColumnRef,
    CteScan,
    Delete,
    FunctionScan,
    Insert,
    Item,
    Parameter,
    Query,
    Scan,
    Select,
    SetOperation,
    Template,
    Update,
    With,
)
from outgrow.topology import Copied

W = TypeVar("W", bound=Insert | Update | Delete)
#: Arrays are numbered from here on until it is known how many parameters come before them.
_LATER = 1_000_000
_ANSWER = "outgrow answer"


def type_mark(answer: int, column: int) -> str:
    """Stands in the SQL for the type of a column of an answer, which a server says."""
    return f'"outgrow type {answer}.{column}"'


def answered(statement: Statement, tree: W, places: Places, build: Build) -> tuple[tuple[Selection, ...], W]:
    """The queries that are answered beforehand, and the tree over their answers (see `numbered`)."""
    found: list[Selection] = []
    instead: dict[int, Query] = {}
    first = _LATER
    for query in _independent(tree):
        if not _is_worth(query, places):
            continue
        try:
            made = selection(statement, build, query, With())
        except Refused:
            # It may still be brought table by table.
            continue
        instead[id(query)] = _unnested(query, len(found), first)
        first += max(1, made.width)
        found.append(made)
    return tuple(found), transform(tree, lambda node: instead.get(id(node), node))


def numbered(tree: W, first: int) -> W:
    """The tree whose answers' arrays are parameters from `first` on."""

    def change(node: object) -> object:
        later = isinstance(node, Parameter) and node.index >= _LATER
        return Parameter(node.index - _LATER + first) if later and isinstance(node, Parameter) else node

    return transform(tree, change)


def _independent(node: object) -> Iterator[Query]:
    """The outermost queries below a node that depend on nothing around them."""
    for child in children(node):
        if isinstance(child, Query) and not any(depth > 0 for _, depth in columns_of(child)):
            yield child
        else:
            yield from _independent(child)


def _is_worth(query: Query, places: Places) -> bool:
    """It reads more than every shard has, and would choose among rows or put them together."""
    below = list(everything_below(query))
    if any(isinstance(node, Insert | Update | Delete | Collate | CteScan) for node in below):
        # A CTE is one table for all who read it: it is answered itself, and what reads it reads that answer.
        return False
    scans = [node for node in below if isinstance(node, Scan)]
    if any(column.collation for scan in scans for column in _columns(scan, places)):
        # A parameter has its type's own collation.
        return False
    try:
        check_copies(query)
    except Refused:
        return True
    apart = any(not isinstance(places.of(scan.table), Copied) for scan in scans)
    return apart and any(map(_gathers, below))


def _columns(scan: Scan, places: Places) -> tuple[Column, ...]:
    table = places.table(scan.table)
    return table.columns if table is not None else ()


def _gathers(node: object) -> bool:
    if isinstance(node, Call):
        return node.kind is CallKind.AGGREGATE
    if isinstance(node, Select):
        return node.distinct or bool(node.group)
    return isinstance(node, SetOperation) and not node.all


def _unnested(query: Query, number: int, first: int) -> Query:
    """The answer's rows, with the names and types that the query has."""
    items = first_items(query)
    width = max(1, len(items))
    arrays = tuple(Cast(Parameter(first + at), "text[]") for at in range(width))
    names = tuple(f"c{at}" for at in range(width))
    call = Call("unnest", arrays, kind=CallKind.SET, volatility=Volatility.IMMUTABLE, builtin=True)
    shown = tuple(
        Item(
            Template(("", f"::{type_mark(number, at)}"), (ColumnRef(_ANSWER, f"c{at}"),), Volatility.IMMUTABLE),
            item.name,
            item.name,
        )
        for at, item in enumerate(items)
    )
    return Select(shown, FunctionScan(call, _ANSWER, names))


__all__ = ["answered", "numbered", "type_mark"]
