"""Which questions make a picture of a server's schema, and what reads the answers: one entry for each engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from outgrow import sqlfile
from outgrow.schema.build import Rows, build, queries
from outgrow.schema.mariadb import build_mariadb
from outgrow.schema.model import Schema


class Catalogue(NamedTuple):
    queries: Mapping[str, str]
    build: Callable[[str, int, Mapping[str, Rows]], Schema]


def catalogue(engine: str) -> Catalogue:
    if engine == "postgresql":
        return Catalogue(queries(), build)
    return Catalogue(sqlfile.load("outgrow.schema", "mariadb.sql"), build_mariadb)
