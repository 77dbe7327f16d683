"""Making another tree of a block: changed from the top down, its columns called otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from outgrow.statement.tree import ColumnRef, Expr, Join, JoinKind, Relation, Select
from outgrow.statement.walk import enters
from outgrow.topology import TableName


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """The node with everything below it that `change` gives another for; None: look further down."""
    changed = {}
    for each in dataclasses.fields(node):
        old = getattr(node, each.name)
        new = _rebuilt(old, change)
        if new is not old:
            changed[each.name] = new
    return replace(node, **changed) if changed else node


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        items = tuple(_rebuilt(item, change) for item in value)
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else type(value)(*items) if hasattr(value, "_fields") else items
    if not dataclasses.is_dataclass(value) or isinstance(value, TableName):
        return value
    found = change(value)
    return rebuilt(value, change) if found is None else found


def with_columns(select: Select, change: Callable[[ColumnRef, int], Expr]) -> Select:
    """The block with `change(ref, depth)` for every column of it and of blocks outside; not in its WITH.

    `depth` is 0 for a column of this block.
    """

    def below(inside: int) -> Callable[[Any, Any], Any]:
        def changed(parent: Any, node: Any) -> Any:
            if isinstance(node, ColumnRef):
                return change(node, node.depth - inside) if node.depth >= inside else node
            deeper = below(inside + enters(parent, node))
            return rebuilt(node, lambda child: deeper(node, child))

        return changed

    kept = replace(select, with_=type(select.with_)())
    top = below(0)
    changed: Select = rebuilt(kept, lambda child: top(kept, child))
    return replace(changed, with_=select.with_)


def keeping_names(select: Select, before: Select) -> Select:
    """Output columns are called what they were called, whatever their expressions are made of now."""
    items = tuple(
        item if item.alias is not None or item.expr == old.expr else replace(item, alias=item.name)
        for item, old in zip(select.items, before.items, strict=True)
    )
    return replace(select, items=items)


def mentioned(select: Select, aliases: set[str]) -> list[ColumnRef]:
    found: list[ColumnRef] = []

    def note(ref: ColumnRef, depth: int) -> Expr:
        if not depth and ref.relation in aliases:
            found.append(ref)
        return ref

    with_columns(select, note)
    return found


def cuttable(select: Select) -> bool:
    """Each column says whose it is."""
    found = True

    def note(ref: ColumnRef, depth: int) -> Expr:
        nonlocal found
        found = found and (depth > 0 or bool(ref.relation))
        return ref

    with_columns(select, note)
    return found and not select.locking


def crossed(relations: list[Relation]) -> Relation:
    first, *others = relations
    for other in others:
        first = Join(JoinKind.CROSS, first, other)
    return first
