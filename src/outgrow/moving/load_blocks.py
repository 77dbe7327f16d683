"""The file's bytes in one buffer that is filled again and again: no page is fresh, no byte is copied before it is cut.

Whoever keeps something of a block copies it: the next `fill` writes over it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Protocol

from outgrow.moving.load_records import SLACK, Block

#: Room for the line end that a file's last line may lack.
_LINE_END = 2


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Blocks:
    """`filled` bytes are in `data`, with zeros behind; `first` was read before, `size` is read at once.

    Without a source, whoever has the bytes puts them.
    """

    __slots__ = ("_read", "_room", "_size", "data", "filled")

    def __init__(self, source: Source | None, first: bytes, size: int) -> None:
        self._read = None if source is None else _reader(source)
        self._size = size
        #: How many bytes the buffer may hold.
        self._room = size if len(first) < size else len(first) + size
        self.data = _buffer(self._room)
        self.data[: len(first)] = first
        self.filled = len(first)

    def fill(self) -> bool:
        """Read until the buffer is full or the source has no more for now; False at its end."""
        assert self._read is not None
        with memoryview(self.data) as view:
            count = self._read(view[self.filled : self._room])
        self._fill_to(self.filled + count)
        return count > 0

    def put(self, data: memoryview) -> int:
        """Take as many of the bytes as there is room for; how many that are."""
        count = min(len(data), self._room - self.filled)
        self.data[self.filled : self.filled + count] = data[:count]
        self._fill_to(self.filled + count)
        return count

    @property
    def full(self) -> bool:
        return self.filled == self._room

    def append(self, line_end: bytes) -> None:
        self.data[self.filled : self.filled + len(line_end)] = line_end
        self._fill_to(self.filled + len(line_end))

    def block(self) -> Block:
        return Block(self.data, self.filled)

    def widen(self) -> None:
        """Make room for as much again, or a record of many blocks would be searched again for each of them."""
        if self.filled == self._room:
            self._move(0, 2 * self._room)

    def drop(self, size: int) -> None:
        """Forget the first bytes; what is behind them moves to the front."""
        rest = self.filled - size
        if self._room > self._size and rest < self._size:
            # A long record has passed, or blocks would stay as long as it was.
            self._move(size, self._size)
            return
        if rest >= self._room:
            self._move(size, 2 * self._room)
            return
        with memoryview(self.data) as view:
            view[:rest] = view[size : self.filled]
        self._fill_to(rest)

    def _move(self, begin: int, room: int) -> None:
        rest = self.filled - begin
        moved = _buffer(room)
        with memoryview(self.data) as view:
            moved[:rest] = view[begin : self.filled]
        self.data, self._room = moved, room
        self._fill_to(rest)

    def _fill_to(self, filled: int) -> None:
        self.filled = filled
        self.data[filled : filled + SLACK] = bytes(SLACK)


def _buffer(room: int) -> bytearray:
    return bytearray(room + _LINE_END + SLACK)


def _reader(source: Source) -> Callable[[memoryview], int]:
    # Only of these is it known that their `read` is not somebody's own, which counts, decodes or stops.
    if type(source) in (io.BufferedReader, io.FileIO):
        readinto: Callable[[memoryview], int | None] = source.readinto  # type: ignore[attr-defined]
        return lambda view: readinto(view) or 0

    def read(view: memoryview) -> int:
        more = source.read(len(view))
        view[: len(more)] = more
        return len(more)

    return read
