"""Where records and fields begin and end in a block of CSV, vectorised with numpy.

A quote turns quoting on or off wherever it stands (a doubled one turns it off and on again, which is the same), so a
delimiter or newline counts when an even number of quotes precede it: this is exactly how PostgreSQL reads CSV.

Without quotes only the newlines are looked for, and the delimiters counted: where the other fields lie is nobody's
concern but the server's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from outgrow.moving.load_fields import first_fields

Positions = npt.NDArray[np.int64]

NEWLINE, RETURN, QUOTE = 10, 13, 34
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
    `quotes`, when there are any, counts those before the end of each field.
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


def find_records(block: Block, delimiter: int, width: int, columns: Sequence[int]) -> Records | None:
    """The complete records in a block that begins with a record; None when not one is complete.

    `columns` are those whose fields will be asked for.  Raises Ragged for the first record that has not `width`
    fields.  Two such records may escape when one has as many too many as the other has too few: COPY refuses them.
    """
    data, filled = block
    padded = np.frombuffer(data, dtype=np.uint8, count=filled + SLACK)
    if data.find(QUOTE, 0, filled) >= 0:
        return _quoted(data, padded, delimiter, width)
    size = data.rfind(NEWLINE, 0, filled) + 1
    if not size:
        return None
    return _plain(data, size, padded, delimiter, width, columns) or _searched(data, size, padded, delimiter, width)


def _plain(
    data: bytearray, size: int, padded: npt.NDArray[np.uint8], delimiter: int, width: int, columns: Sequence[int]
) -> Records | None:
    """The records of a block without quotes by their newlines; None when every delimiter has to be looked at."""
    inside = padded[:size]
    delimiters = int(np.count_nonzero(inside == delimiter))
    ends = np.flatnonzero(inside == NEWLINE)
    if len(ends) * (width - 1) != delimiters:
        return None
    starts = _starts(ends)
    separators = first_fields(padded, starts, ends, delimiter, width, max(columns, default=-1) + 1)
    if separators is None:
        return None
    return Records(data, size, padded, starts, ends, separators, None, len(ends), width)


def _searched(data: bytearray, size: int, padded: npt.NDArray[np.uint8], delimiter: int, width: int) -> Records:
    inside = padded[:size]
    marks = inside == NEWLINE
    marks |= inside == delimiter
    shaped = _shaped(data, padded, np.flatnonzero(marks), width)
    ends = shaped[:, -1]
    return Records(data, size, padded, _starts(ends), ends, _by_column(shaped), None, len(shaped), width)


def _quoted(data: bytearray, padded: npt.NDArray[np.uint8], delimiter: int, width: int) -> Records | None:
    inside = padded[:-SLACK]
    newlines = inside == NEWLINE
    found = inside == delimiter
    found |= newlines
    found |= inside == QUOTE
    marks = np.flatnonzero(found)
    is_quote = inside[marks] == QUOTE
    before = np.cumsum(is_quote, dtype=np.int32)
    keep = np.flatnonzero(~is_quote & (before & 1 == 0))
    separators = marks[keep]
    complete = np.flatnonzero(inside[separators] == NEWLINE)
    if not len(complete):
        return None
    count = int(complete[-1]) + 1
    separators = separators[:count]
    shaped = _shaped(data, padded, separators, width)
    quotes = before[keep[:count]].reshape(-1, width)
    size = int(separators[-1]) + 1
    ends = shaped[:, -1]
    lines = int(np.count_nonzero(newlines[:size]))
    return Records(data, size, padded, _starts(ends), ends, _by_column(shaped), quotes, lines, width)


def _starts(ends: Positions) -> Positions:
    starts = np.empty(len(ends), dtype=np.int64)
    starts[:1] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    return starts


def _by_column(shaped: Positions) -> Mapping[int, Positions]:
    return dict(enumerate(shaped.T))


def _shaped(data: bytearray, padded: npt.NDArray[np.uint8], separators: Positions, width: int) -> Positions:
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
