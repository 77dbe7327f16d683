"""Pieces of a COPY's input, cut anywhere, into every shard's own bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from outgrow.errors import DataError
from outgrow.keyspace import Keyspace
from outgrow.moving import load_split
from outgrow.moving.load_binary import BinarySplitter
from outgrow.moving.load_blocks import Blocks
from outgrow.moving.load_layout import Layout, LoadFormat
from outgrow.moving.load_split import RECORD_MAX, Parts, Splitter
from outgrow.moving.numbering import Draw, LookUp

#: Small pieces that go to every shard alike are gathered until they are this many bytes.
_GATHERED = 1 << 16
Pieces = Sequence[bytes | memoryview]


class Feed(Protocol):
    """Turns the input into pieces, one for each shard at a time, with draws of numbers in between."""

    def put(self, data: memoryview) -> Iterator[Pieces | Draw]: ...

    def end(self) -> Iterator[Pieces | Draw]: ...

    def lines(self, shard: int, line: int) -> tuple[int, int] | None:
        """The first and last line of the input where the row may lie that a shard calls its line `line`."""


class Whole:
    """Everything goes to every shard as it is; nothing is looked at."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._held = bytearray()

    def put(self, data: memoryview) -> Iterator[Pieces]:
        self._held += data
        if len(self._held) >= _GATHERED:
            yield from self.end()

    def end(self) -> Iterator[Pieces]:
        piece = bytes(self._held)
        self._held.clear()
        yield [piece] * self._shards

    def lines(self, shard: int, line: int) -> tuple[int, int] | None:
        return line, line


class SplitFeed:
    """Rows go where their keys say, without a keyspace everywhere; a header goes to every shard, which checks it."""

    def __init__(
        self, layout: Layout, shards: Sequence[str], keyspace: Keyspace | None, look_up: LookUp | None = None
    ) -> None:
        self._layout = layout
        self._look_up = look_up
        self._shards = shards
        self._keyspace = keyspace
        self._blocks = Blocks(None, b"", load_split.BLOCK)
        self._head = bytearray()
        self._headed = layout.format.header and layout.format.kind != "binary"
        self._head_lines = 0
        self._splitter: Splitter | BinarySplitter | None = None if self._headed else self._made(0, False)

    def put(self, data: memoryview) -> Iterator[Pieces | Draw]:
        if self._splitter is None:
            self._head += data
            size = header_size(self._head, self._layout.format)
            if not size:
                if len(self._head) > RECORD_MAX:
                    raise self._no_end()
                return
            header, data = bytes(self._head[:size]), memoryview(bytes(self._head[size:]))
            yield from self._after(header)
        assert self._splitter is not None
        while len(data) and not self._splitter.ended:
            data = data[self._blocks.put(data) :]
            if self._blocks.full:
                yield from _pieces(self._splitter.take(self._blocks, last=False))
        if len(data) and isinstance(self._splitter, BinarySplitter):
            self._splitter.refuse_more()

    def end(self) -> Iterator[Pieces | Draw]:
        if self._splitter is None:
            if b"\r" in self._head:
                raise self._no_end()
            yield [self._header(bytes(self._head))] * len(self._shards)
        elif not self._splitter.ended:
            yield from _pieces(self._splitter.take(self._blocks, last=True))

    def lines(self, shard: int, line: int) -> tuple[int, int] | None:
        if self._splitter is None:
            return line, line
        physical = self._layout.format.kind == "csv"
        before = (self._head_lines if physical else 1) if self._headed else 0
        if line <= before:
            return line, line
        rows = tuple(self._splitter.rows)
        return self._splitter.trail.found(shard, line - before, rows, physical=physical, headed=self._headed)

    def _after(self, header: bytes) -> Iterator[Pieces]:
        self._head_lines = header.count(b"\n")
        self._head.clear()
        self._splitter = self._made(len(header), header.endswith(b"\r\n"))
        yield [self._header(header)] * len(self._shards)

    def _header(self, line: bytes) -> bytes:
        numbering = self._layout.numbering
        return line if numbering is None or not line else numbering.header(line)

    def _made(self, offset: int, crlf: bool) -> Splitter | BinarySplitter:
        if self._layout.format.kind == "binary":
            return BinarySplitter(self._layout, self._shards, self._keyspace, self._look_up)
        return Splitter(
            self._layout,
            self._shards,
            self._keyspace,
            offset=offset,
            line=1 + self._head_lines,
            crlf=crlf,
            live=True,
            look_up=self._look_up,
        )

    def _no_end(self) -> DataError:
        return DataError(
            "OG-LOAD-006",
            f"line 1: the header does not end within {len(self._head)} bytes",
            cure="end lines with a newline; a file with lone carriage returns needs converting; nothing was loaded",
        )


def _pieces(taken: Iterator[Parts | Draw]) -> Iterator[Pieces | Draw]:
    for each in taken:
        yield each.data if isinstance(each, Parts) else each


def header_size(data: bytes | bytearray, format: LoadFormat) -> int:
    """How long the header is with its line end; 0 while it is not whole."""
    quote, escape = ord(format.quote), ord(format.escape)
    inside = taken = False
    for at, byte in enumerate(data):
        if format.kind == "text":
            if byte == 10 and not taken:
                return at + 1
            taken = byte == 92 and not taken
            continue
        if escape != quote and inside and byte == escape:
            taken = not taken
            continue
        if byte == quote and not taken:
            inside = not inside
        elif byte == 10 and not inside:
            return at + 1
        taken = False
    return 0
