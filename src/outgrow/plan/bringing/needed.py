"""What a query can need of each table in it: its columns, and the rows that meet what is said of that table alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from outgrow.plan.blocks import leaves_of
from outgrow.plan.cutting.vetting import vet_alike
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.walking import conjuncts, everything_below
from outgrow.schema import Table
from outgrow.statement import transform
from outgrow.statement.tree import (
    Call,
    CallKind,
    ColumnRef,
    Expr,
    Join,
    JoinKind,
    Query,
    Relation,
    Scan,
    Select,
    Tree,
    WholeRow,
)
from outgrow.statement.walk import columns_of

T = TypeVar("T", bound=Tree)


def scans_of(tree: Tree) -> list[Scan]:
    """Each occurrence of a table once, though ORDER BY may repeat an item with its subquery."""
    found = {id(node): node for node in everything_below(tree) if isinstance(node, Scan)}
    return sorted(found.values(), key=lambda scan: (str(scan.table), scan.alias))


class Mentioned(NamedTuple):
    """The columns that the query mentions, by the alias that they stand under; `bare` ones may be anybody's."""

    by_alias: Mapping[str, set[str]]
    bare: set[str]


def mentioned_in(tree: Tree) -> Mentioned:
    by_alias: dict[str, set[str]] = defaultdict(set)
    bare: set[str] = set()
    for node in everything_below(tree):
        match node:
            case WholeRow() if node.table is not None:
                raise refused("table form", f"{node.relation} as one value")
            case ColumnRef():
                (by_alias[node.relation] if node.relation else bare).add(node.name)
            case Join():
                # Of a NATURAL JOIN too.
                bare.update(node.using)
    return Mentioned(by_alias, bare)


def columns_needed(scan: Scan, table: Table, mentioned: Mentioned) -> tuple[str, ...]:
    """In the table's order; renamed ones stand by position, so then all; at least one, which counts the rows."""
    every = tuple(column.name for column in table.columns)
    if scan.column_aliases:
        return every
    names = mentioned.bare | mentioned.by_alias.get(scan.alias, set())
    return tuple(name for name in every if name in names) or every[:1]


# --- what is said of one table alone ---------------------------------------------------------------------------------


def said_of_each(tree: Tree) -> Iterator[tuple[int, list[Expr]]]:
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


# --- what a primary key decides --------------------------------------------------------------------------------------


def with_dependents(tree: T, places: Places) -> T:
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
