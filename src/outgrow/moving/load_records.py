"""The records of a block: where they and their fields begin and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from outgrow.moving.load_layout import LoadFormat

Positions = npt.NDArray[np.int64]

NEWLINE, RETURN, SLASH = 10, 13, 92
#: Zero bytes after the block, so that whole words and pieces can be read at any place of it.
SLACK = 256


class Block(NamedTuple):
    """`filled` bytes of the file, with SLACK zeros behind.  The buffer is used again: keep no view of it."""

    data: bytearray
    filled: int

    @classmethod
    def of(cls, data: bytes) -> Block:
        return cls(bytearray(data + bytes(SLACK)), len(data))


@dataclass(slots=True)
class Records:
    """The complete records at the beginning of a block.

    `size` bytes of the block are complete records; `padded` is all of it with the zeros behind.  `separators[column]`
    is where that field of each record ends, at least for the columns that were asked for and those before them.
    `quotes`, when there are any, counts those before the end of each field; `escapes` are where bytes stand that may
    make the next one mean something else.
    """

    data: bytearray
    size: int
    padded: npt.NDArray[np.uint8]
    #: Where each record begins, and where its newline is.
    starts: Positions
    ends: Positions
    separators: Mapping[int, Positions]
    quotes: npt.NDArray[np.int32] | None
    #: Lines in the complete records; more than records where newlines are quoted.
    lines: int
    width: int
    format: LoadFormat
    escapes: Positions | None = None
    #: Behind these records stood the line that ends the data.
    ended: bool = False

    def __len__(self) -> int:
        return len(self.ends)

    def field(self, column: int) -> tuple[Positions, Positions]:
        """Where the fields of a column begin and end, quotes included, the \\r of a line end not."""
        starts = self.separators[column - 1] + 1 if column else self.starts
        ends = self.separators[column]
        if column == self.width - 1:
            returned = (self.padded[ends - 1] == RETURN) & (ends > starts)
            ends = ends - returned
        return starts, ends

    def rows(self) -> list[bytes]:
        """Each record's own bytes, its line end included."""
        data = bytes(memoryview(self.data)[: self.size])
        return [data[a:b] for a, b in zip(self.starts.tolist(), (self.ends + 1).tolist(), strict=True)]

    def lines_of(self, row: int, crlf: bool, first: bool) -> int:
        """How many lines the server counts for a record (copyfromparse.c): a quoted line end counts by its first byte,
        and it takes \\r for that until it has seen how the first record ends.
        """
        if self.format.kind == "text":
            return 1
        mark = b"\r" if crlf or first else b"\n"
        quoted = self.data.count(mark, int(self.starts[row]), int(self.ends[row]) + 1)
        return quoted if crlf or not first else quoted + 1

    def line(self, row: int) -> int:
        """How many lines of the block lie before a record."""
        return self.data.count(b"\n", 0, int(self.starts[row]))


class Ragged(Exception):
    """A record has another number of fields than the file has columns."""

    def __init__(self, row: int, line: int, fields: int) -> None:
        super().__init__(row)
        self.row = row
        #: Lines of the block before the record.
        self.line = line
        self.fields = fields


class LoneEnd(Exception):
    r"""A line holds the mark \. and something else, which servers read in different ways."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        #: Lines of the block before it.
        self.line = line


def starts_of(ends: Positions) -> Positions:
    """Records follow each other: each begins behind the newline of the one before."""
    starts = np.empty(len(ends), dtype=np.int64)
    starts[:1] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    return starts


def by_column(shaped: Positions) -> Mapping[int, Positions]:
    return dict(enumerate(shaped.T))


def shaped(data: bytearray, padded: npt.NDArray[np.uint8], separators: Positions, width: int) -> Positions:
    """The separators, a row for each record.  Raises Ragged where a record has not `width` fields."""
    is_end = padded[separators] == NEWLINE
    rows = int(np.count_nonzero(is_end))
    # As many newlines as rows of `width`, and one at every end of such a row: then all rows are `width` wide.
    if rows * width == len(separators) and bool(is_end[width - 1 :: width].all()):
        return separators.reshape(rows, width)
    ends = np.flatnonzero(is_end)
    fields = np.diff(ends, prepend=-1)
    row = int(np.flatnonzero(fields != width)[0])
    start = int(separators[ends[row - 1]]) + 1 if row else 0
    raise Ragged(row, data.count(b"\n", 0, start), int(fields[row]))
