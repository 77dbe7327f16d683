"""PostgreSQL's numeric: exact sums, and the scale rule of its division (`select_div_scale` in numeric.c)."""

from __future__ import annotations

from bisect import bisect_right
from decimal import ROUND_05UP, ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from .errors import division_by_zero

#: Enough digits for anything the server can send; nothing traps, so infinities behave as in PostgreSQL.
EXACT = Context(prec=200_000, rounding=ROUND_HALF_UP, Emin=-400_000, Emax=400_000, traps=[])

_TRUNCATED = Context(prec=4, rounding=ROUND_DOWN, Emin=-400_000, Emax=400_000, traps=[])
_ZERO = Decimal(0)


def scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _weight(value: Decimal) -> tuple[int, int]:
    """Weight and value of the first base-10000 digit; zero has neither."""
    if not value:
        return 0, 0
    adjusted = value.adjusted()
    weight = adjusted // 4
    # The decimal digits that belong to the first base-10000 digit.
    return weight, int(_TRUNCATED.scaleb(value.copy_abs(), adjusted % 4 - adjusted))


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """`dividend / divisor` with the server's scale and rounding (half away from zero)."""
    if not (dividend.is_finite() and divisor.is_finite()):
        return _divide_special(dividend, divisor)
    if not divisor:
        raise division_by_zero()
    digits = _digits(_weight(dividend), _weight(divisor), max(scale(dividend), scale(divisor)))
    return round_to(_quotient(dividend, divisor, digits), digits)


def _digits(dividend: tuple[int, int], divisor: tuple[int, int], least: int) -> int:
    """The result's scale, from both sides' weights and first base-10000 digits."""
    quotient = dividend[0] - divisor[0] - (1 if dividend[1] <= divisor[1] else 0)
    return min(1000, max(16 - 4 * quotient, least))


def _quotient(dividend: Decimal, divisor: Decimal, digits: int) -> Decimal:
    """The quotient with at least two digits more than wanted, rounded so that rounding it once more stays right."""
    wanted = max(dividend.adjusted() - divisor.adjusted(), 0) + digits + 3
    return _sticky(wanted).divide(dividend, divisor)


@lru_cache(maxsize=256)
def _sticky(digits: int) -> Context:
    return Context(prec=digits, rounding=ROUND_05UP, Emin=-400_000, Emax=400_000, traps=[])


@lru_cache(maxsize=256)
def _unit(digits: int) -> Decimal:
    return Decimal((0, (1,), -digits))


def _divide_special(dividend: Decimal, divisor: Decimal) -> Decimal:
    if dividend.is_nan() or divisor.is_nan() or (dividend.is_infinite() and divisor.is_infinite()):
        return Decimal("NaN")
    if divisor.is_infinite():
        return _ZERO
    if not divisor:
        raise division_by_zero()
    return Decimal("-Infinity") if (dividend < 0) != (divisor < 0) else Decimal("Infinity")


def round_to(value: Decimal, digits: int) -> Decimal:
    """Half away from zero, to exactly `digits` decimals; PostgreSQL has no negative zero."""
    if not value.is_finite():
        return value
    rounded = value.quantize(_unit(digits), ROUND_HALF_UP, EXACT)
    return rounded if rounded else rounded.copy_abs()


def add(one: Decimal, other: Decimal) -> Decimal:
    return EXACT.add(one, other)


def average(total: Decimal | int, count: int) -> Decimal:
    """`total / count` as avg() divides; integers take a shorter way to the same digits."""
    if not isinstance(total, int) or not -_SHORT < total < _SHORT:
        return divide(Decimal(total), Decimal(count))
    size = abs(total)
    weight, other = bisect_right(_LONGER, size), bisect_right(_LONGER, count)
    quotient = weight - other - (size // _BASES[weight] <= count // _BASES[other])
    digits = max(16 - 4 * quotient, 0)
    # Twice both sides, so that half is rounded away from zero.
    units = (2 * size * _TENS[digits] + count) // (2 * count)
    return EXACT.multiply(Decimal(units if total >= 0 else -units), _unit(digits))


_SHORT = 10**40
_TENS = [10**power for power in range(44)]
_BASES = [10000**power for power in range(11)]
#: Numbers from here on have one more digit in base 10000.
_LONGER = _BASES[1:]
