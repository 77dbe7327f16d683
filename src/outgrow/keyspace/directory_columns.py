"""The slots of whole columns by directory: `Directory.slot` for many keys at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from outgrow.keyspace.columns import Column, Integers, Slices
from outgrow.keyspace.directory import Known, Lookup


def slots(column: Column | Sequence[Any], known: Known, family: str, first: int) -> npt.NDArray[np.uint16]:
    """Raises Lookup with all keys of the column that are not known."""
    if isinstance(column, np.ndarray):
        column = Integers(column)
    if isinstance(column, Integers):
        values, places = np.unique(column.values, return_inverse=True)
        keys: list[Any] = values.tolist()
        if column.nulls is not None and bool(column.nulls.any()):
            # What stands where a NULL is means nothing.
            there = set(np.unique(places[~column.nulls]).tolist())
            keys = [key if at in there else None for at, key in enumerate(keys)]
        of_keys = np.array(_known(keys, known, family, first), dtype=np.uint16)
        found: npt.NDArray[np.uint16] = of_keys[places.reshape(-1)]
    elif isinstance(column, Slices):
        read: Callable[[bytes], Any] = (lambda piece: uuid.UUID(bytes=piece)) if family == "uuid" else bytes.decode
        found = _of_pieces(column, known, family, first, read)
    else:
        return np.array(_known(column, known, family, first), dtype=np.uint16)
    if column.nulls is not None:
        found[column.nulls] = first
    return found


def _known(keys: Sequence[Any], known: Known, family: str, first: int) -> list[int]:
    found: list[int] = []
    missing: list[Any] = []
    for key in keys:
        slot = first if key is None else known.get(key)
        if slot is None:
            missing.append(key)
        else:
            found.append(slot)
    if missing:
        raise Lookup((family, key) for key in missing)
    return found


def _of_pieces(
    column: Slices, known: Known, family: str, first: int, read: Callable[[bytes], Any]
) -> npt.NDArray[np.uint16]:
    data = column.buffer.data
    pieces = [
        bytes(data[start : start + length])
        for start, length in zip(column.starts.tolist(), column.lengths.tolist(), strict=True)
    ]
    nulls = set() if column.nulls is None else set(np.flatnonzero(column.nulls).tolist())
    wanted = {piece for at, piece in enumerate(pieces) if at not in nulls}
    order = list(wanted)
    slot_of = dict(zip(order, _known([read(piece) for piece in order], known, family, first), strict=True))
    return np.fromiter((slot_of.get(piece, first) for piece in pieces), dtype=np.uint16, count=len(pieces))
