"""Rows in PostgreSQL's binary form, split by key: fields are stepped over, and only the key's are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any

import numpy as np

from outgrow.errors import DataError
from outgrow.keyspace import Entry, Keyspace, Lookup, received
from outgrow.moving.load_blocks import Blocks, Source
from outgrow.moving.load_layout import Layout
from outgrow.moving.load_split import BLOCK, RECORD_MAX, Parts
from outgrow.moving.load_trail import Trace, Trail
from outgrow.moving.numbering import Draw, LookUp

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
#: What follows the last row.
TRAILER = b"\xff\xff"
_count = Struct(">h").unpack_from
_length = Struct(">i").unpack_from
#: Values remembered at most.
_SEEN_MAX = 65_536

_Key = tuple[bytes | None, ...]
#: Where a row begins and ends, and the bytes of its key.
_Row = tuple[int, int, _Key]


class BinarySplitter:
    """As `load_split.Splitter`, for the binary form.  Every shard's part has a header and a trailer of its own.

    Lines are rows here, counted from 1.  `keyspace` is None where every shard gets everything.
    """

    def __init__(
        self, layout: Layout, shards: Sequence[str], keyspace: Keyspace | None, look_up: LookUp | None = None
    ) -> None:
        self.layout = layout
        self._look_up = look_up
        self.rows = [0] * len(shards)
        #: Where in the file the next block begins.
        self.offset = 0
        self.ended = False
        self.trail = Trail(live=True)
        self._begun = False
        self._line = 1
        self._shards = len(shards)
        self._place = {shard: number for number, shard in enumerate(shards)}
        self._keyspace = keyspace
        self._types = tuple(key.type for key in layout.keys)
        self._seen: dict[tuple[bytes | int | None, ...], int] = {}

    @property
    def taken(self) -> int:
        """How many of the file's bytes have been split."""
        return self.offset

    def blocks(self, source: Source, first: bytes = b"") -> Iterator[Parts | Draw]:
        """Split all of a file."""
        blocks = Blocks(source, first, BLOCK)
        more = True
        while more:
            more = blocks.fill()
            yield from self.take(blocks, last=not more)

    def take(self, blocks: Blocks, last: bool) -> Iterator[Parts | Draw]:
        """Split the complete rows that are there, if any, and drop them; `last`: nothing more will come."""
        data = bytes(memoryview(blocks.data)[: blocks.filled])
        at = 0
        parts = [bytearray() for _ in range(self._shards)]
        if not self._begun and (at := self._header(data)):
            self._begun = True
            for part in parts:
                part += data[:at]
        rows: list[_Row] = []
        if self._begun:
            rows, at = self._found(data, at)
        if rows and self.layout.numbering is not None:
            yield self.layout.numbering.draw(len(rows))
        while (unknown := self._unknown(rows)) and self._look_up is not None:
            yield Draw(self._look_up(Lookup(unknown)))
        counts = self._laid(data, rows, at, parts)
        if self.ended and at < len(data):
            self.refuse_more()
        if last:
            if at < len(data) or (data and not self._begun):
                raise self._wrong("the data ends in the middle of a row" if self._begun else "the header is not whole")
            if self._begun and not self.ended:
                _end(parts)
        elif not at:
            if blocks.filled > RECORD_MAX:
                raise self._wrong("a row is longer than 64 MB")
            blocks.widen()
            return
        self.offset += at
        blocks.drop(at)
        yield Parts([bytes(part) for part in parts], counts, at)

    def line_of(self, source: Any, shard: int, line: int) -> int | None:
        """The row of the file that a shard saw as this row of its part (from 1)."""
        found = self.trail.found(shard, line, tuple(self.rows), physical=False)
        return found[0] if found is not None and found[0] == found[1] else None

    def refuse_more(self) -> None:
        raise self._wrong("there is more data behind the end")

    def _header(self, data: bytes) -> int:
        """How long the header is; 0 while it is not whole."""
        fixed = len(SIGNATURE) + 8
        if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
            raise self._wrong("it does not begin as the binary format does")
        if len(data) < fixed:
            return 0
        (extension,) = _length(data, len(SIGNATURE) + 4)
        if not 0 <= extension <= RECORD_MAX:
            raise self._wrong("its header is broken")
        return fixed + extension if len(data) >= fixed + extension else 0

    def _found(self, data: bytes, at: int) -> tuple[list[_Row], int]:
        """The complete rows, and where the rest begins."""
        rows: list[_Row] = []
        while (row := self._row(data, at)) is not None:
            end, key = row
            if end < 0:
                self.ended = True
                at += len(TRAILER)
                break
            rows.append((at, end, key))
            self._line += 1
            at = end
        self._line -= len(rows)
        return rows, at

    def _laid(self, data: bytes, rows: list[_Row], at: int, parts: list[bytearray]) -> list[int]:
        """Lay each row into its shard's part; how many each got."""
        numbering = self.layout.numbering
        counts = [0] * self._shards
        before, owners = tuple(self.rows), []
        for number, (begin, end, key) in enumerate(rows):
            owner = self._owner(key if numbering is None else self._numbered(key, number))
            owners.append(owner)
            self._line += 1
            row = data[begin:end]
            if numbering is not None:
                row = numbering.binary(row, number)
            for shard in range(self._shards) if self._keyspace is None else (owner,):
                if shard < self._shards:
                    parts[shard] += row
                    counts[shard] += 1
        if self.ended:
            _end(parts)
        self.rows = [total + count for total, count in zip(self.rows, counts, strict=True)]
        if owners:
            kept = None if self._keyspace is None else np.array(owners, dtype=np.uint16)
            self.trail.keep(Trace(self.offset, at, self._line - len(owners), before, True), kept)
        return counts

    def _unknown(self, rows: list[_Row]) -> set[Entry]:
        """The keys of these rows whose place in the directory is not known."""
        unknown: set[Entry] = set()
        if self._keyspace is None or not self._keyspace.lists(self._types):
            return unknown
        for number, (_, _, key) in enumerate(rows):
            # What is no key is told when its row is laid.
            with contextlib.suppress(DataError):
                try:
                    self._owner(key if self.layout.numbering is None else self._numbered(key, number))
                except Lookup as lookup:
                    unknown |= lookup.keys
        return unknown

    def _numbered(self, key: _Key, row: int) -> tuple[bytes | int | None, ...]:
        """The key with the numbers that were drawn for this row."""
        numbering = self.layout.numbering
        assert numbering is not None
        return tuple(
            numbering.of(column.name)[row] if column.position is None else given
            for column, given in zip(self.layout.keys, key, strict=True)
        )

    def _row(self, data: bytes, at: int) -> tuple[int, _Key] | None:
        """Where a row ends and the key's bytes; None while it is not whole; a negative end for the trailer."""
        filled = len(data)
        if at + 2 > filled:
            return None
        (count,) = _count(data, at)
        if count == -1:
            return -1, ()
        width = len(self.layout.columns)
        if count != width:
            raise self._wrong(f"{count} fields, but there are {width} columns")
        at += 2
        fields: list[tuple[int, int]] = []
        for _ in range(width):
            if at + 4 > filled:
                return None
            (length,) = _length(data, at)
            at += 4
            if length < -1:
                raise self._wrong("a field has a length below zero")
            fields.append((at, length))
            at += max(length, 0)
        if at > filled:
            return None
        places = ((0, -1) if key.position is None else fields[key.position] for key in self.layout.keys)
        return at, tuple(None if length < 0 else data[begin : begin + length] for begin, length in places)

    def _owner(self, key: tuple[bytes | int | None, ...]) -> int:
        """The number of the shard whose row it is; one above all where that shard is left out."""
        if self._keyspace is None:
            return 0
        found = self._seen.get(key)
        if found is None:
            try:
                values = tuple(
                    received(column.type, column.typmod, data) if isinstance(data, bytes) else data
                    for column, data in zip(self.layout.keys, key, strict=True)
                )
            except DataError as error:
                raise DataError(
                    "OG-LOAD-004", f"row {self._line}: {error.message}", cure=f"{error.cure}; nothing was loaded"
                ) from None
            if len(self._seen) >= _SEEN_MAX:
                self._seen.clear()
            found = self._place.get(self._keyspace.shard(self._types, values), self._shards)
            self._seen[key] = found
        return found

    def _wrong(self, why: str) -> DataError:
        return DataError(
            "OG-LOAD-015",
            f"row {self._line}: {why}",
            cure="send what COPY … (FORMAT binary) writes, with the columns in order; nothing was loaded",
        )


def _end(parts: list[bytearray]) -> None:
    for part in parts:
        part += TRAILER
