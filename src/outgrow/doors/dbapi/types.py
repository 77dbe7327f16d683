"""PEP 249's type objects and constructors, and what a column says of itself.

A column's type code is the catalogue's name of its type (`int8`, `_text`, `public.mood`): a server's numbers mean
nothing on another one.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from outgrow.runtime import Field

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:
    """The local date at `ticks` seconds since 1970."""
    return datetime.date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    """The local time of day at `ticks` seconds since 1970, whole seconds."""
    return datetime.time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """The local date and time at `ticks` seconds since 1970, whole seconds."""
    return datetime.datetime(*time.localtime(ticks)[:6])


class TypeObject:
    """Equal to every type code that belongs to it."""

    def __init__(self, name: str, *codes: str) -> None:
        self.name = name
        self.codes = frozenset(codes)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self is other
        return isinstance(other, str) and self.holds(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name

    def holds(self, code: str) -> bool:
        return code in self.codes


class _Anything(TypeObject):
    """PEP 249 wants every column to be one of five kinds: what is none of the others counts as text."""

    def holds(self, code: str) -> bool:
        return not any(kind.holds(code) for kind in (BINARY, NUMBER, DATETIME, ROWID))


BINARY = TypeObject("BINARY", "bytea")
NUMBER = TypeObject("NUMBER", "int2", "int4", "int8", "float4", "float8", "numeric", "bool")
DATETIME = TypeObject("DATETIME", "date", "time", "timetz", "timestamp", "timestamptz", "interval")
ROWID = TypeObject("ROWID", "oid")
STRING = _Anything("STRING")

_SIZES = {
    "bool": 1,
    "int2": 2,
    "int4": 4,
    "int8": 8,
    "float4": 4,
    "float8": 8,
    "oid": 4,
    "uuid": 16,
    "date": 4,
    "time": 8,
    "timetz": 12,
    "timestamp": 8,
    "timestamptz": 8,
    "interval": 16,
}


class Column(NamedTuple):
    """One column of `cursor.description`.

    `display_size` (characters) is known of varchar(n) and char(n), `internal_size` (bytes) of types of one size,
    `precision` and `scale` (digits) of numeric(p, s); `null_ok` is never known.
    """

    name: str
    type_code: str
    display_size: int | None
    internal_size: int | None
    precision: int | None
    scale: int | None
    null_ok: bool | None


def described(fields: Sequence[Field]) -> list[Column]:
    return [_column(field) for field in fields]


def _column(field: Field) -> Column:
    display: int | None = None
    digits: tuple[Any, Any] = (None, None)
    if field.typmod >= 4:
        # PostgreSQL keeps a declared length or precision four bytes up; a scale is eleven bits with their sign.
        told = field.typmod - 4
        if field.type in ("varchar", "bpchar"):
            display = told
        elif field.type == "numeric":
            digits = (told >> 16 & 0xFFFF, ((told & 0x7FF) ^ 0x400) - 0x400)
    return Column(field.name, field.type, display, _SIZES.get(field.type), *digits, None)
