"""Walking `statement.tree` in the ways that planning needs beside `statement.walk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outgrow.statement import children
from outgrow.statement.tree import Delete, Expr, Insert, Operation, Query, Update


def everything_below(node: Any) -> Iterator[Any]:
    """`node` and all nodes below it, nested queries included."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(children(here))


def within_block(node: Any) -> Iterator[Any]:
    """`node` and what is below it, nested queries themselves yielded but not entered (unless `node` is one)."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        if here is node or not isinstance(here, Query | Insert | Update | Delete):
            stack.extend(children(here))


def conjuncts(expr: Expr | None) -> Iterator[Expr]:
    """The operands of nested ANDs."""
    if expr is None:
        return
    if isinstance(expr, Operation) and expr.operator == "and":
        for operand in expr.operands:
            yield from conjuncts(operand)
    else:
        yield expr
