"""A key's rows on MariaDB: read by a locking SELECT, written by INSERTs of some rows each."""

from __future__ import annotations

from typing import Any

from outgrow.nodes import Link
from outgrow.schema import Table
from outgrow.waits import Steps

#: Rows of one INSERT.
_ROWS = 100
#: What both servers mean by the same text, and that no value is replaced by a number or refused for being old.
_READING = "SET STATEMENT time_zone = '+00:00' FOR "
_WRITING = "SET STATEMENT time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO' FOR "
#: Types whose values do not come out as they are: a float shows six digits, shapes have no common form.
_LOSSY = ("mariadb.float", "mariadb.geometry", "mariadb.point", "mariadb.line", "mariadb.poly", "mariadb.multi")


def lossy(table: Table) -> str | None:
    """Why its rows cannot go to another server unchanged."""
    for column in table.columns:
        if not column.generated and column.type.startswith(_LOSSY):
            return f"values of {column.name} ({column.type.removeprefix('mariadb.')}) are not shown wholly"
    return None


def statements(table: Table, key: str, family: str, text: str) -> tuple[str, str, str, str, str]:
    """What reads, begins to write, and deletes; and what asks for rows that are left, or there."""
    literal = text if family == "integer" else "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    whole, where = _name(table.name.name), f"WHERE {_name(key)} = {literal}"
    columns = ", ".join(_name(column.name) for column in table.columns if not column.generated)
    there = f"SELECT EXISTS (SELECT 1 FROM {whole} {where})"
    return (
        f"{_READING}SELECT {columns} FROM {whole} {where} FOR UPDATE",
        f"{_WRITING}INSERT INTO {whole} ({columns}) VALUES ",
        f"DELETE FROM {whole} {where}",
        there,
        there,
    )


def copy_steps(reads: str, writes: str, source: Link, target: Link, until: float | None) -> Steps[tuple[int, int]]:
    """How many rows were read, and how many written."""
    stream = source.stream(reads, chunk_rows=_ROWS, until=until)
    fields = yield from stream.open_steps()
    read = written = 0
    try:
        while (rows := (yield from stream.more_steps())) is not None:
            read += len(rows)
            places = iter(range(1, len(rows) * len(fields) + 1))
            row = (", ".join(f"${next(places)}" for _ in fields) for _ in rows)
            values: list[Any] = [value for each in rows for value in each]
            done = yield from target.run_steps(writes + ", ".join(f"({one})" for one in row), values, until=until)
            written += done.count
    except GeneratorExit:
        raise
    except BaseException:
        yield from stream.close_steps()
        raise
    return read, written


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
