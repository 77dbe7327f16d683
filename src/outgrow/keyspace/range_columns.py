"""The slots of whole columns by range: `Range.slot` for many keys at once."""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from outgrow.keyspace.columns import SLACK, Column, Integers, Slices

#: Bytes of a text that are compared at once; those that a split point shares are compared one by one.
_HEAD = 8


def slots(
    column: Column | Sequence[Any], points: Sequence[Any], first: int, slot: Callable[[tuple[Any, ...]], int]
) -> npt.NDArray[np.uint16]:
    """`points` as `Range` has them; `slot` places one key, for values that came as a list."""
    if isinstance(column, np.ndarray):
        column = Integers(column)
    if isinstance(column, Integers):
        found = np.searchsorted(np.array(points, dtype=np.int64), column.values, side="right")
    elif isinstance(column, Slices):
        found = _of_slices(column, [_bytes(point) for point in points])
    else:
        return np.fromiter((slot((value,)) for value in column), dtype=np.uint16, count=len(column))
    if column.nulls is not None:
        found[column.nulls] = 0
    return (found + first).astype(np.uint16)


def _bytes(point: str | uuid.UUID) -> bytes:
    return point.bytes if isinstance(point, uuid.UUID) else point.encode()


def _of_slices(column: Slices, points: list[bytes]) -> npt.NDArray[np.intp]:
    """By their first bytes; a text is padded with zeros, which none of its own bytes are, so the order holds."""
    buffer, starts, lengths, _ = column
    if len(starts) and int((starts + lengths).max()) + SLACK > len(buffer):
        buffer = np.concatenate([buffer, np.zeros(SLACK, dtype=np.uint8)])
    at = np.arange(_HEAD)
    heads = buffer[starts[:, None] + at]
    heads[at >= lengths[:, None]] = 0
    values = np.ascontiguousarray(heads).view(">u8").ravel().astype(np.uint64)
    marks = np.array([int.from_bytes(point[:_HEAD].ljust(_HEAD, b"\0")) for point in points], dtype=np.uint64)
    found = np.searchsorted(marks, values, side="left")
    doubtful = np.flatnonzero(found != np.searchsorted(marks, values, side="right"))
    data = buffer.data
    for number in doubtful.tolist():
        start = int(starts[number])
        found[number] = bisect_right(points, bytes(data[start : start + int(lengths[number])]))
    return found
