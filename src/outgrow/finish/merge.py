"""Merging sorted fragments with bounded memory, in blocks: a row may go out once no fragment can send a smaller one.

Sorting the safe rows of all buffers (Python's sort finds their runs) is faster than a heap of single rows.
"""

from __future__ import annotations

from typing import Any

from .compare import Order

Row = tuple[Any, ...]


class Merge:
    def __init__(self, order: Order, fragments: int) -> None:
        self._order = order
        self._buffers: list[list[Row]] = [[] for _ in range(fragments)]
        self._open = set(range(fragments))

    def starves(self, fragment: int) -> bool:
        return not self._buffers[fragment]

    def feed(self, fragment: int, rows: list[Row]) -> None:
        self._buffers[fragment] = [*self._buffers[fragment], *rows] if self._buffers[fragment] else rows

    def end(self, fragment: int) -> None:
        self._open.discard(fragment)

    def ready(self) -> list[Row]:
        """All rows up to the smallest last row of the fragments that may send more."""
        if not self._open:
            return self._order.sort(self._taken())
        if any(not self._buffers[fragment] for fragment in self._open):
            return []
        key = self._order.key
        bound = min(key(self._buffers[fragment][-1]) for fragment in self._open)
        safe: list[Row] = []
        for fragment, buffer in enumerate(self._buffers):
            cut = _first_beyond(buffer, bound, key)
            safe.extend(buffer[:cut])
            self._buffers[fragment] = buffer[cut:]
        return self._order.sort(safe)

    def _taken(self) -> list[Row]:
        rows = [row for buffer in self._buffers for row in buffer]
        self._buffers = [[] for _ in self._buffers]
        return rows


def _first_beyond(rows: list[Row], bound: Any, key: Any) -> int:
    """The number of rows, from the front, that are not greater than the bound."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if bound < key(rows[middle]):
            high = middle
        else:
            low = middle + 1
    return low
