"""What MariaDB reads otherwise in the clauses of a query, so that a scatter cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow.plan.blocks import alias_of, has_aggregate, leaves_of
from outgrow.plan.refusals import Refused, refuse
from outgrow.plan.walking import children, everything_below, within_block
from outgrow.schema import SEPARATED, Schema
from outgrow.statement import UNNAMED
from outgrow.statement.tree import (
    Call,
    CallKind,
    ColumnRef,
    Expr,
    FunctionScan,
    Query,
    Scan,
    Select,
    SetOperation,
    Tree,
    Values,
)


def check_forms(tree: Tree, schema: Schema) -> None:
    """Raises Refused for the first."""
    for node in everything_below(tree):
        if isinstance(node, Values):
            raise _no("VALUES")
        if isinstance(node, FunctionScan):
            raise _no("a function in FROM")
        if isinstance(node, Select):
            _check_select(node, schema)
            _check_windows(node)
        if isinstance(node, Call) and node.name == SEPARATED:
            raise _no("GROUP_CONCAT with SEPARATOR")
    first = tree
    while isinstance(first, SetOperation):
        first = first.left
    if isinstance(first, Select):
        for item in first.items:
            if item.name.startswith(UNNAMED):
                raise _no("an expression without alias, whose name depends on a parameter,")


def _no(what: str) -> Refused:
    return Refused(refuse("MariaDB scatter", what))


def _check_select(select: Select, schema: Schema) -> None:
    forms: tuple[tuple[object, str], ...] = (
        (select.distinct_on, "DISTINCT ON"),
        (select.grouping_sets, "ROLLUP"),
        (select.locking, select.locking),
        (select.with_ties, "WITH TIES"),
    )
    for part, what in forms:
        if part:
            raise _no(what)
    if not has_aggregate(select):
        return
    if select.having is not None and not _grouped(select):
        raise _no("HAVING without GROUP BY, which filters rows there,")
    free = _free_columns(select, schema)
    parts: tuple[object, ...] = (*select.items, select.having, *select.order)
    for part in parts:
        for column in _bare(part, select.group, 0):
            if column.relation not in free:
                raise _no(f"the column {column.name}, which is not in GROUP BY,")


def _check_windows(select: Select) -> None:
    """In a window's definition an alias of the select list comes before a column."""
    for part in (*select.items, *select.order):
        for node in within_block(part):
            if not isinstance(node, Call) or node.over is None:
                continue
            for column in within_block(node.over):
                if isinstance(column, ColumnRef) and column.bare:
                    taken = [item.expr for item in select.items if item.name.lower() == column.name.lower()]
                    if any(expr != column for expr in taken):
                        raise _no(f"{column.name} in OVER, which is an alias too,")


def _grouped(select: Select) -> bool:
    return bool(select.group) or any(
        isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None
        for part in (*select.items, select.having)
        for node in everything_below(part)
    )


def _free_columns(select: Select, schema: Schema) -> set[str]:
    """Tables whose primary key is grouped by: all their columns have one value in a group."""
    keyed = {(key.relation, key.name) for key in select.group if isinstance(key, ColumnRef) and key.depth == 0}
    found: set[str] = set()
    for leaf in leaves_of(select.source):
        table = schema.tables.get(leaf.table) if isinstance(leaf, Scan) else None
        if table is not None and table.primary_key:
            alias = alias_of(leaf)
            if all((alias, name) in keyed for name in table.primary_key):
                found.add(alias)
    return found


def _bare(node: object, group: tuple[Expr, ...], depth: int) -> Iterator[ColumnRef]:
    """Columns of the block that stand outside of aggregates and are not grouped by; `depth` blocks further in."""
    if node is None or (depth == 0 and node in group):
        return
    if isinstance(node, ColumnRef):
        if node.depth == depth:
            yield node
        return
    if isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None and depth == 0:
        return
    inside = depth + (isinstance(node, Query) and not isinstance(node, SetOperation))
    for child in children(node):
        yield from _bare(child, group, inside)
