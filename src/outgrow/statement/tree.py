"""outgrow's own relational tree: frozen, bound to a schema, independent of any parser.

Two families of nodes.  *Expressions* (`Expr`) compute one value; *queries* (`Query`) compute rows.  What planning
must understand has a node of its own; everything else is a `Template`, which only knows its pieces of SQL and the
expressions in its holes.  A tree renders back to SQL (`render`), each node adding its own parentheses.

Names are as the catalogue spells them (folded, unquoted); rendering quotes them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from outgrow.statement.expr import (
    ArrayOf,
    Call,
    CallKind,
    Case,
    Cast,
    Collate,
    ColumnRef,
    Exists,
    Expr,
    InList,
    Literal,
    Operation,
    Parameter,
    Quantified,
    Query,
    RowOf,
    RowPart,
    ScalarQuery,
    SortKey,
    Template,
    WholeRow,
    Window,
)
from outgrow.topology import TableName

__all__ = [
    "ArrayOf",
    "Call",
    "CallKind",
    "Case",
    "Cast",
    "Collate",
    "ColumnRef",
    "Cte",
    "CteScan",
    "Delete",
    "Derived",
    "Exists",
    "Expr",
    "FunctionScan",
    "InList",
    "Insert",
    "Item",
    "Join",
    "JoinKind",
    "Literal",
    "Merge",
    "Operation",
    "Parameter",
    "Quantified",
    "Query",
    "Relation",
    "RowOf",
    "RowPart",
    "ScalarQuery",
    "Scan",
    "Select",
    "SetOperation",
    "SortKey",
    "Template",
    "Tree",
    "Update",
    "Values",
    "When",
    "WholeRow",
    "Window",
    "With",
]


class Relation:
    """One item of a FROM clause."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Scan(Relation):
    """A base table, or a view (kept as a scan of the view's name)."""

    table: TableName
    alias: str
    columns: tuple[str, ...] = ()
    #: ONLY, TABLESAMPLE and column aliases, as SQL to append; "" for none.
    only: bool = False
    sample: str = ""
    column_aliases: tuple[str, ...] = ()
    #: The table as the user wrote it was schema-qualified.
    qualified: bool = False


@dataclass(frozen=True, slots=True)
class CteScan(Relation):
    name: str
    alias: str
    column_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived(Relation):
    query: Query
    alias: str
    column_aliases: tuple[str, ...] = ()
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class FunctionScan(Relation):
    """`unnest($1) WITH ORDINALITY AS u(x, n)`; `suffix` is what follows the alias's column list, as SQL."""

    call: Expr
    alias: str
    column_aliases: tuple[str, ...] = ()
    ordinality: bool = False
    lateral: bool = False
    suffix: str = ""


class JoinKind(enum.StrEnum):
    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    CROSS = "cross"


@dataclass(frozen=True, slots=True)
class Join(Relation):
    """USING and NATURAL keep their column names *and* are not expanded into `on`."""

    kind: JoinKind
    left: Relation
    right: Relation
    on: Expr | None = None
    using: tuple[str, ...] = ()
    natural: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One output column.  `name` is what PostgreSQL calls it; `alias` is set only where the user wrote one."""

    expr: Expr
    name: str
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Cte:
    name: str
    query: Query | Insert | Update | Delete
    column_aliases: tuple[str, ...] = ()
    #: "", "materialized" or "not materialized".
    materialized: str = ""


@dataclass(frozen=True, slots=True)
class With:
    ctes: tuple[Cte, ...] = ()
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class Select(Query):
    """One query block; stars are expanded into items by binding (bound order of columns, USING merged).

    `order` refers to items by ordinal or alias only through `Item`s: binding resolves `ORDER BY 1` and `ORDER BY
    alias` to the item's own expression; likewise `group`.
    """

    items: tuple[Item, ...]
    source: Relation | None = None
    where: Expr | None = None
    group: tuple[Expr, ...] = ()
    #: GROUPING SETS, ROLLUP or CUBE, or GROUP BY DISTINCT, are present (then `group` is not the whole truth).
    #: As SQL with `{0}`, `{1}` … for the expressions of `group`, which then lists each that occurs.
    grouping_sets: str = ""
    having: Expr | None = None
    distinct: bool = False
    distinct_on: tuple[Expr, ...] = ()
    windows: tuple[tuple[str, Window], ...] = ()
    order: tuple[SortKey, ...] = ()
    limit: Expr | None = None
    with_ties: bool = False
    offset: Expr | None = None
    #: `FOR UPDATE …` as SQL, or "".
    locking: str = ""
    with_: With = With()


@dataclass(frozen=True, slots=True)
class SetOperation(Query):
    """`left UNION|INTERSECT|EXCEPT [ALL] right`; `order` resolved to output positions as Parameter-free ordinals."""

    operator: str  # "union", "intersect", "except"
    all: bool
    left: Query
    right: Query
    #: (output column index, descending, nulls_first) each
    order: tuple[tuple[int, bool, bool], ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    with_: With = With()


@dataclass(frozen=True, slots=True)
class Values(Query):
    rows: tuple[tuple[Expr, ...], ...]
    order: tuple[SortKey, ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    with_: With = With()


@dataclass(frozen=True, slots=True)
class Insert:
    """`source=None` is DEFAULT VALUES; a DEFAULT inside VALUES is `Template(("DEFAULT",), ())`."""

    table: TableName
    alias: str
    columns: tuple[str, ...]
    source: Query | None
    #: "", "nothing" or "update".
    conflict: str = ""
    #: Columns that ON CONFLICT DO UPDATE assigns.
    conflict_assigns: tuple[str, ...] = ()
    returning: tuple[Item, ...] = ()
    with_: With = With()
    #: The values for `conflict_assigns`, in the same order.
    conflict_values: tuple[Expr, ...] = ()
    #: ON CONFLICT (columns or expressions) [WHERE …], or ON CONSTRAINT.
    conflict_target: tuple[Expr, ...] = ()
    conflict_target_where: Expr | None = None
    conflict_constraint: str = ""
    conflict_where: Expr | None = None
    #: "OVERRIDING SYSTEM VALUE", "OVERRIDING USER VALUE" or "".
    overriding: str = ""
    #: The user listed the columns (else `columns` are the table's first ones).
    columns_written: bool = True
    qualified: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    table: TableName
    alias: str
    assigns: tuple[tuple[str, Expr], ...]
    source: Relation | None
    where: Expr | None
    returning: tuple[Item, ...] = ()
    with_: With = With()
    only: bool = False
    qualified: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    table: TableName
    alias: str
    source: Relation | None
    where: Expr | None
    returning: tuple[Item, ...] = ()
    with_: With = With()
    only: bool = False
    qualified: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """One WHEN of a MERGE."""

    #: "matched", "not matched", or "not matched by source".
    kind: str
    condition: Expr | None
    #: "update", "insert", "delete", or "nothing".
    action: str
    assigns: tuple[tuple[str, Expr], ...] = ()
    #: Of an INSERT: columns and values, in the same order.
    columns: tuple[str, ...] = ()
    values: tuple[Expr, ...] = ()
    #: "OVERRIDING SYSTEM VALUE" or "".
    overriding: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    table: TableName
    alias: str
    source: Relation
    on: Expr
    whens: tuple[When, ...]
    returning: tuple[Item, ...] = ()
    with_: With = With()
    only: bool = False
    qualified: bool = False


Tree = Query | Insert | Update | Delete | Merge
