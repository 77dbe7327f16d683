"""The two sides of a chapter, and what each holds."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg

import outgrow
from outgrow.keyspace import coerce
from outgrow.topology import Topology
from tests.differential.block import Case
from tests.differential.compare import Answer, Failure
from tests.differential.sides import CATALOGUE, TYPE_NAMES, stood
from tests.differential.stories.tables import TABLES, TYPES, Kept, beginning, placements
from tests.differential.strategies import Places, placed
from tests.servers import Servers, serving

#: A chapter must fail rather than wait for a lock that nobody will give back.
PATIENCE = "SET lock_timeout = '20s'; SET statement_timeout = '60s'"
Holdings = dict[str, Counter[tuple[str, tuple[str | None, ...]]]]


class Both:
    """A fleet and one database, asked the same.  For one thread."""

    def __init__(
        self,
        fleet: outgrow.Fleet,
        plain: psycopg.Connection[Any],
        shards: dict[str, psycopg.Connection[Any]],
        places: Places,
        unique: Sequence[str] = (),
    ) -> None:
        self.fleet = fleet
        self.plain = plain
        self.shards = shards
        self.session = fleet.session()
        self.cursors = {"%s": plain.cursor(), "$": psycopg.RawCursor(plain)}
        self.type_names = dict(plain.execute(TYPE_NAMES).fetchall())
        self.places = places
        #: Tables whose row ids are unique in the whole domain, and lack the shard key.
        self.unique = unique
        self._begun = 0
        self._owners: dict[tuple[str, tuple[str | None, ...]], str] = {}

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask_plain(self, case: Case) -> Answer | Failure:
        cursor = self.cursors[case.style]
        try:
            cursor.execute(*case.render())
        except psycopg.Error as error:
            return Failure("", error.sqlstate or "", type(error).__name__, str(error))
        said = ("said", _tag(cursor.statusmessage), cursor.rowcount)
        if cursor.description is None:
            return Answer((), (), [said])
        types = tuple(self.type_names[column.type_code] for column in cursor.description)
        return Answer(tuple(column.name for column in cursor.description), types, [said, *cursor.fetchall()])

    def ask_fleet(self, case: Case) -> Answer | Failure:
        try:
            result = self.session.execute(*case.render())
        except outgrow.Error as error:
            return Failure(error.code, error.sqlstate or "", type(error).__name__, str(error))
        said = ("said", _tag(result.statusmessage), result.rowcount)
        if not result.fields and not result.statusmessage.startswith("SELECT"):
            return Answer((), (), [said])
        return Answer(result.columns, tuple(field.type for field in result.fields), [said, *result.fetchall()])

    # -- what they hold --------------------------------------------------------------------------------------------

    def begin_again(self) -> None:
        """The rows of a chapter's start, on both sides."""
        self.session.close()
        self.session = self.fleet.session()
        if not self.plain.closed and self.plain.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self.plain.execute("ROLLBACK")
        for connection in (self.plain, *self.shards.values()):
            past = self.unique if connection is not self.plain else ()
            for name in past:
                connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
            connection.execute(AFRESH if self._begun % TRUNCATE_EVERY == 0 else AGAIN)
            for name in past:
                connection.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")
        for name in self.unique:
            self.fleet.unique().build(name, "rid")
        self._begun += 1

    def difference(self) -> str:
        """How what the sides hold differs; "" where it does not."""
        expected = _held(self.plain)
        found = {name: _held(connection) for name, connection in self.shards.items()}
        last = list(self.shards)[-1]
        for kept in TABLES:
            parts = {name: held[kept.name] for name, held in found.items()}
            if kept.tab.placement == "copied":
                wrong = [
                    f"{kept.name} on {name}: {told}"
                    for name, rows in parts.items()
                    if (told := _off(expected[kept.name], rows))
                ]
            elif kept.tab.placement == "single":
                wrong = [told for told in [_off(expected[kept.name], parts[last])] if told]
            else:
                wrong = self._sharded(kept, expected[kept.name], parts)
            if wrong:
                return f"{kept.name}: {wrong[0]}"
        for compared in self.fleet.unique().check() if self.unique else ():
            if not compared.right:
                return f"{compared.table.name}: the index of row ids says otherwise: {compared}"
        return ""

    def _sharded(self, kept: Kept, expected: Counter[Any], parts: dict[str, Counter[Any]]) -> list[str]:
        told = _off(expected, sum(parts.values(), Counter()))
        wrong = [told] if told else []
        for shard, rows in parts.items():
            for row in rows:
                owner = self._owner(kept, row[1])
                if owner != shard:
                    wrong.append(f"{row[0]} lies on {shard} instead of {owner}")
        return wrong

    def _owner(self, kept: Kept, key: tuple[str | None, ...]) -> str:
        known = self._owners.get((kept.name, key))
        if known is None:
            spelled = [kept.tab.col(name).type.split("(")[0] for name in kept.tab.key]
            types = tuple(CATALOGUE.get(name, name) for name in spelled)
            values = [int(v) if v is not None and t.startswith("int") else v for t, v in zip(types, key, strict=True)]
            coerced = tuple(coerce(t, v) for t, v in zip(types, values, strict=True))
            known = self._owners[kept.name, key] = self.places.shard(types, coerced)
        return known


def _tag(status: str | None) -> str:
    return (status or "").rstrip("0123456789 ")


def _off(expected: Counter[Any], found: Counter[Any]) -> str:
    missing, surplus = expected - found, found - expected
    if missing:
        return f"{sum(missing.values())} rows are missing, such as {next(iter(missing))[0]}"
    return f"{sum(surplus.values())} rows too many, such as {next(iter(surplus))[0]}" if surplus else ""


def _held(connection: psycopg.Connection[Any]) -> Holdings:
    held: Holdings = {kept.name: Counter() for kept in TABLES}
    for table, row, key in connection.execute(HELD, prepare=True).fetchall():
        held[table][row, tuple(key)] += 1
    return held


def _contents(kept: Kept) -> str:
    key = ", ".join(f"t.{name}::text" for name in kept.tab.key)
    return f"SELECT '{kept.name}', t::text, ARRAY[{key}]::text[] FROM {kept.name} AS t"


HELD = " UNION ALL ".join(_contents(kept) for kept in TABLES)
_TRUNCATE = f"TRUNCATE {', '.join(kept.name for kept in TABLES)}"
_EMPTY = "; ".join(f"DELETE FROM {kept.name}" for kept in reversed(TABLES))
_FILL = "; ".join(
    f"INSERT INTO {kept.name} ({names}) SELECT {names} FROM beginning.{kept.name}"
    for kept in TABLES
    for names in [", ".join(col.name for col in kept.tab.cols)]
)
#: TRUNCATE makes new files, which takes a hundred times as long as deleting a few rows; those leave dead ones behind.
TRUNCATE_EVERY = 25
AFRESH = f"{_TRUNCATE}; {_FILL}"
AGAIN = f"{_EMPTY}; {_FILL}"


@contextlib.contextmanager
def opened(
    shards: int = 3,
    servers: Servers | None = None,
    strategy: str = "hash",
    behind: str = "",
    unique: Sequence[str] = (),
) -> Iterator[Both]:
    """Both sides, without rows until `begin_again`; `servers` that run already are used.

    The row ids of the tables `unique` are unique, on the fleet in the whole domain.
    """
    with contextlib.ExitStack() as stack:
        if servers is None:
            servers = stack.enter_context(serving(shards, 0))
        empty = servers.fresh()
        stack.callback(servers.drop, empty)
        names = [shard.name for shard in empty.domains[0].shards]
        domain = placed(empty.domains[0], strategy, placements(names))
        topology = replace(empty, domains=(domain,))
        primary = servers.domain.home.primary
        servers.sql(primary, "DROP DATABASE IF EXISTS told WITH (FORCE)", database="postgres")
        servers.sql(primary, "CREATE DATABASE told OWNER app", database="postgres")
        plain = stack.enter_context(_connected(psycopg.conninfo.make_conninfo(primary.dsn, dbname="told")))
        connections = {
            shard.name: stack.enter_context(_connected(shard.primary.dsn)) for shard in topology.domains[0].shards
        }
        places = Places(domain)
        _furnish(plain, None, topology, places, unique)
        for name, connection in connections.items():
            _furnish(connection, name, topology, places, unique)
        fleet = stack.enter_context(outgrow.open(stood(stack, topology, behind), install=True))
        places.record()
        yield Both(fleet, plain, connections, places, unique)


@contextlib.contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(PATIENCE)
        yield connection


def _furnish(
    connection: psycopg.Connection[Any], shard: str | None, topology: Topology, places: Places, unique: Sequence[str]
) -> None:
    """Tables, and beside them the rows that each chapter begins with; `shard` is None for the plain side."""
    domain = topology.domains[0]
    connection.execute(TYPES)
    connection.execute("CREATE SCHEMA beginning")
    for kept in TABLES:
        connection.execute(kept.ddl())
        if kept.name in unique:
            connection.execute(f"ALTER TABLE {kept.name} ADD UNIQUE (rid)")
        connection.execute(f"CREATE TABLE beginning.{kept.name} AS SELECT * FROM {kept.name}")
        for row in beginning(kept):
            values = dict(zip((col.name for col in kept.tab.cols), row, strict=True))
            if shard is not None and kept.tab.key:
                types = tuple(CATALOGUE.get(s := kept.tab.col(k).type.split("(")[0], s) for k in kept.tab.key)
                key = tuple(coerce(t, values[k]) for t, k in zip(types, kept.tab.key, strict=True))
                if places.shard(types, key) != shard:
                    continue
            if shard is not None and kept.tab.placement == "single" and shard != domain.shards[-1].name:
                continue
            marks = ", ".join("%s" for _ in values)
            connection.execute(
                f"INSERT INTO beginning.{kept.name} ({', '.join(values)}) VALUES ({marks})", list(values.values())
            )
