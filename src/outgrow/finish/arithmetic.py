"""Arithmetic and casts among numbers: PostgreSQL's widths, truncation, rounding and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .errors import division_by_zero, out_of_range, unvetted_expression
from .numeric import EXACT, divide, round_to

INTEGERS = frozenset(("int2", "int4", "int8"))
NUMBERS = INTEGERS | {"numeric", "float4", "float8"}
_WIDTH = ("int2", "int4", "int8", "numeric", "float4", "float8")
_BITS = {"int2": 15, "int4": 31, "int8": 63}


def widest(types: set[str]) -> str:
    """The type in which numbers of these types meet.  (Real meets none here: see `evaluate.Compiler.together`.)"""
    return max(types, key=_WIDTH.index)


def checked(value: int, type: str) -> int:
    bits = _BITS[type]
    if not -1 << bits <= value < 1 << bits:
        raise out_of_range(type)
    return value


def _finite(value: float, *inputs: float) -> float:
    if math.isinf(value) and not any(math.isinf(each) for each in inputs):
        raise out_of_range("double precision")
    return value


def _int_divide(one: int, other: int, type: str) -> int:
    if other == 0:
        raise division_by_zero()
    quotient = abs(one) // abs(other)
    return checked(-quotient if (one < 0) != (other < 0) else quotient, type)


def _int_modulo(one: int, other: int, type: str) -> int:
    if other == 0:
        raise division_by_zero()
    rest = abs(one) % abs(other)
    return -rest if one < 0 else rest


def _numeric_modulo(one: Decimal, other: Decimal, type: str) -> Decimal:
    if one.is_nan() or other.is_nan() or one.is_infinite():
        return Decimal("NaN")
    if not other:
        raise division_by_zero()
    if other.is_infinite():
        return one
    rest = EXACT.remainder(one, other)
    return rest if rest else rest.copy_abs()


def _float_multiply(one: float, other: float, type: str) -> float:
    product = _finite(one * other, one, other)
    if product == 0.0 and one != 0.0 and other != 0.0:
        raise out_of_range("double precision")
    return product


def _float_divide(one: float, other: float, type: str) -> float:
    if other == 0.0 and not math.isnan(one):
        raise division_by_zero()
    if math.isnan(one):
        return one
    quotient = _finite(one / other, one)
    if quotient == 0.0 and one != 0.0 and not math.isinf(other):
        raise out_of_range("double precision")
    return quotient


def _positive_zero(value: Decimal) -> Decimal:
    return value if value else value.copy_abs()


#: operator → type ("int" for all integers) → function of both operands and the type.
ARITHMETIC: dict[str, dict[str, Callable[[Any, Any, str], Any]]] = {
    "+": {
        "int": lambda one, other, type: checked(one + other, type),
        "numeric": lambda one, other, type: _positive_zero(EXACT.add(one, other)),
        "float8": lambda one, other, type: _finite(one + other, one, other),
    },
    "-": {
        "int": lambda one, other, type: checked(one - other, type),
        "numeric": lambda one, other, type: _positive_zero(EXACT.subtract(one, other)),
        "float8": lambda one, other, type: _finite(one - other, one, other),
    },
    "*": {
        "int": lambda one, other, type: checked(one * other, type),
        "numeric": lambda one, other, type: _positive_zero(EXACT.multiply(one, other)),
        "float8": _float_multiply,
    },
    "/": {
        "int": _int_divide,
        "numeric": lambda one, other, type: divide(one, other),
        "float8": _float_divide,
    },
    "%": {"int": _int_modulo, "numeric": _numeric_modulo},
}


def negate(value: Any, type: str) -> Any:
    if type in INTEGERS:
        return checked(-value, type)
    return _positive_zero(value.copy_negate()) if isinstance(value, Decimal) else -value


def absolute(value: Any, type: str) -> Any:
    if type in INTEGERS:
        return checked(abs(value), type)
    return value.copy_abs() if isinstance(value, Decimal) else abs(value)


def rounded(value: Any, digits: int) -> Any:
    """round(numeric, digits) half away from zero; round(float8) half to even."""
    if isinstance(value, float):
        return value if math.isinf(value) or math.isnan(value) else math.copysign(float(round(value)), value)
    if not value.is_finite():
        return value
    digits = max(-131072, min(16383, digits))
    if digits >= 0:
        return round_to(value, digits)
    return _positive_zero(round_to(value.quantize(Decimal((0, (1,), -digits)), ROUND_HALF_UP, EXACT), 0))


def converter(source: str, target: str) -> Callable[[Any], Any]:
    """A cast of a value that is not NULL."""
    if target in INTEGERS:
        return _to_integer(source, target)
    if target == "float8":
        return lambda value: _finite(float(value), *((value,) if source == "float8" else ()))
    if target == "numeric":
        return _to_numeric(source)
    if target.startswith("numeric("):
        precision, _, scale = target[8:-1].partition(",")
        to_numeric, digits = _to_numeric(source), int(scale or 0)
        return lambda value: _fitted(to_numeric(value), int(precision), digits)
    raise unvetted_expression(f"a cast to {target}")


def _to_integer(source: str, target: str) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if source in INTEGERS:
            return checked(value, target)
        if value != value or value in (math.inf, -math.inf):
            raise out_of_range(target)
        if source == "numeric":
            return checked(int(value.to_integral_value(ROUND_HALF_UP)), target)
        return checked(round(value), target)

    return convert


def _to_numeric(source: str) -> Callable[[Any], Decimal]:
    if source == "float8":
        return lambda value: Decimal(f"{value:.15g}") if math.isfinite(value) else Decimal(str(value))
    return Decimal


def _fitted(value: Decimal, precision: int, digits: int) -> Decimal:
    if value.is_nan():
        return value
    if value.is_infinite():
        raise out_of_range("numeric")
    result = round_to(value, digits)
    if result and result.adjusted() >= precision - digits:
        raise out_of_range("numeric")
    return result


def _numeric_shown(value: Decimal) -> str:
    return format(value, "f") if value.is_finite() else str(value)


#: How a value is cast to text.  Floats are not here: when PostgreSQL writes exponents is another rule than Python's.
SHOWN: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("int2", "int4", "int8", "text", "varchar"), str),
    "numeric": _numeric_shown,
    "bool": lambda value: "true" if value else "false",
}
