"""The first few fields of each record, searched from where the record begins, eight bytes at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

#: With more words than this to look at, searching the whole block for delimiters costs less.
WORDS_MAX = 8
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_ONE = np.uint64(1)


def first_fields(
    padded: npt.NDArray[np.uint8], starts: Positions, ends: Positions, delimiter: int, width: int, count: int
) -> dict[int, Positions] | None:
    """Where the first `count` fields of each record without quotes end, by column.

    None when that would take long, or when a record has not got that many fields.  `starts` and `ends` are the
    records', and 8 bytes must follow the last of them in `padded`.
    """
    words: Words = np.ndarray((len(padded) - 7,), dtype="<u8", buffer=padded.data, strides=(1,))
    pattern = np.uint64(delimiter) * _ONES
    found: dict[int, Positions] = {width - 1: ends}
    at, left = starts, WORDS_MAX
    for column in range(min(count, width - 1)):
        at = at + 1 if column else at.copy()
        # Most fields end within their first word; the others are followed one word at a time.
        going, here = _step(words, at, pattern)
        left -= 1
        while len(going):
            here = here + 8
            if left <= 0 or bool((here > ends[going]).any()):
                return None
            more, here_more = _step(words, here, pattern)
            at[going] = here
            going, here = going[more], here_more
            left -= 1
        found[column] = at
    # A search that left its record found a later one's delimiter, so the last field tells for all before it.
    return None if bool((at > ends).any()) else found


def _step(words: Words, at: Positions, pattern: np.uint64) -> tuple[Positions, Positions]:
    """Move `at` to the delimiter in its word; returns which have none there, and where those were."""
    word = words[at].astype(np.uint64, copy=False)
    word ^= pattern
    # The lowest zero byte, now the delimiter, is the lowest byte whose highest bit stays (false ones only follow it).
    marks = word - _ONES
    marks &= ~word
    marks &= _HIGH
    going = np.flatnonzero(marks == 0)
    # The bits below that one are 8 n + 7 for the n bytes before; 64 where there is none.
    marks = ~marks & (marks - _ONE)
    ahead = np.bitwise_count(marks)
    ahead >>= 3
    stayed = at[going]
    at += ahead
    return going, stayed
