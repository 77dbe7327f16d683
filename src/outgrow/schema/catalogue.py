"""Which questions make a picture of a server's schema, and what reads the answers: one entry for each engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol

from outgrow import sqlfile
from outgrow.schema.build import Rows, build, queries
from outgrow.schema.mariadb import build_mariadb
from outgrow.schema.mariadb_objects import compare_mariadb
from outgrow.schema.model import Schema
from outgrow.schema.objects import ObjectDifference, Objects, compare, object_queries
from outgrow.topology import TableName


class Comparing(Protocol):
    def __call__(
        self, wanted: Objects, found: Objects, shard: str, apart: Collection[TableName] = ()
    ) -> tuple[ObjectDifference, ...]: ...


class Catalogue(NamedTuple):
    queries: Mapping[str, str]
    build: Callable[[str, int, Mapping[str, Rows]], Schema]
    #: What is asked for all objects, and how two servers' are compared.
    objects: Mapping[str, str]
    compare: Comparing


def catalogue(engine: str) -> Catalogue:
    if engine == "postgresql":
        return Catalogue(queries(), build, object_queries(), compare)
    every = sqlfile.load("outgrow.schema", "mariadb.sql")
    asked = {name: sql for name, sql in every.items() if name.startswith("mariadb_")}
    return Catalogue(asked, build_mariadb, {name: every[name] for name in every if name not in asked}, compare_mariadb)
