"""Keys and constraints: what a shard enforces by itself and the fleet does not, and what nobody enforces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from outgrow.runtime.definitions.references import Reference, apart
from outgrow.runtime.doctor.examination import Check, Examination, Row, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.schema import ForeignKey, Table, TableKind
from outgrow.topology import Node, Placement, Sharded, TableName
from outgrow.waits import Steps


def _keys_steps(examination: Examination) -> Steps[list[Finding]]:
    """Unique keys of sharded tables have the shard key in them, or an index of the whole domain; else they hold on each
    shard only.
    """
    yield from ()
    found = []
    for table, placed in placed_tables(examination):
        if not isinstance(placed, Sharded):
            continue
        for columns in filter(None, (table.primary_key, *table.unique_keys)):
            if set(placed.columns) <= set(columns):
                continue
            if any(set(unique.columns) == set(columns) for unique in table.fleet_unique):
                continue
            kind = "primary key" if columns == table.primary_key else "unique key"
            drawn = any(_is_drawn(table, name) for name in columns)
            what = (
                f"the {kind} ({', '.join(columns)}) of {table.name} lacks its shard key {', '.join(placed.columns)}: "
                "no two rows of one shard have the same, but rows of two shards can"
                + (
                    " (its numbers are drawn for the whole fleet, so only values that are written out can)"
                    if drawn
                    else ""
                )
            )
            cure = (
                "add the shard key's columns to it, take values that are unique by themselves (fleet.new_id()), or let "
                f"outgrow keep an index of the whole domain: `outgrow unique build {table.name} {' '.join(columns)}`"
            )
            severity = Severity.INFO if drawn else Severity.WARNING
            found.append(examination.find(severity, examination.domain.name, what, cure))
        found += _apart_only(examination, table, placed)
    return found


def _apart_only(examination: Examination, table: Table, placed: Sharded) -> Iterator[Finding]:
    for index in table.apart:
        if not set(placed.columns) <= set(index.columns):
            what = (
                f"{index.name} of {table.name} does not compare its shard key {', '.join(placed.columns)}: it keeps "
                "rows of one shard apart, and not those of two shards"
            )
            cure = "put the shard key's columns into it, as plain columns"
            yield examination.find(Severity.WARNING, examination.domain.name, what, cure)


def _is_drawn(table: Table, name: str) -> bool:
    """The column's values come from a fleet sequence, or from chance: a clash is none of the key's business."""
    column = table.column(name)
    return column is not None and (column.serial or bool(column.identity) or column.default_volatile)


def _foreign_keys_steps(examination: Examination) -> Steps[list[Finding]]:
    """A foreign key's two rows lie on the same shard."""
    yield from ()
    found = []
    placements = examination.domain.tables
    for table, placed in placed_tables(examination):
        for key in table.foreign_keys:
            why = _apart(examination, table, placed, key, placements.get(key.table))
            if why:
                what = (
                    f"the foreign key ({', '.join(key.columns)}) of {table.name} to {key.table} cannot hold: {why}; "
                    "a shard refuses rows whose partner another shard has"
                )
                cure = f"drop it, or copy {key.table} everywhere, or shard both by the columns of the foreign key"
                found.append(examination.find(Severity.ERROR, examination.domain.name, what, cure))
    return found


def _apart(
    examination: Examination, table: Table, placed: Placement, key: ForeignKey, other: Placement | None
) -> str | None:
    """Why a row and the one that it refers to may lie on different shards; None where they cannot."""
    referred = examination.state.picture.schema.tables.get(key.table)
    types = _types(table, key.columns)
    theirs = _types(referred, key.referenced) if referred is not None else types
    return apart(Reference("", table.name, key.columns, types, key.table, key.referenced, theirs), placed, other)


def _types(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column.type for name in names if (column := table.column(name)) is not None)


def _identities_steps(examination: Examination) -> Steps[list[Finding]]:
    """Rows of sharded tables can be told apart, which moving them needs."""
    rows = yield from examination.each_steps(examination.primaries, "identities")
    sharded = {table.name for table, placed in placed_tables(examination) if isinstance(placed, Sharded)}
    return by_table(
        examination,
        *(rows, Severity.INFO, lambda row: TableName(row[0], row[1]) in sharded),
        lambda row: (
            f"the table {TableName(row[0], row[1])} has no primary key: its rows cannot be told apart when moved"
        ),
        "add a primary key with the shard key in it; or ALTER TABLE … REPLICA IDENTITY FULL (or USING INDEX)",
    )


def _unproven_steps(examination: Examination) -> Steps[list[Finding]]:
    """Constraints hold for all rows, not only for new ones."""
    rows = yield from examination.each_steps(examination.primaries, "unproven")
    return by_table(
        examination,
        *(rows, Severity.WARNING, lambda row: True),
        lambda row: f"the {row[3]} {row[2]} of {TableName(row[0], row[1])} is NOT VALID: old rows may break it",
        "ALTER TABLE … VALIDATE CONSTRAINT … (through outgrow, so that every shard does)",
    )


def _indexes_steps(examination: Examination) -> Steps[list[Finding]]:
    """Indexes are used, and unique ones enforced."""
    rows = yield from examination.each_steps(examination.primaries, "invalid_indexes")
    return by_table(
        examination,
        *(rows, Severity.WARNING, lambda row: True),
        lambda row: (
            f"the {'unique ' if row[3] else ''}index {row[2]} of {TableName(row[0], row[1])} is invalid: "
            "no query uses it, and every write pays for it"
        ),
        "DROP INDEX CONCURRENTLY it and create it again, or REINDEX INDEX CONCURRENTLY it",
    )


def _triggers_steps(examination: Examination) -> Steps[list[Finding]]:
    """Triggers fire, those of foreign keys too."""
    rows = yield from examination.each_steps(examination.primaries, "silent_triggers")
    return by_table(
        examination,
        *(rows, Severity.WARNING, lambda row: True),
        lambda row: (
            f"the foreign key {row[2]} is not checked: triggers of {TableName(row[0], row[1])} are disabled"
            if row[3]
            else f"the trigger {row[2]} of {TableName(row[0], row[1])} is disabled"
        ),
        "ALTER TABLE … ENABLE TRIGGER … (or ALL); what was written meanwhile is unchecked",
    )


def by_table(
    examination: Examination,
    rows: Mapping[Node, list[Row]],
    severity: Severity,
    concerns: Callable[[Row], bool],
    say: Callable[[Row], str],
    cure: str,
) -> list[Finding]:
    """What several shards have alike is one finding of them all."""
    shards: dict[str, list[str]] = defaultdict(list)
    for node, answer in rows.items():
        for row in answer:
            if concerns(row):
                shards[say(row)].append(node.shard)
    everywhere = len(examination.domain.shards)
    return [
        examination.find(severity, examination.domain.name if len(on) == everywhere else several(on), what, cure)
        for what, on in shards.items()
    ]


def placed_tables(examination: Examination) -> Iterator[tuple[Table, Placement]]:
    """Placed tables as the picture has them, by name."""
    tables = examination.state.picture.schema.tables
    if len(examination.domain.shards) == 1:
        return
    for name, placed in sorted(examination.domain.tables.items(), key=lambda pair: str(pair[0])):
        table = tables.get(name)
        if table is not None and table.kind in (TableKind.TABLE, TableKind.PARTITIONED):
            yield table, placed


UNIQUE_KEYS, FOREIGN_KEYS = Check("unique keys", _keys_steps), Check("foreign keys", _foreign_keys_steps)
CHECKS = (
    UNIQUE_KEYS,
    FOREIGN_KEYS,
    Check("row identity", _identities_steps),
    Check("constraints", _unproven_steps),
    Check("indexes", _indexes_steps),
    Check("triggers", _triggers_steps),
)
