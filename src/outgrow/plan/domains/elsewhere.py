"""Text that another domain orders by rules of its own: it may be shown and be compared for equality, nothing else."""

from __future__ import annotations

from typing import Any

from outgrow.plan.refusals import refused
from outgrow.plan.walking import children, everything_below
from outgrow.schema import Order
from outgrow.statement.tree import (
    Call,
    ColumnRef,
    InList,
    Item,
    Operation,
    Quantified,
    ScalarQuery,
    Select,
    SetOperation,
    Tree,
    Window,
)

_EQUALITIES = frozenset(("=", "<>", "is null", "is not null", "is distinct from", "is not distinct from"))


def vet_order(tree: Tree) -> None:
    """Text that another domain orders by rules of its own may be shown and be equal, nothing else."""
    for node in everything_below(tree):
        for child in children(node):
            if isinstance(child, ColumnRef) and child.order is Order.ELSEWHERE and not _harmless(node, child):
                name = f"{child.table}.{child.name}" if child.table is not None else child.name
                raise refused("order elsewhere", name)
        if _compares_rows(node) and _shows_elsewhere(node):
            raise refused("order elsewhere", "a column of a set operation or of a subquery")


def _harmless(node: Any, child: ColumnRef) -> bool:
    match node:
        case Item() | Select() | Window():
            return True
        case Operation(operator=operator):
            return operator in _EQUALITIES
        case InList():
            return True
        case Quantified(operator=operator):
            return operator in ("=", "<>")
        case Call(name="count"):
            return node.over is None and not node.order and child in node.args
    return False


def _compares_rows(node: Any) -> bool:
    """What queries in it show goes on as something whose order is not known here any more."""
    unequal = isinstance(node, Quantified) and node.operator not in ("=", "<>")
    return unequal or isinstance(node, SetOperation | ScalarQuery)


def _shows_elsewhere(node: Any) -> bool:
    return any(
        isinstance(item.expr, ColumnRef) and item.expr.order is Order.ELSEWHERE
        for below in everything_below(node)
        if isinstance(below, Select)
        for item in below.items
    )
