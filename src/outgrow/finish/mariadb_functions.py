"""Arithmetic and functions as MariaDB computes them, with the types and the digits of their results."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from .decimals import DIVISION_DIGITS, SCALE_MAX, checked, cut, divide, remainder, shown
from .errors import out_of_range, unvetted_expression
from .evaluate import Row, Typed, Value
from .mariadb_values import INT8, INTEGERS, NUMBERS, as_kind, comparison, lifted, lifted_two, meeting, truth
from .numeric import EXACT


def _integer(value: int) -> int:
    if not -INT8 <= value < INT8:
        raise out_of_range("int8")
    return value


_WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operators.add,
    "-": operators.sub,
    "*": operators.mul,
}
_DECIMAL: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": EXACT.add,
    "-": EXACT.subtract,
    "*": EXACT.multiply,
}


def _float(value: float) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise out_of_range("double")
    return value


def _check_width(name: str, one: Typed, other: Typed) -> None:
    """The type of whole numbers' results follows from the digits that they show: known of int8 and of int columns."""
    if "int8" not in (one.type, other.type) and (one.narrow or other.narrow or "int2" in (one.type, other.type)):
        raise unvetted_expression(f"{name} of small whole numbers")


def _add(name: str, one: Typed, other: Typed) -> Typed:
    kind = meeting((one, other), name)
    if kind in INTEGERS:
        _check_width(name, one, other)
        function = _WHOLE[name]
        return Typed(lifted_two(lambda x, y: _integer(function(x, y)), one.value, other.value), "int8")
    left, right = as_kind(one, kind), as_kind(other, kind)
    if kind == "float8":
        function = _WHOLE[name]
        return Typed(lifted_two(lambda x, y: _float(function(x, y)), left, right), kind)
    compute = _DECIMAL[name]
    digits = min(one.scale + other.scale, SCALE_MAX) if name == "*" else max(one.scale, other.scale)
    value = lifted_two(lambda x, y: checked(compute(x, y)), left, right)
    return Typed(value, kind, None, digits, one.hidden or other.hidden)


def _divide(name: str, one: Typed, other: Typed) -> Typed:
    kind = meeting((one, other), name)
    if kind == "float8":
        left, right = as_kind(one, kind), as_kind(other, kind)
        return Typed(lifted_two(lambda x, y: _float(x / y) if y else None, left, right), kind)
    value = lifted_two(divide, as_kind(one, "numeric"), as_kind(other, "numeric"))
    return Typed(value, "numeric", None, min(one.scale + DIVISION_DIGITS, SCALE_MAX), True)


def _modulo(name: str, one: Typed, other: Typed) -> Typed:
    if meeting((one, other), name) not in INTEGERS:
        # A decimal's remainder can be minus zero.
        raise unvetted_expression(f"{name} of anything but whole numbers")
    _check_width(name, one, other)
    value = lifted_two(remainder, as_kind(one, "numeric"), as_kind(other, "numeric"))
    return Typed(lifted(int, value), "int8")


def _div(name: str, one: Typed, other: Typed) -> Typed:
    if meeting((one, other), name) not in INTEGERS:
        raise unvetted_expression("DIV of anything but whole numbers")

    def compute(x: int, y: int) -> int | None:
        return _integer((abs(x) // abs(y)) * (1 if (x < 0) == (y < 0) else -1)) if y else None

    return Typed(lifted_two(compute, one.value, other.value), "int8")


ARITHMETIC: dict[str, Callable[[str, Typed, Typed], Typed]] = {
    **dict.fromkeys("+-*", _add),
    "/": _divide,
    "%": _modulo,
    "div": _div,
}


def _minus(parts: list[Typed]) -> Typed:
    [part] = parts
    kind = meeting(parts, "-")
    if kind in INTEGERS and kind != "int8":
        # By the digits that the column shows it is one type or another.
        raise unvetted_expression(f"minus {kind}")
    if kind == "int8":
        return Typed(lifted(lambda value: _integer(-value), part.value), "int8")
    if kind == "numeric":
        return part._replace(value=lifted(lambda value: value.copy_negate() if value else value, part.value))
    return part._replace(value=lifted(operators.neg, part.value))


def _plus(parts: list[Typed]) -> Typed:
    meeting(parts, "+")
    return parts[0]


# --- functions -------------------------------------------------------------------------------------------------------


def _together(parts: Sequence[Typed], what: str) -> tuple[list[Value], Typed]:
    """The values of branches of which one is the result, and that result without its value."""
    known = [part for part in parts if part.type != "unknown"]
    kinds = {part.type for part in known}
    if not kinds:
        raise unvetted_expression(f"{what} of nothing but NULL")
    if kinds <= NUMBERS:
        kind = meeting(known, what)
        digits = max(part.scale for part in known) if kind == "numeric" else 0
        odd = kind == "numeric" and any(part.hidden or part.scale != digits or part.type != kind for part in known)
        values = [part.value if part.type == "unknown" else as_kind(part, kind) for part in parts]
        return values, Typed(lambda row: None, kind, None, digits, odd)
    if len(kinds) > 1:
        raise unvetted_expression(f"{what} between {' and '.join(sorted(kinds))}")
    return [part.value for part in parts], Typed(lambda row: None, next(iter(kinds)))


def _coalesce(parts: list[Typed]) -> Typed:
    values, result = _together(parts, "COALESCE")

    def compute(row: Row) -> Any:
        return next((found for value in values if (found := value(row)) is not None), None)

    return result._replace(value=compute)


def _case(parts: list[Typed]) -> Typed:
    conditions = [truth(part) for part in parts[:-1:2]]
    values, result = _together([*parts[1:-1:2], parts[-1]], "CASE")

    def compute(row: Row) -> Any:
        for condition, value in zip(conditions, values, strict=False):
            if condition(row):
                return value(row)
        return values[-1](row)

    return result._replace(value=compute)


def _nullif(parts: list[Typed]) -> Typed:
    equal, value = comparison("=", parts[0], parts[1]), parts[0].value
    return parts[0]._replace(value=lambda row: None if equal(row) else value(row))


def _most(function: Callable[..., Any]) -> Callable[[list[Typed]], Typed]:
    def build(parts: list[Typed]) -> Typed:
        if any(part.type not in NUMBERS or part.hidden for part in parts):
            raise unvetted_expression("GREATEST or LEAST of anything but plain numbers")
        values, result = _together(parts, "GREATEST")

        def compute(row: Row) -> Any:
            found = [value(row) for value in values]
            return None if None in found else function(found)

        return result._replace(value=compute)

    return build


def _abs(parts: list[Typed]) -> Typed:
    [part] = parts
    if part.type not in ("int8", "numeric", "float8"):
        raise unvetted_expression(f"ABS of {part.type}")
    if part.type == "int8":
        return part._replace(value=lifted(lambda value: _integer(abs(value)), part.value))
    return part._replace(value=lifted(abs, part.value))


def _to_digits(how: Callable[[Decimal, int], Decimal]) -> Callable[[list[Typed]], Typed]:
    """ROUND and TRUNCATE to a constant number of digits."""

    def build(parts: list[Typed]) -> Typed:
        part = parts[0]
        digits = parts[1].value(()) if len(parts) > 1 and parts[1].type in INTEGERS else 0
        if len(parts) > 2 or (len(parts) == 2 and parts[1].type not in INTEGERS) or not 0 <= digits <= 30:
            raise unvetted_expression("ROUND or TRUNCATE to other than a plain number of digits")
        if part.type in INTEGERS:
            return part
        if part.type != "numeric":
            raise unvetted_expression(f"ROUND or TRUNCATE of {part.type}")
        return Typed(lifted(lambda value: how(value, digits), part.value), "numeric", None, digits)

    return build


FUNCTIONS: dict[str, Callable[[list[Typed]], Typed]] = {
    "-": _minus,
    "+": _plus,
    "case": _case,
    "coalesce": _coalesce,
    "ifnull": _coalesce,
    "if": _case,
    "nullif": _nullif,
    "greatest": _most(max),
    "least": _most(min),
    "abs": _abs,
    "round": _to_digits(shown),
    "truncate": _to_digits(cut),
}
