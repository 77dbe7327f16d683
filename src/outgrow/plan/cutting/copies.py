"""Queries that every shard answers alike, because they read copied tables or none."""

from __future__ import annotations

from outgrow.plan.blocks import Ctes
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.walking import everything_below, levels
from outgrow.schema import TableKind
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


def check_everywhere(query: Query, places: Places, ctes: Ctes) -> None:
    """`check_copies` of a query that is not sharded, of every WITH that it reads, and of its tables."""
    stack: list[object] = [query]
    seen: set[str] = set()
    while stack:
        part = stack.pop()
        check_copies(part)
        for node in everything_below(part):
            if isinstance(node, Scan):
                _check_table(node, places)
            if isinstance(node, CteScan) and node.name in ctes and node.name not in seen:
                seen.add(node.name)
                stack.append(ctes[node.name].cte.query)


def _check_table(scan: Scan, places: Places) -> None:
    """Whoever asks sees all rows of the table, on every shard the same ones."""
    table, kind = places.table(scan.table), places.kind(scan.table)
    if scan.only or scan.sample:
        raise refused("table form", f"{'ONLY' if scan.only else 'TABLESAMPLE'} on {scan.table}")
    if kind not in (TableKind.TABLE, TableKind.PARTITIONED):
        raise refused("unvetted", f"the {kind} {scan.table}")
    if table is not None and table.row_security:
        raise refused("table form", f"row security on {scan.table}")


def check_copies(query: object) -> None:
    """The query gives the same rows on every shard, though rows may lie in another order there."""
    for node, level in levels(query):
        limited = isinstance(node, Select | SetOperation) and (node.limit is not None or node.offset is not None)
        # What is chosen for one row outside is chosen by that row's shard alone; what is chosen once for all rows,
        # each shard would choose for itself.
        if limited and not any(depth > level for _, depth in columns_of(node)):
            raise refused("subquery", "the subquery with LIMIT", "each shard could choose other rows")
        if isinstance(node, Select) and (node.distinct_on or node.locking):
            raise refused("subquery", "the subquery with DISTINCT ON", "each shard could choose other rows")
        if not isinstance(node, Call):
            continue
        if node.over is not None or node.kind is CallKind.WINDOW:
            raise refused("subquery", f"the window function {node.name}", "each shard could number ties otherwise")
        if node.kind is CallKind.AGGREGATE and (node.name not in _STEADY or not node.builtin):
            raise refused("subquery", f"the aggregate {node.name}", "each shard could see its rows in another order")
