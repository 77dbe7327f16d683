"""Bulk load: one file into a table of a domain, split by key, every shard fed at once.

Each shard's part is one transaction.  All shards' COPYs end, their row counts are compared with what was sent, and
only then are the transactions committed, one after the other: an error in the file, on a server or on the way leaves
every shard as it was.  The commits themselves are not yet atomic across shards.  A crash between them leaves some
shards loaded and others not; with a `load_id` each committed part is recorded in the ledger in its own transaction,
and the same load run again skips those shards.  Without one, such a load is run again with `truncate_first`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from outgrow import ledger, sqlfile
from outgrow.errors import DataError, Error, OperationalError
from outgrow.keyspace import Keyspace
from outgrow.moving.load_lanes import CopyTarget, Lane, all_steps, pump_steps
from outgrow.moving.load_layout import Layout, LoadFormat, LoadTable, header_names, layout, quoted
from outgrow.moving.load_split import RECORD_MAX, Splitter
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
    table: LoadTable,
    targets: Mapping[str, CopyTarget],
    keyspace: Keyspace,
    format: LoadFormat = CSV,
    options: LoadOptions = INTO_EMPTY,
    progress: Progress | None = None,
) -> Steps[Loaded]:
    """Load `source` into `table`; `targets` has every shard's primary by name, outside a transaction.

    Raises DataError OG-LOAD-001 to OG-LOAD-006 for the file, OG-LOAD-008 for a table with rows, OG-LOAD-009 for what
    a server refused, OG-LOAD-010 when a server copied another number of rows than it was sent, OperationalError
    OG-LOAD-011 when not all shards could be committed.
    """
    opened = _opened(source, table, format, options)
    shards = _shards(table, keyspace)
    lanes = [Lane(shard, targets[shard]) for shard in shards]
    skipped: dict[str, int] = {}
    try:
        if options.load_id is not None:
            skipped = yield from _skipped_steps(lanes, options.load_id, str(table.name))
            lanes = [lane for lane in lanes if lane.shard not in skipped]
        keys = keyspace if isinstance(table.placement, Sharded) else None
        splitter = opened.splitter([lane.shard for lane in lanes], keys)
        if lanes:
            yield from _fill_steps(lanes, splitter, source, opened, options, progress)
    except GeneratorExit:
        # Nothing can be waited for any more: whoever closes this closes the connections too.
        raise
    except BaseException:
        yield from _undo_steps(lanes)
        raise
    yield from _commit_steps(lanes, options)
    by_shard = {lane.shard: rows for lane, rows in zip(lanes, splitter.rows, strict=True)}
    rows = sum(splitter.rows) if keys is not None else max(splitter.rows, default=0)
    return Loaded(str(table.name), rows, by_shard, skipped, splitter.taken)


def _fill_steps(
    lanes: list[Lane],
    splitter: Splitter,
    source: BinaryIO,
    opened: _Opened,
    options: LoadOptions,
    progress: Progress | None,
) -> Steps[None]:
    """Everything up to, not including, the commits."""
    plan = opened.layout
    yield from all_steps(lanes, lambda lane: lane.target.run_steps(QUERIES["begin"]))
    yield from _empty_steps(lanes, plan, options)
    yield from all_steps(lanes, lambda lane: lane.target.begin_steps(plan.copy_sql))
    for lane in lanes:
        lane.copying = True
    try:
        yield from pump_steps(lanes, _watched(splitter, source, opened.first, progress))
        copied = yield from all_steps(lanes, _finish_steps)
    except Error as error:
        if error.code.startswith("OG-LOAD"):
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
        record = ledger.queries()["load_record"]
        rows = {lane.shard: count for lane, count in zip(lanes, splitter.rows, strict=True)}
        target, load_id = str(plan.table.name), options.load_id
        yield from all_steps(lanes, lambda lane: lane.target.run_steps(record, [load_id, target, rows[lane.shard]]))


def _finish_steps(lane: Lane) -> Steps[int]:
    lane.copying = False
    return (yield from lane.target.finish_steps())


def _skipped_steps(lanes: list[Lane], load_id: str, table: str) -> Steps[dict[str, int]]:
    query = ledger.queries()["load_rows"]
    answers = yield from all_steps(lanes, lambda lane: lane.target.run_steps(query, [load_id, table]))
    return {lane.shard: answer.rows[0][0] for lane, answer in zip(lanes, answers, strict=True) if answer.rows}


def _empty_steps(lanes: list[Lane], plan: Layout, options: LoadOptions) -> Steps[None]:
    name = plan.table.name
    table = f"{quoted(name.schema)}.{quoted(name.name)}"
    if options.truncate_first:
        sql = QUERIES["truncate"].format(table=table)
        yield from all_steps(lanes, lambda lane: lane.target.run_steps(sql))
    elif not options.append:
        sql = QUERIES["has_rows"].format(table=table)
        answers = yield from all_steps(lanes, lambda lane: lane.target.run_steps(sql))
        full = [lane.shard for lane, answer in zip(lanes, answers, strict=True) if answer.rows[0][0]]
        if full:
            raise DataError(
                "OG-LOAD-008",
                f"table {name} has rows already on {', '.join(full)}; nothing was loaded",
                cure="add to them with --append, or empty the table with --truncate-first",
            )


def _commit_steps(lanes: list[Lane], options: LoadOptions) -> Steps[None]:
    """One after the other, so that what stands after a failure can be told."""
    for number, lane in enumerate(lanes):
        try:
            yield from lane.target.run_steps(QUERIES["commit"])
        except Error as error:
            done = [each.shard for each in lanes[:number]]
            rest = [each.shard for each in lanes[number + 1 :]]
            yield from _undo_steps(lanes[number + 1 :])
            again = (
                "run the same load again: it skips the shards that have it"
                if options.load_id is not None
                else "run it again with --truncate-first, or delete the rows of the shards that have it"
            )
            raise OperationalError(
                "OG-LOAD-011",
                f"loaded on {', '.join(done) or 'no shard'}; in doubt on {lane.shard} ({error.message}); "
                f"not loaded on {', '.join(rest) or 'no other'}",
                cure=again,
                shard=lane.shard,
            ) from error


def _undo_steps(lanes: list[Lane]) -> Steps[None]:
    for lane in lanes:
        lane.drop()
    for lane in lanes:
        try:
            if lane.copying:
                lane.copying = False
                yield from lane.target.abort_steps("the load was given up")
            yield from lane.target.run_steps(QUERIES["rollback"])
        except Error:
            # A connection that is gone has rolled back already.
            continue


def _shards(table: LoadTable, keyspace: Keyspace) -> Sequence[str]:
    match table.placement:
        case Single(shard):
            return [shard]
        case Copied():
            return keyspace.shards
        case Sharded():
            owning = set(keyspace.owners)
            return [shard for shard in keyspace.shards if shard in owning]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose header has been read: `first` are the bytes read beyond it, which begin at `offset`."""

    layout: Layout
    first: bytes
    offset: int
    line: int
    crlf: bool

    def splitter(self, shards: Sequence[str], keyspace: Keyspace | None) -> Splitter:
        return Splitter(self.layout, shards, keyspace, offset=self.offset, line=self.line, crlf=self.crlf)


def _opened(source: BinaryIO, table: LoadTable, format: LoadFormat, options: LoadOptions) -> _Opened:
    first = source.read(64 << 10)
    offset = len(_BOM) if first.startswith(_BOM) else 0
    first = first[offset:]
    names = options.columns or tuple(column.name for column in table.columns)
    if not format.header:
        return _Opened(layout(table, format, names), first, offset, 1, False)
    while b"\n" not in first and len(first) < RECORD_MAX and (more := source.read(64 << 10)):
        first += more
    line, newline, rest = first.partition(b"\n")
    if not line.strip():
        raise DataError("OG-LOAD-001", "the file has no header line", cure="add one, or load with --no-header")
    if options.columns is None:
        names = tuple(header_names(line, format))
    return _Opened(layout(table, format, names), rest, offset + len(line) + len(newline), 2, line.endswith(b"\r"))


def _watched(
    splitter: Splitter, source: BinaryIO, first: bytes, progress: Progress | None
) -> Iterator[list[bytes | memoryview]]:
    try:
        total: int | None = os.fstat(source.fileno()).st_size
    except (OSError, AttributeError, ValueError):
        total = None
    for parts in splitter.blocks(source, first):
        if progress is not None:
            progress(splitter.offset, total)
        yield parts.data


_LINE = re.compile(r"^COPY .*, line (\d+)", re.MULTILINE)


def _refused(error: Error, lanes: list[Lane], splitter: Splitter, source: BinaryIO) -> Error:
    """What a server said about its part, with the line of the whole file."""
    context: Any = getattr(error, "details", {}).get("context", "")
    found = _LINE.search(context)
    place = ""
    if found is not None:
        names = [lane.shard for lane in lanes]
        line = None
        if error.shard in names:
            line = splitter.line_of(source, names.index(error.shard), int(found.group(1)))
        column = re.search(r", column (\S+?)[:,]", context)
        place = f"line {line}" if line is not None else f"line {found.group(1)} of {error.shard}'s part"
        place += f", column {column.group(1)}: " if column else ": "
    kind = type(error) if isinstance(error, OperationalError) else DataError
    return kind(
        "OG-LOAD-009",
        f"{place}{error.message}; nothing was loaded",
        cure=error.cure or "correct the file or the table",
        shard=error.shard,
        node=error.node,
        sqlstate=error.sqlstate,
    )
