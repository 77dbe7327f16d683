"""Literals and parameters: a parameter has the type that the driver would give it."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import Any

from outgrow.statement.tree import Literal

from .types import BOOL, DIGITS, UNKNOWN, Constant, NotVetted, Type, Typed, decimal_scale, quoted

_WIDTHS = (("int2", 15), ("int4", 31), ("int8", 63))


def literal(node: Literal) -> Typed:
    match node.kind:
        case "null":
            return Typed("NULL", UNKNOWN, Constant("null"))
        case "string":
            return Typed(quoted(node.text), UNKNOWN, Constant("string", node.text))
        case "boolean":
            return Typed("TRUE" if node.text.lower() in ("true", "t") else "FALSE", BOOL)
        case "number" if node.text.isdigit():
            return _whole(int(node.text), _WIDTHS[1:])
        case "number" if node.text.replace(".", "", 1).isdigit():
            return _decimal(node.text)
    raise NotVetted(f"the literal {node.text[:40]}")


def _whole(value: int, widths: tuple[tuple[str, int], ...]) -> Typed:
    for name, bits in widths:
        if -(2**bits) <= value < 2**bits:
            type = Type(name)
            return Typed(f"CAST('{value}' AS {type.duckdb})", type, Constant("number", str(value)))
    return _decimal(str(value))


def _decimal(text: str) -> Typed:
    if len(text) > DIGITS:
        raise NotVetted("a constant of so many digits")
    type = Type("numeric", decimal_scale(text))
    return Typed(f"CAST('{text}' AS {type.duckdb})", type, Constant("number", text))


def parameter(value: Any) -> Typed:
    """Exactly these classes: what inherits from them may be adapted otherwise."""
    kind = type(value)
    if value is None:
        return Typed("NULL", UNKNOWN, Constant("null"))
    if kind is bool:
        return Typed("TRUE" if value else "FALSE", BOOL)
    if kind is int:
        return _whole(value, _WIDTHS)
    if kind is str:
        return Typed(quoted(value), UNKNOWN, Constant("string", value))
    if kind is Decimal and value.is_finite() and value.as_tuple().exponent <= 0:
        return _decimal(f"{value:f}")
    if kind is float and math.isfinite(value):
        return Typed(f"CAST('{value!r}' AS DOUBLE)", Type("float8"))
    if kind is dt.date:
        return Typed(f"CAST('{value.isoformat()}' AS DATE)", Type("date"))
    if kind is dt.datetime and value.tzinfo is None:
        return Typed(f"CAST('{value.isoformat(' ')}' AS TIMESTAMP)", Type("timestamp"))
    if kind is dt.datetime and value.utcoffset() is not None:
        return Typed(f"CAST('{value.isoformat(' ')}' AS TIMESTAMPTZ)", Type("timestamptz"))
    if kind is uuid.UUID:
        return Typed(f"CAST('{value}' AS UUID)", Type("uuid"))
    raise NotVetted(f"a parameter that is a {kind.__name__}")
