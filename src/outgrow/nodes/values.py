"""Python values ↔ the fields of a COPY's rows, as psycopg adapts them; apart from what a link's statements adapt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import adapters
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

from outgrow import errors
from outgrow.nodes import translate
from outgrow.nodes.link import Link


class Values:
    """One COPY's values over the link of one of its shards.  Types that are not named are psycopg's guess."""

    def __init__(self, link: Link, *, binary: bool) -> None:
        self._node = link.node
        # It knows the connection's settings; the types are its own, and leave the link's statements alone.
        self._transformer = Transformer(link.transformer.connection)
        self._format = Format.BINARY if binary else Format.TEXT
        self._dumped = PyFormat.BINARY if binary else PyFormat.TEXT
        self._width = -1
        self.typed = False

    def set_types(self, types: Sequence[int | str]) -> None:
        """The types of the columns, by name or OID."""
        oids = [name if isinstance(name, int) else _oid(name) for name in types]
        self._transformer.set_dumper_types(oids, self._format)
        self._transformer.set_loader_types(oids, self._format)
        self.typed = True
        self._width = len(oids)

    def dump(self, row: Sequence[Any]) -> list[bytes | None]:
        """A row's fields, None for NULL."""
        self._check(len(row))
        try:
            fields = self._transformer.dump_sequence(row, [self._dumped] * len(row))
        except Exception as error:
            raise translate.from_parameters(error, self._node) from error
        return [None if field is None else bytes(field) for field in fields]

    def load(self, fields: Sequence[bytes | None]) -> tuple[Any, ...]:
        """A row's values: text, or bytes of the binary form, where no types were set."""
        if not self.typed and self._width != len(fields):
            self._width = len(fields)
            self._transformer.set_loader_types([0] * len(fields), self._format)
        self._check(len(fields))
        try:
            return self._transformer.load_sequence(fields)
        except Exception as error:
            raise translate.from_loading(error, self._node) from error

    def _check(self, width: int) -> None:
        if self.typed and width != self._width:
            raise errors.DataError(
                "OG-COPY-010",
                f"a row of {width} values, but {self._width} types were set",
                cure="set one type for each column",
            )


def known_types(names: Sequence[str]) -> bool:
    """Whether all of these types, named as the schema names them, are psycopg's."""
    return all(adapters.types.get(_spelt(name)) is not None for name in names)


def _spelt(name: str) -> str:
    """Arrays begin with an underscore in PostgreSQL, and end in brackets in psycopg."""
    return name[1:] + "[]" if name.startswith("_") else name


def _oid(name: str) -> int:
    try:
        return adapters.types.get_oid(_spelt(name))
    except KeyError:
        raise errors.ProgrammingError(
            "OG-COPY-011", f"the type {name!r} is not known here", cure="give its OID, or write the rows as text"
        ) from None


def literal(value: Any) -> str:
    """A value as SQL text, for commands that take no parameters."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value.__class__ is int:
        return str(value) if value >= 0 else f"({value})"
    transformer = Transformer()
    try:
        (field,) = transformer.dump_sequence([value], [PyFormat.TEXT])
    except Exception as error:
        raise errors.DataError(
            "OG-COPY-012", f"a {type(value).__name__} cannot be written into a statement", cure="convert it to text"
        ) from error
    text = bytes(field or b"").decode().replace("'", "''")
    quoted = "E'" + text.replace("\\", "\\\\") + "'" if "\\" in text else f"'{text}'"
    info = adapters.types.get((transformer.types or (0,))[0])
    if info is None or info.name == "text":
        return quoted
    return f"{quoted}::{info.regtype}" + ("[]" if transformer.types and transformer.types[0] == info.array_oid else "")
