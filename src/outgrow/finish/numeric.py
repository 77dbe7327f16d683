"""PostgreSQL's numeric: exact sums, and the scale rule of its division (`select_div_scale` in numeric.c)."""

from __future__ import annotations

from decimal import ROUND_05UP, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from .errors import division_by_zero

#: Enough digits for anything the server can send; nothing traps, so infinities behave as in PostgreSQL.
EXACT = Context(prec=200_000, rounding=ROUND_HALF_UP, Emin=-400_000, Emax=400_000, traps=[])

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
    wanted = adjusted - 4 * weight + 1
    digits = value.as_tuple().digits[:wanted]
    first = int("".join(map(str, digits))) * 10 ** (wanted - len(digits))
    return weight, first


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """`dividend / divisor` with the server's scale and rounding (half away from zero)."""
    if not (dividend.is_finite() and divisor.is_finite()):
        return _divide_special(dividend, divisor)
    if not divisor:
        raise division_by_zero()
    weight_one, first_one = _weight(dividend)
    weight_two, first_two = _weight(divisor)
    quotient = weight_one - weight_two - (1 if first_one <= first_two else 0)
    digits = min(1000, max(16 - 4 * quotient, scale(dividend), scale(divisor), 0))
    return round_to(_quotient(dividend, divisor, digits), digits)


def _quotient(dividend: Decimal, divisor: Decimal, digits: int) -> Decimal:
    """The quotient with at least two digits more than wanted, rounded so that rounding it once more stays right."""
    wanted = max(dividend.adjusted() - divisor.adjusted(), 0) + digits + 3
    return _sticky(wanted).divide(dividend, divisor)


@lru_cache(maxsize=256)
def _sticky(digits: int) -> Context:
    return Context(prec=digits, rounding=ROUND_05UP, Emin=-400_000, Emax=400_000, traps=[])


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
    rounded = value.quantize(Decimal((0, (1,), -digits)), ROUND_HALF_UP, EXACT)
    return rounded if rounded else rounded.copy_abs()


def add(one: Decimal, other: Decimal) -> Decimal:
    return EXACT.add(one, other)


def average(total: Decimal | int, count: int) -> Decimal:
    return divide(Decimal(total), Decimal(count))
