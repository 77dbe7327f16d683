"""outgrow's own relational tree: frozen, bound to a schema, independent of any parser.

Two families of nodes.  *Expressions* (`Expr`) compute one value; *queries* (`Query`) compute rows.  What planning
must understand has a node of its own; everything else is a `Template`, which only knows its pieces of SQL and the
expressions in its holes.  A tree renders back to SQL (`render`), each node adding its own parentheses.

Names are as the catalogue spells them (folded, unquoted); rendering quotes them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from outgrow.schema import Order, Volatility
from outgrow.topology import TableName


class Expr:
    """One value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ColumnRef(Expr):
    """A column of a FROM item.  `relation` is that item's alias, unique in its query block.

    `depth` counts query blocks outwards: 0 is this block, 1 the enclosing one (a correlated reference).
    `table` names the base table where the item is one, else None (derived table, CTE, function, or a column renamed by
    the alias's column list).  Every SELECT, VALUES, INSERT, UPDATE and DELETE is a block; a set operation is none; the
    queries of a WITH count like the block that owns the WITH, beside it and not inside.
    """

    relation: str
    name: str
    type: str | None = None
    order: Order = Order.NONE
    depth: int = 0
    table: TableName | None = None
    #: Written without its qualifier; no part of what the reference is, so equality ignores it.
    bare: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Literal(Expr):
    """A constant.  `kind` is "number", "string", "boolean" or "null"; `text` its SQL value without quotes."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Parameter(Expr):
    """`$index`, 1-based."""

    index: int


@dataclass(frozen=True, slots=True)
class Cast(Expr):
    """`operand::type`; `type` is the SQL type as written, canonical where known (`int8`, `numeric(10,2)`, `text[]`)."""

    operand: Expr
    type: str


@dataclass(frozen=True, slots=True)
class Operation(Expr):
    """An operator and its operands.

    Binary and unary operators by their SQL spelling in lower case: `and`, `or` (any number of operands), `not`, `=`,
    `<>`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*`, `/`, `%`, `||`, `like`, `ilike`, `is distinct from`,
    `is not distinct from`, and any other operator symbol.  Postfix tests: `is null`, `is not null`, `is true`,
    `is not true`, `is false`, `is not false`.  `between` and `not between` have three operands.
    """

    operator: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class InList(Expr):
    """`operand [NOT] IN (item, …)`."""

    operand: Expr
    items: tuple[Expr, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Quantified(Expr):
    """`operand operator ANY|ALL (array or query)`; `IN (SELECT …)` is `= ANY`, `NOT IN (SELECT …)` is `<> ALL`."""

    operand: Expr
    operator: str
    quantifier: str  # "any", "all"
    of: Expr | Query


@dataclass(frozen=True, slots=True)
class RowOf(Expr):
    """`ROW(a, b)` or `(a, b)`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ArrayOf(Expr):
    """`ARRAY[a, b]`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Case(Expr):
    operand: Expr | None
    branches: tuple[tuple[Expr, Expr], ...]
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Exists(Expr):
    query: Query


@dataclass(frozen=True, slots=True)
class ScalarQuery(Expr):
    """`(SELECT …)` as a value; `array=True` for `ARRAY(SELECT …)`."""

    query: Query
    array: bool = False


@dataclass(frozen=True, slots=True)
class SortKey:
    expr: Expr
    descending: bool = False
    #: As PostgreSQL would apply it: written, or the default (last when ascending, first when descending).
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    name: str | None = None
    partition: tuple[Expr, ...] = ()
    order: tuple[SortKey, ...] = ()
    #: The frame clause as SQL without expressions in it, or "".
    frame: str = ""


class CallKind(enum.StrEnum):
    SCALAR = "scalar"
    AGGREGATE = "aggregate"
    WINDOW = "window"  # a window function, or any function with OVER
    SET = "set"  # returns a set
    UNKNOWN = "unknown"  # not in the schema's functions


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A function call.  `name` is folded; `schema` only where written."""

    name: str
    args: tuple[Expr, ...] = ()
    schema: str | None = None
    kind: CallKind = CallKind.SCALAR
    volatility: Volatility = Volatility.VOLATILE
    builtin: bool = False
    star: bool = False
    distinct: bool = False
    variadic: bool = False
    order: tuple[SortKey, ...] = ()
    within_group: tuple[SortKey, ...] = ()
    filter: Expr | None = None
    over: Window | None = None
    #: pg_catalog's name of the result's type, where binding knows it.
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Collate(Expr):
    operand: Expr
    collation: str
    order: Order = Order.LINGUISTIC


@dataclass(frozen=True, slots=True)
class Template(Expr):
    """Anything planning need not understand: `pieces` has one more entry than `holes`; they alternate.

    Subscripts, `EXTRACT(… FROM …)`, `AT TIME ZONE`, `SUBSTRING(… FROM …)`, typed literals and the like.
    `volatility` and `builtin` are those of the function or operator underneath.
    """

    pieces: tuple[str, ...]
    holes: tuple[Expr, ...]
    volatility: Volatility = Volatility.IMMUTABLE
    #: What PostgreSQL calls an output column made of it; "" for `?column?`.
    name: str = ""


@dataclass(frozen=True, slots=True)
class WholeRow(Expr):
    """A FROM item as one composite value: `SELECT t FROM t`, `row_to_json(t)`."""

    relation: str
    depth: int = 0
    table: TableName | None = None


@dataclass(frozen=True, slots=True)
class RowPart(Expr):
    """Column `index` (from 0) of `count` that one assignment `(a, b) = source` sets; the parts stand side by side."""

    source: Expr
    index: int
    count: int


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


class Query:
    """Something that yields rows."""

    __slots__ = ()


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


Tree = Query | Insert | Update | Delete
