"""A query that shards cannot work off each for itself: its tables' rows are brought to one server, which runs it.

Every occurrence of a sharded table (and of single tables elsewhere) is asked for the columns and rows that the query
can need: what its conditions say of that table alone is said to its shards too.  The rows travel as one array for each
column and come back to rows by `unnest`, in an ordinary query with parameters: no temporary table, so a replica can
run it, and so can a transaction's own branch, where copied tables show what the transaction has written.

The server that runs it is PostgreSQL, so every operator, collation and type means what it means there.  What is
refused is what would differ elsewhere: see `vet`, and `_check` for tables.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from typing import TypeVar

from outgrow.plan.blocks import first_items, plain_type, transparent
from outgrow.plan.bringing.brought import Bring, Brought
from outgrow.plan.bringing.bundles import Bundle, BundleScan, bundled
from outgrow.plan.bringing.condensing import condensed
from outgrow.plan.bringing.conditions import TRUE, together
from outgrow.plan.bringing.decorrelating import decorrelated
from outgrow.plan.bringing.gathering import Gathered
from outgrow.plan.bringing.linking import links
from outgrow.plan.bringing.needed import columns_needed, mentioned_in, said_of_each, scans_of, with_dependents
from outgrow.plan.cutting.vetting import vet
from outgrow.plan.model import Plan, Reason
from outgrow.plan.placing import Copied, Places, Sharded, Single
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import fragment
from outgrow.plan.walking import everything_below
from outgrow.schema import Order, TableKind
from outgrow.statement import transform, type_of
from outgrow.statement.tree import (
    Call,
    Exists,
    Item,
    Literal,
    Operation,
    Query,
    Relation,
    Scan,
    Select,
    Tree,
    WholeRow,
)

#: Engines of which arrays carry rows.
_ENGINES = frozenset(("postgresql",))
T = TypeVar("T", bound=Tree)


def bringing(plan: Plan, places: Places) -> Plan:
    """A query that is refused, answered all the same; the plan as it was where that cannot be done either."""
    try:
        brought = _brought(plan, places)
    except Refused:
        return plan
    tables = ", ".join(dict.fromkeys(str(table) for each in brought.brings for table in each.tables))
    reason = Reason("plan.bringing", f"the rows of {tables} are brought to one server, which runs the query over them")
    return replace(plan, brought=brought, reasons=(*plan.reasons, reason))


def _brought(plan: Plan, places: Places) -> Brought:
    statement, tree = plan.statement, plan.statement.tree
    assert isinstance(tree, Query)
    if places.schema.engine not in _ENGINES:
        raise refused("table form", places.schema.engine)
    vet(statement, alone=True)
    vet_sums(tree)
    mentioned_in(tree)
    here = plan.fixed[0] if plan.fixed else ""
    for scan in scans_of(tree):
        _check(scan, places, here)
    dependent = with_dependents(tree, places)
    assert isinstance(dependent, Query)
    words = set(re.findall(r"\w+", statement.sql.lower()))
    unused = (name for number in count(1) if (name := f"b{number}") not in words)
    query, bundles = _existing(dependent), dict[str, Bundle]()
    # (What is used as one value has to stay what it is.)
    if not any(isinstance(node, WholeRow) for node in everything_below(tree)):
        joined = condensed(decorrelated(query, places, unused), places, unused)
        query, bundles = bundled(joined, places, unused)
    gathered = Gathered(plan, places, statement.placeholders.count + 1)
    instead = gathered.bundles(bundles, links(query, bundles))
    said = dict(said_of_each(query))
    alone = away(query, places, here)
    # What its shards have judged need not be judged again, nor its columns brought for that.
    left = _without(query, {id(each) for scan in alone for each in said.get(id(scan), ())})
    mentioned = mentioned_in(left)
    for scan in alone:
        table = places.table(scan.table)
        assert table is not None
        columns = columns_needed(scan, table, mentioned)
        instead[id(scan)] = gathered.table(scan, table, columns, said.get(id(scan), []))

    def change(node: object) -> object:
        return instead.get(node.alias if isinstance(node, BundleScan) else id(node), node)

    finished = transform(left, change)
    sql, params = fragment(finished)
    outputs = tuple(item.name for item in first_items(tree))
    # DuckDB has no tables, so it is given those that the server has as well.
    near = Gathered(plan, places, gathered.next)
    for scan in scans_of(finished):
        table = places.table(scan.table)
        assert table is not None
        instead[id(scan)] = near.table(scan, table, columns_needed(scan, table, mentioned), said.get(id(scan), []))
    whole = transform(finished, change)
    assert isinstance(whole, Query)
    return Brought(
        tuple(gathered.brings),
        sql,
        params,
        outputs,
        here,
        places.domain.finish.rows_max,
        not near.brings,
        whole,
        tuple(near.brings),
        places.schema.default_order is Order.BYTES,
    )


def away(tree: Tree, places: Places, here: str) -> list[Scan]:
    """The occurrences of tables whose rows have to be brought to `here`."""
    return [scan for scan in scans_of(tree) if _check(scan, places, here)]


def brought_rows(
    plan: Plan, tree: T, query: Query, scans: list[Scan], first: int, places: Places
) -> tuple[tuple[Bring, ...], T]:
    """What is brought for these occurrences, and the tree over it; its arrays are parameters from `first` on.

    `query` is the tree as a query, which says what is asked of each table.
    """
    said, mentioned = dict(said_of_each(query)), mentioned_in(tree)
    gathered = Gathered(plan, places, first)
    instead: dict[int, Relation] = {}
    for scan in scans:
        table = places.table(scan.table)
        assert table is not None
        instead[id(scan)] = gathered.table(scan, table, columns_needed(scan, table, mentioned), said.get(id(scan), []))
    over = transform(with_dependents(tree, places), lambda node: instead.get(id(node), node))
    return tuple(gathered.brings), over


def _check(scan: Scan, places: Places, here: str) -> bool:
    """Whether its rows have to be brought to `here`; refused where what they are depends on who asks, or where."""
    table, kind, standing = places.table(scan.table), places.kind(scan.table), places.of(scan.table)
    if kind not in (TableKind.TABLE, TableKind.PARTITIONED):
        raise refused("unvetted", f"the {kind} {scan.table}")
    if table is None or table.row_security:
        raise refused("table form", f"row security on {scan.table}")
    match standing:
        case Copied():
            return False
        case Single(shard=shard):
            return shard != here
        case Sharded():
            return True
    raise refused("catalogue", str(scan.table))


def vet_sums(tree: Tree) -> None:
    """A sum of float4 has some six digits, of which the last ones depend on the order of the rows."""
    for node in everything_below(tree):
        sums = isinstance(node, Call) and node.name == "sum" and node.args
        if sums and plain_type(type_of(node.args[0]) or "") == "float4":
            raise refused("aggregate", "sum of float4", "…")


def _without(query: Query, gone: set[int]) -> Query:
    """The query without these conjuncts (by identity)."""

    def change(node: object) -> object:
        if id(node) in gone:
            return TRUE
        if isinstance(node, Operation) and node.operator == "and" and TRUE in node.operands:
            return together("and", (each for each in node.operands if each != TRUE)) or TRUE
        return node

    return transform(query, change)


# --- what nobody looks at --------------------------------------------------------------------------------------------


def _existing(query: Query) -> Query:
    """EXISTS looks at no column of its rows."""

    def change(node: object) -> object:
        if not isinstance(node, Exists) or not isinstance(node.query, Select) or not transparent(node.query):
            return node
        return Exists(replace(node.query, items=(Item(Literal("number", "1"), "?column?"),), order=()))

    return transform(query, change)


__all__ = ["away", "bringing", "brought_rows", "vet_sums"]
