"""Real servers for tests: one small fleet per pytest process, a fresh database on every shard per test.

    def test_something(fresh_topology): ...          # the fresh databases, as role app
    def test_more(fleet_servers):                    # the servers themselves
        topology = fleet_servers.fresh()             # another set of fresh databases
        fleet_servers.sql(node, "SELECT …", [...])   # as superuser, autocommit, the node's database

`OUTGROW_TEST_PG` chooses the binaries (15, 16, 18 or a bin directory).  Under pytest-xdist each worker has a fleet of
its own.  A test that stops, kills or pauses a server puts it back (`fleet_servers.restored()` does, even on failure).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from outgrow import local
from outgrow.local import processes, state
from outgrow.topology import Domain, Node, Placement, TableName, Topology
from tests import databases

_numbers = itertools.count(1)


@dataclass
class Servers:
    """A running fleet with what tests do to one."""

    topology: Topology
    directory: Path
    major: int
    #: Superuser connections by DSN; made once, because connecting costs more than most statements.
    links: dict[str, psycopg.Connection[Any]] = field(default_factory=dict)
    #: Databases that are as new; making one takes a third of a second, emptying one a tenth of that.
    spare: list[str] = field(default_factory=list)
    #: What `databases.emptied` says of new ones.
    pristine: list[Any] = field(default_factory=list)

    @property
    def domain(self) -> Domain:
        return self.topology.domains[0]

    def fresh(
        self, tables: dict[TableName, Placement] | None = None, *, role: str = "app", tcp: bool = False
    ) -> Topology:
        """New databases, one on each shard, owned by app and replayed on the replicas."""
        name = self.spare.pop() if self.spare else self._made()
        self.wait_replayed()
        return self.with_database(name, tables, role=role, tcp=tcp)

    def _made(self) -> str:
        name = f"t{next(_numbers)}"
        for shard in self.domain.shards:
            self.sql(shard.primary, f"CREATE DATABASE {name} TEMPLATE template1 OWNER app", database="postgres")
        if not self.pristine:
            self.pristine = databases.emptied(self, name)
        return name

    def with_database(
        self, name: str, tables: dict[TableName, Placement] | None = None, *, role: str = "app", tcp: bool = False
    ) -> Topology:
        """The fleet as seen through that database."""
        known = state.load(self.directory)
        assert known is not None
        domain = local.domain_of(known, database=name, role=role, tcp=tcp)
        return replace(self.topology, domains=(replace(domain, tables=tables or {}),))

    def drop(self, topology: Topology) -> None:
        """End the databases of a topology that `fresh` made: empty again for the next, or dropped."""
        shards = topology.domains[0].shards
        (name,) = {str(psycopg.conninfo.conninfo_to_dict(shard.primary.dsn)["dbname"]) for shard in shards}
        self._forget(name)
        if self.pristine and databases.emptied(self, name) == self.pristine:
            self.spare.append(name)
            return
        for shard in self.domain.shards:
            self.sql(shard.primary, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")

    def sql(
        self, node: Node, text: str, params: Sequence[Any] | None = None, *, database: str | None = None
    ) -> list[Any]:
        """Run one statement there as superuser with autocommit; its rows, if it has any."""
        address = psycopg.conninfo.make_conninfo(
            (node.direct or node).dsn,
            user="postgres",
            password="",
            host=self.sockets,
            **({"dbname": database} if database else {}),
        )
        try:
            cursor = self._link(address).execute(text, params)
        except psycopg.OperationalError:
            # The server was killed or restarted since the link was made.
            if (lost := self.links.pop(address, None)) is not None:
                lost.close()
            cursor = self._link(address).execute(text, params)
        return cursor.fetchall() if cursor.description else []

    def _link(self, address: str) -> psycopg.Connection[Any]:
        link = self.links.get(address)
        if link is None or link.closed or link.broken:
            if link is not None:
                link.close()
            link = self.links[address] = psycopg.connect(address, autocommit=True)
        return link

    @property
    def sockets(self) -> str:
        known = state.load(self.directory)
        assert known is not None
        return known.sockets

    def wait_replayed(self, wait_timeout_seconds: float = 20.0) -> None:
        """Until every running replica has replayed what its primary has written by now."""
        until = time.monotonic() + wait_timeout_seconds
        for shard in self.domain.shards:
            [[written]] = self.sql(shard.primary, "SELECT pg_current_wal_lsn()::text", database="postgres")
            for replica in shard.replicas:
                while not self._replayed(replica, written):
                    assert time.monotonic() < until, f"{replica.name} did not replay {written}"
                    time.sleep(0.005)

    def pid(self, node: Node) -> int:
        pid = processes.postmaster(self.data(node))
        assert pid is not None, f"{node.name} is not running"
        return pid

    def kill(self, node: Node, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the node's postmaster; after SIGKILL wait until it is gone with all its children."""
        os.kill(self.pid(node), number)
        if number == signal.SIGKILL:
            processes.end_all(self.data(node))

    def freeze(self, node: Node) -> None:
        """SIGSTOP to the node's postmaster and all its children; `restored` wakes them."""
        for process in processes.of(self.data(node)):
            processes.send(process.pid, self.data(node), signal.SIGSTOP)

    def start(self) -> None:
        """Start whatever is not running."""
        local.up(directory=self.directory)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Whatever happens inside, all servers run afterwards and replicas replay."""
        try:
            yield
        finally:
            for process in processes.of(self.directory):
                processes.send(process.pid, self.directory, signal.SIGCONT)
            self.start()
            for shard in self.domain.shards:
                for replica in shard.replicas:
                    self.sql(replica, "SELECT pg_wal_replay_resume()", database="postgres")

    @contextlib.contextmanager
    def flushing(self) -> Iterator[None]:
        """Servers that write to the disk what they commit, as those of users do."""
        try:
            for node in self._nodes:
                for setting in ("fsync", "full_page_writes"):
                    self.sql(node, f"ALTER SYSTEM SET {setting} = on", database="postgres")
                self.reload(node, "fsync", "on")
            yield
        finally:
            for node in self._nodes:
                for setting in ("fsync", "full_page_writes"):
                    self.sql(node, f"ALTER SYSTEM RESET {setting}", database="postgres")
                self.reload(node, "fsync", "off")

    @property
    def _nodes(self) -> list[Node]:
        return [node for shard in self.domain.shards for node in shard.nodes]

    def reload(self, node: Node, setting: str, wanted: str) -> None:
        self.sql(node, "SELECT pg_reload_conf()", database="postgres")
        until = time.monotonic() + 10
        while self.sql(node, f"SHOW {setting}", database="postgres") != [(wanted,)]:
            assert time.monotonic() < until, f"{node.name} does not take {setting} = {wanted}"
            time.sleep(0.005)

    def close(self) -> None:
        for link in self.links.values():
            link.close()

    def _replayed(self, replica: Node, written: str) -> bool:
        [[done]] = self.sql(replica, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written], database="postgres")
        return bool(done)

    def data(self, node: Node) -> Path:
        """The node's data directory."""
        return self.directory / node.shard / node.name.rpartition("/")[2] / "data"

    def _forget(self, database: str) -> None:
        for address, link in list(self.links.items()):
            if psycopg.conninfo.conninfo_to_dict(address)["dbname"] == database:
                link.close()
                del self.links[address]


@contextlib.contextmanager
def serving(shards: int = 2, replicas: int = 1, *, durable: bool = False) -> Iterator[Servers]:
    """A fleet for the length of a `with`, for tests that need another shape than `fleet_servers`."""
    choice = os.environ.get("OUTGROW_TEST_PG") or None
    with local.temporary(shards, replicas, choice, durable=durable) as (topology, directory):
        known = state.load(directory)
        assert known is not None
        servers = Servers(topology, directory, known.major)
        try:
            yield servers
        finally:
            servers.close()


@pytest.fixture(scope="session")
def fleet_servers() -> Iterator[Servers]:
    """Two shards with a replica each."""
    with serving() as servers:
        yield servers


@pytest.fixture
def fresh_topology(fleet_servers: Servers) -> Iterator[Topology]:
    """Fresh databases, one on each shard, without tables."""
    topology = fleet_servers.fresh()
    yield topology
    fleet_servers.drop(topology)
