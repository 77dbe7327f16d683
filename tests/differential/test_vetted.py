"""Every entry of the vetted list, DuckDB's value beside PostgreSQL's: one test over the whole list.

Each entry is asked over all pairs of edge values of its types, through a fleet that lets DuckDB finish, so what is
tried is what is rendered and read back.  Rows for which PostgreSQL raises are left out; rows for which DuckDB raises
are allowed (PostgreSQL answers then), if they are few.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow.finish import duckdb_missing
from outgrow.plan.duck.vetted import SECTIONS, Vetted
from outgrow.topology import Sharded, TableName
from tests.differential.compare import same_row
from tests.differential.finishing import Share, forced
from tests.differential.vetted_values import FAMILY_TYPES, VALUES
from tests.servers import Servers

pytestmark = pytest.mark.skipif(bool(duckdb_missing()), reason=duckdb_missing())
#: Raises in PostgreSQL, or is shown by no Python value.
ANSWERS = """
    CREATE FUNCTION answers(asked text, row_id int8) RETURNS bool LANGUAGE plpgsql AS $$
    DECLARE found text;
    BEGIN
        EXECUTE asked INTO found USING row_id;
        RETURN found IS NULL OR NOT (pg_typeof_text(asked) LIKE '%date%' AND found ~ '(infinity|BC|^\\d{5})');
    EXCEPTION WHEN OTHERS THEN RETURN false;
    END $$
"""


class Both:
    """One table of pairs for each two types, in a fleet and in a plain database."""

    def __init__(self, fleet: outgrow.Fleet, plain: psycopg.Connection[Any], share: Share) -> None:
        self.session = fleet.session()
        self.fleet = fleet
        self.plain = plain
        self.share = share

    def answered(self, table: str, expression: str) -> list[int]:
        """The rows for which PostgreSQL has a value that Python has too."""
        found = []
        for (rid,) in self.plain.execute(f"SELECT rid FROM {table} ORDER BY rid").fetchall():
            try:
                self.plain.execute(f"SELECT {expression} FROM {table} WHERE rid = {rid}").fetchall()
            except psycopg.Error:
                continue
            found.append(rid)
        return found

    def compare(self, table: str, expression: str) -> tuple[int, int]:
        """(rows that DuckDB answered, rows that it left); fails where a value differs."""
        return self._compared(table, expression, self.answered(table, expression))

    def _compared(self, table: str, expression: str, rids: Sequence[int]) -> tuple[int, int]:
        if not rids:
            return 0, 0
        listed = ", ".join(map(str, rids))
        text = f"SELECT rid, a, b, {expression} FROM {table} WHERE rid IN ({listed}) ORDER BY rid"
        taken = self.share.taken
        given = self.session.execute(text)
        rows, fields = given.fetchall(), given.fields
        assert not self.share.unvetted, (text, self.share.unvetted)
        if self.share.taken > taken:
            cursor = self.plain.execute(text)
            assert cursor.description is not None
            assert [field.oid for field in fields] == [column.type_code for column in cursor.description], text
            for one, other in zip(cursor.fetchall(), rows, strict=True):
                assert alike(one, other), f"{expression} of {one[1:3]}: DuckDB has {other[3]!r}, PostgreSQL {one[3]!r}"
            return len(rids), 0
        if len(rids) == 1:
            return 0, 1
        half = len(rids) // 2
        first, second = (self._compared(table, expression, part) for part in (rids[:half], rids[half:]))
        return first[0] + second[0], first[1] + second[1]


def alike(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Exactly, the sign of zero too; only sums and averages of floats are let off the last digits."""
    return same_row(one, other) and all(
        repr(a) == repr(b) or abs(a - b) <= 1e-12 * abs(a) for a, b in zip(one, other, strict=True) if a == a
    )


def table_of(one: str, other: str) -> str:
    return "grid_" + "_".join("".join(c for c in name if c.isalnum()) for name in (one, other))


def pairs() -> set[tuple[str, str]]:
    found = {(one, one) for types in FAMILY_TYPES.values() for one in types}
    for types in FAMILY_TYPES.values():
        found |= {(one, other) for one in types for other in types}
    return found | {("date", "int4"), ("date", "int2"), ("text", "int4"), ("text", "int2")}


@pytest.fixture(scope="module")
def both(fleet_servers: Servers) -> Iterator[Both]:
    with ExitStack() as stack:
        share = stack.enter_context(forced("duckdb"))
        topology = fleet_servers.fresh()
        stack.callback(fleet_servers.drop, topology)
        domain = topology.domains[0]
        tables = {TableName("public", table_of(*pair)): Sharded(("rid",)) for pair in pairs()}
        finish = replace(domain.finish, engine="duckdb", threads=1)
        topology = replace(topology, domains=(replace(domain, tables=tables, finish=finish),))
        primary = domain.home.primary
        fleet_servers.sql(primary, "DROP DATABASE IF EXISTS vetted WITH (FORCE)", database="postgres")
        fleet_servers.sql(primary, "CREATE DATABASE vetted OWNER app", database="postgres")
        dsn = psycopg.conninfo.make_conninfo(primary.dsn, dbname="vetted")
        plain = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        create(plain)
        for shard in domain.shards:
            with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
                create(connection, empty=True)
        fleet = stack.enter_context(outgrow.open(topology, install=True))
        session = fleet.session()
        for one, other in sorted(pairs()):
            table = table_of(one, other)
            rows = plain.execute(f"SELECT rid, a::text, b::text FROM {table}").fetchall()
            for rid, a, b in rows:
                session.execute(f"INSERT INTO {table} VALUES (%s, %s, %s)", [rid, a, b])
        yield Both(fleet, plain, share)


def create(connection: psycopg.Connection[Any], empty: bool = False) -> None:
    for one, other in sorted(pairs()):
        table = table_of(one, other)
        connection.execute(f"CREATE TABLE {table} (rid int8, a {one}, b {other})")
        if empty:
            continue
        values = [(a, b) for a in VALUES[one] for b in VALUES[other]]
        with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            for rid, (a, b) in enumerate(values, 1):
                copy.write_row((rid, a, b))
