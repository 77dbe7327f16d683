"""A query that shards cannot work off each for itself: its tables' rows are brought to one server, which runs it.

Every occurrence of a sharded table (and of single tables elsewhere) is asked for the columns and rows that the query
can need: what its conditions say of that table alone is said to its shards too.  The rows travel as one array for each
column and come back to rows by `unnest`, in an ordinary query with parameters: no temporary table, so a replica can
run it, and so can a transaction's own branch, where copied tables show what the transaction has written.

The server that runs it is PostgreSQL, so every operator, collation and type means what it means there.  What is
refused is what would differ elsewhere: see `vet`, and `_check` for tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from outgrow.schema import Order, Table, TableKind
from outgrow.statement import render, transform, type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    Collate,
    ColumnRef,
    Derived,
    Expr,
    FunctionScan,
    Item,
    Join,
    JoinKind,
    Literal,
    Operation,
    Parameter,
    Query,
    Relation,
    Scan,
    Select,
    Tree,
    WholeRow,
)
from outgrow.statement.walk import columns_of

from .blocks import first_items, leaves_of, plain_type
from .brought import Bring, Brought
from .change import Piece
from .duck import Type, declared
from .model import Plan, Reason
from .moments import type_sql
from .placing import Copied, Places, Sharded, Single
from .refusals import Refused, refused
from .rendering import fragment, piece, with_holes
from .vetting import vet, vet_alike
from .walking import conjuncts, everything_below

#: Types whose arrays may be brought as they are: elements are parted by commas, and none is an array itself.
_PLAIN = frozenset(
    "int2 int4 int8 oid numeric float4 float8 bool uuid bytea text varchar bpchar name date timestamp timestamptz time "
    "timetz interval json jsonb inet cidr macaddr bit varbit".split()
)
#: Engines of which arrays carry rows.
_ENGINES = frozenset(("postgresql",))
_RELATION = "brought"


def bringing(plan: Plan, places: Places) -> Plan:
    """A query that is refused, answered all the same; the plan as it was where that cannot be done either."""
    try:
        brought = _brought(plan, places)
    except Refused:
        return plan
    tables = ", ".join(dict.fromkeys(str(each.table) for each in brought.brings))
    reason = Reason("plan.bringing", f"the rows of {tables} are brought to one server, which runs the query over them")
    return replace(plan, brought=brought, reasons=(*plan.reasons, reason))


def _brought(plan: Plan, places: Places) -> Brought:
    statement, tree = plan.statement, plan.statement.tree
    assert isinstance(tree, Query)
    if places.schema.engine not in _ENGINES:
        raise refused("table form", places.schema.engine)
    vet(statement, alone=True)
    _vet_sums(tree)
    here = plan.fixed[0] if plan.fixed else ""
    scans = _scans(tree)
    away = [scan for scan in scans if _check(scan, places, here)]
    said, mentioned = dict(_said(tree)), _mentioned(tree)
    outputs = tuple(item.name for item in first_items(tree))
    tree = _with_dependents(tree, places)
    instead: dict[int, Relation] = {}
    first = statement.placeholders.count + 1

    def bring(scans: list[Scan], first: int) -> tuple[Bring, ...]:
        brings: dict[Hashable, tuple[Bring, int]] = {}
        for scan in scans:
            table = places.table(scan.table)
            assert table is not None
            columns = _columns(scan, table, mentioned)
            made = _bring(scan, table, columns, said.get(id(scan), []), plan, places)
            # Whoever needs the same rows of the same table shares them.
            keys = tuple(plan.scans[at].keys for at in made.scans)
            same: Hashable = made if made.condition else (scan.table, scan.only, columns, keys)
            if same not in brings:
                brings[same] = made, first
                first += len(columns)
            instead[id(scan)] = _unnested(scan, table, columns, brings[same][1])
        return tuple(made for made, _ in brings.values())

    far = bring(away, first)
    sql, params = fragment(transform(tree, lambda node: instead.get(id(node), node)))
    made = Brought(far, sql, params, outputs, here, places.domain.finish.rows_max)
    # DuckDB has no tables, so it is given those that the server has as well.
    near = bring([scan for scan in scans if id(scan) not in instead], first + sum(len(each.columns) for each in far))
    columns = tuple(shape for each in (*far, *near) for shape in _shapes(each, places))
    whole = transform(tree, lambda node: instead.get(id(node), node))
    assert isinstance(whole, Query)
    return replace(made, tree=whole, columns=columns, near=near, by_bytes=places.schema.default_order is Order.BYTES)


def _shapes(bring: Bring, places: Places) -> list[Type]:
    table = places.table(bring.table)
    assert table is not None
    columns = [table.column(name) for name in bring.columns]
    return [declared(column) for column in columns if column is not None]


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


def _vet_sums(tree: Tree) -> None:
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


def _bring(scan: Scan, table: Table, columns: tuple[str, ...], said: list[Expr], plan: Plan, places: Places) -> Bring:
    plain = replace(scan, column_aliases=())
    items = []
    for name in columns:
        column = table.column(name)
        assert column is not None
        ref: Expr = ColumnRef(scan.alias, name)
        items.append(Item(ref if column.type in _PLAIN else Cast(ref, "text"), name, name))
    where = Operation("and", tuple(said)) if len(said) > 1 else said[0] if said else None
    limit = Literal("number", str(places.domain.finish.rows_max + 1))
    inside = piece(render(with_holes(Select(tuple(items), plain, where, limit=limit))))
    numbered = [f"c{number}" for number in range(1, len(columns) + 1)]
    arrays = "".join(f", array_agg({name})::text" for name in numbered)
    before = f"SELECT count(*){arrays} FROM ("
    after = f") AS r ({', '.join(numbered)})"
    texts = [before + inside.texts[0], *inside.texts[1:]]
    texts[-1] += after
    scans = tuple(at for at, each in enumerate(plan.scans) if (each.table, each.alias) == (scan.table, scan.alias))
    standing = places.of(scan.table)
    shard = standing.shard if isinstance(standing, Single) else ""
    condition = render(where) if where is not None else ""
    return Bring(scan.table, scan.alias, columns, Piece(tuple(texts), inside.params), scans, shard, condition)


def _unnested(scan: Scan, table: Table, columns: tuple[str, ...], first: int) -> Relation:
    """The rows again, from parameters `first` and following, with the types and collations that the table has."""
    arrays: list[Expr] = []
    items: list[Item] = []
    for number, name in enumerate(columns, first):
        column = table.column(name)
        assert column is not None
        plain = column.type in _PLAIN
        arrays.append(Cast(Parameter(number), f"{type_sql(column.type) if plain else 'text'}[]"))
        value: Expr = ColumnRef(_RELATION, name)
        if not plain:
            value = Cast(value, _element_sql(column.type))
        if column.collation:
            value = Collate(value, column.collation)
        items.append(Item(value, name, name))
    call = Call("unnest", tuple(arrays), kind=CallKind.SET, builtin=True)
    if all(isinstance(item.expr, ColumnRef) for item in items):
        return FunctionScan(call, scan.alias, scan.column_aliases + columns[len(scan.column_aliases) :])
    source = FunctionScan(call, _RELATION, columns)
    return Derived(Select(tuple(items), source), scan.alias, scan.column_aliases)


def _element_sql(name: str) -> str:
    """A type as the schema names it, arrays too, as SQL."""
    schema, dot, own = name.rpartition(".")
    if own.startswith("_"):
        return f"{type_sql(f'{schema}.{own[1:]}' if dot else own[1:])}[]"
    return type_sql(name)


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


# --- what a primary key decides --------------------------------------------------------------------------------------


def _with_dependents(tree: Tree, places: Places) -> Tree:
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
    for part in (*select.items, select.having, *select.order, *select.distinct_on):
        for ref, depth in columns_of(part) if part is not None else ():
            if ref.relation == alias and not depth:
                found.setdefault(ref.name, replace(ref, depth=0))
    return [ref for ref in found.values() if ref not in known]


__all__ = ["bringing"]
