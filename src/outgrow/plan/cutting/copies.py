"""Queries that every shard answers alike, because they read copied tables or none."""

from __future__ import annotations

from outgrow.plan.blocks import Ctes
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.walking import everything_below
from outgrow.statement import columns_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    CteScan,
    Delete,
    Insert,
    Query,
    Scan,
    Select,
    SetOperation,
    Update,
)
from outgrow.topology import Copied

#: Aggregates whose result does not depend on the order of their rows.
_STEADY = frozenset(("count", "sum", "min", "max", "avg", "bool_and", "bool_or", "every"))


def is_sharded(query: Query, places: Places, ctes: Ctes) -> bool:
    """Anything but a copied table is read or written somewhere in the query."""
    stack: list[object] = [query]
    seen: set[str] = set()
    while stack:
        for node in everything_below(stack.pop()):
            if isinstance(node, Scan | Insert | Update | Delete) and not isinstance(places.of(node.table), Copied):
                return True
            if isinstance(node, CteScan) and node.name in ctes and node.name not in seen:
                seen.add(node.name)
                stack.append(ctes[node.name].cte.query)
    return False


def check_copies(query: Query, lateral: bool) -> None:
    """The query gives the same rows on every shard, though rows may lie in another order there."""
    correlated = lateral or any(depth > 0 for _, depth in columns_of(query))
    for node in everything_below(query):
        limited = isinstance(node, Select | SetOperation) and (node.limit is not None or node.offset is not None)
        if limited and not correlated:
            raise refused("subquery", "the subquery with LIMIT", "each shard could choose other rows")
        if isinstance(node, Select) and (node.distinct_on or node.locking):
            raise refused("subquery", "the subquery with DISTINCT ON", "each shard could choose other rows")
        if not isinstance(node, Call):
            continue
        if node.over is not None or node.kind is CallKind.WINDOW:
            raise refused("subquery", f"the window function {node.name}", "each shard could number ties otherwise")
        if node.kind is CallKind.AGGREGATE and (node.name not in _STEADY or not node.builtin):
            raise refused("subquery", f"the aggregate {node.name}", "each shard could see its rows in another order")
