"""Where a value stands in the order of a key column when it is compared with `<`, `<=`, `>` or `>=`.

A place is a number of the column's own scale as `coerce` has it (days, microseconds), a text, or a UUID; places compare
with keys as the server compares the values.  Where the answer depends on the session's TimeZone, the value stands
somewhere between two places: ranges are coarse, so that still tells which of them matter.
"""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

from outgrow.keyspace.kinds import KINDS
from outgrow.keyspace.values import Unknowable, coerce, sent

#: The least and the greatest place at which a value can stand.
Bounds = tuple[Any, Any]

_DAY_MICROSECONDS = 86_400_000_000
#: A zone of a session is less than 168 hours from UTC, as POSIX spells them; no named one is a day.
_ZONE_MICROSECONDS = 7 * _DAY_MICROSECONDS
_INFINITE = float("inf")
_DATE_INFINITIES = {"infinity": _INFINITE, "+infinity": _INFINITE, "-infinity": -_INFINITE}
_TIMES = ("date", "timestamp", "timestamptz")


def bounds(type: str, value: object) -> Bounds:
    """Where a Python value (not None), sent beside a column of this type, stands in the column's order.

    Raises Unknowable where that is the server's to say, and DataError as `coerce` does.
    """
    value = sent(value)
    if isinstance(value, str):
        return _of_text(type, value)
    if isinstance(value, float):
        return _of_float(type, value)
    source = _sent_as(value)
    if source is None:
        raise Unknowable
    return bounds_of(type, source, coerce(source, value))


def bounds_of(type: str, source: str, held: Any) -> Bounds:
    """The same for a value of the type `source`, as `coerce` has it."""
    family, other = KINDS[type].family, KINDS[source].family
    if {family, other} <= {"integer", "numeric"}:
        # NaN is greater than every number.
        place = _INFINITE if isinstance(held, Decimal) and held.is_nan() else held
        return place, place
    if type in _TIMES and source in _TIMES:
        return _of_moment(type, source, held)
    if family != other:
        raise Unknowable
    return held, held


def _sent_as(value: object) -> str | None:
    """The type as which psycopg sends it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return "int8" if -(1 << 63) <= value < 1 << 63 else "numeric"
    if isinstance(value, datetime.datetime):
        return "timestamp" if value.tzinfo is None else "timestamptz"
    if isinstance(value, datetime.date):
        return "date"
    if isinstance(value, Decimal):
        return "numeric"
    return "uuid" if isinstance(value, uuid.UUID) else None


def _of_text(type: str, value: str) -> Bounds:
    """A text is read as a value of the column's own type."""
    if type == "date" and value.strip().lower() in _DATE_INFINITIES:
        place = _DATE_INFINITIES[value.strip().lower()]
        return place, place
    try:
        return bounds_of(type, type, coerce(type, value))
    except Unknowable:
        if type != "timestamptz":
            raise
    # Without a zone: the session's.
    return bounds_of(type, "timestamp", coerce("timestamp", value))


def _of_float(type: str, value: float) -> Bounds:
    """An integer column is compared as float8: exactly, as long as every integer nearby is a float."""
    if KINDS[type].family != "integer" or 1 << 53 < abs(value) < 1 << 64:
        raise Unknowable
    place = _INFINITE if value != value else value
    return place, place


def _of_moment(type: str, source: str, held: int) -> Bounds:
    if type == source:
        return held, held
    micros = held * _DAY_MICROSECONDS if source == "date" else held
    slack = _ZONE_MICROSECONDS if "timestamptz" in (type, source) else 0
    return _on_scale(type, micros - slack), _on_scale(type, micros + slack)


def _on_scale(type: str, micros: int) -> float:
    if type != "date":
        return micros
    day, rest = divmod(micros, _DAY_MICROSECONDS)
    # Between two days: all that counts is that it is none of them.
    return day + 0.5 if rest else day
