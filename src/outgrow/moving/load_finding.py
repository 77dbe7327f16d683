"""Where records and fields begin and end in a block, vectorised with numpy.

CSV: a quote turns quoting on or off wherever it stands (a doubled one turns it off and on again, which is the same), so
a delimiter or newline counts when an even number of quotes precede it: this is exactly how PostgreSQL reads CSV.  Text:
a delimiter or newline counts when no backslash takes it.

Without quotes or backslashes only the newlines are looked for, and the delimiters counted: where the other fields lie
is nobody's concern but the server's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from outgrow.moving.load_fields import first_fields
from outgrow.moving.load_layout import LoadFormat
from outgrow.moving.load_records import (
    NEWLINE,
    RETURN,
    SLACK,
    SLASH,
    Block,
    LoneEnd,
    Positions,
    Records,
    by_column,
    shaped,
    starts_of,
)

_DOT = 46


def find_records(block: Block, format: LoadFormat, width: int, columns: Sequence[int]) -> Records | None:
    """The complete records in a block that begins with a record; None when not one is complete.

    `columns` are those whose fields will be asked for.  Raises Ragged for the first record that has not `width`
    fields, LoneEnd for a mark of the end that is not alone.  Two ragged records may escape when one has as many fields
    too many as the other has too few: COPY refuses them.
    """
    data, filled = block
    padded = np.frombuffer(data, dtype=np.uint8, count=filled + SLACK)
    if format.kind == "text":
        if data.find(SLASH, 0, filled) >= 0:
            return _slashed(data, padded, format, width)
    elif data.find(ord(format.quote), 0, filled) >= 0:
        return _quoted(data, padded, format, width)
    size = data.rfind(NEWLINE, 0, filled) + 1
    if not size:
        return None
    return _plain(data, size, padded, format, width, columns) or _searched(data, size, padded, format, width)


def _plain(
    data: bytearray, size: int, padded: npt.NDArray[np.uint8], format: LoadFormat, width: int, columns: Sequence[int]
) -> Records | None:
    """The records of a block without quotes by their newlines; None when every delimiter has to be looked at."""
    inside = padded[:size]
    delimiter = ord(format.delimiter)
    delimiters = int(np.count_nonzero(inside == delimiter))
    ends = np.flatnonzero(inside == NEWLINE)
    if len(ends) * (width - 1) != delimiters:
        return None
    starts = starts_of(ends)
    separators = first_fields(padded, starts, ends, delimiter, width, max(columns, default=-1) + 1)
    if separators is None:
        return None
    return Records(data, size, padded, starts, ends, separators, None, len(ends), width, format)


def _searched(data: bytearray, size: int, padded: npt.NDArray[np.uint8], format: LoadFormat, width: int) -> Records:
    inside = padded[:size]
    marks = inside == NEWLINE
    marks |= inside == ord(format.delimiter)
    fields = shaped(data, padded, np.flatnonzero(marks), width)
    ends = fields[:, -1]
    return Records(data, size, padded, starts_of(ends), ends, by_column(fields), None, len(fields), width, format)


def _quoted(data: bytearray, padded: npt.NDArray[np.uint8], format: LoadFormat, width: int) -> Records | None:
    inside = padded[:-SLACK]
    quote, escapes = ord(format.quote), None
    newlines = inside == NEWLINE
    found = inside == ord(format.delimiter)
    found |= newlines
    # (No array of the block's size is kept longer than it is needed: fresh pages would cost more than all else.)
    found |= inside == quote
    marks = np.flatnonzero(found)
    is_quote = toggles = inside[marks] == quote
    if format.escape != format.quote:
        escapes = np.flatnonzero(inside == ord(format.escape))
        toggles = _toggles(data, marks, is_quote, ord(format.escape)) if len(escapes) else toggles
    before = np.cumsum(toggles, dtype=np.int32)
    keep = np.flatnonzero(~is_quote & (before & 1 == 0))
    separators = marks[keep]
    complete = np.flatnonzero(inside[separators] == NEWLINE)
    if not len(complete):
        return None
    count = int(complete[-1]) + 1
    separators = separators[:count]
    fields = shaped(data, padded, separators, width)
    quotes = before[keep[:count]].reshape(-1, width)
    size = int(separators[-1]) + 1
    ends = fields[:, -1]
    lines = int(np.count_nonzero(newlines[:size]))
    return Records(data, size, padded, starts_of(ends), ends, by_column(fields), quotes, lines, width, format, escapes)


def _toggles(data: bytearray, marks: Positions, is_quote: npt.NDArray[np.bool_], escape: int) -> npt.NDArray[np.bool_]:
    """Which marks turn quoting on or off: not those that an escape of its own takes inside quotes, one by one."""
    toggles = is_quote.copy()
    opened = -1
    for number in np.flatnonzero(is_quote).tolist():
        at = int(marks[number])
        if opened < 0:
            opened = at
            continue
        run = at - 1
        while run > opened and data[run] == escape:
            run -= 1
        if (at - 1 - run) % 2:
            toggles[number] = False
        else:
            opened = -1
    return toggles


def _slashed(data: bytearray, padded: npt.NDArray[np.uint8], format: LoadFormat, width: int) -> Records | None:
    """Text with backslashes: each takes the byte behind it, so the first, third, … of a row of them do."""
    inside = padded[:-SLACK]
    slashes = np.flatnonzero(inside == SLASH)
    first = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    number = np.arange(len(slashes)) - np.repeat(first, np.diff(first, append=len(slashes)))
    escapes = slashes[number & 1 == 0]
    newlines = inside == NEWLINE
    newlines[escapes[escapes + 1 < len(inside)] + 1] = False
    end = _end(data, padded, escapes, newlines)
    found = inside == ord(format.delimiter)
    found[escapes[escapes + 1 < len(inside)] + 1] = False
    found |= newlines
    separators = np.flatnonzero(found[:end] if end is not None else found)
    complete = np.flatnonzero(inside[separators] == NEWLINE)
    if not len(complete) and end is None:
        return None
    separators = separators[: int(complete[-1]) + 1 if len(complete) else 0]
    fields = shaped(data, padded, separators, width)
    ends = fields[:, -1]
    size = int(ends[-1]) + 1 if len(ends) else 0
    lines = data.count(b"\n", 0, size)
    return Records(
        data,
        size,
        padded,
        starts_of(ends),
        ends,
        by_column(fields),
        None,
        lines,
        width,
        format,
        escapes,
        end is not None,
    )


def _end(
    data: bytearray, padded: npt.NDArray[np.uint8], escapes: Positions, newlines: npt.NDArray[np.bool_]
) -> int | None:
    r"""Where the line \. begins, which ends the data whatever follows; None where there is none yet."""
    marks = escapes[padded[escapes + 1] == _DOT]
    if not len(marks):
        return None
    at = int(marks[0])
    behind = at + 2
    if padded[behind] == RETURN:
        behind += 1
    if behind >= len(newlines):
        # The rest of the line is still to come.
        return None
    if (at and not newlines[at - 1]) or not newlines[behind]:
        raise LoneEnd(data.count(b"\n", 0, at))
    return at
