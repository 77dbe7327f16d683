"""Who stands where in a directory: keys dealt in turn or by size, and what migrates when a shard joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


class Entries(NamedTuple):
    """The distinct values of a key's first column in the order of their first rows: each row's value, and how many
    rows each has.  NULL is no entry: its rows are -1, and lie on the first shard."""

    of_row: Numbers
    rows: list[int]


def entries_of(values: Sequence[str | None]) -> Entries:
    known: dict[str, int] = {}
    of_row = [-1 if value is None else known.setdefault(value, len(known)) for value in values]
    counts = np.bincount([each for each in of_row if each >= 0], minlength=len(known))
    return Entries(np.array(of_row, dtype=np.int64), counts.tolist())


def in_turn(entries: Entries, shards: int) -> list[int]:
    """Each new key goes to the next shard."""
    return [number % shards for number in range(len(entries.rows))]


def largest_first(entries: Entries, shards: int) -> list[int]:
    """The largest key first, each to the shard that has least yet."""
    held = [len(entries.of_row) - sum(entries.rows), *[0] * (shards - 1)]
    owners = [0] * len(entries.rows)
    for key in sorted(range(len(entries.rows)), key=lambda key: -entries.rows[key]):
        owners[key] = held.index(min(held))
        held[owners[key]] += entries.rows[key]
    return owners


def joined(entries: Entries, owners: Sequence[int], shards: int) -> list[int]:
    """One shard more: keys migrate to it, each from the fullest, the largest that leaves that one no emptier."""
    now = list(owners)
    held = [0] * (shards + 1)
    held[0] = len(entries.of_row) - sum(entries.rows)
    for key, owner in enumerate(now):
        held[owner] += entries.rows[key]
    order = sorted(range(len(now)), key=lambda key: -entries.rows[key])
    while held[shards] < len(entries.of_row) / (shards + 1):
        fullest = held.index(max(held))
        gap = (held[fullest] - held[shards]) / 2
        key = next((key for key in order if now[key] == fullest and entries.rows[key] <= gap), None)
        if key is None:
            break
        now[key] = shards
        held[fullest] -= entries.rows[key]
        held[shards] += entries.rows[key]
    return now


def rows_of(entries: Entries, owners: Sequence[int]) -> Numbers:
    """Every row's shard."""
    return np.array([*owners, 0], dtype=np.int64)[entries.of_row]
