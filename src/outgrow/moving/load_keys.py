"""The key columns of a block of records, as `keyspace` takes columns.

Integers, texts and uuids in their usual spelling are read by numpy; everything else goes value by value through
`keyspace.stored`, which knows what the column will hold and refuses what it cannot know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from outgrow.errors import DataError
from outgrow.keyspace import Unknowable, stored
from outgrow.keyspace.columns import Integers, Slices
from outgrow.moving.load_layout import KeyColumn
from outgrow.moving.load_records import SLACK, Positions, Records
from outgrow.moving.load_spelling import without_quotes, without_slashes

Bools = npt.NDArray[np.bool_]


class WrongKey(Exception):
    """A record's key is no value of its column, or one whose meaning only the server knows."""

    def __init__(self, row: int, message: str, cure: str) -> None:
        super().__init__(message)
        self.row = row
        self.message = message
        self.cure = cure


class Fields:
    """One key column's fields in a block: where what they stand for is, and which are NULL."""

    __slots__ = ("buffer", "ends", "nulls", "starts")

    def __init__(self, records: Records, key: KeyColumn) -> None:
        form = records.format
        assert key.position is not None
        self.buffer = records.padded
        self.starts, self.ends = records.field(key.position)
        bare: Bools | None = None
        if records.quotes is not None:
            bare = self._unquote(records, key.position)
        nulls = self._spelt(form.null.encode())
        if key.name in form.force_not_null:
            nulls &= False
        if bare is not None and key.name not in form.force_null:
            nulls &= bare
        self.nulls: Bools | None = nulls if bool(nulls.any()) else None
        if form.default is not None:
            defaults = self._spelt(form.default.encode())
            if bare is not None:
                defaults &= bare
            for row in np.flatnonzero(defaults)[:1].tolist():
                raise WrongKey(
                    row, f"{key.name} is given as its default, so the row cannot be placed", "write the value"
                )
        if form.kind == "text" and records.escapes is not None:
            self._unescape(records.escapes)

    def _spelt(self, mark: bytes) -> Bools:
        """Which fields are exactly this."""
        same: Bools = self.ends - self.starts == len(mark)
        if mark and len(rows := np.flatnonzero(same)):
            starts = self.starts[rows]
            for place, byte in enumerate(mark):
                same[rows] &= self.buffer[starts + place] == byte
        return same

    def _unquote(self, records: Records, column: int) -> Bools:
        """Step inside the quotes; a field with quotes in its middle is spelt out behind the block's bytes."""
        assert records.quotes is not None
        before: npt.NDArray[np.int32] = np.zeros(len(records), dtype=np.int32)
        if column:
            before = records.quotes[:, column - 1]
        else:
            before[1:] = records.quotes[:-1, -1]
        count = records.quotes[:, column] - before
        bare: Bools = np.equal(count, 0)
        quote, escape = records.format.quote.encode(), records.format.escape.encode()
        whole = (count == 2) & (self.buffer[self.starts] == quote[0]) & (self.buffer[self.ends - 1] == quote[0])
        if records.escapes is not None:
            whole &= ~self._holds(records.escapes)
        odd = np.flatnonzero(~bare & ~whole)
        self.starts, self.ends = self.starts + whole, self.ends - whole
        self._spell_out(odd, lambda field: without_quotes(field, quote, escape))
        return bare

    def _unescape(self, escapes: Positions) -> None:
        odd = self._holds(escapes)
        if self.nulls is not None:
            odd &= ~self.nulls
        self.starts, self.ends = self.starts.copy(), self.ends.copy()
        self._spell_out(np.flatnonzero(odd), without_slashes)

    def _holds(self, escapes: Positions) -> Bools:
        """Which fields have one of these bytes inside."""
        holding: Bools = np.searchsorted(escapes, self.ends) > np.searchsorted(escapes, self.starts)
        return holding

    def _spell_out(self, rows: Positions, meaning: Callable[[bytes], bytes]) -> None:
        extra = bytearray()
        for row in rows.tolist():
            plain = meaning(self.buffer[self.starts[row] : self.ends[row]].tobytes())
            self.starts[row] = len(self.buffer) + len(extra)
            self.ends[row] = self.starts[row] + len(plain)
            extra += plain
        if extra or len(rows):
            # The buffer's own slack lies before the extra bytes now, so they bring their own.
            self.buffer = np.concatenate([self.buffer, np.frombuffer(bytes(extra) + bytes(SLACK), dtype=np.uint8)])

    def text(self, row: int) -> str:
        return self.buffer[self.starts[row] : self.ends[row]].tobytes().decode()


def key_column(records: Records, key: KeyColumn, seen: dict[str, Any]) -> Integers | Slices | list[Any]:
    """One key column of a block.  `seen` remembers spelt-out values between blocks.  Raises WrongKey."""
    fields = Fields(records, key)
    if key.type in _BITS:
        return _integers(fields, key)
    if key.type in ("text", "varchar"):
        return _texts(fields, key)
    if key.type == "uuid":
        found = _uuids(fields)
        if found is not None:
            return found
    nulls = fields.nulls
    values: list[Any] = []
    for row in range(len(records)):
        values.append(None if nulls is not None and nulls[row] else _spelt_out(fields, key, row, seen))
    return values


#: Values remembered at most; dates and booleans repeat, numerics may not.
_SEEN_MAX = 65_536


def _spelt_out(fields: Fields, key: KeyColumn, row: int, seen: dict[str, Any] | None = None) -> Any:
    try:
        text = fields.text(row)
    except UnicodeDecodeError:
        raise WrongKey(row, f"{key.name} is not UTF-8 once its escapes are read", "correct the value") from None
    if seen is not None and text in seen:
        return seen[text]
    try:
        value = stored(key.type, key.typmod, text)
    except Unknowable:
        raise WrongKey(
            row,
            f"only the server knows which {key.type} {text!r} is, so the row cannot be placed",
            "write it in ISO form, with its time zone where the type has one",
        ) from None
    except DataError as error:
        raise WrongKey(row, error.message, "correct the value, or name the file's NULL marker") from None
    if seen is not None:
        if len(seen) >= _SEEN_MAX:
            seen.clear()
        seen[text] = value
    return value


_BITS = {"int2": 15, "int4": 31, "int8": 63}
_ZEROS = np.uint64(0x3030303030303030)
_HIGH = np.uint64(0x8080808080808080)
#: One digit to a byte becomes two to a double byte, four to a half word, eight to a word: factor, shift, mask before.
_PAIRS = [
    (np.uint64(2561), np.uint64(8), np.uint64(0x0F0F0F0F0F0F0F0F)),
    (np.uint64(6553601), np.uint64(16), np.uint64(0x00FF00FF00FF00FF)),
    (np.uint64(42949672960001), np.uint64(32), np.uint64(0x0000FFFF0000FFFF)),
]
_POWERS = np.array([10**n for n in range(9)], dtype=np.uint64)


def _integers(fields: Fields, key: KeyColumn) -> Integers:
    starts, buffer = fields.starts, fields.buffer
    negative = buffer[starts] == ord("-")
    some_negative = bool(negative.any())
    if some_negative:
        starts = starts + negative
    digits = fields.ends - starts
    bits = _BITS[key.type]
    fewest, most = int(digits.min(initial=1)), int(digits.max(initial=1))
    if fewest >= 1 and most <= 19:
        magnitude, good = _decimal(buffer, starts, digits, most)
    else:
        magnitude, good = _decimal(buffer, starts, np.clip(digits, 0, 19), min(max(most, 1), 19))
        good &= (digits >= 1) & (digits <= 19)
    if 10**most > 1 << bits:
        good &= magnitude < np.uint64(1 << bits)
    values = magnitude.view(np.int64)
    if some_negative:
        values = np.where(negative, -values, values)
    if fields.nulls is not None:
        values[fields.nulls] = 0
        good |= fields.nulls
    # Blanks, a plus sign, the least integer of all, and what is no integer.
    for row in np.flatnonzero(~good).tolist():
        values[row] = _spelt_out(fields, key, row)
    return Integers(values, fields.nulls)


def _decimal(
    buffer: npt.NDArray[np.uint8], starts: Positions, digits: Positions, most: int
) -> tuple[npt.NDArray[np.uint64], Bools]:
    """Numbers of up to `most` digits, eight to a word; False where something else than a digit stood."""
    words: npt.NDArray[np.uint64] = np.ndarray((len(buffer) - 7,), dtype="<u8", buffer=buffer.data, strides=(1,))
    value = np.zeros(0, dtype=np.uint64)
    good = np.ones(0, dtype=np.bool_)
    for turn in range((most + 7) // 8):
        here = digits if most <= 8 else np.clip(digits - 8 * turn, 0, 8)
        word = words[starts + 8 * turn if turn else starts].astype(np.uint64, copy=False)
        word ^= _ZEROS
        # The first digit is the lowest byte: move the digits up; a shift by 64 leaves nothing, which is a zero.
        word <<= ((8 - here) << 3).view(np.uint64)
        # A byte above nine gets its highest bit, if it had not got it before.
        wrong = word + np.uint64(0x7676767676767676)
        wrong |= word
        wrong &= _HIGH
        for factor, shift, mask in _PAIRS:
            word &= mask
            word *= factor
            word >>= shift
        if turn:
            value = value * _POWERS[here] + word
            good &= np.equal(wrong, 0)
        else:
            value, good = word, np.equal(wrong, 0)
    return value, good


def _texts(fields: Fields, key: KeyColumn) -> Slices:
    lengths = fields.ends - fields.starts
    if key.typmod >= 0:
        # Blanks beyond varchar(n) are dropped on the way in; n counts characters, a length here bytes.
        for row in np.flatnonzero(lengths > key.typmod - 4).tolist():
            if fields.nulls is None or not fields.nulls[row]:
                lengths[row] = len(_spelt_out(fields, key, row).encode())
    return Slices(fields.buffer, fields.starts, lengths, fields.nulls)


_HEX = np.full(256, 255, dtype=np.uint8)
for _digit, _letters in enumerate("0123456789abcdef"):
    _HEX[ord(_letters)] = _HEX[ord(_letters.upper())] = _digit
_HYPHENS = [8, 13, 18, 23]
_DIGITS = [place for place in range(36) if place not in _HYPHENS]


def _uuids(fields: Fields) -> Slices | None:
    """uuids in the usual 36 characters, or None when any is spelt otherwise."""
    present = fields.ends - fields.starts == 36
    if fields.nulls is not None:
        present |= fields.nulls
    if not bool(present.all()):
        return None
    texts: npt.NDArray[np.void] = np.ndarray(
        (len(fields.buffer) - 35,), dtype="V36", buffer=fields.buffer.data, strides=(1,)
    )
    letters = texts[fields.starts].view(np.uint8).reshape(-1, 36)
    nibbles = _HEX[letters[:, _DIGITS]]
    fine = (nibbles < 16).all(axis=1) & (letters[:, _HYPHENS] == ord("-")).all(axis=1)
    if fields.nulls is not None:
        fine |= fields.nulls
    if not bool(fine.all()):
        return None
    values = np.asarray(nibbles[:, 0::2] << 4 | nibbles[:, 1::2], dtype=np.uint8).reshape(-1)
    count = len(letters)
    starts = np.arange(count, dtype=np.int64) * 16
    return Slices(values, starts, np.full(count, 16, dtype=np.int64), fields.nulls)
