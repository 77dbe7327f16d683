"""What a DDL did to tables that have a placement, seen by comparing the catalogue before and after it.

The text need not be understood for that: DROP SCHEMA … CASCADE and ALTER TABLE … RENAME show alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outgrow import sqlfile
from outgrow.errors import NotSupportedError
from outgrow.nodes import Link
from outgrow.runtime.definitions.references import Reference, check_references, references_steps
from outgrow.topology import Placement, Sharded, TableName
from outgrow.waits import Steps

_OBSERVED_SQL = sqlfile.load("outgrow.runtime")["observed"]


@dataclass(frozen=True, slots=True)
class Observed:
    """`moved`: tables with a placement and their new name, None for those that are gone."""

    moved: tuple[tuple[TableName, TableName | None], ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    tables: Mapping[int, TableName] = field(default_factory=dict)
    #: Unique keys: their table, name, and columns.
    keys: Mapping[int, tuple[TableName, str, tuple[str, ...]]] = field(default_factory=dict)
    references: Mapping[int, Reference] = field(default_factory=dict)
    #: Indexes of the whole domain whose triggers name columns that are gone: table, key, and those columns.
    stranded: Mapping[int, tuple[TableName, str, tuple[str, ...]]] = field(default_factory=dict)

    def compared(self, placements: Mapping[TableName, Placement], after: Seen, *, several: bool) -> Observed:
        """What became of placed tables, and which new unique keys hold on each shard only.

        Raises NotSupportedError OG-RUN-155 for a new foreign key whose rows may lie on different shards, where there
        are `several`; and OG-RUN-157 for a column that an index of the whole domain can no longer find.
        """
        for oid, (table, key, columns) in after.stranded.items():
            if oid not in self.stranded:
                raise _stranding(table, key, columns)
        if several:
            check_references(placements, self.references, after.references)
        moved = tuple(
            (name, after.tables.get(oid))
            for oid, name in self.tables.items()
            if name in placements and after.tables.get(oid) != name
        )
        renamed = {new: old for old, new in moved if new is not None}
        notices = []
        for oid, (table, key, columns) in after.keys.items():
            placed = placements.get(renamed.get(table, table))
            if oid in self.keys or not isinstance(placed, Sharded) or set(placed.columns) <= set(columns):
                continue
            notices.append(
                f"{key} ({', '.join(columns)}) is unique on each shard only: it lacks the shard key"
                f" {', '.join(placed.columns)} of {table}; `outgrow unique build {table} {' '.join(columns)}` makes"
                " it hold in the whole domain"
            )
        return Observed(moved, tuple(notices))


def _stranding(table: TableName, key: str, columns: tuple[str, ...]) -> NotSupportedError:
    return NotSupportedError(
        "OG-RUN-157",
        f"{key} of {table} is unique in the whole domain, and its index would no longer find {', '.join(columns)}: "
        "every write of the table would fail",
        cure="`outgrow unique drop` its number (`outgrow unique show`), then this, then `outgrow unique build` with "
        "the columns as they are called then",
    )


def observe_steps(link: Link) -> Steps[Seen]:
    """The catalogue as this connection's transaction sees it now."""
    answer = yield from link.run_steps(_OBSERVED_SQL, None)
    tables: dict[int, TableName] = {}
    keys: dict[int, tuple[TableName, str, tuple[str, ...]]] = {}
    stranded: dict[int, tuple[TableName, str, tuple[str, ...]]] = {}
    for kind, oid, schema, table, key, columns in answer.rows:
        if kind == "table":
            tables[oid] = TableName(schema, table)
        else:
            found = keys if kind == "key" else stranded
            found[oid] = (TableName(schema, table), key, tuple(columns or ()))
    return Seen(tables, keys, (yield from references_steps(link)), stranded)
