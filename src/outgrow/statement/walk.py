"""Going through a tree, and making another from it.

Every node is a frozen dataclass whose fields hold nodes, tuples of nodes, or plain values, so one generic traversal
serves all of them and forgets none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from outgrow.statement.tree import (
    ColumnRef,
    Cte,
    Delete,
    Expr,
    Insert,
    Item,
    Merge,
    Query,
    Relation,
    SetOperation,
    SortKey,
    Update,
    When,
    Window,
    With,
)

_NODES = (Expr, Query, Relation, Item, SortKey, Window, With, Cte, Insert, Update, Delete, Merge, When)
_QUERIES = (Query, Insert, Update, Delete, Merge)
N = TypeVar("N")


_FIELDS: dict[type, tuple[str, ...]] = {}


def _fields(node: Any) -> tuple[str, ...]:
    """The names of a node's fields; there are few kinds of nodes, so all are remembered."""
    known = _FIELDS.get(type(node))
    if known is None:
        known = _FIELDS[type(node)] = tuple(field.name for field in dataclasses.fields(node))
    return known


def children(node: object) -> Iterator[object]:
    """The nodes directly inside a node, in the order of its fields."""
    for name in _fields(node):
        yield from _nodes(getattr(node, name))


def _nodes(value: object) -> Iterator[object]:
    if isinstance(value, _NODES):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(node: object, into_queries: bool = True) -> Iterator[Expr]:
    """`node` itself (where it is one) and every expression below it; `into_queries=False` stops at subqueries.

    A query that is passed in is entered in any case.
    """
    if isinstance(node, Expr):
        yield node
    for child in children(node):
        if into_queries or not isinstance(child, _QUERIES):
            yield from walk(child, into_queries)


def expressions_of(query: object) -> Iterator[Expr]:
    """The expressions that stand directly in a query: its items, WHERE, ON, keys, limits; not those inside them."""
    for child in children(query):
        if isinstance(child, Expr):
            yield child
        elif not isinstance(child, _QUERIES):
            yield from expressions_of(child)


def queries_in(node: object) -> Iterator[object]:
    """`node` itself (where it is a query or a writing statement) and all below it, outermost first."""
    if isinstance(node, _QUERIES):
        yield node
    for child in children(node):
        yield from queries_in(child)


def columns_of(node: object) -> Iterator[tuple[ColumnRef, int]]:
    """Every column reference with its depth relative to `node`: 0 its own block, above that a correlated reference.

    References that stay inside a subquery of `node` do not come.  For a query, `node` itself is the block.
    """
    yield from _columns(node, 0)


def _columns(node: object, inside: int) -> Iterator[tuple[ColumnRef, int]]:
    if isinstance(node, ColumnRef):
        if node.depth >= inside:
            yield node, node.depth - inside
        return
    for child in children(node):
        yield from _columns(child, inside + enters(node, child))


def enters(parent: object, child: object) -> int:
    """1 where going from `parent` to `child` enters another query block, else 0 (see `ColumnRef`).

    The arms of a set operation and the queries of a WITH stand in for their owner, so they do not count again.
    """
    return int(isinstance(child, _QUERIES) and not isinstance(parent, SetOperation | Cte))


def transform(node: N, change: Callable[[object], object]) -> N:
    """The same tree with `change` applied to every node, children first; `change` returns the node itself to keep it.

    Equal parts are shared with the old tree.
    """
    return _rebuilt(node, change)  # type: ignore[return-value]


def _rebuilt(value: object, change: Callable[[object], object]) -> object:
    if isinstance(value, tuple):
        items = tuple(_rebuilt(item, change) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, _NODES):
        return value
    changed = {}
    for name in _fields(value):
        old = getattr(value, name)
        if isinstance(old, (*_NODES, tuple)):
            new = _rebuilt(old, change)
            if new is not old:
                changed[name] = new
    return change(dataclasses.replace(value, **changed) if changed else value)  # type: ignore[type-var]
