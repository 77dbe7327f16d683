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
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import NamedTuple, TypeVar

from outgrow.schema import Order, Table, TableKind
from outgrow.statement import transform, type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    ColumnRef,
    Exists,
    Expr,
    Item,
    Join,
    JoinKind,
    Literal,
    Operation,
    Query,
    Relation,
    Scan,
    Select,
    Tree,
    WholeRow,
)
from outgrow.statement.walk import columns_of

from .blocks import first_items, leaves_of, plain_type, transparent
from .brought import Bring, Brought
from .bundles import BundleScan, bundled
from .conditions import TRUE, together
from .decorrelating import decorrelated
from .gathering import Gathered
from .linking import links
from .model import Plan, Reason
from .placing import Copied, Places, Sharded, Single
from .refusals import Refused, refused
from .rendering import fragment
from .vetting import vet, vet_alike
from .walking import conjuncts, everything_below

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
    _mentioned(tree)
    here = plan.fixed[0] if plan.fixed else ""
    for scan in _scans(tree):
        _check(scan, places, here)
    dependent = _with_dependents(tree, places)
    assert isinstance(dependent, Query)
    words = set(re.findall(r"\w+", statement.sql.lower()))
    unused = (name for number in count(1) if (name := f"b{number}") not in words)
    query, bundles = bundled(decorrelated(_existing(dependent), places, unused), places, unused)
    gathered = Gathered(plan, places, statement.placeholders.count + 1)
    instead = gathered.bundles(bundles, links(query, bundles))
    said = dict(_said(query))
    alone = away(query, places, here)
    # What its shards have judged need not be judged again, nor its columns brought for that.
    left = _without(query, {id(each) for scan in alone for each in said.get(id(scan), ())})
    mentioned = _mentioned(left)
    for scan in alone:
        table = places.table(scan.table)
        assert table is not None
        columns = _columns(scan, table, mentioned)
        instead[id(scan)] = gathered.table(scan, table, columns, said.get(id(scan), []))

    def change(node: object) -> object:
        return instead.get(node.alias if isinstance(node, BundleScan) else id(node), node)

    finished = transform(left, change)
    sql, params = fragment(finished)
    outputs = tuple(item.name for item in first_items(tree))
    # DuckDB has no tables, so it is given those that the server has as well.
    near = Gathered(plan, places, gathered.next)
    for scan in _scans(finished):
        table = places.table(scan.table)
        assert table is not None
        instead[id(scan)] = near.table(scan, table, _columns(scan, table, mentioned), said.get(id(scan), []))
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
    return [scan for scan in _scans(tree) if _check(scan, places, here)]


def brought_rows(
    plan: Plan, tree: T, query: Query, scans: list[Scan], first: int, places: Places
) -> tuple[tuple[Bring, ...], T]:
    """What is brought for these occurrences, and the tree over it; its arrays are parameters from `first` on.

    `query` is the tree as a query, which says what is asked of each table.
    """
    said, mentioned = dict(_said(query)), _mentioned(tree)
    gathered = Gathered(plan, places, first)
    instead: dict[int, Relation] = {}
    for scan in scans:
        table = places.table(scan.table)
        assert table is not None
        instead[id(scan)] = gathered.table(scan, table, _columns(scan, table, mentioned), said.get(id(scan), []))
    over = transform(_with_dependents(tree, places), lambda node: instead.get(id(node), node))
    return tuple(gathered.brings), over


def _scans(tree: Tree) -> list[Scan]:
    """Each occurrence of a table once, though ORDER BY may repeat an item with its subquery."""
    found = {id(node): node for node in everything_below(tree) if isinstance(node, Scan)}
    return sorted(found.values(), key=lambda scan: (str(scan.table), scan.alias))


def _check(scan: Scan, places: Places, here: str) -> bool:
    """Whether its rows have to be brought to `here`; refused where what they are depends on who asks, or where."""
    table, kind, standing = places.table(scan.table), places.kind(scan.table), places.of(scan.table)
    if scan.sample:
        raise refused("table form", f"TABLESAMPLE on {scan.table}")
    if kind in (TableKind.VIEW, TableKind.FOREIGN, TableKind.SEQUENCE):
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


# --- what is brought -------------------------------------------------------------------------------------------------


class _Mentioned(NamedTuple):
    """The columns that the query mentions, by the alias that they stand under; `bare` ones may be anybody's."""

    by_alias: Mapping[str, set[str]]
    bare: set[str]


def _mentioned(tree: Tree) -> _Mentioned:
    by_alias: dict[str, set[str]] = defaultdict(set)
    bare: set[str] = set()
    for node in everything_below(tree):
        match node:
            case WholeRow():
                raise refused("table form", f"{node.relation} as one value")
            case ColumnRef():
                (by_alias[node.relation] if node.relation else bare).add(node.name)
            case Join():
                # Of a NATURAL JOIN too.
                bare.update(node.using)
    return _Mentioned(by_alias, bare)


def _columns(scan: Scan, table: Table, mentioned: _Mentioned) -> tuple[str, ...]:
    """In the table's order; renamed ones stand by position, so then all; at least one, which counts the rows."""
    every = tuple(column.name for column in table.columns)
    if scan.column_aliases:
        return every
    names = mentioned.bare | mentioned.by_alias.get(scan.alias, set())
    return tuple(name for name in every if name in names) or every[:1]


# --- what is said of one table alone ---------------------------------------------------------------------------------


def _said(tree: Tree) -> Iterator[tuple[int, list[Expr]]]:
    """Scans (by identity) with the conditions that must hold for their rows to matter."""
    for node in everything_below(tree):
        if isinstance(node, Select) and node.source is not None:
            told: dict[int, list[Expr]] = {}
            _tell(node.where, _kept(node.source), told)
            _tell_joins(node.source, told)
            yield from told.items()


def _tell_joins(relation: Relation, told: dict[int, list[Expr]]) -> None:
    if isinstance(relation, Join):
        left, right = _kept(relation.left), _kept(relation.right)
        match relation.kind:
            case JoinKind.INNER:
                _tell(relation.on, left + right, told)
            case JoinKind.LEFT:
                _tell(relation.on, right, told)
            case JoinKind.RIGHT:
                _tell(relation.on, left, told)
        _tell_joins(relation.left, told)
        _tell_joins(relation.right, told)


def _kept(relation: Relation) -> list[Scan]:
    """The tables in it of which an outer join of its own makes no rows of NULLs."""
    if not isinstance(relation, Join):
        return [relation] if isinstance(relation, Scan) and not relation.column_aliases else []
    left = _kept(relation.left) if relation.kind not in (JoinKind.RIGHT, JoinKind.FULL) else []
    right = _kept(relation.right) if relation.kind not in (JoinKind.LEFT, JoinKind.FULL) else []
    return left + right


def _tell(condition: Expr | None, scans: list[Scan], told: dict[int, list[Expr]]) -> None:
    for conjunct in conjuncts(condition):
        for scan in scans:
            if _of_alone(conjunct, scan.alias):
                told.setdefault(id(scan), []).append(conjunct)


def _of_alone(expr: Expr, alias: str) -> bool:
    """It speaks of this table's columns and of constants, in a way that is the same on every shard."""
    mentioned = False
    for node in everything_below(expr):
        match node:
            case Query():
                return False
            case ColumnRef():
                if node.relation != alias or node.depth:
                    return False
                mentioned = True
            case Call() if node.kind is not CallKind.SCALAR or node.over is not None:
                return False
    return mentioned and vet_alike(expr)


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


# --- what a primary key decides --------------------------------------------------------------------------------------


def _with_dependents(tree: T, places: Places) -> T:
    """Columns that a group's primary key decides are grouped by as well: rows that were brought have no key."""

    def change(node: object) -> object:
        if not isinstance(node, Select) or not node.group or node.grouping_sets:
            return node
        group = list(node.group)
        for leaf in leaves_of(node.source):
            table = places.table(leaf.table) if isinstance(leaf, Scan) else None
            if table is None or not isinstance(leaf, Scan) or not table.primary_key or leaf.column_aliases:
                continue
            grouped = {expr.name for expr in node.group if isinstance(expr, ColumnRef) and expr.relation == leaf.alias}
            if grouped.issuperset(table.primary_key):
                group += _shown(node, leaf.alias, group)
        return replace(node, group=tuple(group)) if len(group) > len(node.group) else node

    return transform(tree, change)


def _shown(select: Select, alias: str, known: list[Expr]) -> list[Expr]:
    """The columns of an item that the block shows or orders by, which are not among the known ones."""
    found: dict[str, Expr] = {}
    for bundle in (*select.items, select.having, *select.order, *select.distinct_on):
        for ref, depth in columns_of(bundle) if bundle is not None else ():
            if ref.relation == alias and not depth:
                found.setdefault(ref.name, replace(ref, depth=0))
    return [ref for ref in found.values() if ref not in known]


__all__ = ["away", "bringing", "brought_rows", "vet_sums"]
