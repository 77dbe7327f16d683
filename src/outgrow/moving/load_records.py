"""Where records and fields begin and end in a block of CSV, vectorised with numpy.

A quote turns quoting on or off wherever it stands (a doubled one turns it off and on again, which is the same), so a
delimiter or newline counts when an even number of quotes precede it: this is exactly how PostgreSQL reads CSV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]

NEWLINE, RETURN, QUOTE = 10, 13, 34
#: Zero bytes after the block, so that whole words can be read at any place of it.
SLACK = 64


@dataclass(slots=True)
class Records:
    """The complete records at the beginning of a block.

    `data` is the block's bytes and `size` how many of them are complete records; `padded` is the same with SLACK
    zeros behind.  `separators[row, column]` is where that field ends; `quotes`, when there are any, counts those
    before the end of that field.
    """

    data: bytes
    size: int
    padded: npt.NDArray[np.uint8]
    separators: Positions
    quotes: npt.NDArray[np.int32] | None
    #: Lines in the complete records; more than records where newlines are quoted.
    lines: int

    def __len__(self) -> int:
        return len(self.separators)

    @property
    def starts(self) -> Positions:
        """Where each record begins."""
        starts = np.empty(len(self), dtype=np.int64)
        starts[:1] = 0
        np.add(self.separators[:-1, -1], 1, out=starts[1:])
        return starts

    @property
    def ends(self) -> Positions:
        """Where each record's newline is."""
        return self.separators[:, -1]

    def field(self, column: int) -> tuple[Positions, Positions]:
        """Where the fields of a column begin and end, quotes included, the \\r of a line end not."""
        starts = self.separators[:, column - 1] + 1 if column else self.starts
        ends = self.separators[:, column]
        if column == self.separators.shape[1] - 1:
            returned = (self.padded[ends - 1] == RETURN) & (ends > starts)
            ends = ends - returned
        return starts, ends

    def rows(self) -> list[bytes]:
        """Each record's own bytes, its line end included."""
        data = self.data
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


def find_records(data: bytes, delimiter: int, width: int) -> Records | None:
    """The complete records in a block that begins with a record; None when not one is complete.

    Raises Ragged for the first record that has not `width` fields.
    """
    return _quoted(data, delimiter, width) if b'"' in data else _plain(data, delimiter, width)


def _padded(data: bytes) -> npt.NDArray[np.uint8]:
    padded = np.empty(len(data) + SLACK, dtype=np.uint8)
    padded[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    padded[len(data) :] = 0
    return padded


def _plain(data: bytes, delimiter: int, width: int) -> Records | None:
    size = data.rfind(b"\n") + 1
    if not size:
        return None
    padded = _padded(data)
    inside = padded[:size]
    newlines = inside == NEWLINE
    marks = inside == delimiter
    marks |= newlines
    separators = np.flatnonzero(marks)
    shaped = _shaped(data, padded, separators, width)
    return Records(data, size, padded, shaped, None, len(shaped))


def _quoted(data: bytes, delimiter: int, width: int) -> Records | None:
    padded = _padded(data)
    inside = padded[: len(data)]
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
    return Records(data, size, padded, shaped, quotes, int(np.count_nonzero(newlines[:size])))


def _shaped(data: bytes, padded: npt.NDArray[np.uint8], separators: Positions, width: int) -> Positions:
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
