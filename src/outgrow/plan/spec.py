"""The finish specification: what turns the fragments' rows into the one result.  `finish` reads only this module.

The pipeline, each step optional:

    fragment rows ─combine─> groups ─having─> ─outputs─> ─distinct─> ─sort/merge─> ─offset, limit─> ─cut─> result

Positions are 0-based columns of the fragments' rows, or, after `combine`, of the combined row (the group's columns
followed by one column per aggregate).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

#: Types whose *order* Python reproduces exactly (text only under code-point order).  `interval` is not among them:
#: as a timedelta a year has 365 days, while PostgreSQL compares it as 360.
ORDERED_TYPES = frozenset(
    (
        *("int2", "int4", "int8", "oid", "numeric", "float4", "float8", "bool", "uuid", "bytea"),
        *("text", "varchar", "name", "bpchar", "date", "timestamp", "timestamptz", "time"),
        *("mariadb.bigint unsigned", "mariadb.time"),
    )
)
#: Types of which order depends on a collation.
TEXT_TYPES = frozenset(("text", "varchar", "bpchar"))


class Final:
    """An expression over combined rows, in a small language whose every construct is vetted."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Position(Final):
    """Column `index` of the row."""

    index: int


@dataclass(frozen=True, slots=True)
class Constant(Final):
    """As `statement.tree.Literal`: kind "number", "string", "boolean", "null"."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Given(Final):
    """The statement's parameter `$index` (1-based)."""

    index: int


@dataclass(frozen=True, slots=True)
class Apply(Final):
    """An operator or vetted function, as `plan.vetted` lists them.

    `case` has pairs of condition and value, then the default; `in` its operand first.
    """

    operator: str
    operands: tuple[Final, ...]


@dataclass(frozen=True, slots=True)
class Convert(Final):
    """A cast to int2, int4, int8, numeric, `numeric(p,s)`, float8 or text."""

    operand: Final
    type: str


class How(enum.StrEnum):
    """How partial results of one aggregate combine."""

    COUNT = "count"  # sum of counts: int8, 0 for none
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    ALL = "all"  # bool_and, every
    ANY = "any"  # bool_or
    AVG = "avg"  # partials: sum, count
    COUNT_DISTINCT = "count distinct"  # partial: the value itself, fragments grouped by it
    SUM_DISTINCT = "sum distinct"
    AVG_DISTINCT = "avg distinct"
    BIT_AND = "bit and"  # all bits for no value
    BIT_OR = "bit or"
    BIT_XOR = "bit xor"


@dataclass(frozen=True, slots=True)
class Aggregate:
    how: How
    #: Fragment columns with the partial results.
    inputs: tuple[int, ...]
    #: For messages: the aggregate as written.
    shown: str = ""
    #: Text among the inputs compares by code point.
    bytes_order: bool = True


@dataclass(frozen=True, slots=True)
class Combine:
    """Groups fragment rows by `keys`; `carried` columns are functions of the keys, any row's value will do."""

    keys: tuple[int, ...]
    carried: tuple[int, ...]
    aggregates: tuple[Aggregate, ...]
    #: No GROUP BY: exactly one group, even for no rows.
    whole: bool = False

    @property
    def first_aggregate(self) -> int:
        """Position of the first aggregate in a combined row: keys, carried, aggregates."""
        return len(self.keys) + len(self.carried)


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the finished row; hidden ones only serve the order and are cut at the end."""

    name: str
    expr: Final


@dataclass(frozen=True, slots=True)
class Sort:
    """`column` is a position among the outputs."""

    column: int
    descending: bool = False
    nulls_first: bool = False
    #: If the column is text, its order is by code point (else the type gate refuses).
    bytes_order: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """Told from others by identity, so that what is worked out of it can be kept beside it at no cost."""

    #: Output columns, `visible` first.
    outputs: tuple[Output, ...]
    visible: int
    #: Columns in a fragment's row.
    width: int
    combine: Combine | None = None
    having: Final | None = None
    sort: tuple[Sort, ...] = ()
    #: Fragments already come in `sort`'s order: merge instead of sorting.
    merged: bool = False
    #: Output positions on which rows must differ (DISTINCT: all visible ones; DISTINCT ON: its expressions).
    distinct: tuple[int, ...] | None = None
    limit: Final | None = None
    offset: Final | None = None
    #: All text compares by code point (for comparisons in HAVING and the like).
    text_bytes: bool = False
    #: Whose arithmetic and result types these are.
    language: str = "postgresql"
    #: Columns of a fragment's row that tell rows apart, and of which it is not known that equal text has equal bytes.
    suspect: tuple[int, ...] = ()
    #: Names of enum types: their equality (not their order) is that of their labels.
    enums: frozenset[str] = field(default=frozenset())

    @property
    def plain(self) -> bool:
        """Outputs are the fragment's columns as they come."""
        return self.combine is None
