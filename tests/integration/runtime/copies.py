"""A fleet and one PostgreSQL with the same tables, for COPY into and out of both."""

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
    **{
        TableName("public", f"keyed_by_{type}"): Sharded(("key",))
        for type in (
            *("int2", "int4", "int8", "text", "varchar3", "uuid", "date", "timestamp3", "timestamptz"),
            *("boolean", "numeric", "numeric102"),
        )
    },
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
    shards: list[psycopg.Connection[Any]]

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

    def clear(self) -> None:
        """As if nothing had been copied yet."""
        sql = b"TRUNCATE items, pairs, everywhere, alone, numbered, stamped"
        self.one.execute(sql)
        for shard in self.shards:
            shard.execute(sql)


@pytest.fixture(scope="module")
def both_sides(fleet_servers: Servers) -> Iterator[Sides]:
    topology = fleet_servers.fresh(TABLES)
    other = fleet_servers.fresh()
    shards = [psycopg.connect(shard.primary.dsn, autocommit=True) for shard in topology.domains[0].shards]
    try:
        with (
            outgrow.open(topology, install=True) as fleet,
            psycopg.connect(other.domains[0].home.primary.dsn, autocommit=True) as one,
        ):
            with fleet.session() as session:
                for sql in DDL:
                    session.execute(sql)
                    one.execute(sql.encode())
            yield Sides(fleet, one, shards)
    finally:
        for shard in shards:
            shard.close()
        fleet_servers.drop(topology)
        fleet_servers.drop(other)


@pytest.fixture
def sides(both_sides: Sides) -> Sides:
    both_sides.clear()
    return both_sides


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
