"""What a Python value means when it is compared with a key column.

`coerce` answers for `column = value` as the server would resolve it when psycopg sends the value (a `str` as an
untyped literal, an `int` as an integer, a `float` as float8, a `Decimal` as numeric, a naive `datetime` as timestamp,
an aware one as timestamptz).  Its results are the values that `Hash.slot` takes:

    int2, int4, int8        int             date                    int, days since 2000-01-01
    text, varchar           str             timestamp, timestamptz  int, microseconds since 2000-01-01 (UTC)
    uuid                    uuid.UUID       numeric                 Decimal (NaN is always the object kinds.NAN)
    bool                    bool            NULL of any type        None

They compare equal exactly when the server's values do, so sets of keys may be intersected in Python.
"""

from __future__ import annotations

import datetime
import enum
import operator
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from outgrow.errors import DataError
from outgrow.keyspace.kinds import NAN, kind


class NoRow(Exception):
    """No row can have a key equal to this value (42.5 beside an integer, 70000 beside an int2)."""


class Unknowable(Exception):
    """Only the server knows which keys this value equals (it depends on a setting, or on its input functions)."""


def coerce(type: str, value: object) -> Any:
    """`value` as a key column of this type has it.

    Raises NoRow, Unknowable, DataError OG-KEY-005 when the server would refuse the comparison or the text, and
    NotSupportedError OG-KEY-001 for a type that cannot be a key's.
    """
    if value is None:
        return None
    rule = _RULES.get(type)
    if rule is None:
        kind(type)
        raise AssertionError(f"no rule for {type}")
    return rule(type, value if value.__class__ in _PLAIN else sent(value))


#: Values of exactly these types are sent as they are.
_PLAIN = frozenset((int, str, bool, float, uuid.UUID, datetime.datetime, datetime.date, Decimal))


def sent(value: object) -> object:
    """What psycopg makes of a value before its type counts: enumerations and numpy's scalars are what they hold."""
    if isinstance(value, enum.Enum):
        # By its value where it is a str or an int too, else by its name.
        return value.value if isinstance(value, str | int) else value.name
    if value.__class__.__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    return value


def wrong(type: str, value: object) -> DataError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return DataError(
        "OG-KEY-005",
        f"{shown} ({value.__class__.__name__}) is not a value for a key column of type {type}",
        cure="pass a value of the column's type, or cast it in Python before passing it",
    )


_BITS = {"int2": 15, "int4": 31, "int8": 63}
_INTEGER = re.compile(r"[ \t\n\r\f\v]*[+-]?[0-9]+[ \t\n\r\f\v]*", re.ASCII)
#: What PostgreSQL 16 and later also read as an integer.
_NEWER_INTEGER = re.compile(r"\s*[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9_]+)\s*", re.ASCII)


def _integer(type: str, value: object) -> int:
    bits = _BITS[type]
    if value.__class__ is int:
        number = value
    elif isinstance(value, bool):
        raise wrong(type, value)
    elif isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise Unknowable if _NEWER_INTEGER.fullmatch(value) else wrong(type, value)
        number = int(value) if len(value) < 60 else 1 << 64
        if not -1 << bits <= number < 1 << bits:
            raise wrong(type, value)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")) or value != int(value):
            raise NoRow
        number = int(value)
        if 1 << 53 < abs(number) <= 1 << 63:
            # Several integers are this float.
            raise Unknowable
    elif isinstance(value, Decimal):
        if not value.is_finite() or value != value.to_integral_value():
            raise NoRow
        if value.adjusted() > 19:
            raise NoRow
        number = int(value)
    else:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise wrong(type, value) from None
    assert isinstance(number, int)
    if not -1 << bits <= number < 1 << bits:
        raise NoRow
    return number


def _text(type: str, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise wrong(type, value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong(type, value) from None
    return str(value)


_UUID = re.compile(r"(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}", re.IGNORECASE | re.ASCII)


def _uuid(type: str, value: object) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    if isinstance(value, str):
        text = value[1:-1] if value.startswith("{") and value.endswith("}") else value
        if _UUID.fullmatch(text):
            return uuid.UUID(text.replace("-", ""))
    raise wrong(type, value)


#: Every unique prefix that boolin takes.
_BOOLEANS = {
    **{word[:n]: True for word, least in (("true", 1), ("yes", 1)) for n in range(least, len(word) + 1)},
    **{word[:n]: False for word, least in (("false", 1), ("no", 1), ("off", 2)) for n in range(least, len(word) + 1)},
    "on": True,
    "1": True,
    "0": False,
}


def _boolean(type: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        found = _BOOLEANS.get(value.strip(" \t\n\r\f\v").lower())
        if found is not None:
            return found
    raise wrong(type, value)


_EPOCH = datetime.datetime(2000, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=datetime.UTC)
_EPOCH_DAY = datetime.date(2000, 1, 1).toordinal()
_MICROSECOND = datetime.timedelta(microseconds=1)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?", re.ASCII)
_ZONE = re.compile(r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)", re.ASCII)
#: How the server stores infinity; a date's infinity has no hash that SQL can compute.
_INFINITIES = {"infinity": (1 << 63) - 1, "-infinity": -1 << 63}


def _date(type: str, value: object) -> int:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise Unknowable
        if value.time() != datetime.time.min:
            raise NoRow
        return value.toordinal() - _EPOCH_DAY
    if isinstance(value, datetime.date):
        return value.toordinal() - _EPOCH_DAY
    if isinstance(value, str) and value.strip().lower() not in ("infinity", "-infinity", "+infinity"):
        if not _DAY.fullmatch(value):
            raise Unknowable
        try:
            return datetime.date.fromisoformat(value).toordinal() - _EPOCH_DAY
        except ValueError:
            raise Unknowable from None
    raise wrong(type, value)


def _timestamp(type: str, value: object) -> int:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise Unknowable
        return (value - _EPOCH) // _MICROSECOND
    if isinstance(value, datetime.date):
        return (value.toordinal() - _EPOCH_DAY) * 86_400_000_000
    if isinstance(value, str):
        if value in _INFINITIES:
            return _INFINITIES[value]
        if _DAY.fullmatch(value):
            value += " 00:00:00"
        if not _MOMENT.fullmatch(value):
            raise Unknowable
        return (_moment(value) - _EPOCH) // _MICROSECOND
    raise wrong(type, value)


def _timestamptz(type: str, value: object) -> int:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            # What it means depends on the session's TimeZone.
            raise Unknowable
        return (value - _EPOCH_UTC) // _MICROSECOND
    if isinstance(value, datetime.date):
        raise Unknowable
    if isinstance(value, str):
        if value in _INFINITIES:
            return _INFINITIES[value]
        zone = _ZONE.search(value, 19)
        if not zone or zone.end() != len(value) or not _MOMENT.fullmatch(value[: zone.start()]):
            raise Unknowable
        return (_moment(value[: zone.start()]) - _EPOCH) // _MICROSECOND - _offset(zone.group()) * 1_000_000
    raise wrong(type, value)


def _moment(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        # 24:00:00, a 61st second, the 30th of February: the server's affair.
        raise Unknowable from None


def _offset(zone: str) -> int:
    """Seconds east of UTC."""
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?\s*", re.ASCII)
_NEWER_NUMBER = re.compile(r"\s*[+-]?[0-9][0-9a-fA-FxXoOb_.eE+-]*\s*", re.ASCII)
_SPECIAL = {
    "nan": NAN,
    **{word: Decimal("Infinity") for word in ("infinity", "+infinity", "inf", "+inf")},
    **{word: Decimal("-Infinity") for word in ("-infinity", "-inf")},
}


def _numeric(type: str, value: object) -> Decimal:
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool):
        raise wrong(type, value)
    elif isinstance(value, int):
        number = Decimal(value)
    elif isinstance(value, float):
        # The server compares as float8, where several numerics are one float.
        raise Unknowable
    elif isinstance(value, str):
        special = _SPECIAL.get(value.strip(" \t\n\r\f\v").lower())
        if special is not None:
            return special
        if not _NUMBER.fullmatch(value):
            raise Unknowable if _NEWER_NUMBER.fullmatch(value) else wrong(type, value)
        number = Decimal(value.strip())
    else:
        raise wrong(type, value)
    if number.is_nan():
        return NAN
    if number.is_finite():
        if number.adjusted() >= 131072:
            raise wrong(type, value)
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -16383:
            raise Unknowable
    return number


_RULES: dict[str, Callable[[str, Any], Any]] = {
    "int2": _integer,
    "int4": _integer,
    "int8": _integer,
    "text": _text,
    "varchar": _text,
    "uuid": _uuid,
    "bool": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "numeric": _numeric,
}
