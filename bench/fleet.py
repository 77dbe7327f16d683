"""The fleet that a bench asks: a temporary local one, over TCP, and plain connections to its servers."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.conninfo import conninfo_to_dict

from outgrow import local
from outgrow.local import addresses, state

SLOTS = 1024

#: The slot of an int8 key as PostgreSQL's own partition hash gives it (see `outgrow.keyspace`); {key} is SQL.
SLOT = (
    "COALESCE(((hashint8extended({key}, 8816678312871386365) & {mask}) + (5305509591434766563 & {mask})) & {mask}, 0)"
)


@dataclass(frozen=True, slots=True)
class Server:
    """`dsn` is the application's, over TCP; `admin` the superuser's, over the unix socket."""

    name: str
    dsn: str = field(repr=False)
    admin: str
    pid: int

    @property
    def port(self) -> int:
        return int(str(conninfo_to_dict(self.dsn)["port"]))

    @property
    def password(self) -> str:
        return str(conninfo_to_dict(self.dsn)["password"])

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.dsn, autocommit=True)

    def administer(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.admin, autocommit=True)


@dataclass(frozen=True, slots=True)
class BenchFleet:
    path: Path
    version: str
    #: Per shard: the primary, then its replicas.
    shards: tuple[tuple[Server, ...], ...]

    @property
    def primaries(self) -> tuple[Server, ...]:
        return tuple(servers[0] for servers in self.shards)

    @property
    def pids(self) -> list[int]:
        return [server.pid for servers in self.shards for server in servers]

    def everywhere(self, *statements: str) -> None:
        """Run these on every primary; `{shard}` and `{shards}` stand for the shard's number and their count."""
        for number, primary in enumerate(self.primaries):
            with primary.connect() as connection:
                for statement in statements:
                    connection.execute(statement.format(shard=number, shards=len(self.shards)).encode())
            with primary.administer() as connection:
                connection.execute("CHECKPOINT")

    def await_replicas(self) -> None:
        """Until every replica has replayed what its primary has written."""
        for primary, *replicas in self.shards:
            with primary.administer() as connection:
                row = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
            for replica in replicas:
                query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
                with replica.administer() as connection:
                    while connection.execute(query, row).fetchone() == (False,):
                        time.sleep(0.01)


def here(key: str = "id") -> str:
    """SQL: this key lives on shard number {shard} of {shards}."""
    return f"{SLOT.format(key=key, mask=SLOTS - 1)} % {{shards}} = {{shard}}"


@contextlib.contextmanager
def fleet(shards: int, replicas: int, tables: dict[str, Any], pg: str | None = None) -> Iterator[BenchFleet]:
    """A fresh fleet; `tables` as in `fleet.yaml`, `pg` as `outgrow up --pg` takes it."""
    with local.temporary(shards=shards, replicas=replicas, binaries=pg, tcp=True, durable=True) as (_, directory):
        path = directory / "fleet.yaml"
        told = yaml.safe_load(path.read_text())
        domain = told["domains"][addresses.DOMAIN]
        domain["tables"] = tables
        if domain.get("slots", SLOTS) != SLOTS:
            raise SystemExit(f"the bench places rows by {SLOTS} slots")
        path.write_text(yaml.safe_dump(told, sort_keys=False))
        now = local.status(directory)
        known = state.load(directory)
        assert known is not None
        pids = {(server.shard, server.name): server.pid for server in now.servers}
        groups: dict[str, list[Server]] = {}
        for server in known.servers:
            pid = pids[server.shard, server.name]
            assert pid is not None
            address = addresses.dsn(known, server, tcp=True)
            admin = addresses.dsn(known, server, role="postgres", tcp=False)
            groups.setdefault(server.shard, []).append(Server(server.path, address, admin, pid))
        os.chmod(path, 0o600)
        yield BenchFleet(path, now.version, tuple(map(tuple, groups.values())))
