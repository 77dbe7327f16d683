"""The order in which a block's FROM item hands on its rows, where LIMIT or DISTINCT ON choose by it.

`SELECT t.id FROM (SELECT id, total FROM orders ORDER BY total DESC) t LIMIT 10`, or the same over a view, takes the
first ten in PostgreSQL, which neither sorts again nor mixes what a subquery has sorted.  The shards' rows follow each
other shard by shard, so that the order has to be that of the block itself, by which the shards' rows are merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from outgrow.plan.blocks import has_aggregate, has_window, output_names
from outgrow.plan.refusals import refused
from outgrow.schema import Order
from outgrow.statement import order_of, type_of
from outgrow.statement.tree import (
    Cast,
    ColumnRef,
    CteScan,
    Derived,
    Expr,
    Literal,
    Parameter,
    Query,
    Select,
    SetOperation,
    SortKey,
)

_Known = Mapping[str, tuple[Query, tuple[str, ...]]]


class _Unnamed(Exception):
    """It is ordered by what the block does not see."""


def in_order(select: Select, default: Order) -> Select:
    """The block ordered as its FROM item is, if it chooses among the rows.  Refused where that cannot be said."""
    chooses = select.limit is not None or select.offset is not None or select.distinct_on
    if select.order or not chooses or not _passes_on(select):
        return select
    try:
        order = _order(select, {}, default)
    except _Unnamed:
        order = None
    if order == ():
        return select
    if order is None or select.distinct_on:
        raise refused("subquery", "an ordered subquery", "the first of its rows are the first of all shards' rows")
    return replace(select, order=order)


def _passes_on(select: Select) -> bool:
    """Rows of its FROM item come out of it as they come in."""
    return not (select.distinct or has_aggregate(select) or has_window(select))


def _order(select: Select, known: _Known, default: Order) -> tuple[SortKey, ...]:
    """The order of the block's FROM item in terms of that item's columns."""
    known = {**known, **{cte.name: (cte.query, cte.column_aliases) for cte in select.with_.ctes
                         if isinstance(cte.query, Query)}}  # fmt: skip
    source = select.source
    if isinstance(source, Derived):
        query, aliases = source.query, source.column_aliases
    elif isinstance(source, CteScan) and source.name in known:
        query, own = known[source.name]
        # (What refers to itself is nobody's FROM item here.)
        known = {name: each for name, each in known.items() if name != source.name}
        aliases = (*source.column_aliases, *own[len(source.column_aliases) :])
    else:
        return ()
    if isinstance(query, SetOperation) and query.order:
        raise _Unnamed
    if not isinstance(query, Select):
        return ()
    keys = tuple(key for key in query.order if not _is_constant(key.expr))
    if not keys and _passes_on(query) and not query.distinct_on:
        keys = _order(query, known, default)
    names = output_names(query, aliases)
    return tuple(replace(key, expr=_column(key.expr, query, source.alias, names, default)) for key in keys)


def _column(expr: Expr, query: Select, alias: str, names: list[str], default: Order) -> ColumnRef:
    """The output column that the expression is."""
    for name, item in zip(names, query.items, strict=False):
        if item.expr == expr and names.count(name) == 1:
            return ColumnRef(alias, name, type_of(expr), order_of(expr, default))
    raise _Unnamed


def _is_constant(expr: Expr) -> bool:
    while isinstance(expr, Cast):
        expr = expr.operand
    return isinstance(expr, Literal | Parameter)
