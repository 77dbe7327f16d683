"""The languages whose arithmetic a finish can follow: one record for each, by `Finish.language`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from outgrow.plan.spec import Final

from .combine import POSTGRESQL, Kind, Numbers
from .evaluate import Compiler, Typed, Value
from .mariadb import MARIADB, MariadbCompiler


class Compiling(Protocol):
    def output(self, final: Final) -> Typed:
        """A column of the result."""
        ...

    def condition(self, final: Final) -> Value:
        """What HAVING keeps rows by: what Python takes for true."""
        ...


class Language(NamedTuple):
    numbers: Numbers
    #: From the combined row's columns, the parameters, and whether all text compares by code point.
    compiler: Callable[[Sequence[Kind], Sequence[Any], bool], Compiling]
    #: Type → the number by which drivers know it; the same on every server.
    oids: dict[str, int]
    text: int

    def oid(self, type: str) -> int:
        return self.oids.get(type, self.text)


_POSTGRESQL_OIDS = {
    "bool": 16,
    "bytea": 17,
    "name": 19,
    "int8": 20,
    "int2": 21,
    "int4": 23,
    "text": 25,
    "oid": 26,
    "float4": 700,
    "float8": 701,
    "bpchar": 1042,
    "varchar": 1043,
    "date": 1082,
    "time": 1083,
    "timestamp": 1114,
    "timestamptz": 1184,
    "numeric": 1700,
    "uuid": 2950,
}
#: MariaDB's type codes.
_MARIADB_OIDS = {
    "int2": 2,
    "int4": 3,
    "float8": 5,
    "int8": 8,
    "mariadb.bigint unsigned": 8,
    "date": 10,
    "timestamp": 12,
    "numeric": 246,
}

_LANGUAGES = {
    "postgresql": Language(
        POSTGRESQL,
        lambda kinds, params, text_bytes: Compiler([kind.type for kind in kinds], params, text_bytes),
        _POSTGRESQL_OIDS,
        25,
    ),
    "mariadb": Language(MARIADB, lambda kinds, params, _: MariadbCompiler(kinds, params), _MARIADB_OIDS, 253),
}


def language(name: str) -> Language:
    return _LANGUAGES[name]
