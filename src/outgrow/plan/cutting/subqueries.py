"""The subqueries in a block's expressions, and whether only their truth matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from outgrow.plan.walking import children
from outgrow.statement.tree import (
    Derived,
    Expr,
    Join,
    JoinKind,
    Operation,
    Quantified,
    Query,
    Relation,
    Select,
)


@dataclass(frozen=True, slots=True)
class Nested:
    query: Query
    #: Of `operand IN (query)` that a row must satisfy; None for any other use.
    operand: Expr | None = None


def nested_queries(select: Select) -> Iterator[Nested]:
    """Those directly below `select`; queries in FROM and WITH are others' business."""
    yield from _condition(select.where)
    yield from _from(select.source)
    for part in (
        *select.items,
        *select.group,
        select.having,
        *select.distinct_on,
        *(window for _, window in select.windows),
        *select.order,
        select.limit,
        select.offset,
    ):
        yield from _anywhere(part)


def _condition(expr: Expr | None) -> Iterator[Nested]:
    """A condition of which only the truth matters: AND, OR, and `IN (SELECT …)` below them."""
    if isinstance(expr, Operation) and expr.operator in ("and", "or"):
        for operand in expr.operands:
            yield from _condition(operand)
    elif isinstance(expr, Quantified) and isinstance(expr.of, Query):
        positive = expr.operator == "=" and expr.quantifier == "any"
        yield Nested(expr.of, expr.operand if positive else None)
        yield from _anywhere(expr.operand)
    else:
        yield from _anywhere(expr)


def _from(relation: Relation | None) -> Iterator[Nested]:
    if isinstance(relation, Join):
        yield from _from(relation.left)
        yield from _from(relation.right)
        if relation.kind in (JoinKind.INNER, JoinKind.CROSS):
            yield from _condition(relation.on)
        else:
            yield from _anywhere(relation.on)
    elif relation is not None and not isinstance(relation, Derived):
        for part in children(relation):
            yield from _anywhere(part)


def _anywhere(node: Any) -> Iterator[Nested]:
    if node is None:
        return
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, Query):
            yield Nested(here)
        else:
            stack.extend(children(here))
