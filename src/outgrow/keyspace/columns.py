"""The same hashes over columns, vectorised with numpy.

A column is hashed in blocks that stay in the processor's cache.  Three shapes of columns are taken:

* `Integers`: an integer array and which of its values are NULL;
* `Slices`: pieces of one buffer of bytes (what splitting a file has anyway);
* a list of Python values with None for NULL, turned into one of the others first.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from outgrow.keyspace.jenkins import COMBINE, SEED, SEEDED

Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

#: Values hashed at once: three words of state and two of scratch for each stay in a 256 kB cache.
BLOCK = 8192


class Integers(NamedTuple):
    """int2, int4, int8; days for a date and microseconds for a timestamp since 2000-01-01; 0 and 1 for a boolean."""

    values: npt.NDArray[np.integer[Any]]
    nulls: Bools | None = None


class Slices(NamedTuple):
    """`buffer[starts[i] : starts[i] + lengths[i]]` is the i-th value (UTF-8 text, or a uuid's 16 bytes)."""

    buffer: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    nulls: Bools | None = None


Column = Integers | Slices


def listed(column: Column | Sequence[Any], uuids: bool) -> Sequence[Any]:
    """The column's values one by one, texts as str."""
    values: list[Any]
    if isinstance(column, Integers):
        values = column.values.tolist()
    elif isinstance(column, Slices):
        data = column.buffer.tobytes()
        spans = zip(column.starts.tolist(), column.lengths.tolist(), strict=True)
        parts = (data[start : start + length] for start, length in spans)
        values = [uuid.UUID(bytes=part) for part in parts] if uuids else [part.decode() for part in parts]
    else:
        return column
    if column.nulls is not None:
        for at in np.flatnonzero(column.nulls).tolist():
            values[at] = None
    return values


def integers(values: Sequence[Any]) -> Integers:
    """A column from a list of integers (booleans too) and None."""
    if None not in values:
        return Integers(np.array(values, dtype=np.int64))
    nulls = np.array([value is None for value in values], dtype=np.bool_)
    return Integers(np.array([0 if value is None else value for value in values], dtype=np.int64), nulls)


def pieces(values: Sequence[bytes | None]) -> Slices:
    """A column from a list of bytes and None."""
    return _slices(values, b"", b"".join)


def texts(values: Sequence[str | None]) -> Slices:
    """A column from a list of text and None."""

    def joined(present: Sequence[str]) -> bytes:
        return "".join(present).encode()

    slices = _slices(values, "", joined)
    if int(slices.lengths.sum()) == len(slices.buffer) - SLACK:
        return slices
    # Some text is not ASCII: count bytes instead of characters.
    return pieces([None if value is None else value.encode() for value in values])


def _slices(values: Sequence[Any], empty: Any, joined: Callable[[Any], bytes]) -> Slices:
    nulls = None
    if None in values:
        nulls = np.array([value is None for value in values], dtype=np.bool_)
        values = [empty if value is None else value for value in values]
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    starts = np.cumsum(lengths) - lengths
    return Slices(np.frombuffer(joined(values) + bytes(SLACK), dtype=np.uint8), starts, lengths, nulls)


#: Bytes that must follow the last value in a buffer, so that twelve can be read at any place of it.
SLACK = 12


def hash_integers(values: npt.NDArray[np.integer[Any]]) -> Hashes:
    hashes = np.empty(len(values), dtype=np.uint64)
    for at in range(0, len(values), BLOCK):
        block = values[at : at + BLOCK]
        low, high = _int_block(block)
        _store(hashes[at : at + BLOCK], low, high)
    return hashes


def low_integers(values: npt.NDArray[np.integer[Any]]) -> Words:
    """The low 32 bits of the hashes: all that a single key needs."""
    hashes = np.empty(len(values), dtype=np.uint32)
    for at in range(0, len(values), BLOCK):
        hashes[at : at + BLOCK] = _int_block(values[at : at + BLOCK])[0]
    return hashes


def hash_slices(column: Slices) -> Hashes:
    hashes = np.empty(len(column.starts), dtype=np.uint64)
    for at, low, high in _text_blocks(column):
        _store(hashes[at : at + BLOCK], low, high)
    return hashes


def low_slices(column: Slices) -> Words:
    hashes = np.empty(len(column.starts), dtype=np.uint32)
    for at, low, _ in _text_blocks(column):
        hashes[at : at + BLOCK] = low
    return hashes


def combined(seen: Hashes, hashes: Hashes, nulls: Bools | None) -> Hashes:
    """`hash_combine64` of what was seen of a compound key and its next column's hashes; a NULL changes nothing."""
    more = seen ^ (hashes + np.uint64(COMBINE) + (seen << np.uint64(54)) + (seen >> np.uint64(7)))
    return more if nulls is None else np.where(nulls, seen, more)


def _store(into: Hashes, low: Words, high: Words) -> None:
    into[:] = high
    into <<= np.uint64(32)
    into |= low


def _int_block(values: npt.NDArray[np.integer[Any]]) -> tuple[Words, Words]:
    if values.dtype.itemsize < 8:
        # A short integer's upper half only repeats its sign, which the fold takes out again.
        folded = values.astype(np.int64).astype(np.uint32) if values.dtype.kind == "u" else values.astype(np.int32)
        words = folded.view(np.uint32)
    else:
        signed = values.astype(np.int64, copy=False)
        words = (signed ^ (signed >> 32) ^ (signed >> 63)).astype(np.uint32)
    a0, b0, c0 = SEEDED[4]
    a = words + np.uint32(a0)
    b = np.full_like(a, b0)
    c = np.full_like(a, c0)
    _final(a, b, c)
    return c, b


def _text_blocks(column: Slices) -> Any:
    """Yields where a block begins, and the low and high words of its hashes."""
    buffer, starts, lengths, _ = column
    if len(starts) and int((starts + lengths).max()) + SLACK > len(buffer):
        buffer = np.concatenate([buffer, np.zeros(SLACK, dtype=np.uint8)])
    # Every place of the buffer as the beginning of twelve bytes: a view, nothing is copied before it is indexed.
    dozens: npt.NDArray[np.void] = np.ndarray(
        (max(len(buffer) - 11, 0),), dtype="V12", buffer=np.ascontiguousarray(buffer).data, strides=(1,)
    )
    for at in range(0, len(starts), BLOCK):
        yield at, *_text_block(dozens, starts[at : at + BLOCK], lengths[at : at + BLOCK])


def _text_block(
    dozens: npt.NDArray[np.void], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> tuple[Words, Words]:
    a, b, c = _seeded(lengths)
    most = int(lengths.max())
    rounds = lengths // 12
    least = int(rounds.min())
    for turn in range(most // 12):
        if turn < least:
            words = dozens[starts + 12 * turn].view("<u4").reshape(-1, 3)
            a += words[:, 0]
            b += words[:, 1]
            c += words[:, 2]
            _mix(a, b, c)
            continue
        going = np.flatnonzero(rounds > turn)
        words = dozens[starts[going] + 12 * turn].view("<u4").reshape(-1, 3)
        x, y, z = a[going] + words[:, 0], b[going] + words[:, 1], c[going] + words[:, 2]
        _mix(x, y, z)
        a[going], b[going], c[going] = x, y, z
    done = rounds * 12
    words = dozens[starts + done].view("<u4").reshape(-1, 3)
    keep = _KEEP[lengths - done]
    a += words[:, 0] & keep[:, 0]
    b += words[:, 1] & keep[:, 1]
    # The lowest byte of c is kept for the length.
    c += (words[:, 2] & keep[:, 2]) << np.uint32(8)
    _final(a, b, c)
    return c, b


def _keep() -> Words:
    """For 0 to 11 bytes left over: which bits of three words belong to them."""
    rows = np.zeros((12, 12), dtype=np.uint8)
    for left in range(12):
        rows[left, :left] = 255
    return rows.view("<u4").astype(np.uint32)


_KEEP = _keep()
_STATES = np.array(SEEDED, dtype=np.uint32).T.copy()


def _seeded(lengths: npt.NDArray[np.int64]) -> tuple[Words, Words, Words]:
    if int(lengths.max()) < len(SEEDED):
        return _STATES[0][lengths], _STATES[1][lengths], _STATES[2][lengths]
    start = lengths.astype(np.uint32) + np.uint32((0x9E3779B9 + 3923095) & 0xFFFFFFFF)
    a, b, c = start + np.uint32(SEED >> 32), start + np.uint32(SEED & 0xFFFFFFFF), start.copy()
    _mix(a, b, c)
    return a, b, c


def _mix(a: Words, b: Words, c: Words) -> None:
    """The original's mix(), in place."""
    left, right = np.empty_like(a), np.empty_like(a)
    for k in (4, 6, 8, 16, 19, 4):
        a -= c
        np.left_shift(c, k, out=left)
        np.right_shift(c, 32 - k, out=right)
        a ^= left
        a ^= right
        c += b
        a, b, c = b, c, a


def _final(a: Words, b: Words, c: Words) -> None:
    """The original's final(), in place."""
    left, right = np.empty_like(a), np.empty_like(a)
    for k in (14, 11, 25, 16, 4, 14, 24):
        c ^= b
        np.left_shift(b, k, out=left)
        np.right_shift(b, 32 - k, out=right)
        # The two halves of a rotation share no bit, so their sum is their union.
        c -= left
        c -= right
        a, b, c = b, c, a
