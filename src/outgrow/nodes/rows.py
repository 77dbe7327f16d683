"""What comes back from one statement, and how a server's type OIDs become names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg.postgres import types as registry
from psycopg.pq.abc import PGresult


class Field(NamedTuple):
    """One column of a result.

    `type` is the catalogue's name, as `schema.Column.type` spells it (`int8`, `bpchar`, `_text`, `public.mood`);
    `typmod` is -1 where there is none; `oid` is this server's number for the type and means nothing elsewhere.
    """

    name: str
    type: str
    typmod: int
    oid: int


class Rows:
    """The outcome of one statement.

    `status` is the command tag without its numbers ("SELECT", "INSERT", "CREATE TABLE"); `count` the rows returned
    or affected, -1 where the command has none.  A plain class: one is made per statement on the hot path.
    """

    __slots__ = ("count", "fields", "rows", "status")

    def __init__(self, fields: tuple[Field, ...], rows: list[tuple[Any, ...]], status: str, count: int) -> None:
        self.fields = fields
        self.rows = rows
        self.status = status
        self.count = count

    def __repr__(self) -> str:
        return f"<Rows {self.status} count={self.count} fields={[f.name for f in self.fields]}>"


class Inserted(Rows):
    """Of an INSERT for which the server counted: `number` is the first that it gave."""

    __slots__ = ("number",)

    def __init__(self, status: str, count: int, number: int) -> None:
        super().__init__((), [], status, count)
        self.number = number


def _builtin_names() -> dict[int, str]:
    """OID → catalogue name of every type that psycopg knows; these OIDs are fixed in PostgreSQL's source."""
    names: dict[int, str] = {}
    for info in registry:
        # The registry quotes the one name that is a keyword.
        name = info.name.strip('"')
        names[info.oid] = name
        if info.array_oid:
            names[info.array_oid] = "_" + name
    return names


BUILTIN_NAMES: Mapping[int, str] = _builtin_names()

#: Types whose text form no session setting changes (TimeZone, DateStyle, IntervalStyle change the others').
_SETTLED_NAMES = frozenset(
    (
        *("int2", "int4", "int8", "float4", "float8", "numeric", "bool", "oid", "uuid"),
        *("text", "varchar", "bpchar", "name", "char", "json", "jsonb", "bytea"),
    )
)
SETTLED = frozenset(oid for oid, name in BUILTIN_NAMES.items() if name.removeprefix("_") in _SETTLED_NAMES)


def unknown_oids(result: PGresult, names: Mapping[int, str]) -> list[int]:
    """The type OIDs of `result` that neither PostgreSQL's source nor `names` (this server's) explains."""
    found = {result.ftype(i) for i in range(result.nfields)}
    return [oid for oid in found if oid not in BUILTIN_NAMES and oid not in names]


def fields_of(result: PGresult, names: Mapping[int, str]) -> tuple[Field, ...]:
    fields = []
    for i in range(result.nfields):
        oid = result.ftype(i)
        type_name = BUILTIN_NAMES.get(oid) or names.get(oid) or f"oid:{oid}"
        fields.append(Field((result.fname(i) or b"").decode(), type_name, result.fmod(i), oid))
    return tuple(fields)


class Identity(NamedTuple):
    """Which server process a link talks to: what is known of another one is not known of this one."""

    system: int
    started: str
    in_recovery: bool
