"""The expressions of the relational tree; see `tree`."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgrow.schema import Order, Volatility
from outgrow.topology import TableName

if TYPE_CHECKING:
    from outgrow.statement.tree import With


class Expr:
    """One value."""

    __slots__ = ()


class Query:
    """Something that yields rows."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def with_(self) -> With:
            """Each kind of query has it as a field."""


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
    #: Between here and its block another item bears the alias: only the bare name reaches the column.
    shadowed: bool = field(default=False, compare=False)
    #: `pg_attribute.atttypmod`: -1 says none, None not known here.
    modifier: int | None = field(default=None, compare=False)


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
