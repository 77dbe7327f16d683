"""Literals as Python values."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from outgrow.keyspace import Unknowable
from outgrow.statement.tree import Expr, Literal, Operation


def python_value(expr: Expr) -> Any:
    """What psycopg would send for this literal: int, Decimal, str, bool or None.  Raises Unknowable."""
    if isinstance(expr, Operation) and expr.operator == "-" and len(expr.operands) == 1:
        return -python_value(expr.operands[0])
    if not isinstance(expr, Literal):
        raise Unknowable
    if expr.kind == "number":
        return number(expr.text)
    if expr.kind == "string":
        return expr.text
    if expr.kind == "boolean":
        return expr.text.lower() in ("true", "t")
    return None


def number(text: str) -> int | Decimal:
    """An integer literal, or a numeric one with its scale."""
    try:
        return int(text) if text.isascii() and text.isdigit() else Decimal(text)
    except InvalidOperation:
        raise Unknowable from None
