"""Bulk load: one file into a table of a domain, split by key, every shard fed at once.

Whoever asks for a load has a transaction open on every shard, and ends it: so all shards have their part, or none, as
surely as that transaction is atomic.  All shards' COPYs end and their row counts are compared with what was sent; an
error in the file, on a server or on the way is raised before anything could be committed.  With a `load_id` each part
is recorded in the ledger in the same transaction, and the same load run again skips the shards that have theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from outgrow import ledger, sqlfile
from outgrow.errors import DataError, Error, OperationalError
from outgrow.keyspace import Keyspace
from outgrow.moving.load_binary import BinarySplitter
from outgrow.moving.load_lanes import CopyTarget, Lane, all_steps, pump_steps, settle_steps
from outgrow.moving.load_layout import Layout, LoadFormat, LoadTable, header_names, layout
from outgrow.moving.load_split import RECORD_MAX, Splitter
from outgrow.moving.numbering import Draw, LookUp, Numbering
from outgrow.moving.pour import LINE, abort_steps, column_of, finish_steps
from outgrow.topology import Copied, Sharded, Single
from outgrow.waits import Steps

QUERIES = sqlfile.load("outgrow.moving")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.  `rows` counts the file's records that were loaded now, each once, copied or not."""

    table: str
    rows: int
    rows_by_shard: Mapping[str, int]
    #: Shards that had their part from an earlier run of the same load, with the rows that they have.
    skipped: Mapping[str, int]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """`columns` names the file's columns in order, instead of its header (which is skipped if the format has one).

    `load_id` names the load in the ledger, so that the same load run again skips the shards that have it.
    """

    columns: tuple[str, ...] | None = None
    append: bool = False
    truncate_first: bool = False
    load_id: str | None = None


CSV = LoadFormat()
INTO_EMPTY = LoadOptions()

#: Called with the bytes split so far and the file's size, None when that is unknown.
Progress = Callable[[int, int | None], None]


def load_steps(
    source: BinaryIO,
    opened: Opened,
    targets: Mapping[str, CopyTarget],
    keyspace: Keyspace,
    options: LoadOptions = INTO_EMPTY,
    progress: Progress | None = None,
    look_up: LookUp | None = None,
) -> Steps[Loaded]:
    """Load the rest of an opened source; `targets` are the shards of `shards_of(table, keyspace)`, in transactions.

    The caller commits it, or after any error rolls it back.  Raises DataError OG-LOAD-001 to OG-LOAD-006 for the file,
    OG-LOAD-008 for a table with rows, OG-LOAD-009 for what a server refused, OG-LOAD-010 when a server copied another
    number of rows than it was sent.
    """
    table = opened.layout.table
    lanes = [Lane(shard, target) for shard, target in targets.items()]
    skipped: dict[str, int] = {}
    try:
        if options.load_id is not None:
            skipped = yield from _skipped_steps(lanes, options.load_id, str(table.name))
            lanes = [lane for lane in lanes if lane.shard not in skipped]
        keys = keyspace if isinstance(table.placement, Sharded) else None
        splitter = opened.splitter([lane.shard for lane in lanes], keys, look_up)
        if lanes:
            yield from _fill_steps(lanes, splitter, source, opened, options, progress)
    except GeneratorExit:
        # Nothing can be waited for any more: whoever closes this closes the connections too.
        raise
    except BaseException:
        yield from abort_steps(lanes, "the load was given up")
        raise
    by_shard = {lane.shard: rows for lane, rows in zip(lanes, splitter.rows, strict=True)}
    rows = sum(splitter.rows) if keys is not None else max(splitter.rows, default=0)
    return Loaded(str(table.name), rows, by_shard, skipped, splitter.taken)


def _fill_steps(
    lanes: list[Lane],
    splitter: Splitter | BinarySplitter,
    source: BinaryIO,
    opened: Opened,
    options: LoadOptions,
    progress: Progress | None,
) -> Steps[None]:
    plan = opened.layout
    yield from _empty_steps(lanes, plan, options)
    for lane in lanes:
        # Whichever comes so far must be brought back, also where another one refuses.
        lane.copying = True
    yield from all_steps(lanes, lambda lane: lane.target.begin_steps(plan.copy_sql))
    try:
        yield from pump_steps(lanes, _watched(splitter, source, opened.first, progress))
        yield from settle_steps(lanes, None)
        copied = yield from all_steps(lanes, finish_steps)
    except Error as error:
        if error.code.startswith(("OG-LOAD", "OG-KEY")):
            raise
        raise _refused(error, lanes, splitter, source) from error
    for lane, sent, count in zip(lanes, splitter.rows, copied, strict=True):
        if count != sent:
            raise DataError(
                "OG-LOAD-010",
                f"{lane.shard} copied {count} rows of the {sent} it was sent; nothing was loaded",
                cure=r"look for a line that is only \. (servers before 18 end there), a trigger or a rule on the table",
                shard=lane.shard,
            )
    if options.load_id is not None:
        record = ledger.queries(lanes[0].target.engine)["load_record"]
        rows = {lane.shard: count for lane, count in zip(lanes, splitter.rows, strict=True)}
        target, load_id = str(plan.table.name), options.load_id
        yield from all_steps(lanes, lambda lane: lane.target.run_steps(record, [load_id, target, rows[lane.shard]]))


def _skipped_steps(lanes: list[Lane], load_id: str, table: str) -> Steps[dict[str, int]]:
    query = ledger.queries(lanes[0].target.engine)["load_rows"]
    answers = yield from all_steps(lanes, lambda lane: lane.target.run_steps(query, [load_id, table]))
    return {lane.shard: answer.rows[0][0] for lane, answer in zip(lanes, answers, strict=True) if answer.rows}


def _empty_steps(lanes: list[Lane], plan: Layout, options: LoadOptions) -> Steps[None]:
    name = plan.table.name
    if options.truncate_first:
        # One after the other, so that two such loads wait for each other instead of in a ring.
        for lane in lanes:
            yield from lane.target.run_steps(lane.target.emptied(name))
    elif not options.append:
        sql = QUERIES["has_rows"].format(table=lanes[0].target.named(name))
        answers = yield from all_steps(lanes, lambda lane: lane.target.run_steps(sql))
        full = [lane.shard for lane, answer in zip(lanes, answers, strict=True) if answer.rows[0][0]]
        if full:
            raise DataError(
                "OG-LOAD-008",
                f"table {name} has rows already on {', '.join(full)}; nothing was loaded",
                cure="add to them (--append, LoadOptions(append=True)), or empty the table first (--truncate, "
                "LoadOptions(truncate_first=True))",
            )


def shards_of(table: LoadTable, keyspace: Keyspace) -> Sequence[str]:
    """The shards that a load into the table concerns."""
    match table.placement:
        case Single(shard):
            return [shard]
        case Copied():
            return keyspace.shards
        case Sharded():
            owning = set(keyspace.owners)
            return [shard for shard in keyspace.shards if shard in owning]


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose header has been read: `first` are the bytes read beyond it, which begin at `offset`."""

    layout: Layout
    first: bytes
    offset: int
    line: int
    crlf: bool

    def splitter(
        self, shards: Sequence[str], keyspace: Keyspace | None, look_up: LookUp | None = None
    ) -> Splitter | BinarySplitter:
        if self.layout.format.kind == "binary":
            return BinarySplitter(self.layout, shards, keyspace, look_up)
        offset, line, crlf = self.offset, self.line, self.crlf
        return Splitter(self.layout, shards, keyspace, offset=offset, line=line, crlf=crlf, look_up=look_up)


def open_source(
    source: BinaryIO,
    table: LoadTable,
    format: LoadFormat = CSV,
    options: LoadOptions = INTO_EMPTY,
    numbered: Callable[[Sequence[str]], Numbering | None] = lambda names: None,
) -> Opened:
    """Read the header.  `numbered` says what fills columns that are not among these names.

    Raises DataError OG-LOAD-001, OG-LOAD-002 and OG-LOAD-005.
    """
    first = source.read(64 << 10)
    offset = len(_BOM) if first.startswith(_BOM) else 0
    first = first[offset:]
    names = options.columns or tuple(column.name for column in table.columns)
    if not format.header or format.kind == "binary":
        return Opened(layout(table, format, names, numbered(names)), first, offset, 1, False)
    while b"\n" not in first and len(first) < RECORD_MAX and (more := source.read(64 << 10)):
        first += more
    line, newline, rest = first.partition(b"\n")
    if not line.strip():
        raise DataError("OG-LOAD-001", "the file has no header line", cure="add one, or load with --no-header")
    if options.columns is None:
        names = tuple(header_names(line, format))
    plan = layout(table, format, names, numbered(names))
    return Opened(plan, rest, offset + len(line) + len(newline), 2, line.endswith(b"\r"))


def _watched(
    splitter: Splitter | BinarySplitter, source: BinaryIO, first: bytes, progress: Progress | None
) -> Iterator[list[bytes | memoryview] | Draw]:
    try:
        total: int | None = os.fstat(source.fileno()).st_size
    except (OSError, AttributeError, ValueError):
        total = None
    for parts in splitter.blocks(source, first):
        if isinstance(parts, Draw):
            yield parts
            continue
        if progress is not None:
            progress(splitter.offset, total)
        yield parts.data


def _refused(error: Error, lanes: list[Lane], splitter: Splitter | BinarySplitter, source: BinaryIO) -> Error:
    """What a server said about its part, with the line of the whole file."""
    found = LINE.search(error.details.get("context", ""))
    place = ""
    if found is not None:
        names = [lane.shard for lane in lanes]
        line = None
        if error.shard in names:
            line = splitter.line_of(source, names.index(error.shard), int(found.group(1)))
        place = f"line {line}" if line is not None else f"line {found.group(1)} of {error.shard}'s part"
        place += column_of(error)
    kind = type(error) if isinstance(error, OperationalError) else DataError
    return kind(
        "OG-LOAD-009",
        f"{place}{error.message}; nothing was loaded",
        cure=error.cure or "correct the file or the table",
        shard=error.shard,
        node=error.node,
        sqlstate=error.sqlstate,
    )
