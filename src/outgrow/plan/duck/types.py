"""What DuckDB is known to hold as PostgreSQL does, and how values of two types come together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

INTEGERS = ("int2", "int4", "int8")
#: Types that are one kind to the vetted list.
FAMILIES = {
    **dict.fromkeys(INTEGERS, "int"),
    "numeric": "numeric",
    "float8": "float8",
    "text": "text",
    "varchar": "text",
    "bpchar": "bpchar",
    "bool": "bool",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "uuid": "uuid",
    "bytea": "bytea",
    "interval": "interval",
}
#: As DuckDB spells them; a numeric's is made of its scale.
_SPELLED = {
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float8": "DOUBLE",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    "bpchar": "VARCHAR",
    "bool": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "uuid": "UUID",
    "bytea": "BLOB",
    "interval": "INTERVAL",
}
DIGITS = 38


class NotVetted(Exception):
    """Something in the query is not known to mean the same; the sentence says what."""


@dataclass(frozen=True, slots=True)
class Type:
    """pg_catalog's name, and what its values have in common.

    A DECIMAL column has one scale where a numeric one may have many: here all values of an expression have `scale`, and
    a column brought of which they have not is `varying` (another says how many decimals each shows).
    A char(n) is held without its padding, and is `width` long again when it goes out.
    """

    name: str
    scale: int = 0
    width: int = 0
    #: Text that compares by bytes; without it only equality is the same.
    bytes: bool = True
    varying: bool = False

    @property
    def family(self) -> str:
        return FAMILIES.get(self.name, "")

    @property
    def duckdb(self) -> str:
        if self.name == "numeric":
            return f"DECIMAL({DIGITS}, {self.scale})"
        return _SPELLED[self.name]


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal or a parameter: a bare string takes the type of what it meets."""

    kind: str  # "null", "string", "number"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """One expression in DuckDB's words.  `unknown` ones have no type of their own yet."""

    sql: str
    type: Type
    constant: Constant | None = None
    #: Of a numeric whose values look differently long: how many decimals this one shows, as SQL.  Equal values are
    #: equal all the same, so it matters only where the value goes out.
    shown: str = ""

    @property
    def unknown(self) -> bool:
        return self.type.name == "unknown"


UNKNOWN = Type("unknown")
BOOL = Type("bool")
_WHOLE = re.compile(r"[+-]?\d{1,40}")
_DECIMAL = re.compile(r"[+-]?\d{1,38}(\.\d{0,38})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?")
_ZONED = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SPAN = re.compile(r"-?\d{1,4} (day|month|year|hour|minute|second)s?")
#: Spellings of bare strings that both read alike; everything else stays with PostgreSQL.
_SPELLINGS = {
    "int": _WHOLE,
    "numeric": _DECIMAL,
    "float8": _DECIMAL,
    "date": _DATE,
    "timestamp": re.compile(f"{_DATE.pattern}|{_MOMENT.pattern}"),
    "timestamptz": _ZONED,
    "uuid": _UUID,
    "bool": re.compile(r"true|false|t|f"),
    "interval": _SPAN,
    "text": re.compile(r".*", re.DOTALL),
    "bpchar": re.compile(r".*", re.DOTALL),
}


def quoted(text: str) -> str:
    if "\0" in text:
        raise NotVetted("a string with a zero byte")
    return "'" + text.replace("'", "''") + "'"


def decimal_scale(text: str) -> int:
    return len(text.partition(".")[2])


def settled(value: Typed, type: Type) -> Typed:
    """A bare string or NULL as a value of the type."""
    constant = value.constant
    assert constant is not None
    if constant.kind == "null":
        return Typed(f"CAST(NULL AS {type.duckdb})", type, constant)
    spelling = _SPELLINGS.get(type.family)
    if spelling is None or not spelling.fullmatch(constant.text):
        raise NotVetted(f"the string {constant.text[:40]!r} as {type.name}")
    text = constant.text
    if type.family == "numeric":
        type = replace(type, scale=decimal_scale(text))
    if type.family == "bpchar":
        type, text = replace(type, width=len(text)), text.rstrip(" ")
    return Typed(f"CAST({quoted(text)} AS {type.duckdb})", type, constant)


def common(values: Sequence[Typed], what: str) -> list[Typed]:
    """All as values of one type, as PostgreSQL finds it; numerics may still have several scales."""
    known = [value for value in values if not value.unknown]
    target = known[0].type if known else Type("text")
    for value in known[1:]:
        target = _wider(target, value.type, what)
    if target.family == "text":
        target = replace(target, bytes=all(value.type.bytes for value in known))
    return [_as(value, target, what) for value in values]


def _wider(one: Type, other: Type, what: str) -> Type:
    if one.family == other.family:
        if one.family == "int":
            return max(one, other, key=lambda type: INTEGERS.index(type.name))
        if one.name == "numeric":
            return replace(one, scale=max(one.scale, other.scale))
        # Of text and varchar PostgreSQL prefers text.
        return one if one.name == other.name or other.name != "text" else other
    families = {one.family, other.family}
    if families == {"int", "numeric"}:
        return one if one.family == "numeric" else other
    if families in ({"int", "float8"}, {"numeric", "float8"}):
        return Type("float8")
    if families == {"bpchar", "text"}:
        return Type("text", bytes=one.bytes and other.bytes)
    if families == {"date", "timestamp"}:
        return Type("timestamp")
    raise NotVetted(f"{what} of {one.name} and {other.name}")


def _as(value: Typed, target: Type, what: str) -> Typed:
    type = value.type
    if value.unknown:
        return settled(value, replace(target, width=0))
    if type.family == "numeric" and target.family == "float8":
        # DuckDB is wrong in the last digit; a constant is converted as text.
        if value.constant is None:
            raise NotVetted(f"{what} of numeric and float8")
        return Typed(f"CAST({quoted(value.constant.text)} AS DOUBLE)", target, value.constant)
    if target.family == "numeric":
        scale = type.scale if type.family == "numeric" else 0
        sql = f"CAST({value.sql} AS DECIMAL({DIGITS}, {scale}))"
        return Typed(sql, Type("numeric", scale), value.constant, value.shown)
    if type.family == target.family == "bpchar":
        return value
    if type.name == target.name:
        return replace(value, type=replace(target, width=0))
    if not target.family:
        raise NotVetted(f"{what} of {target.name}")
    return Typed(f"CAST({value.sql} AS {target.duckdb})", replace(target, width=0), value.constant)


def comparable(values: Sequence[Typed], what: str) -> list[Typed]:
    """`common`, and numerics of one scale: IN (SELECT …) would round the finer ones, and `%` make doubles of both."""
    found = common(values, what)
    if found[0].type.family != "numeric":
        return found
    type = Type("numeric", max(value.type.scale for value in found))
    return [
        value if value.type == type else Typed(f"CAST({value.sql} AS {type.duckdb})", type, value.constant, value.shown)
        for value in found
    ]


def shown_of(value: Typed) -> str:
    """How many decimals the value shows, as SQL."""
    return value.shown or str(value.type.scale)


def alike(values: Sequence[Typed], what: str) -> list[Typed]:
    """`common`, where the result is one of the values: then all have to look alike too, scale and padding."""
    found = common(values, what)
    if any(value.shown for value in found):
        raise NotVetted(f"{what} of numerics of several scales")
    shapes = {(value.type.scale, value.type.width) for value in found if not _is_null(value)}
    if len(shapes) > 1:
        raise NotVetted(f"{what} of numerics of several scales, or of char(n) of several lengths")
    if not shapes:
        return found
    scale, width = next(iter(shapes))
    type = replace(found[0].type, scale=scale, width=width)
    return [
        Typed(f"CAST(NULL AS {type.duckdb})", type, value.constant) if _is_null(value) else replace(value, type=type)
        for value in found
    ]


def _is_null(value: Typed) -> bool:
    return value.constant is not None and value.constant.kind == "null"
