"""The servers that compute slots themselves: one for each engine, asked in the same words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import psycopg

from outgrow import local
from tests import mariadb as there
from tests.servers import Servers

_NOPAD = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
#: Our names of types → MariaDB's.
_MARIADB_TYPES = {
    "int2": "smallint",
    "int4": "int",
    "int8": "bigint",
    "text": f"text {_NOPAD}",
    "varchar": f"varchar(1000) {_NOPAD}",
    "date": "date",
    "timestamp": "datetime(6)",
    "uuid": "uuid",
}


class Oracle(Protocol):
    def fill(self, types: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
        """Table t of columns k0, k1, … of these types, numbered by id in the order given."""
        ...

    def ask(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...

    def use(self, type: str, formula: str) -> None:
        """The formula over k0 stands where the server must know that it never changes."""
        ...


class Postgresql:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def _table(self, types: Sequence[str], more: str = "") -> None:
        self.connection.execute("DROP TABLE IF EXISTS t; DROP PUBLICATION IF EXISTS p")
        spelled = ", ".join(f"k{number} {type}" for number, type in enumerate(types))
        self.connection.execute(f"CREATE TABLE t (id int, {spelled}{more})".encode())

    def fill(self, types: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
        self._table(types)
        with self.connection.cursor().copy("COPY t FROM STDIN") as copy:
            for number, row in enumerate(rows):
                copy.write_row((number, *row))

    def ask(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode(), params).fetchall()

    def use(self, type: str, formula: str) -> None:
        self._table([type], f", CHECK ({formula} >= 0)")
        self.connection.execute(f"CREATE INDEX ON t (({formula}))".encode())
        self.connection.execute(f"CREATE PUBLICATION p FOR TABLE t WHERE ({formula} = 3)".encode())
        self.connection.execute("DROP PUBLICATION p")


class Mariadb:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def _table(self, types: Sequence[str], more: str = "") -> None:
        self.ask("DROP TABLE IF EXISTS t")
        spelled = ", ".join(f"k{number} {_MARIADB_TYPES[type]}" for number, type in enumerate(types))
        self.ask(f"CREATE TABLE t (id int, {spelled}{more})")

    def fill(self, types: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
        self._table(types)
        holes = ", ".join(["%s"] * (len(types) + 1))
        with self.connection.cursor() as cursor:
            numbered = [(number, *row) for number, row in enumerate(rows)]
            cursor.executemany(f"INSERT INTO t VALUES ({holes})", numbered)

    def ask(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return list(cursor.fetchall())

    def use(self, type: str, formula: str) -> None:
        self._table([type], f", CHECK ({formula} >= 0), s INT AS ({formula}) VIRTUAL, KEY (s)")
        self.ask("INSERT INTO t (id, k0) VALUES (1, NULL)")
        assert self.ask("SELECT s FROM t") == self.ask(f"SELECT {formula} FROM t")


@contextlib.contextmanager
def asked(engine: str, servers: Servers) -> Iterator[Oracle]:
    if engine == "mariadb":
        with _mariadb() as oracle:
            yield oracle
        return
    topology = servers.fresh()
    with psycopg.connect(topology.domains[0].home.primary.dsn, autocommit=True) as opened:
        yield Postgresql(opened)
    servers.drop(topology)


@contextlib.contextmanager
def _mariadb() -> Iterator[Oracle]:
    there.required()
    import pymysql

    with local.temporary_mariadb(1) as [server]:
        connection = pymysql.connect(
            host="127.0.0.1", port=server.port, user="app", password=server.password, database="app",
            charset="utf8mb4", autocommit=True,
        )  # fmt: skip
        with connection:
            yield Mariadb(connection)
