"""Untyped literals read as values of a type; only spellings that mean the same everywhere."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

from .errors import invalid_text, unvetted_expression

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?)?", re.ASCII)
_BITS = {"int2": 15, "int4": 31, "int8": 63}


def read_text(type: str, text: str) -> Any:
    """The value; DataError OG-FINISH-007 where the server would refuse it, OG-FINISH-006 where only it can say."""
    if type in ("text", "varchar", "name", "bpchar"):
        return text
    if type in _BITS:
        if not _INTEGER.fullmatch(text):
            raise invalid_text(type, text)
        value = int(text)
        if not -1 << _BITS[type] <= value < 1 << _BITS[type]:
            raise invalid_text(type, text)
        return value
    if type in ("numeric", "float8"):
        if not _NUMBER.fullmatch(text):
            raise unvetted_expression(f"the text {text!r} as {type}")
        return Decimal(text.strip()) if type == "numeric" else float(text)
    if type == "bool" and text.strip().lower() in ("true", "t", "false", "f"):
        return text.strip().lower() in ("true", "t")
    try:
        if type == "date" and _DAY.fullmatch(text):
            return datetime.date.fromisoformat(text)
        if type == "timestamp" and _MOMENT.fullmatch(text):
            return datetime.datetime.fromisoformat(text)
    except ValueError:
        raise invalid_text(type, text) from None
    raise unvetted_expression(f"the text {text!r} as {type}")
