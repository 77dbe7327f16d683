"""MariaDB's DECIMAL: how many digits a value has behind its point, which is more than it shows after a division.

A value is a Decimal whose exponent is minus the digits that the server keeps.  The digits that it *shows* are a matter
of its expression; the server rounds to them, half away from zero, before it compares, sends or stores a value, and not
before it computes on.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .errors import out_of_range
from .numeric import EXACT, round_to, scale

#: `div_precision_increment`, which every connection to MariaDB sets.
DIVISION_DIGITS = 4
SCALE_MAX = 38
#: Digits are kept in words of nine, of which a value has nine at most.
_WORD, _WORDS_MAX = 9, 9
_DIGITS_MAX = 65


def _words(digits: int) -> int:
    return -(-digits // _WORD)


def exact(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def checked(value: Decimal) -> Decimal:
    """The server would cut such a value's digits, or refuse it: it must be short enough for neither."""
    whole, behind = max(value.adjusted() + 1, 0), scale(value)
    if _words(whole) + _words(behind) > _WORDS_MAX or whole + behind > _DIGITS_MAX or behind > SCALE_MAX:
        raise out_of_range("decimal")
    return value if value else value.copy_abs()


def shown(value: Decimal, digits: int) -> Decimal:
    return round_to(value, digits)


def divide(dividend: Decimal, divisor: Decimal) -> Decimal | None:
    """The quotient with the digits that the server keeps: whole words, cut off; NULL where the divisor is 0."""
    if not divisor:
        return None
    one, other = scale(dividend), scale(divisor)
    padded_one, padded_other = _words(one) * _WORD, _words(other) * _WORD
    more = max(0, DIVISION_DIGITS - (padded_one - one) - (padded_other - other))
    digits = _words(padded_one + padded_other + more) * _WORD
    quotient = EXACT.divide_int(EXACT.scaleb(dividend, digits), divisor)
    return checked(EXACT.quantize(EXACT.scaleb(quotient, -digits), Decimal((0, (1,), -digits))))


def remainder(dividend: Decimal, divisor: Decimal) -> Decimal | None:
    """With the dividend's sign."""
    return EXACT.remainder(dividend, divisor) if divisor else None


def cut(value: Decimal, digits: int) -> Decimal:
    """TRUNCATE to so many digits; there is no negative zero but that of a remainder."""
    unit = Decimal((0, (1,), -digits))
    return checked(EXACT.quantize(EXACT.multiply(EXACT.divide_int(value, unit), unit), unit))
