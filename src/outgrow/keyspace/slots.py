"""The slots of whole columns: `Hash.slot` for many keys at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from outgrow.keyspace.columns import (
    Bools,
    Column,
    Hashes,
    Integers,
    Slices,
    combined,
    hash_integers,
    hash_slices,
    integers,
    low_integers,
    low_slices,
    pieces,
    texts,
)
from outgrow.keyspace.jenkins import COMBINE
from outgrow.keyspace.kinds import Kind

#: Hashes that had to be computed value by value, and which values are NULL.
Hashed = tuple[Hashes, Bools | None]


def slots(kinds: Sequence[Kind], columns: Sequence[Column | Sequence[Any]], mask: int) -> npt.NDArray[np.uint16]:
    """One column for each kind; `mask` is the number of slots less one."""
    shaped = [_shaped(known, column) for known, column in zip(kinds, columns, strict=True)]
    if len(shaped) == 1:
        low, nulls = _low(shaped[0])
        # Adding in 32 bits is enough: a slot has at most 16.
        low += np.uint32(COMBINE & mask)
        low &= np.uint32(mask)
        if nulls is not None:
            low[nulls] = 0
        return low.astype(np.uint16)
    hashes, nulls = _full(shaped[0])
    seen = combined(np.zeros_like(hashes), hashes, nulls)
    for column in shaped[1:]:
        seen = combined(seen, *_full(column))
    return np.asarray(seen & np.uint64(mask), dtype=np.uint16)


def _shaped(known: Kind, column: Column | Sequence[Any]) -> Column | Hashed:
    if isinstance(column, Integers | Slices):
        return column
    if isinstance(column, np.ndarray):
        return Integers(column)
    values: Sequence[Any] = column
    if known.shape == "integers":
        return integers(values)
    if known.shape == "texts":
        return texts(values)
    if known.shape == "uuids":
        return pieces([None if value is None else value.bytes for value in values])
    nulls = np.array([value is None for value in values], dtype=np.bool_)
    each = (0 if value is None else known.hash(value) for value in values)
    return np.fromiter(each, dtype=np.uint64, count=len(values)), nulls


def _low(column: Column | Hashed) -> tuple[npt.NDArray[np.uint32], Bools | None]:
    if isinstance(column, Integers):
        return low_integers(column.values), column.nulls
    if isinstance(column, Slices):
        return low_slices(column), column.nulls
    return column[0].astype(np.uint32), column[1]


def _full(column: Column | Hashed) -> Hashed:
    if isinstance(column, Integers):
        return hash_integers(column.values), column.nulls
    if isinstance(column, Slices):
        return hash_slices(column), column.nulls
    return column
