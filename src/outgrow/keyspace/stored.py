"""The key value that a row has once a Python value has been written into its column.

Writing is not comparing: an assignment rounds, truncates and casts where a comparison finds no row.  A row must be
placed by what the column will hold, not by what was passed: 1.005 becomes 1.01 in a numeric(10,2).
"""

from __future__ import annotations

import datetime
import uuid
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from outgrow.errors import DataError
from outgrow.keyspace.values import NoRow, Unknowable, coerce

#: More digits than a numeric can have, so that nothing is rounded on the way.
_EXACT = Context(prec=150_000)
_HEADER = 4
#: Types of which a key's value is also the value to write.
_PLAIN = frozenset(("int2", "int4", "int8", "text", "varchar", "uuid", "numeric", "bool"))


def stored(type: str, typmod: int, value: object) -> Any:
    """What a column of this type and `typmod` (pg_attribute's; -1 for none) holds after INSERT or COPY of `value`.

    The result is as `coerce` describes.  Raises Unknowable where only the server knows, DataError OG-KEY-005 for a
    value of a wrong type and OG-KEY-006 for one that does not fit; the server would refuse both.
    """
    try:
        held = coerce(type, _cast(type, value))
    except NoRow:
        raise _misfit(type, value) from None
    if held is None or typmod == -1:
        return held
    if type == "varchar":
        return _shortened(type, held, typmod - _HEADER)
    if type == "numeric":
        return _rounded(type, held, typmod - _HEADER)
    if type in ("timestamp", "timestamptz"):
        return stored_moment(held, typmod)
    return held


def carried(type: str, typmod: int, source: str, value: Any) -> Any:
    """What such a column holds once it was written from a column of type `source` with that value, as `coerce` has it.

    Raises as `stored` does.
    """
    if type == source:
        if typmod == -1 or value is None:
            return value
        if type in ("timestamp", "timestamptz"):
            return stored_moment(value, typmod)
    if not {type, source} <= _PLAIN:
        raise Unknowable
    return stored(type, typmod, value)


def _misfit(type: str, value: object) -> DataError:
    shown = str(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return DataError("OG-KEY-006", f"{shown} does not fit a key column of type {type}", cure="pass a value in range")


def _cast(type: str, value: object) -> object:
    """What the server's assignment casts do that no comparison does."""
    if type in ("int2", "int4", "int8"):
        if isinstance(value, float) and abs(value) < 1 << 64:
            return round(value)
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 20:
            return int(value.to_integral_value(ROUND_HALF_UP))
    elif type in ("text", "varchar"):
        if isinstance(value, bool):
            return "true" if value else "false"
        if value.__class__ is int or isinstance(value, uuid.UUID):
            return str(value)
        if isinstance(value, float | Decimal | datetime.date):
            raise Unknowable
    elif type == "numeric" and isinstance(value, float):
        # float8_numeric prints DBL_DIG digits.
        return Decimal(f"{value:.15g}")
    elif type == "date" and isinstance(value, datetime.datetime) and value.tzinfo is None:
        return value.date()
    return value


def _shortened(type: str, text: str, most: int) -> str:
    """Blanks past the column's length are dropped in silence, anything else is refused."""
    if len(text) <= most:
        return text
    if text[most:].strip(" "):
        raise _misfit(f"{type}({most})", text)
    return text[:most]


def _rounded(type: str, number: Decimal, typmod: int) -> Decimal:
    precision, scale = typmod >> 16 & 0xFFFF, (typmod & 0x7FF ^ 1024) - 1024
    if number.is_nan():
        return number
    if number.is_infinite():
        raise _misfit(f"{type}({precision},{scale})", number)
    rounded = number.quantize(Decimal((0, (1,), -scale)), ROUND_HALF_UP, _EXACT)
    if rounded and rounded.adjusted() >= precision - scale:
        raise _misfit(f"{type}({precision},{scale})", number)
    return rounded


def stored_moment(microseconds: int, digits: int) -> int:
    """Microseconds since 2000 in a timestamp column with that many digits of the second; -1 for all six."""
    if digits < 0 or digits >= 6 or microseconds in ((1 << 63) - 1, -1 << 63):
        return microseconds
    unit = int(10 ** (6 - digits))
    rounded = (abs(microseconds) + unit // 2) // unit * unit
    return rounded if microseconds >= 0 else -rounded
