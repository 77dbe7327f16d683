"""A file of CSV or text, block by block, into each shard's own bytes.

Nothing is encoded anew: a shard gets slices of the file as they stand, so whatever COPY would make of the whole file
it makes of the parts.  Blocks begin and end with a record, and only one is held at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from outgrow.errors import DataError
from outgrow.keyspace import Keyspace, Lookup
from outgrow.moving.load_blocks import Blocks, Source
from outgrow.moving.load_finding import find_records
from outgrow.moving.load_gather import Pool, gather
from outgrow.moving.load_keys import WrongKey, key_column
from outgrow.moving.load_layout import KeyColumn, Layout
from outgrow.moving.load_records import NEWLINE, RETURN, SLACK, SLASH, Block, LoneEnd, Ragged, Records
from outgrow.moving.load_trail import Trace, Trail
from outgrow.moving.numbering import Draw, LookUp

#: Bytes read at once: large enough that numpy's calls do not show, small enough to stay in a processor's cache.
BLOCK = 1 << 19
#: A record longer than this is taken for a quote that nobody closed.
RECORD_MAX = 64 << 20


class Parts(NamedTuple):
    """One block, split: what each shard gets, and how many records that is.  `taken` counts the file's bytes."""

    data: list[bytes | memoryview]
    rows: list[int]
    taken: int


class Splitter:
    """Splits one file for `shards`, in their order.

    `keyspace` is None for a copied or single table, where every shard gets everything.  `offset` and `line` say where
    in the file `first`, the bytes read so far, begin; `crlf` that a header's line ended in \\r\\n; `live` that the
    input comes once and cannot be read again.  `look_up` finds out where keys of a directory lie.
    """

    def __init__(
        self,
        layout: Layout,
        shards: Sequence[str],
        keyspace: Keyspace | None,
        *,
        offset: int = 0,
        line: int = 1,
        crlf: bool = False,
        live: bool = False,
        look_up: LookUp | None = None,
    ) -> None:
        self.layout = layout
        self._look_up = look_up
        self.rows = [0] * len(shards)
        #: Where in the file the next block begins.
        self.offset = offset
        self.trail = Trail(live=live)
        #: The line that ends the data has been read: nothing behind it counts.
        self.ended = False
        self._kept: Records | None = None
        self._live = live
        self._crlf = crlf
        self._begun = offset
        self._line = line
        self._seen: list[dict[str, Any]] = [{} for _ in layout.keys]
        self._count = len(shards)
        self._pool = Pool(BLOCK + 2 * SLACK)
        self._columns: list[int] = []
        self._owners: npt.NDArray[np.uint16] | None = None
        # One shard that owns everything needs no hash; one that owns a part (a resumed load) does.
        if keyspace is not None and set(keyspace.owners) != set(shards[:1]):
            self._hash = keyspace.strategy(tuple(key.type for key in layout.keys))
            self._columns = [key.position for key in layout.keys if key.position is not None]
            place = {shard: number for number, shard in enumerate(shards)}
            # Slots of shards that are not loaded go to a place behind all of them.
            self._owners = np.array([place.get(owner, self._count) for owner in keyspace.owners], dtype=np.uint16)

    @property
    def taken(self) -> int:
        """How many of the file's bytes have been split."""
        return self.offset - self._begun

    def blocks(self, source: Source, first: bytes = b"") -> Iterator[Parts | Draw]:
        """Split all of a file.  Raises DataError OG-LOAD-003 to OG-LOAD-006 with the line of the bad record."""
        blocks = Blocks(source, first, BLOCK)
        more = True
        while more and not self.ended:
            more = blocks.fill()
            yield from self.take(blocks, last=not more)

    def take(self, blocks: Blocks, last: bool) -> Iterator[Parts | Draw]:
        """Split the complete records that are there, if any, and drop them; `last`: nothing more will come."""
        if not blocks.filled:
            return
        if last:
            self._end(blocks)
        records = self._records(blocks.block())
        if records is None:
            if last or blocks.filled > RECORD_MAX:
                raise self._unended(blocks.block())
            blocks.widen()
            return
        if self.layout.numbering is not None and len(records):
            yield self.layout.numbering.draw(len(records))
        while True:
            try:
                parts = self._split(records)
                break
            except Lookup as lookup:
                if self._look_up is None:
                    raise
                yield Draw(self._look_up(lookup))
        # Kept until the next are there: what is given back in between comes back as fresh pages.
        self._kept = records
        self.ended = records.ended
        blocks.drop(records.size)
        if last and blocks.filled and not self.ended:
            raise self._unended(blocks.block())
        yield parts

    def _end(self, blocks: Blocks) -> None:
        """A file's end: its last line gets the line end that the others have, or COPY would see two kinds."""
        if blocks.data[blocks.filled - 1] == NEWLINE:
            return
        first = None if self.trail.blocks else self._records(blocks.block())
        if first is not None and len(first):
            self._crlf = _ends_with_return(first)
        blocks.append(b"\r\n" if self._crlf else b"\n")

    def _found(self, block: Block) -> Records | None:
        return find_records(block, self.layout.format, len(self.layout.columns), self._columns)

    def _records(self, block: Block) -> Records | None:
        try:
            return self._found(block)
        except Ragged as ragged:
            expected = len(self.layout.columns)
            raise DataError(
                "OG-LOAD-003",
                f"line {self._line + ragged.line}: {ragged.fields} fields, but the file has {expected} columns",
                cure="correct the line, or name the delimiter; nothing was loaded",
            ) from None
        except LoneEnd as end:
            raise DataError(
                "OG-LOAD-013",
                f"line {self._line + end.line}: \\. would end the data if it were alone on its line, but it is not",
                cure="write a backslash that belongs to the data twice; nothing was loaded",
            ) from None

    def _split(self, records: Records) -> Parts:
        if not len(records):
            return Parts([b""] * self._count, [0] * self._count, 0)
        self._check_text(records)
        owners = self._place(records)
        self._check_ends(records)
        trace = Trace(self.offset, records.size, self._line, tuple(self.rows), records.lines == len(records))
        self.trail.note(trace, records, owners)
        if self.layout.numbering is not None:
            data, counts = self.layout.numbering.gather(records, owners, self._count, self._crlf)
        elif owners is None:
            # The block's buffer is filled again while this waits to be sent.
            data = [bytes(memoryview(records.data)[: records.size])] * self._count
            counts = [len(records)] * self._count
        else:
            data, counts = gather(records, owners, self._count, self._pool)
        self.rows = [total + count for total, count in zip(self.rows, counts, strict=True)]
        self.offset += records.size
        self._line += records.lines
        return Parts(data, counts, records.size)

    def _place(self, records: Records) -> npt.NDArray[np.uint16] | None:
        """The shard of each record as its number, or None when all go everywhere."""
        if self._owners is None:
            return None
        try:
            columns = [self._key(records, key, seen) for key, seen in zip(self.layout.keys, self._seen, strict=True)]
        except WrongKey as wrong:
            raise DataError(
                "OG-LOAD-004",
                f"line {self._line + records.line(wrong.row)}: {wrong.message}",
                cure=f"{wrong.cure}; nothing was loaded",
            ) from None
        return self._owners[self._hash.slot_column(columns)]

    def _key(self, records: Records, key: KeyColumn, seen: dict[str, Any]) -> Any:
        if key.position is not None:
            return key_column(records, key, seen)
        assert self.layout.numbering is not None
        return self.layout.numbering.of(key.name)

    def _check_ends(self, records: Records) -> None:
        """All lines end alike, or each server would find that out for its part alone; and none is an odd end."""
        if not self.trail.blocks and not (self.offset and self._live):
            self._crlf = _ends_with_return(records)
        returned = records.padded[records.ends - 1] == RETURN
        returned &= records.ends > records.starts
        wrong = ~returned if self._crlf else returned
        if bool(wrong.any()):
            line = self._line + records.line(int(np.flatnonzero(wrong)[0]))
            raise DataError(
                "OG-LOAD-014",
                f"line {line}: it ends in another way than the first, with or without a carriage return",
                cure="end all lines alike; nothing was loaded",
            )
        if self._live and records.format.kind == "csv" and records.data.find(b"\\.", 0, records.size) >= 0:
            self._check_dots(records)

    def _check_dots(self, records: Records) -> None:
        for row in np.flatnonzero(records.padded[records.starts] == SLASH).tolist():
            if records.data[records.starts[row] : records.ends[row]].rstrip(b"\r") == b"\\.":
                line = self._line + records.line(row)
                raise DataError(
                    "OG-LOAD-013",
                    f"line {line}: \\. ends the data for servers before 18, and is data for later ones",
                    cure='leave it out, or write it in quotes where it is data: "\\."; nothing was loaded',
                )

    def _check_text(self, records: Records) -> None:
        data, size = records.data, records.size
        inside = records.padded[:size]
        if inside.max() < 128 and inside.min() > 0:
            return
        try:
            str(memoryview(data)[:size], "utf-8")
            at = data.find(0, 0, size)
        except UnicodeDecodeError as error:
            at = error.start
        if at >= 0:
            raise DataError(
                "OG-LOAD-005",
                f"line {self._line + data.count(10, 0, at)}: byte 0x{data[at]:02x} is not UTF-8 text",
                cure="convert the file, for example with iconv -t UTF-8; nothing was loaded",
            )

    def _unended(self, block: Block) -> DataError:
        data, filled = block
        if self.layout.format.kind == "csv" and data.find(ord(self.layout.format.quote), 0, filled) >= 0:
            # The record that never ends begins behind the last newline with even quotes before it.
            return DataError(
                "OG-LOAD-006",
                f"line {self._line}: a quoted field that begins in this record or before the next is never closed",
                cure='close the quote, and double every quote inside a quoted field: "";  nothing was loaded',
            )
        return DataError(
            "OG-LOAD-006",
            f"line {self._line}: no line end within {filled} bytes",
            cure="end lines with a newline; a file with lone carriage returns needs converting; nothing was loaded",
        )

    def line_of(self, source: Any, shard: int, line: int) -> int | None:
        """The file's line where the record begins that a shard saw on this line of its part (from 1).

        None if the file cannot be read again.
        """
        seen = 0
        trail = self.trail.blocks
        for number, block in enumerate(trail):
            after = trail[number + 1].rows_before if number + 1 < len(trail) else tuple(self.rows)
            rows = after[shard] - block.rows_before[shard]
            if block.plain and seen + rows < line:
                seen += rows
                continue
            try:
                source.seek(block.offset)
                records = self._found(Block.of(source.read(block.size)))
            except (OSError, AttributeError, Ragged, ValueError):
                return None
            if records is None:
                return None
            try:
                owners = self._place(records)
            except Lookup:
                return None
            mine = range(len(records)) if owners is None else np.flatnonzero(owners == shard).tolist()
            for row in mine:
                seen += records.lines_of(row, self._crlf, first=not seen)
                if seen >= line:
                    return block.line + records.line(row)
        return None


def _ends_with_return(records: Records) -> bool:
    return bool(records.padded[records.ends[0] - 1] == RETURN)
