r"""What a field stands for: CSV without its quotes, text without its backslashes."""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def without_quotes(field: bytes, quote: bytes, escape: bytes) -> bytes:
    """The field's value: quotes toggle quoting, and inside quotes the escape takes a quote or itself."""
    if escape != quote:
        return _without_escapes(field, quote[0], escape[0])
    pieces = field.split(quote)
    value = pieces[0]
    inside = False
    at = 1
    while at < len(pieces):
        if inside and not pieces[at] and at + 1 < len(pieces):
            value += quote + pieces[at + 1]
            at += 2
            continue
        inside = not inside
        value += pieces[at]
        at += 1
    return value


def _without_escapes(field: bytes, quote: int, escape: int) -> bytes:
    value = bytearray()
    inside = False
    at = 0
    while at < len(field):
        byte = field[at]
        at += 1
        if inside and byte == escape and at < len(field) and field[at] in (escape, quote):
            value.append(field[at])
            at += 1
        elif byte == quote:
            inside = not inside
        else:
            value.append(byte)
    return bytes(value)


def without_slashes(field: bytes) -> bytes:
    r"""The field's value: \t, \x41, \101 and the like; any other byte behind a backslash is itself."""
    return _ESCAPE.sub(_meant, field)


def _meant(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, letter = found.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    return _LETTERS.get(letter, letter)
