"""How an engine's tables are read piece by piece, and what a row's key is as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from outgrow.runtime.doctor.examination import Examination
from outgrow.statement import name_sql
from outgrow.topology import Node, Sharded, TableName
from outgrow.waits import Steps

#: Pages read of each part of a table when a sample is enough.
_SAMPLE_PAGES = 256
#: Pages read by one statement when all are, so that none takes long.
_CHUNK_PAGES = 16_384
#: PostgreSQL's pages are 8 KiB; a MariaDB server tells of rows, and so many are counted as one.
_ROWS_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A table, or a leaf of a partitioned one, on one shard."""

    table: TableName
    sql: str
    pages: int


class Reading(NamedTuple):
    name: Callable[[str], str]
    #: Columns (as SQL) → one text of them.
    text: Callable[[Sequence[str]], str]
    #: The pieces of these tables that have pages, on every shard.
    parts_steps: Callable[[Examination, list[TableName]], Steps[dict[Node, list[Part]]]]
    #: What stands in FROM, and how many pages that reads: all of the part, or a sample of it.
    whole: Callable[[Examination, Part], Iterator[tuple[str, int]]]
    sample: Callable[[Examination, Part], str]
    #: A sample's rows come from everywhere, so that any share of them is about that of all.
    fair: bool

    def pieces(self, examination: Examination, part: Part) -> Iterator[tuple[str, int]]:
        if examination.all_rows or part.pages <= _SAMPLE_PAGES:
            yield from self.whole(examination, part)
        else:
            yield self.sample(examination, part), _SAMPLE_PAGES

    def some(self, examination: Examination, part: Part) -> str:
        """What stands in FROM where a sample does in any case."""
        return self.sample(examination, part) if part.pages > _SAMPLE_PAGES else part.sql


def to_read(examination: Examination, part: Part) -> int:
    """How many pages its pieces have together."""
    return part.pages if examination.all_rows else min(part.pages, _SAMPLE_PAGES)


def reading(examination: Examination) -> Reading:
    return _READINGS[examination.domain.engine]


def _postgres_parts_steps(examination: Examination, tables: list[TableName]) -> Steps[dict[Node, list[Part]]]:
    if not tables:
        return {}
    columns = [[table.schema for table in tables], [table.name for table in tables]]
    rows = yield from examination.each_steps(examination.primaries, "extents", columns)
    return {
        node: [Part(tables[place - 1], sql, pages) for place, _, sql, pages in answer if pages]
        for node, answer in rows.items()
    }


def _postgres_whole(examination: Examination, part: Part) -> Iterator[tuple[str, int]]:
    if part.pages <= _CHUNK_PAGES:
        yield part.sql, part.pages
        return
    for first in range(0, part.pages, _CHUNK_PAGES):
        # The last piece is open: the table may have grown.
        last = first + _CHUNK_PAGES
        until = f" AND ctid < '({last},0)'" if last < part.pages else ""
        pages = min(_CHUNK_PAGES, part.pages - first)
        yield f"(SELECT * FROM {part.sql} WHERE ctid >= '({first},0)'{until}) AS piece", pages


def _postgres_sample(examination: Examination, part: Part) -> str:
    return f"{part.sql} TABLESAMPLE SYSTEM ({100 * _SAMPLE_PAGES / part.pages:.6f})"


def _mariadb_parts_steps(examination: Examination, tables: list[TableName]) -> Steps[dict[Node, list[Part]]]:
    if not tables:
        return {}
    rows = yield from examination.each_steps(examination.primaries, "extents")
    wanted = {table.name: table for table in tables}
    return {
        node: [
            Part(wanted[name], _mariadb_name(name), max(1, int(count) // _ROWS_A_PAGE))
            for name, count in answer
            if name in wanted
        ]
        for node, answer in rows.items()
    }


def _mariadb_whole(examination: Examination, part: Part) -> Iterator[tuple[str, int]]:
    yield part.sql, part.pages


def _mariadb_sample(examination: Examination, part: Part) -> str:
    """Rows at both ends of the primary key; without one the first that the server comes upon."""
    table, placed = examination.state.picture.schema.tables[part.table], examination.domain.tables[part.table]
    key = [_mariadb_name(column) for column in table.primary_key]
    columns = ", ".join(_mariadb_name(column) for column in placed.columns) if isinstance(placed, Sharded) else "1"
    rows, of = _SAMPLE_PAGES * _ROWS_A_PAGE, f"SELECT {columns} FROM {part.sql}"
    if not key:
        return f"({of} LIMIT {rows}) AS piece"
    ends = [
        f"({of} ORDER BY {', '.join(f'{column} {way}' for column in key)} LIMIT {rows // 2})" for way in ("ASC", "DESC")
    ]
    return f"({' UNION ALL '.join(ends)}) AS piece"


def _mariadb_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


_READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "postgresql": Reading(
            name_sql,
            lambda columns: f"ROW({', '.join(columns)})::text",
            _postgres_parts_steps,
            _postgres_whole,
            _postgres_sample,
            fair=True,
        ),
        "mariadb": Reading(
            _mariadb_name,
            lambda columns: f"CONCAT('(', CONCAT_WS(',', {', '.join(columns)}), ')')",
            _mariadb_parts_steps,
            _mariadb_whole,
            _mariadb_sample,
            fair=False,
        ),
    }
)
