"""COPY over shards beside COPY into one PostgreSQL: the same bytes in, the same rows, the same bytes out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.errors import Error
from outgrow.topology import Copied, Placement, Sharded, Single, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "items"): Sharded(("key",)),
    TableName("public", "pairs"): Sharded(("a", "b")),
    TableName("public", "everywhere"): Copied(),
    TableName("public", "alone"): Single("s2"),
    TableName("public", "numbered"): Sharded(("key",)),
    TableName("public", "stamped"): Copied(),
}
DDL = (
    "CREATE TABLE items (key int8, name text, price numeric(10,2), day date, double int8 "
    "GENERATED ALWAYS AS (key * 2) STORED, CHECK (price <> 666))",
    "CREATE TABLE pairs (a uuid, b text, c bool, PRIMARY KEY (a, b))",
    "CREATE TABLE everywhere (code text PRIMARY KEY, name text DEFAULT 'none')",
    "CREATE TABLE alone (name text, value text)",
    "CREATE TABLE numbered (id serial, key text)",
    "CREATE TABLE stamped (code text, at timestamptz DEFAULT now())",
)


@dataclass
class Sides:
    """The same tables on a fleet and on one PostgreSQL."""

    fleet: Fleet
    one: psycopg.Connection[Any]

    def copy_in(self, sql: str, *pieces: bytes) -> tuple[Any, Any]:
        """What each side said: nothing, or its error."""
        ours = theirs = None
        try:
            with self.fleet.session() as session, session.copy(sql) as copy:
                for piece in pieces:
                    copy.write(piece)
        except Error as error:
            ours = error
        try:
            with self.one.transaction(), self.one.cursor().copy(sql.encode()) as copy:
                for piece in pieces:
                    copy.write(piece)
        except psycopg.Error as error:
            theirs = error
        return ours, theirs

    def copy_out(self, sql: str) -> tuple[bytes, bytes]:
        with self.fleet.session(level="strong") as session, session.copy(sql) as copy:
            ours = b"".join(copy)
        with self.one.cursor().copy(sql.encode()) as theirs:
            return ours, b"".join(bytes(block) for block in theirs)

    def rows(self, table: str) -> tuple[list[Any], list[Any]]:
        with self.fleet.session(level="strong") as session:
            ours = session.execute(f"SELECT * FROM {table}").fetchall()
        return sorted(ours, key=repr), sorted(self.one.execute(f"SELECT * FROM {table}".encode()).fetchall(), key=repr)

    def same(self, table: str) -> int:
        ours, theirs = self.rows(table)
        assert ours == theirs
        return len(ours)


@pytest.fixture
def sides(fleet_servers: Servers) -> Iterator[Sides]:
    topology = fleet_servers.fresh(TABLES)
    other = fleet_servers.fresh()
    try:
        with (
            outgrow.open(topology, install=True) as fleet,
            psycopg.connect(other.domains[0].home.primary.dsn, autocommit=True) as one,
        ):
            with fleet.session() as session:
                for sql in DDL:
                    session.execute(sql)
                    one.execute(sql.encode())
            yield Sides(fleet, one)
    finally:
        fleet_servers.drop(topology)
        fleet_servers.drop(other)


def cut(data: bytes, seed: int) -> list[bytes]:
    """In pieces of any size, some of them empty."""
    rng = random.Random(seed)
    places = sorted(rng.randrange(len(data) + 1) for _ in range(20))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


CSV = "".join(
    f'{n * 7919 % 1000},"name ""{n}"",\n日本",{n / 4:.2f},2024-02-{1 + n % 28:02}\n' if n % 3 else f"{n},plain {n},,\n"
    for n in range(400)
).encode()
TEXT = "".join(
    f"{n * 7919 % 1000}\tname\\t{n}\\\\x\\\né\t\\N\t2024-02-{1 + n % 28:02}\n\\x3{n % 10}\tplain\t1\t\\N\n"
    for n in range(400)
).encode()


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        ("COPY items FROM STDIN (FORMAT csv)", CSV),
        ("COPY items (key, name, price, day) FROM STDIN WITH CSV", CSV),
        ("COPY items FROM STDIN (FORMAT csv, HEADER)", b'k,"n\n",p,d\n' + CSV),
        ("COPY items FROM STDIN (FORMAT csv, HEADER MATCH)", b"key,name,price,day\n" + CSV),
        ("COPY items FROM STDIN", TEXT),
        ("COPY items FROM STDIN", TEXT + b"\\.\nwhatever comes then\n"),
        ("COPY items FROM STDIN (HEADER)", b"a\tb\n" + TEXT),
        ("COPY items FROM STDIN (FORMAT csv)", CSV.replace(b"\n", b"\r\n")),
        ("COPY items FROM STDIN (FORMAT csv)", CSV[:-1]),
        ("COPY items FROM STDIN (FORMAT csv)", b""),
        ("COPY items FROM STDIN (FORMAT csv, HEADER)", b"key,name,price,day"),
        ("COPY items FROM STDIN", b"\\.\n"),
        ("COPY items (name, key) FROM STDIN (FORMAT csv, DELIMITER ';', NULL 'NA', QUOTE '''', ESCAPE '\\')",
         b"'it\\'s; \\\\';5\nx;NA\n'NA';'6'\n'';7\n'a''b';8\n"),
        ("COPY items (name, key) FROM STDIN (FORMAT csv, FORCE_NULL (key), FORCE_NOT_NULL (name))",
         b'x,""\n,5\n"",6\n'),
        ("COPY items (name, key) FROM STDIN (DELIMITER '|', NULL 'nil')", b"a\\|b|5\nnil|nil\n\\nil|6\n"),
        ("COPY items FROM STDIN (FORMAT csv) WHERE key % 2 = 0", CSV),
        ("COPY everywhere FROM STDIN (FORMAT csv)", b'a,b\n"c","d\ne"\n'),
        ("COPY everywhere (code) FROM STDIN", b"a\nb\n"),
        ("COPY alone FROM STDIN", b"a\tb\nc\t\\N\n"),
        ("COPY pairs FROM STDIN",
         b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\tx\tt\n{A0EEBC999C0B4EF8BB6D6BB9BD380A12}\ty\t\\N\n"),
    ],
)  # fmt: skip
def test_the_same_bytes_make_the_same_rows(sides: Sides, sql: str, data: bytes) -> None:
    for seed in range(2):
        assert sides.copy_in(sql, *cut(data, seed)) == (None, None)
        for table in ("items", "everywhere", "alone", "pairs"):
            sides.same(table)
            if seed == 0 and table != "items":
                sides.one.execute(f"DELETE FROM {table}".encode())
                for shard in sides.fleet.topology.domains[0].shards:
                    with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
                        connection.execute(f"DELETE FROM {table}".encode())
