"""Walking `statement.tree` without knowing every node: the fields of its dataclasses are enough."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from outgrow.statement.tree import Delete, Expr, Insert, Operation, Query, Update


@cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))


def parts(node: Any) -> Iterator[Any]:
    """The dataclass nodes directly below `node`, tuples looked through."""
    for name in _fields(type(node)):
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        for item in value:
            yield from _nodes(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield value


def everything_below(node: Any) -> Iterator[Any]:
    """`node` and all nodes below it, nested queries included."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(parts(here))


def within_block(node: Any) -> Iterator[Any]:
    """`node` and what is below it, nested queries themselves yielded but not entered (unless `node` is one)."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        if here is node or not isinstance(here, Query | Insert | Update | Delete):
            stack.extend(parts(here))


def rebuild(node: Any, change: Callable[[Any], Any | None]) -> Any:
    """A copy in which `change(node)`, where it is not None, stands instead of a node (and is not entered)."""
    if isinstance(node, tuple) and not hasattr(node, "_fields"):
        items = tuple(rebuild(item, change) for item in node)
        return node if all(new is old for new, old in zip(items, node, strict=True)) else items
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    replaced = change(node)
    if replaced is not None:
        return replaced
    changed = {}
    for name in _fields(type(node)):
        old = getattr(node, name)
        new = rebuild(old, change)
        if new is not old:
            changed[name] = new
    return dataclasses.replace(node, **changed) if changed else node


def conjuncts(expr: Expr | None) -> Iterator[Expr]:
    """The operands of nested ANDs."""
    if expr is None:
        return
    if isinstance(expr, Operation) and expr.operator == "and":
        for operand in expr.operands:
            yield from conjuncts(operand)
    else:
        yield expr
