"""A domain whose keys stand in a directory, with tables of several kinds, for the tests of migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg

import outgrow
from outgrow import Fleet
from outgrow.topology import Listing, Shard, Sharded, TableName, Topology
from tests.servers import Servers

TABLES = {
    TableName("public", "t"): Sharded(("id",)),
    TableName("public", "orders"): Sharded(("owner",)),
    TableName("public", "lines"): Sharded(("owner",)),
    TableName("public", "logs"): Sharded(("owner", "day")),
    TableName("public", "words"): Sharded(("word",)),
}
DDL = (
    "CREATE TABLE t (id int8 PRIMARY KEY, v int8)",
    """CREATE TABLE orders (
        owner int4, number int8 GENERATED ALWAYS AS IDENTITY, total numeric(12, 4), twice numeric GENERATED ALWAYS AS
        (total * 2) STORED, at timestamptz, during interval, noted bytea, tags text[], f float8, doc jsonb,
        PRIMARY KEY (owner, number))""",
    """CREATE TABLE lines (
        owner int4, number int8, line int4, said text, above int4, PRIMARY KEY (owner, number, line),
        FOREIGN KEY (owner, number) REFERENCES orders ON DELETE CASCADE,
        FOREIGN KEY (owner, number, above) REFERENCES lines)""",
    "CREATE TABLE logs (owner int2, day date, said text) PARTITION BY RANGE (day)",
    "CREATE TABLE logs_old PARTITION OF logs FOR VALUES FROM (MINVALUE) TO ('2025-01-01')",
    "CREATE TABLE logs_new PARTITION OF logs DEFAULT",
    "CREATE TABLE words (word text PRIMARY KEY, n int4)",
)
LISTINGS = (Listing("int8", "s1"), Listing("text", "s2"))


@contextmanager
def topology_of(servers: Servers, listings: tuple[Listing, ...] = LISTINGS) -> Iterator[Topology]:
    made = servers.fresh(TABLES)
    domain = replace(made.domains[0], strategy="directory", slots=64, directory=listings)
    try:
        yield replace(made, domains=(domain,))
    finally:
        servers.drop(made)


def made(fleet: Fleet, ddl: tuple[str, ...] = DDL) -> None:
    with fleet.session() as session:
        for sql in ddl:
            session.execute(sql)


@contextmanager
def opened(topology: Topology, install: bool = False) -> Iterator[Fleet]:
    with outgrow.open(topology, install=install) as fleet:
        yield fleet


def on(shard: Shard, sql: str, params: Any = None) -> list[Any]:
    with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
        cursor = connection.execute(sql.encode(), params)
        return cursor.fetchall() if cursor.description else []


def shard_of(topology: Topology, name: str) -> Shard:
    return topology.domains[0].shard(name)


def rows_by_shard(topology: Topology, sql: str) -> dict[str, list[Any]]:
    return {shard.name: sorted(on(shard, sql), key=repr) for shard in topology.domains[0].shards}


def editions(topology: Topology) -> tuple[dict[str, int], dict[str, int]]:
    """What the ledger says of each shard's edition, and what the shards say."""
    home = topology.domains[0].home
    told: dict[str, int] = dict(on(home, "SELECT shard, edition FROM outgrow.editions"))
    seen = {shard.name: on(shard, "SELECT edition FROM outgrow.edition")[0][0] for shard in topology.domains[0].shards}
    return told, seen
