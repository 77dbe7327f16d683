"""Arrays of one dimension as PostgreSQL writes them → columns of text as Arrow has them.

No object of Python's is made for a value, and an array is worked through in pieces, so that this takes little memory
beside the text and the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

#: Characters of one piece.
_PIECE = 1 << 21
_QUOTE, _COMMA = ord('"'), ord(",")


def column_of(array: str, unescaped: Callable[[str], Sequence[str | None]]) -> Any:
    """The elements, in chunks; `unescaped` gives those of an array with backslashes, as quotes then need not pair."""
    import pyarrow

    if "\\" in array:
        return pyarrow.chunked_array([pyarrow.array(unescaped(array), pyarrow.string())])
    return pyarrow.chunked_array([_elements(piece) for piece in _pieces(array)], pyarrow.string())


def _pieces(array: str) -> Iterator[bytes]:
    """The inside of the array, cut between elements."""
    start, end = 1, len(array) - 1
    left = b""
    while start < end:
        piece = left + array[start : min(start + _PIECE, end)].encode()
        start += _PIECE
        cut = len(piece) if start >= end else _last_separator(piece)
        if cut >= 0:
            yield piece[:cut]
        left = piece[cut + 1 :]


def _last_separator(piece: bytes) -> int:
    """Its place, -1 for none: the last comma with an even number of quotes before it."""
    at = len(piece)
    while (at := piece.rfind(b",", 0, at)) >= 0:
        if not piece.count(b'"', 0, at) % 2:
            return at
    return -1


def _elements(piece: bytes) -> Any:
    import numpy
    import pyarrow

    data = numpy.frombuffer(piece, numpy.uint8)
    quotes = data == _QUOTE
    # Whether a quote is open behind each byte: sums of bytes run over at 256, which is even.
    outside = (numpy.cumsum(quotes, dtype=numpy.uint8) & 1) == 0
    separators = (data == _COMMA) & outside
    ends = numpy.append(numpy.flatnonzero(separators), len(data))
    starts = numpy.concatenate(([0], ends[:-1] + 1))
    quoted = quotes[starts]
    offsets = numpy.zeros(len(ends) + 1, numpy.int32)
    numpy.cumsum(ends - starts - 2 * quoted, out=offsets[1:])
    values = data[~(quotes | separators)]
    null = _is_null(values, offsets, quoted)
    there = numpy.packbits(~null, bitorder="little")
    buffers = [pyarrow.py_buffer(each) for each in (there, offsets, values)]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(ends), buffers, int(null.sum()))


def _is_null(values: Any, offsets: Any, quoted: Any) -> Any:
    """NULL without quotes; the text of that name has some."""
    null = (offsets[1:] - offsets[:-1] == 4) & ~quoted
    for at, letter in enumerate(b"NULL"):
        null[null] = values[offsets[:-1][null] + at] == letter
    return null
