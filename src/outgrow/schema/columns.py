"""Columns of two shards' tables compared, and the ALTER TABLEs that bring one to the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectColumn:
    """A column as its server writes it."""

    #: Quoted where it must be.
    name: str
    #: Not only inherited: a parent's column is altered with the parent.
    own: bool
    #: With length and collation, as in `character varying(20) COLLATE pg_catalog."C"`.
    type: str
    not_null: bool
    default: str | None
    #: ALWAYS or BY DEFAULT.
    identity: str | None
    generated: str | None

    @property
    def definition(self) -> str:
        parts = [self.type]
        if self.generated is not None:
            parts.append(f"GENERATED ALWAYS AS ({self.generated}) STORED")
        elif self.identity is not None:
            parts.append(f"GENERATED {self.identity} AS IDENTITY")
        elif self.default is not None:
            parts.append(f"DEFAULT {self.default}")
        if self.not_null:
            parts.append("NOT NULL")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    name: str
    what: str
    wanted: str
    found: str
    statements: tuple[str, ...]
    drops: bool = False
    note: str = ""
    order: bool = False


def create_table(around: Sequence[str], columns: Sequence[ObjectColumn]) -> tuple[str, ...]:
    """CREATE TABLE from what stands before and behind the columns; a partition has those of its parent."""
    before, behind = around
    if behind.startswith("PARTITION OF"):
        return (f"{before} {behind}",)
    inside = ", ".join(f"{column.name} {column.definition}" for column in columns if column.own)
    return (f"{before} ({inside}) {behind}".rstrip(),)


def differences(
    table: str, wanted: Sequence[ObjectColumn], found: Sequence[ObjectColumn]
) -> Iterator[ColumnDifference]:
    """How the columns `found` differ from those `wanted`."""
    ours = {column.name: column for column in wanted}
    theirs = {column.name: column for column in found}
    for name, column in theirs.items():
        if name not in ours and column.own:
            drop = (f"ALTER TABLE {table} DROP COLUMN {name}",)
            yield ColumnDifference(f"{table}.{name}", "extra", "", column.definition, drop, drops=True)
    for name, column in ours.items():
        other = theirs.get(name)
        if not column.own:
            continue
        spelled = f"{table}.{name}"
        if other is None:
            add = (f"ALTER TABLE {table} ADD COLUMN {name} {column.definition}",)
            yield ColumnDifference(spelled, "missing", column.definition, "", add)
        elif column.definition != other.definition:
            alter = f"ALTER TABLE {table} ALTER COLUMN {name}"
            statements, note = _altered(alter, column, other)
            yield ColumnDifference(
                spelled, "differs", column.definition, other.definition, tuple(statements), note=note
            )
    shared = [name for name in ours if name in theirs]
    if shared != [name for name in theirs if name in ours]:
        yield ColumnDifference(
            *(table, "differs", ", ".join(ours), ", ".join(theirs), ()),
            note="PostgreSQL cannot move a column: name the columns in every INSERT, or make the table anew",
            order=True,
        )


def _altered(alter: str, wanted: ObjectColumn, found: ObjectColumn) -> tuple[list[str], str]:
    if wanted.generated != found.generated:
        if wanted.generated is not None:
            return (
                [],
                "a generated column cannot be made of a plain one, nor its expression changed: drop the column first",
            )
        return [f"{alter} DROP EXPRESSION"], ""
    statements = []
    if wanted.type != found.type:
        if found.default is not None:
            statements.append(f"{alter} DROP DEFAULT")
        # Without USING: an explicit cast would cut what is too long, where the server's own one fails.
        statements.append(f"{alter} TYPE {wanted.type}")
    if found.identity is not None and wanted.identity is None:
        statements.append(f"{alter} DROP IDENTITY")
    if wanted.default != found.default or (wanted.type != found.type and wanted.default is not None):
        statements.append(
            f"{alter} SET DEFAULT {wanted.default}" if wanted.default is not None else f"{alter} DROP DEFAULT"
        )
    if wanted.not_null != found.not_null:
        statements.append(f"{alter} {'SET' if wanted.not_null else 'DROP'} NOT NULL")
    if wanted.identity is not None and found.identity is None:
        statements.append(f"{alter} ADD GENERATED {wanted.identity} AS IDENTITY")
    elif wanted.identity is not None and wanted.identity != found.identity:
        statements.append(f"{alter} SET GENERATED {wanted.identity}")
    return list(dict.fromkeys(statements)), ""
