"""Fields ↔ the rows of a COPY's data, in each of its formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from struct import pack, unpack_from

from outgrow.errors import DataError
from outgrow.moving.load_binary import SIGNATURE, TRAILER
from outgrow.moving.load_layout import LoadFormat
from outgrow.moving.load_spelling import without_quotes, without_slashes

Fields = Sequence[bytes | None]
#: What stands before the first row of the binary form.
BINARY_HEADER = SIGNATURE + bytes(8)
BINARY_TRAILER = TRAILER
_SPECIAL = {8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 92: b"\\\\"}


class RowForm:
    """Rows in one format."""

    def __init__(self, format: LoadFormat) -> None:
        self._format = format
        self._delimiter = format.delimiter.encode()
        self._null = format.null.encode()
        self._quote, self._escape = format.quote.encode(), format.escape.encode()
        self._marks = re.compile(b"[\b\t\n\v\f\r\\\\" + re.escape(self._delimiter) + b"]")
        quote, delimiter = re.escape(self._quote), re.escape(self._delimiter)
        inside = b"(?:[^%b%b]|%b.)*" % (quote, re.escape(self._escape), re.escape(self._escape))
        if self._escape == self._quote:
            inside = b"(?:[^%b]|%b%b)*" % (quote, quote, quote)
        #: A field as servers write it: wholly in quotes, or without any.
        self._field = re.compile(
            b"(?:%b(%b)%b|([^%b\n]*))(%b|\n|\\Z)" % (quote, inside, quote, delimiter, delimiter), re.S
        )
        self._cut = re.compile(b"(?:[^\\\\%b]|\\\\.)*" % delimiter, re.S)

    def row(self, fields: Fields) -> bytes:
        """One row's bytes."""
        if self._format.kind == "binary":
            return pack(">h", len(fields)) + b"".join(
                pack(">i", -1) if field is None else pack(">i", len(field)) + field for field in fields
            )
        spell = self._quoted if self._format.kind == "csv" else self._escaped
        return self._delimiter.join([self._null if field is None else spell(field) for field in fields]) + b"\n"

    def _escaped(self, field: bytes) -> bytes:
        spelt = self._marks.sub(lambda found: _SPECIAL.get(found[0][0], b"\\" + found[0]), field)
        if spelt == self._null:
            # It would be read as NULL.
            if not spelt:
                raise DataError(
                    "OG-COPY-018",
                    "an empty text cannot be told from NULL where NULL is written as nothing",
                    cure="leave the NULL option out, or use CSV",
                )
            return b"\\%03o" % spelt[0] + spelt[1:]
        return spelt

    def _quoted(self, field: bytes) -> bytes:
        # In quotes whatever it is: nothing of it can be taken for NULL, a delimiter or the end of the data.
        if self._escape != self._quote:
            field = field.replace(self._escape, 2 * self._escape)
        return self._quote + field.replace(self._quote, self._escape + self._quote) + self._quote

    def rows(self, block: bytes) -> Iterator[list[bytes | None]]:
        """The rows in a block of whole rows that a server wrote (of the binary form without header and trailer)."""
        match self._format.kind:
            case "binary":
                yield from _binary_rows(block)
            case "text":
                for line in block.split(b"\n")[:-1]:
                    yield self._text_fields(line)
            case _:
                yield from self._csv_rows(block)

    def _text_fields(self, line: bytes) -> list[bytes | None]:
        if b"\\" not in line:
            fields = line.split(self._delimiter)
            return [None if field == self._null else field for field in fields]
        found, at = [], 0
        while True:
            field = self._cut.match(line, at)
            assert field is not None
            found.append(field[0])
            at = field.end() + 1
            if at > len(line):
                break
        return [None if field == self._null else without_slashes(field) for field in found]

    def _csv_rows(self, block: bytes) -> Iterator[list[bytes | None]]:
        at = 0
        fields: list[bytes | None] = []
        while at < len(block):
            found = self._field.match(block, at)
            assert found is not None
            quoted, bare, behind = found.groups()
            if quoted is not None:
                fields.append(without_quotes(self._quote + quoted + self._quote, self._quote, self._escape))
            else:
                fields.append(None if bare == self._null else bare)
            at = found.end()
            if behind != self._delimiter:
                yield fields
                fields = []


def _binary_rows(block: bytes) -> Iterator[list[bytes | None]]:
    at = 0
    while at < len(block):
        (count,) = unpack_from(">h", block, at)
        at += 2
        fields: list[bytes | None] = []
        for _ in range(count):
            (length,) = unpack_from(">i", block, at)
            at += 4
            fields.append(None if length < 0 else block[at : at + length])
            at += max(length, 0)
        yield fields
