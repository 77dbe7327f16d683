"""What a bulk load is told: the table, the file's format, and how the file's columns lie."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from outgrow.errors import DataError, InterfaceError
from outgrow.moving.load_spelling import without_slashes
from outgrow.moving.numbering import Numbering
from outgrow.topology import Placement, Sharded, TableName


@dataclass(frozen=True, slots=True)
class LoadColumn:
    """A table's column: `type` and `typmod` as in the schema's snapshot (they say what a key's text becomes)."""

    name: str
    type: str
    typmod: int = -1
    #: NULL or 0 would be a number that its server draws (AUTO_INCREMENT of several shards).
    counted: bool = False


@dataclass(frozen=True, slots=True)
class LoadTable:
    name: TableName
    columns: tuple[LoadColumn, ...]
    placement: Placement


@dataclass(frozen=True, slots=True)
class LoadFormat:
    """Rows as PostgreSQL's COPY reads and writes them, in UTF-8; `kind` is "csv", "text" or "binary".

    In CSV an unquoted field that equals `null` is NULL, in text one that is spelt so.  With `header` the first line
    names the columns.  `LoadFormat.of` has the defaults of each kind.
    """

    delimiter: str = ","
    null: str = ""
    header: bool = True
    kind: str = "csv"
    quote: str = '"'
    #: Inside quotes it makes a quote, or itself, a part of the field.
    escape: str = '"'
    #: A field that is spelt so (unquoted in CSV) stands for the column's default.
    default: str | None = None
    #: Columns of CSV where the marker means itself even unquoted, and NULL even quoted.
    force_not_null: frozenset[str] = frozenset()
    force_null: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kind: str, *, delimiter: str | None = None, null: str | None = None, header: bool = True) -> Self:
        """This kind with what COPY takes for it unless told otherwise."""
        if kind not in ("csv", "text", "binary"):
            raise InterfaceError("OG-LOAD-007", f"there is no format {kind!r}", cure="use one of csv, text and binary")
        usual = (",", "") if kind == "csv" else ("\t", "\\N")
        chosen = usual[0] if delimiter is None else delimiter, usual[1] if null is None else null
        return cls(*chosen, header and kind != "binary", kind)

    def __post_init__(self) -> None:
        wrong = '"\r\n\0\\.' if self.kind == "csv" else "\r\n\0\\.abcdefghijklmnopqrstuvwxyz0123456789"
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in wrong:
            raise InterfaceError(
                "OG-LOAD-007",
                f"{self.delimiter!r} cannot separate fields",
                cure="use one ASCII character, as , ; or tab",
            )
        for name, mark in (("quote", self.quote), ("escape", self.escape)):
            if len(mark) != 1 or not mark.isascii() or mark in "\r\n\0" or mark == self.delimiter:
                raise InterfaceError("OG-LOAD-007", f"{mark!r} cannot {name}", cure="use one ASCII character")
        marks = ("\r", "\n", "\0", self.delimiter, *((self.quote,) if self.kind == "csv" else ()))
        if any(mark in self.null for mark in marks):
            raise InterfaceError(
                "OG-LOAD-007", f"{self.null!r} cannot stand for NULL", cure="use a plain word such as NA or \\N"
            )

    @property
    def options(self) -> str:
        """What COPY is told of it in either direction, but for the header."""
        if self.kind == "binary":
            return "FORMAT binary"
        told = [f"FORMAT {self.kind}", f"DELIMITER {literal(self.delimiter)}", f"NULL {literal(self.null)}"]
        if (self.quote, self.escape) != ('"', '"') and self.kind == "csv":
            told += [f"QUOTE {literal(self.quote)}", f"ESCAPE {literal(self.escape)}"]
        # No encoding but this, whatever the connection speaks.
        return ", ".join((*told, "ENCODING 'UTF8'"))

    @property
    def reading(self) -> str:
        """The same with what only COPY FROM takes."""
        told = [self.options]
        if self.default is not None:
            told.append(f"DEFAULT {literal(self.default)}")
        for option, names in (("FORCE_NOT_NULL", self.force_not_null), ("FORCE_NULL", self.force_null)):
            if names:
                told.append(f"{option} ({', '.join(map(quoted, sorted(names)))})")
        return ", ".join(told)


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """`position` counts the file's columns from 0; None where the file lacks it and a sequence fills it."""

    name: str
    position: int | None
    type: str
    typmod: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file's columns lie and which of them are the key (none for a copied or single table).

    `numbering` fills columns that the file lacks.
    """

    table: LoadTable
    columns: tuple[str, ...]
    format: LoadFormat
    keys: tuple[KeyColumn, ...]
    numbering: Numbering | None = None

    @property
    def copy_sql(self) -> str:
        """COPY takes no parameters, so names and markers are quoted here."""
        added = self.numbering.names if self.numbering is not None else ()
        names = ", ".join(map(quoted, (*self.columns, *added)))
        name = self.table.name
        return f"COPY {quoted(name.schema)}.{quoted(name.name)} ({names}) FROM STDIN ({self.format.reading})"


def layout(table: LoadTable, format: LoadFormat, names: Sequence[str], numbering: Numbering | None = None) -> Layout:
    """The layout of a file whose columns have these names.

    DataError OG-LOAD-001 for a name that the table does not have or that comes twice, OG-LOAD-002 when a key column
    is missing.
    """
    known = {column.name: column for column in table.columns}
    for number, name in enumerate(names):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise DataError(
                "OG-LOAD-001",
                f"the file's column {number + 1}, {name!r}, is not in table {table.name}",
                cure=f"{hint}name the columns as the table has them: {', '.join(known)}",
            )
        if name in names[:number]:
            raise DataError("OG-LOAD-001", f"the file has column {name!r} twice", cure="drop or rename one of them")
    keys = []
    added = numbering.names if numbering is not None else ()
    if isinstance(table.placement, Sharded):
        for name in table.placement.columns:
            if name not in names and name not in added:
                raise DataError(
                    "OG-LOAD-002",
                    f"the file has no column {name}, by which {table.name} is sharded",
                    cure="add the column: without it no row can be placed",
                )
            position = list(names).index(name) if name in names else None
            keys.append(KeyColumn(name, position, known[name].type, known[name].typmod))
    return Layout(table, tuple(names), format, tuple(keys), numbering)


def header_names(line: bytes, format: LoadFormat) -> list[str]:
    """The column names on a header line."""
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(
            "OG-LOAD-005", "line 1 is not UTF-8", cure="convert the file, for example with iconv -t UTF-8"
        ) from None
    if format.kind == "text":
        return [without_slashes(name.encode()).decode() for name in text.split(format.delimiter)]
    return next(csv.reader([text], delimiter=format.delimiter), [])


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    marks = "'" + text.replace("'", "''") + "'"
    # A standard string whatever standard_conforming_strings says.
    return " E" + marks.replace("\\", "\\\\") if "\\" in text else marks
