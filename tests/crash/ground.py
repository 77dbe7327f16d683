"""Servers as the harness needs them: killed, started, promoted, and asked past outgrow.  Here PostgreSQL's."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from outgrow.local import fleet as local_fleets
from outgrow.local import processes, state
from outgrow.local.places import owner
from outgrow.local.server import PostgresqlInstance
from outgrow.topology import Listing, Node, Placement, TableName, Topology
from tests.crash.proxy import Address
from tests.servers import Servers

if TYPE_CHECKING:
    from tests.crash.world import World

#: How long a server may take to come up, or to take over.
UP_SECONDS = 60.0

GID = re.compile(r"outgrow/([\w-]+)/([\w-]+)/([0-9a-f]{32})\.\d+")


class Eye(Protocol):
    """Connections of one thread that only looks."""

    def prepared(self, shard: str) -> set[str]:
        """What is prepared there; nothing where nobody answers."""

    def close(self) -> None: ...


class Ground(Protocol):
    """Running servers of one engine."""

    engine: str
    #: Replicas can take over.
    failovers: bool

    def fresh(self, tables: dict[TableName, Placement], strategy: str) -> Topology: ...
    def put_right(self, topology: Topology, primaries: Mapping[str, Node]) -> None: ...
    def target(self, node: Node) -> Address: ...
    def through(self, node: Node, port: int, name: str) -> str: ...
    def sql(self, node: Node, text: str, params: Sequence[Any] | None = None) -> list[Any]: ...
    def prepared(self, node: Node) -> set[str]: ...
    def decisions(self, node: Node) -> list[tuple[str, str, list[str]]]: ...
    def stamps(self, node: Node) -> set[str]: ...
    def open_work(self, node: Node) -> list[str]: ...
    def number(self, name: str) -> str: ...
    def decider(self, world: World, number: str) -> str | None: ...
    def eye_on(self, world: World) -> type[Eye] | Any: ...
    def kill(self, node: Node) -> None: ...
    def start(self, node: Node) -> None: ...
    def promote(self, node: Node) -> None: ...
    def rebuild(self, node: Node, primary: Node) -> None: ...
    def lag(self, primaries: Sequence[Node]) -> contextlib.AbstractContextManager[object]: ...


class PostgresGround:
    engine = "postgresql"

    def __init__(self, servers: Servers, *, synchronous: bool = False) -> None:
        self.servers = servers
        self.synchronous = synchronous
        self.failovers = any(shard.replicas for shard in servers.domain.shards)
        if synchronous:
            for shard in servers.domain.shards:
                self._follow_synchronously(shard.primary)

    def fresh(self, tables: dict[TableName, Placement], strategy: str) -> Topology:
        topology = self.servers.fresh(tables)
        if strategy == "hash":
            return topology
        listings = (Listing("int8", "hash"),)
        return replace(topology, domains=(replace(topology.domains[0], strategy=strategy, directory=listings),))

    def put_right(self, topology: Topology, primaries: Mapping[str, Node]) -> None:
        if all(primaries[shard.name] is shard.primary for shard in topology.domains[0].shards):
            with self.servers.restored():
                pass
        for primary in primaries.values():
            for name in self.prepared(primary):
                # A run that failed may leave some; nobody could drop the database otherwise.
                self.sql(primary, f"ROLLBACK PREPARED '{name}'")
        if all(primaries[shard.name] is shard.primary for shard in topology.domains[0].shards):
            self.servers.drop(topology)

    # -- addresses -------------------------------------------------------------------------------------------------

    def target(self, node: Node) -> Address:
        found = conninfo_to_dict(node.dsn)
        host, port = str(found["host"]), int(found.get("port") or 5432)
        return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)

    def through(self, node: Node, port: int, name: str) -> str:
        return make_conninfo(
            node.dsn,
            host="127.0.0.1",
            port=port,
            sslmode="disable",
            gssencmode="disable",
            application_name=name,
        )

    # -- what they have --------------------------------------------------------------------------------------------

    def sql(self, node: Node, text: str, params: Sequence[Any] | None = None) -> list[Any]:
        return self.servers.sql(node, text, params)

    def prepared(self, node: Node) -> set[str]:
        rows = self.sql(node, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        return {gid for (gid,) in rows}

    def decisions(self, node: Node) -> list[tuple[str, str, list[str]]]:
        """Number, outcome, shards."""
        return self.sql(node, "SELECT replace(id::text, '-', ''), outcome, shards FROM outgrow.decisions")

    def stamps(self, node: Node) -> set[str]:
        return {number for (number,) in self.sql(node, "SELECT replace(id::text, '-', '') FROM outgrow.stamps")}

    def open_work(self, node: Node) -> list[str]:
        """The transactions of clients, in the harness's own words."""
        rows = self.sql(
            node,
            "SELECT application_name, state, left(query, 60) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'",
        )
        return [f"{who}, {state}: {query}" for who, state, query in rows]

    def number(self, name: str) -> str:
        match = GID.fullmatch(name)
        return match[3] if match else ""

    def decider(self, world: World, number: str) -> str | None:
        for shard in world.shards if number else ():
            with contextlib.suppress(psycopg.Error):
                for name in self.prepared(world.primary(shard.name)):
                    match = GID.fullmatch(name)
                    if match and match[3] == number:
                        return match[2]
        # In order, the last one of three.
        return world.shards[-1].name if number else None

    def eye_on(self, world: World) -> Any:
        return lambda: PostgresEye(world, self.servers.sockets)

    # -- what becomes of them --------------------------------------------------------------------------------------

    def kill(self, node: Node) -> None:
        with contextlib.suppress(AssertionError):
            self.servers.kill(node, signal.SIGKILL)

    def start(self, node: Node) -> None:
        self._instance(node).start()
        self._wait(node, "SELECT 1")

    def promote(self, node: Node) -> None:
        self.sql(node, "SELECT pg_promote(true, 30)")
        self._wait(node, "SELECT 1 WHERE NOT pg_is_in_recovery()")

    def rebuild(self, node: Node, primary: Node) -> None:
        """What it had beyond its successor is gone for good."""
        instance, leader = self._instance(node), self._instance(primary)
        self.kill(node)
        processes.end_all(instance.data)
        shutil.rmtree(instance.data)
        instance.create_replica(leader, owner())
        instance.configure(owner())
        with open(instance.data / "postgresql.auto.conf", "a") as file:
            file.write(
                f"primary_conninfo = 'host={self.servers.sockets} port={leader.server.port} user=postgres'\n"
                f"primary_slot_name = '{node.name.rpartition('/')[2]}'\nsynchronous_standby_names = ''\n"
            )
        instance.start()
        self._wait(node, "SELECT 1")
        if self.synchronous:
            self._follow_synchronously(primary)

    @contextlib.contextmanager
    def lag(self, primaries: Sequence[Node]) -> Iterator[None]:
        """What is written meanwhile does not get to the replicas."""
        senders = []
        for node in primaries:
            with contextlib.suppress(psycopg.Error):
                senders += [
                    (pid, self.servers.data(node)) for (pid,) in self.sql(node, "SELECT pid FROM pg_stat_replication")
                ]
        try:
            for pid, data in senders:
                processes.send(pid, data, signal.SIGSTOP)
            yield
        finally:
            for pid, data in senders:
                processes.send(pid, data, signal.SIGCONT)

    def _follow_synchronously(self, primary: Node) -> None:
        """Its commits wait for the replica from now on."""
        self.sql(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql(primary, "SELECT pg_reload_conf()")
        self._wait(primary, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")

    def _wait(self, node: Node, query: str) -> None:
        until = time.monotonic() + UP_SECONDS
        while True:
            with contextlib.suppress(psycopg.Error):
                if self.sql(node, query):
                    return
            if time.monotonic() > until:
                raise RuntimeError(f"{node.name} does not come up: {query}")
            time.sleep(0.02)

    def _instance(self, node: Node) -> PostgresqlInstance:
        directory: Path = self.servers.directory
        known = state.load(directory)
        assert known is not None
        (server,) = (one for one in known.servers if one.path == f"{node.shard}/{node.name.rpartition('/')[2]}")
        instance = local_fleets._instance(directory, known, server, local_fleets._programs(known))
        assert isinstance(instance, PostgresqlInstance)
        return instance


class PostgresEye:
    def __init__(self, world: World, sockets: str) -> None:
        self._world, self._sockets = world, sockets
        self._links: dict[str, psycopg.Connection[Any]] = {}

    def prepared(self, shard: str) -> set[str]:
        node = self._world.primary(shard)
        try:
            link = self._links.get(node.name)
            if link is None:
                address = make_conninfo(node.dsn, user="postgres", password="", host=self._sockets, connect_timeout=5)
                link = self._links[node.name] = psycopg.connect(address, autocommit=True)
            rows = link.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()").fetchall()
        except psycopg.Error:
            if (lost := self._links.pop(node.name, None)) is not None:
                lost.close()
            return set()
        return {gid for (gid,) in rows}

    def close(self) -> None:
        for link in self._links.values():
            link.close()
