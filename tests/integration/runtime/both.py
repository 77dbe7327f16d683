"""One statement on two sides: a fleet over two shards, and one PostgreSQL with the same tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

import outgrow
from outgrow import Fleet, Result, Session
from outgrow.topology import Copied, Placement, Sharded, Single, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "customers"): Sharded(("customer_id",)),
    TableName("public", "orders"): Sharded(("customer_id",)),
    TableName("public", "readings"): Sharded(("device", "day")),
    TableName("public", "loud"): Sharded(("id",)),
    TableName("public", "countries"): Copied(),
    TableName("public", "cities"): Copied(),
    TableName("public", "noted"): Copied(),
    TableName("public", "settings"): Single("s1"),
}
DDL = (
    "CREATE TABLE countries (code text PRIMARY KEY, name text, at timestamptz DEFAULT now(),"
    " token uuid DEFAULT gen_random_uuid(), CHECK (name <> 'nowhere'))",
    "CREATE TABLE cities (id int4 PRIMARY KEY, country text REFERENCES countries ON DELETE CASCADE, name text)",
    "CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text DEFAULT 'nobody', country text"
    " REFERENCES countries, made timestamptz DEFAULT now(), expires timestamptz DEFAULT now() + interval '1 day',"
    " token uuid DEFAULT gen_random_uuid(), loudly text GENERATED ALWAYS AS (upper(name)) STORED)",
    "CREATE TABLE orders (customer_id int8 REFERENCES customers ON DELETE CASCADE, order_id int4,"
    " total numeric(10,2) CHECK (total >= 0), note varchar(5), PRIMARY KEY (customer_id, order_id))",
    "CREATE TABLE readings (device int4, day date, value float8, UNIQUE (device, day))",
    "CREATE TABLE loud (id int8 PRIMARY KEY, n int4)",
    "CREATE TABLE noted (id int4 PRIMARY KEY, n int4)",
    "CREATE TABLE settings (name text PRIMARY KEY, value text)",
    "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN IF NEW.n < 0 THEN RETURN NULL; END IF; NEW.n := NEW.n + 100; RETURN NEW; END'",
    "CREATE TRIGGER skips BEFORE INSERT ON loud FOR EACH ROW EXECUTE FUNCTION skip()",
    "CREATE TRIGGER skips BEFORE INSERT ON noted FOR EACH ROW EXECUTE FUNCTION skip()",
)
KEPT = ("customers", "orders", "readings", "loud", "countries", "cities", "noted")


@dataclass
class Both:
    """`same` asks both sides and compares all that can be compared."""

    fleet: Fleet
    session: Session
    plain: psycopg.Connection[Any]

    def same(self, sql: str, params: Sequence[Any] | None = None, *, ordered: bool = True) -> Result | str:
        """The fleet's result, or the SQLSTATE that both sides gave."""
        expected: Any
        try:
            cursor = self.plain.execute(sql, params)  # type: ignore[call-overload]
            expected = cursor.rowcount, [c.name for c in cursor.description or ()], _rows(cursor)
        except psycopg.Error as error:
            expected = error.sqlstate
        try:
            result = self.session.execute(sql, params)
        except outgrow.Error as error:
            assert error.sqlstate == expected, error
            return str(expected)
        rows = result.fetchall() if result.fields else []
        assert not isinstance(expected, str), (sql, expected)
        count, names, others = expected
        assert (result.rowcount, list(result.columns)) == (count, names)
        assert (rows == others) if ordered else (sorted(map(repr, rows)) == sorted(map(repr, others)))
        return Result(result.fields, rows, result.statusmessage, result.rowcount, result.nodes)

    def forget(self) -> None:
        """End what a failed test may have left open."""
        if self.session.in_transaction:
            self.session.execute("ROLLBACK")
        self.plain.rollback()

    def refused(self, sql: str, code: str, params: Sequence[Any] | None = None) -> None:
        """The fleet refuses by name, and nothing has changed."""
        before = self.contents()
        try:
            self.session.execute(sql, params)
        except outgrow.Error as error:
            assert error.code == code, error
        else:
            raise AssertionError(f"not refused: {sql}")
        assert self.contents() == before

    def contents(self) -> dict[str, list[Any]]:
        """All rows of the fleet's tables; those of copied tables must be the same on every shard."""
        domain = self.fleet.topology.domains[0]
        found: dict[str, list[Any]] = {}
        for table in KEPT:
            sides = [
                sorted(self.session.execute(f"SELECT * FROM {table}", shard=shard.name).fetchall(), key=repr)
                for shard in domain.shards
            ]
            if isinstance(TABLES[TableName("public", table)], Copied):
                assert all(side == sides[0] for side in sides), (table, sides)
                found[table] = sides[0]
            else:
                found[table] = sorted((row for side in sides for row in side), key=repr)
                for shard, side in zip(domain.shards, sides, strict=True):
                    self._placed(table, shard.name, side)
        return found

    def _placed(self, table: str, shard: str, rows: list[Any]) -> None:
        """Every row is on the shard of its key."""
        standing = TABLES[TableName("public", table)]
        assert isinstance(standing, Sharded)
        where = " AND ".join(f"{column} = %s" for column in standing.columns)
        for row in rows:
            key = row[: len(standing.columns)]
            if None not in key:
                shown = self.fleet.explain(f"SELECT 1 FROM {table} WHERE {where}", key).to_dict()
                assert shown["shards"]["shards"] == [shard], (table, key)

    def agree(self, *unlike: str) -> None:
        """Both sides hold the same rows, but for columns (of any table) that draw values of their own."""
        for table, rows in self.contents().items():
            cursor = self.plain.execute(f"SELECT * FROM {table}")  # type: ignore[call-overload]
            drop = [at for at, column in enumerate(cursor.description or ()) if column.name in unlike]
            others = [[v for at, v in enumerate(row) if at not in drop] for row in cursor.fetchall()]
            ours = [[v for at, v in enumerate(row) if at not in drop] for row in rows]
            assert sorted(map(repr, ours)) == sorted(map(repr, others)), table


def _rows(cursor: Any) -> list[Any]:
    rows: list[Any] = cursor.fetchall() if cursor.description else []
    return rows


@contextlib.contextmanager
def both_sides(servers: Servers) -> Iterator[Both]:
    topology = servers.fresh(TABLES)
    plain = servers.fresh()
    try:
        with (
            outgrow.open(topology, install=True) as fleet,
            psycopg.connect(plain.domains[0].home.primary.dsn, autocommit=True) as connection,
            fleet.session(level="strong") as session,
        ):
            for sql in DDL:
                session.execute(sql)
                connection.execute(sql)  # type: ignore[call-overload]
            yield Both(fleet, session, connection)
    finally:
        servers.drop(topology)
        servers.drop(plain)
