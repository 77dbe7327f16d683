"""Python values → literals, and `$n` → where they go: MariaDB's text protocol has no parameters."""

from __future__ import annotations

import datetime
import enum
import re
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from outgrow import errors
from outgrow.topology import Node

#: Everything that a `$n` could hide in, longest first; a `$` within a name belongs to the name.
_SCAN = re.compile(
    r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`(?:[^`]|``)*`|\#[^\n]*|--(?=[\s\x00-\x1f]|\Z)[^\n]*|/\*.*?\*/"""
    r"""|[^\W\d][\w$]*|\$(\d+)""",
    re.DOTALL,
)


@lru_cache(maxsize=2000)
def pieces(sql: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The text between placeholders, and the 0-based parameter of each."""
    if "$" not in sql:
        return (sql,), ()
    texts: list[str] = []
    places: list[int] = []
    at = 0
    for found in _SCAN.finditer(sql):
        if found[1] is not None:
            texts.append(sql[at : found.start()])
            places.append(int(found[1]) - 1)
            at = found.end()
    return (*texts, sql[at:]), tuple(places)


def filled(sql: str, params: Sequence[Any] | None, node: Node) -> str:
    """The statement with its parameters written in."""
    texts, places = pieces(sql)
    if len(set(places)) != len(params or ()) or any(place >= len(params or ()) for place in places):
        raise errors.ProgrammingError(
            "OG-NODE-019",
            f"{len(params or ())} parameters for {len(set(places))} placeholders",
            cure="pass exactly as many parameters as the statement has placeholders",
            node=node.name,
            sqlstate="08P01",
        )
    if params is None or not places:
        return sql
    out = [texts[0]]
    for place, text in zip(places, texts[1:], strict=True):
        out.append(literal(params[place], node))
        out.append(text)
    return "".join(out)


def literal(value: Any, node: Node) -> str:
    """A value as MariaDB reads it under the pinned `sql_mode`."""
    write = _WRITTEN.get(type(value)) or next((w for kind, w in _WRITTEN.items() if isinstance(value, kind)), None)
    if isinstance(value, enum.Enum):
        # As psycopg has it: by its value where that is text or a number, else by its name.
        return literal(value.value if isinstance(value, str | int) else value.name, node)
    if write is None:
        raise errors.ProgrammingError(
            "OG-NODE-018",
            f"a {type(value).__name__} has no form in MariaDB",
            cure="pass numbers, text, bytes, dates, times, a Decimal, a UUID or None",
            node=node.name,
        )
    try:
        return write(value)
    except ValueError as error:
        raise errors.DataError(
            "OG-NODE-020", str(error), cure="pass a value that MariaDB can hold", node=node.name
        ) from error


_ESCAPES = {ord("\\"): "\\\\", ord("'"): "\\'", 0: "\\0", ord("\n"): "\\n", ord("\r"): "\\r", 26: "\\Z"}


def _text(value: str) -> str:
    value.encode()
    return f"'{value.translate(_ESCAPES)}'"


def _float(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"MariaDB has no number {value}")
    text = repr(value)
    # Without an exponent it would be read as a decimal, which compares otherwise.
    return text if "e" in text else text + "e0"


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"MariaDB has no number {value}")
    return format(value, "f")


def _moment(value: datetime.datetime) -> str:
    if value.tzinfo is not None:
        raise ValueError("MariaDB's datetime has no time zone: convert the value, and pass it without tzinfo")
    return f"'{value.isoformat(' ')}'"


def _duration(value: datetime.timedelta) -> str:
    micros = abs(value) // datetime.timedelta(microseconds=1)
    seconds, micros = divmod(micros, 1_000_000)
    sign = "-" if value < datetime.timedelta() else ""
    return f"'{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}'"


_WRITTEN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    bool: lambda value: "TRUE" if value else "FALSE",
    int: lambda value: int.__repr__(value),
    str: _text,
    float: _float,
    Decimal: _decimal,
    bytes: lambda value: f"X'{value.hex()}'",
    bytearray: lambda value: f"X'{value.hex()}'",
    memoryview: lambda value: f"X'{value.hex()}'",
    datetime.datetime: _moment,
    datetime.date: lambda value: f"'{value.isoformat()}'",
    datetime.time: lambda value: f"'{value.isoformat()}'",
    datetime.timedelta: _duration,
    uuid.UUID: lambda value: f"'{value}'",
}
