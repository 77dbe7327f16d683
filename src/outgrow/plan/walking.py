"""Walking `statement.tree` in the ways that planning needs beside `statement.walk`, and faster."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from outgrow.statement.tree import Delete, Expr, Insert, Merge, Operation, Query, Update
from outgrow.statement.walk import enters

#: Annotations of fields that can hold nodes; all others are plain values.
_NODES = re.compile(r"\b(Expr|Query|Relation|Item|SortKey|Window|With|Cte|Insert|Update|Delete|Merge|When)\b")
_BLOCKS = (Query, Insert, Update, Delete, Merge)


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a node that can hold nodes."""
    return tuple(each.name for each in dataclasses.fields(kind) if _NODES.search(str(each.type)))


def children(node: Any) -> list[Any]:
    """The nodes directly below `node`, tuples looked through."""
    found: list[Any] = []
    for name in _fields(node.__class__):
        value = getattr(node, name)
        if value.__class__ is tuple:
            _gather(value, found)
        elif value is not None:
            found.append(value)
    return found


def _gather(values: tuple[Any, ...], found: list[Any]) -> None:
    for value in values:
        if value.__class__ is tuple:
            _gather(value, found)
        elif value is not None and value.__class__ is not str:
            found.append(value)


def everything_below(node: Any) -> Iterator[Any]:
    """`node` and all nodes below it, nested queries included."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack += children(here)


def levels(query: object) -> Iterator[tuple[Any, int]]:
    """Everything below the query, with the number of blocks entered on the way (`ColumnRef.depth` counts them too)."""
    stack: list[tuple[Any, int]] = [(query, 0)]
    while stack:
        here, level = stack.pop()
        yield here, level
        stack += ((child, level + enters(here, child)) for child in children(here))


def within_block(node: Any) -> Iterator[Any]:
    """`node` and what is below it, nested queries themselves yielded but not entered (unless `node` is one)."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        if here is node or not isinstance(here, _BLOCKS):
            stack += children(here)


def conjuncts(expr: Expr | None) -> Iterator[Expr]:
    """The operands of nested ANDs."""
    if expr is None:
        return
    if isinstance(expr, Operation) and expr.operator == "and":
        for operand in expr.operands:
            yield from conjuncts(operand)
    else:
        yield expr
