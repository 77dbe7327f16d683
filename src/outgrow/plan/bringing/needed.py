"""What a query can need of each table in it: its columns, and the rows that meet what is said of that table alone."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

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
    Literal,
    Query,
    Relation,
    Scan,
    Select,
    Template,
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


#: Types without an equality: nothing is grouped by them.
_UNEQUAL = frozenset(("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"))


def with_dependents(tree: T, places: Places) -> T:
    """Columns that a group's primary key decides are grouped by as well: rows that were brought have no key."""

    def change(node: object) -> object:
        if not isinstance(node, Select) or not node.group:
            return node
        common = _in_every_set(node)
        for leaf in leaves_of(node.source):
            table = places.table(leaf.table) if isinstance(leaf, Scan) else None
            if table is None or not isinstance(leaf, Scan) or not table.primary_key or leaf.column_aliases:
                continue
            grouped = {expr.name for expr in common if isinstance(expr, ColumnRef) and expr.relation == leaf.alias}
            if grouped.issuperset(table.primary_key):
                node = _with_decided(node, leaf.alias)
        return node

    return transform(tree, change)


def _in_every_set(select: Select) -> list[Expr]:
    """What is grouped by whatever ROLLUP and the like leave out."""
    if not select.grouping_sets:
        return list(select.group)
    found, depth = [], 0
    for part in re.findall(r"[()]|\{\d+\}", select.grouping_sets):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if not depth and part[0] == "{":
            found.append(select.group[int(part[1:-1])])
    return found


def _with_decided(select: Select, alias: str) -> Select:
    """Grouped by what it shows of the item as well, or, where that has no equality, with one of the group's values."""
    shown = _shown(select, alias, select.group)
    more = [ref for ref in shown if ref.type not in _UNEQUAL]
    names = {ref.name for ref in shown if ref.type in _UNEQUAL}
    if more:
        group, sets = (*select.group, *more), select.grouping_sets
        if sets:
            sets += "".join(f", {{{at}}}" for at in range(len(select.group), len(group)))
        select = replace(select, group=group, grouping_sets=sets)
    if not names:
        return select

    def change(value: object) -> object:
        if isinstance(value, tuple):
            return _same_or(value, tuple(change(each) for each in value))
        if isinstance(value, ColumnRef):
            wanted = value.relation == alias and not value.depth and value.name in names
            return _any_of_group(value) if wanted else value
        # (In a subquery it would be an aggregate of the block outside, which servers allow and nobody here expects.)
        if not dataclasses.is_dataclass(value) or isinstance(value, type | Query):
            return value
        if (isinstance(value, Expr) and value in select.group) or _folds(value):
            return value
        parts = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        new = {name: made for name, old in parts.items() if (made := change(old)) is not old}
        return replace(value, **new) if new else value

    clauses = ("items", "having", "order", "distinct_on", "windows")
    changed: dict[str, Any] = {name: change(getattr(select, name)) for name in clauses}
    return replace(select, **changed)


def _same_or(value: tuple[object, ...], new: tuple[object, ...]) -> tuple[object, ...]:
    return value if all(one is other for one, other in zip(value, new, strict=True)) else new


def _folds(node: object) -> bool:
    """What it is given are rows, not groups."""
    return isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None


def _any_of_group(ref: ColumnRef) -> Expr:
    """They are all the same: `(array_agg(ref))[1]`."""
    every = Call("array_agg", (ref,), kind=CallKind.AGGREGATE, builtin=True)
    return Template(("(", ")[", "]"), (every, Literal("number", "1")), name=every.name)


def _shown(select: Select, alias: str, known: Sequence[Expr]) -> list[ColumnRef]:
    """The columns of an item that the block shows or orders by, which are not among the known ones."""
    found: dict[str, ColumnRef] = {}
    windows = [window for _, window in select.windows]
    for bundle in (*select.items, select.having, *select.order, *select.distinct_on, *windows):
        for ref, depth in columns_of(bundle) if bundle is not None else ():
            if ref.relation == alias and not depth:
                found.setdefault(ref.name, replace(ref, depth=0))
    return [ref for ref in found.values() if ref not in known]
