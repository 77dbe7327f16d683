"""Query blocks and what their column references mean.

A *site* is one column of one FROM item of one block.  A *region* is the nullable side of an outer join (a path of
join numbers, `()` outside of any): a fact that was stated in a region holds for rows that are real there, so a column
from outside takes part in it only through a *shadow*, into which constants flow and out of which they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from outgrow.plan.walking import levels, within_block
from outgrow.schema import Schema
from outgrow.statement import type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    ColumnRef,
    Cte,
    CteScan,
    Derived,
    Expr,
    Item,
    Join,
    JoinKind,
    Query,
    Relation,
    Scan,
    Select,
    SetOperation,
    Values,
)
from outgrow.statement.walk import columns_of

Region = tuple[int, ...]

#: Types that hash and compare alike: constants may flow between columns of one family.
_FAMILIES = {
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "text": "text",
    "varchar": "text",
    "uuid": "uuid",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "bool": "bool",
    "numeric": "numeric",
}

#: SQL spellings of the types above, as a Cast may carry them.
SPELLINGS = {
    "smallint": "int2",
    "int": "int4",
    "integer": "int4",
    "bigint": "int8",
    "boolean": "bool",
    "decimal": "numeric",
    "character varying": "varchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "double precision": "float8",
    "real": "float4",
    "float": "float8",
}


def plain_type(written: str) -> str:
    """`schema.Column.type`'s spelling of a type as a Cast carries it; type modifiers and arrays stay visible."""
    name = written.strip().lower().removeprefix("pg_catalog.")
    return SPELLINGS.get(name, name)


def family(type_name: str | None) -> str | None:
    return _FAMILIES.get(type_name or "")


class Site(NamedTuple):
    """`shadow` is the region of the shadow, None for the column itself."""

    block: int
    alias: str
    column: str
    shadow: Region | None = None


@dataclass(slots=True)
class Leaf:
    """One FROM item: a table, a derived table, a CTE's use, a function."""

    relation: Relation
    region: Region
    #: Output columns of a derived table or CTE: name → expression in the inner block.
    outputs: dict[str, Expr] = field(default_factory=dict)
    inner: Block | None = None
    #: Types of a set operation's columns, where all arms agree on their family.
    types: dict[str, str] = field(default_factory=dict)


class Shared(NamedTuple):
    """A CTE in sight; its query stands beside the block that owns the WITH, whose enclosing block is `outside`."""

    cte: Cte
    outside: Block | None


Ctes = dict[str, Shared]


@dataclass(slots=True)
class Block:
    """One SELECT, VALUES, INSERT, UPDATE or DELETE while it is analysed."""

    index: int
    parent: Block | None
    ctes: Ctes
    leaves: dict[str, Leaf] = field(default_factory=dict)
    #: Names merged by FULL JOIN … USING: an unqualified reference to one is no single column.
    merged: set[str] = field(default_factory=set)

    def owner(self, ref: ColumnRef) -> Block | None:
        """The block whose FROM item `ref` names."""
        block: Block | None = self
        for _ in range(ref.depth):
            block = block.parent if block is not None else None
        return block if block is not None and ref.relation in block.leaves else None


def scan_column(scan: Scan, name: str, schema: Schema) -> str:
    """The table's own name of a column that FROM may have renamed."""
    if name in scan.column_aliases:
        table = schema.tables.get(scan.table)
        position = scan.column_aliases.index(name)
        if table is not None and position < len(table.columns):
            return table.columns[position].name
    return name


def output_names(query: Query, aliases: tuple[str, ...]) -> list[str]:
    """The column names of a derived table or CTE."""
    names = [item.name for item in first_items(query)]
    return [*aliases, *names[len(aliases) :]]


def arms_of(tree: SetOperation) -> Iterator[tuple[Item, ...]]:
    """What each arm of a set operation selects."""
    rest: list[Query] = [tree]
    while rest:
        arm = rest.pop()
        if isinstance(arm, SetOperation):
            rest += [arm.left, arm.right]
        else:
            yield first_items(arm)


def first_items(query: Query) -> tuple[Item, ...]:
    """The items of the first arm: they name the columns of a set operation."""
    while isinstance(query, SetOperation):
        query = query.left
    if isinstance(query, Select):
        return query.items
    if isinstance(query, Values) and query.rows:
        return tuple(Item(expr, f"column{number}") for number, expr in enumerate(query.rows[0], 1))
    return ()


def agreed_types(query: Query) -> list[str | None]:
    """Per output column of a set operation, its first arm's type if all arms' types are of one family."""
    if isinstance(query, SetOperation):
        pairs = zip(agreed_types(query.left), agreed_types(query.right), strict=False)
        return [one if family(one) is not None and family(one) == family(other) else None for one, other in pairs]
    return [type_of(item.expr) for item in query.items] if isinstance(query, Select) else []


def leaves_of(relation: Relation | None) -> Iterator[Relation]:
    if isinstance(relation, Join):
        yield from leaves_of(relation.left)
        yield from leaves_of(relation.right)
    elif relation is not None:
        yield relation


def alias_of(relation: Relation) -> str:
    alias: str = getattr(relation, "alias", "")
    return alias


def has_aggregate(select: Select) -> bool:
    """The block groups, or computes aggregates over all of its rows."""
    if select.group or select.grouping_sets or select.having is not None:
        return True
    parts = (*select.items, *select.order, *select.distinct_on)
    return any(
        is_aggregate(node) or (isinstance(node, Query) and _reaches_out(node))
        for part in parts
        for node in within_block(part)
    )


def is_aggregate(node: object) -> bool:
    """Over groups, not over a window."""
    return isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None


def _reaches_out(query: Query) -> bool:
    """An aggregate in the query is one of a block around it, because all of its columns are.

    (Of which of them, does not matter: who leaves it out or moves it changes that block, and a block that only seems
    to group is no harm.)
    """
    return any(
        is_aggregate(node) and min((depth for _, depth in columns_of(node)), default=0) > level
        for node, level in levels(query)
    )


def has_window(select: Select) -> bool:
    return any(
        isinstance(node, Call) and (node.over is not None or node.kind is CallKind.WINDOW)
        for part in (*select.items, *select.order, *select.distinct_on)
        for node in within_block(part)
    )


def returns_set(select: Select) -> bool:
    return any(
        isinstance(node, Call) and node.kind is CallKind.SET
        for part in (*select.items, *select.order, *select.distinct_on)
        for node in within_block(part)
    )


def has_unknown(select: Select) -> bool:
    """A function of which the schema knows nothing could be an aggregate, or return a set."""
    return any(
        isinstance(node, Call) and node.kind is CallKind.UNKNOWN
        for part in (*select.items, *select.order, *select.distinct_on)
        for node in within_block(part)
    )


def narrowable(select: Select) -> bool:
    """A condition on an output column may move below this block's own work (grouping is judged per column)."""
    return not (
        has_unknown(select)
        or select.limit is not None
        or select.offset is not None
        or select.distinct_on
        or select.grouping_sets
        or select.locking
        or has_window(select)
        or returns_set(select)
    )


def transparent(select: Select) -> bool:
    """The block only filters and computes: a row of it is a row of its FROM."""
    return narrowable(select) and not select.distinct and not has_aggregate(select)


def bare_column(expr: Expr) -> ColumnRef | None:
    """The column under lossless casts (among integers, from varchar to text), else None."""
    while isinstance(expr, Cast):
        target, operand = plain_type(expr.type), expr.operand
        source = operand.type if isinstance(operand, ColumnRef) else None
        source = plain_type(operand.type) if isinstance(operand, Cast) else source
        if family(source) is None or family(source) != family(target) or family(source) not in ("int", "text"):
            return None
        expr = operand
    return expr if isinstance(expr, ColumnRef) else None


def full_merged(relation: Relation | None) -> Iterator[str]:
    """Names that some FULL JOIN … USING in this FROM merges."""
    if isinstance(relation, Join):
        if relation.kind is JoinKind.FULL:
            yield from relation.using
        yield from full_merged(relation.left)
        yield from full_merged(relation.right)


__all__ = ["Block", "CteScan", "Derived", "Leaf", "Region", "Site"]
