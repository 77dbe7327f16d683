"""The demo's stage: a temporary local fleet with one plain database beside it, and what an operator does to them."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from outgrow import local
from outgrow.doors.cli import flights
from outgrow.local import addresses, binaries, state
from outgrow.local.server import PostgresqlInstance
from outgrow.topology import Topology

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Stage:
    directory: Path
    topology: Topology
    fleet_yaml: Path

    def describe(self) -> str:
        """The servers, for people."""
        now = local.status(self.directory)
        names = ", ".join(f"{server.shard}/{server.name} (pid {server.pid})" for server in now.servers)
        return f"PostgreSQL {now.version}: {names}"

    def replica(self, shard: str) -> str:
        """The name of that shard's replica in the demo's fleet."""
        return f"flights/{shard}/replica1"

    @contextlib.contextmanager
    def pausing(self, shard: str) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
        """How to pause and to resume the replay of that shard's replica; it is resumed in any case."""

        def ask(what: str) -> Callable[[], None]:
            return lambda: self._psql(shard, "replica1", "postgres", f"SELECT pg_wal_replay_{what}()")

        try:
            yield ask("pause"), ask("resume")
        finally:
            ask("resume")()

    def kill(self, replica: str) -> None:
        """`kill -9` of that replica's postmaster."""
        _, shard, name = replica.split("/")
        for server in local.status(self.directory).servers:
            if (server.shard, server.name) == (shard, name) and server.pid is not None:
                os.kill(server.pid, signal.SIGKILL)

    def start_again(self) -> None:
        """Start whatever does not run."""
        local.up(directory=self.directory)

    def make_plain(self) -> None:
        self._psql("s1", "primary", "postgres", f"CREATE DATABASE {PLAIN} OWNER app")

    def analyze(self) -> None:
        """What autovacuum would do a minute later."""
        for shard in self.topology.domains[0].shards:
            self._psql(shard.name, "primary", addresses.DATABASE, "ANALYZE")
        self._psql("s1", "primary", PLAIN, "ANALYZE")

    def _psql(self, shard: str, name: str, database: str, sql: str) -> None:
        """Run this as the server's superuser."""
        known = self._state()
        server = next(one for one in known.servers if (one.shard, one.name) == (shard, name))
        instance = PostgresqlInstance(self.directory, known, server, binaries.find(known.binaries))
        instance.run(
            *("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", known.sockets, "-p", str(server.port)),
            *("-U", "postgres", "-d", database, "-c", sql),
        )

    def _state(self) -> state.State:
        known = state.load(self.directory)
        assert known is not None
        return known

    def plain_dsn(self) -> str:
        known = self._state()
        return addresses.dsn(known, known.primary("s1"), database=PLAIN)


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Two shards with a replica each, one plain database, and the `fleet.yaml` that describes all of it."""
    with (
        tempfile.TemporaryDirectory(prefix="outgrow-demo-") as own,
        local.temporary(shards=2, replicas=1) as (topology, directory),
    ):
        stage = Stage(directory, topology, Path(own) / "fleet.yaml")
        stage.make_plain()
        shards = [
            (shard.name, shard.primary.dsn, [replica.dsn for replica in shard.replicas])
            for shard in topology.domains[0].shards
        ]
        stage.fleet_yaml.write_text(flights.fleet_yaml(shards, stage.plain_dsn()))
        yield stage
