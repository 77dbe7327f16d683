"""The key value that a row has once its column was received in PostgreSQL's binary form, as COPY … BINARY has it."""

from __future__ import annotations

import uuid
from decimal import Decimal
from struct import error as StructError
from struct import unpack, unpack_from

from outgrow.keyspace.kinds import NAN
from outgrow.keyspace.stored import stored, stored_moment
from outgrow.keyspace.values import wrong

_WIDTHS = {"int2": ">h", "int4": ">i", "int8": ">q"}
#: A date's infinities have no hash that SQL can compute.
_DATE_INFINITIES = (2**31 - 1, -(2**31))
_NUMERIC_SIGNS = {0x0000: "", 0x4000: "-"}
_NUMERIC_SPECIAL = {0xC000: NAN, 0xD000: Decimal("Infinity"), 0xF000: Decimal("-Infinity")}


def received(type: str, typmod: int, data: bytes) -> object:
    """What a column of this type and `typmod` holds after it received these bytes, as `stored` describes.

    Raises DataError OG-KEY-005 where the server would refuse them, OG-KEY-006 for a value that does not fit.
    """
    try:
        return _received(type, typmod, data)
    except (StructError, UnicodeDecodeError, ValueError):
        raise wrong(type, data) from None


def _received(type: str, typmod: int, data: bytes) -> object:
    if type in _WIDTHS:
        return unpack(_WIDTHS[type], data)[0]
    if type in ("text", "varchar"):
        return stored(type, typmod, data.decode())
    if type == "uuid":
        return uuid.UUID(bytes=data)
    if type == "bool":
        return unpack(">b", data)[0] != 0
    if type == "date":
        (day,) = unpack(">i", data)
        if day in _DATE_INFINITIES:
            raise wrong(type, "infinity")
        return day
    if type in ("timestamp", "timestamptz"):
        return stored_moment(unpack(">q", data)[0], typmod)
    if type == "numeric":
        return stored(type, typmod, _numeric(data))
    return stored(type, typmod, data)


def _numeric(data: bytes) -> Decimal:
    """numeric_send's words: how many digits of base 10000, the weight of the first, the sign, the scale shown."""
    count, weight, sign, scale = unpack_from(">HhHH", data)
    if sign in _NUMERIC_SPECIAL:
        return _NUMERIC_SPECIAL[sign]
    digits = unpack_from(f">{count}H", data, 8)
    if len(data) != 8 + 2 * count or sign not in _NUMERIC_SIGNS or any(digit > 9999 for digit in digits):
        raise ValueError
    text = "".join(f"{digit:04}" for digit in digits)
    exponent = 4 * (weight + 1 - count)
    # Digits beyond the scale are cut off, not rounded.
    beyond = -exponent - scale
    if beyond > 0:
        text, exponent = text[: max(0, len(text) - beyond)], -scale
    return Decimal(f"{_NUMERIC_SIGNS[sign]}{text or '0'}e{exponent}")
