"""A healthy fleet for the doctor, and how faults are planted in it and taken out again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.runtime.doctor import Finding, examine, replication, transactions
from outgrow.runtime.doctor.examination import QUERIES
from outgrow.topology import Copied, Node, Placement, Sharded, Single, TableName, Topology
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "customers"): Sharded(("customer_id",)),
    TableName("public", "orders"): Sharded(("customer_id",)),
    TableName("public", "countries"): Copied(),
    TableName("public", "settings"): Single("s1"),
}
MADE = (
    "CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text)",
    "CREATE TABLE orders (customer_id int8 REFERENCES customers, number bigserial, PRIMARY KEY (customer_id, number))",
    "CREATE TABLE countries (country text PRIMARY KEY, name text)",
    "CREATE TABLE settings (key text PRIMARY KEY, value text)",
    "INSERT INTO customers (customer_id, name) VALUES " + ", ".join(f"({i}, 'c{i}')" for i in range(1, 201)),
    "INSERT INTO orders (customer_id) VALUES " + ", ".join(f"({i})" for i in range(1, 21)),
    "INSERT INTO countries VALUES ('NL', 'Netherlands'), ('FR', 'France')",
    "INSERT INTO settings VALUES ('a', 'b')",
)


@dataclass
class World:
    """A healthy fleet, and what plants do to it."""

    servers: Servers
    topology: Topology
    fleet: Fleet
    monkeypatch: pytest.MonkeyPatch

    def node(self, name: str) -> Node:
        return next(
            node for shard in self.topology.domains[0].shards for node in shard.nodes if node.name == f"app/{name}"
        )

    def sql(self, name: str, *statements: str) -> None:
        for text in statements:
            self.servers.sql(self.node(name), text)

    def everywhere(self, *statements: str) -> None:
        for shard in ("s1", "s2"):
            self.sql(f"{shard}/primary", *statements)

    @property
    def database(self) -> str:
        return str(psycopg.conninfo.conninfo_to_dict(self.node("s1/primary").dsn)["dbname"])

    @contextlib.contextmanager
    def connected(self, name: str) -> Iterator[psycopg.Connection[object]]:
        with contextlib.closing(psycopg.connect(self.node(name).dsn)) as link:
            yield link

    def findings(self, topology: Topology | None = None, *, all_rows: bool = False) -> list[Finding]:
        """What is worse than worth knowing."""
        found = examine(topology or self.topology, all_rows=all_rows)
        return [finding for finding in found if finding.severity != "info"]


@pytest.fixture(scope="module")
def made(fleet_servers: Servers) -> Iterator[tuple[Topology, Fleet]]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with fleet_servers.flushing(), outgrow.open(topology, install=True) as fleet:
            for text in MADE:
                fleet.execute(text)
            fleet_servers.wait_replayed()
            yield topology, fleet
    finally:
        fleet_servers.drop(topology)


@pytest.fixture
def world(fleet_servers: Servers, made: tuple[Topology, Fleet], monkeypatch: pytest.MonkeyPatch) -> World:
    return World(fleet_servers, *made, monkeypatch)


def summary(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.severity.value, finding.check, finding.where) for finding in findings]


def port(world: World, name: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(world.node(name).dsn)["port"])


def with_node(world: World, name: str, **changes: str) -> Topology:
    """The fleet's file with another address of one node."""
    known = psycopg.conninfo.conninfo_to_dict(world.node(name).dsn)
    return addressed(world, name, psycopg.conninfo.make_conninfo(**{**known, **changes}))


def addressed(world: World, name: str, dsn: str) -> Topology:
    wrong = replace(world.node(name), dsn=dsn)
    domain = world.topology.domains[0]

    def put(one: Node) -> Node:
        return wrong if one.name == wrong.name else one

    shards = tuple(
        replace(shard, primary=put(shard.primary), replicas=tuple(map(put, shard.replicas))) for shard in domain.shards
    )
    return replace(world.topology, domains=(replace(domain, shards=shards),))


#: Severity, check, where, and a piece of what is said.
Expected = tuple[str, str, str, str]
Plant = Callable[[World], contextlib.AbstractContextManager[object]]


@contextlib.contextmanager
def on_database(world: World, name: str, setting: str, value: str) -> Iterator[None]:
    """A setting of the database on one shard, which its replica gets too."""
    world.sql(name, f"ALTER DATABASE {world.database} SET {setting} = {value}")
    world.servers.wait_replayed()
    try:
        yield
    finally:
        world.sql(name, f"ALTER DATABASE {world.database} RESET {setting}")
        world.servers.wait_replayed()


@contextlib.contextmanager
def done(world: World, name: str, does: tuple[str, ...], undoes: tuple[str, ...]) -> Iterator[None]:
    """Statements on one node, or on every primary."""
    run = world.everywhere if name == "*" else lambda *texts: world.sql(name, *texts)
    try:
        run(*does)
        yield
    finally:
        run(*undoes)


def statements(name: str, does: str | tuple[str, ...], undoes: str | tuple[str, ...]) -> Plant:
    both = [(each,) if isinstance(each, str) else each for each in (does, undoes)]
    return lambda world: done(world, name, *both)


def setting(name: str, what: str, value: str) -> Plant:
    return lambda world: on_database(world, name, what, value)


@contextlib.contextmanager
def reloaded(world: World, name: str, what: str, value: str) -> Iterator[None]:
    """A setting of one server."""
    [(before,)] = world.servers.sql(world.node(name), f"SHOW {what}")
    wanted = value.strip("'")
    world.sql(name, f"ALTER SYSTEM SET {what} = {value}")
    try:
        world.servers.reload(world.node(name), what, wanted)
        yield
    finally:
        world.sql(name, f"ALTER SYSTEM SET {what} = '{before}'")
        world.servers.reload(world.node(name), what, before)
        world.sql(name, *([f"ALTER SYSTEM RESET {what}"] if what not in ("fsync", "full_page_writes") else []))


def server(name: str, what: str, value: str) -> Plant:
    return lambda world: reloaded(world, name, what, value)


@contextlib.contextmanager
def prepared(world: World) -> Iterator[None]:
    with world.connected("s2/primary") as other:
        other.execute("INSERT INTO settings VALUES ('mine', 'x'); DELETE FROM settings")
        other.execute("PREPARE TRANSACTION 'mine'")
        other.autocommit = True
        try:
            assert world.findings() == []
            world.monkeypatch.setattr(transactions, "_IN_DOUBT_SECONDS", 0.0)
            yield
        finally:
            other.execute("ROLLBACK PREPARED 'mine'")


@contextlib.contextmanager
def idle(world: World) -> Iterator[None]:
    with world.connected("s1/primary") as other:
        other.execute("SELECT 1")
        assert world.findings() == []
        world.monkeypatch.setattr(transactions, "_IDLE_SECONDS", 0.0)
        other.execute("SELECT 1")
        yield


@contextlib.contextmanager
def patched(world: World, room: object, name: str, value: object) -> Iterator[None]:
    """What cannot be planted in a test's time: the same real figure against a lower limit."""
    with world.monkeypatch.context() as patch:
        patch.setattr(room, name, value)
        yield


@contextlib.contextmanager
def idle_slot(world: World) -> Iterator[None]:
    # (It reserves the log since the last checkpoint, however much that is by now.)
    does = ("CHECKPOINT", "SELECT pg_create_physical_replication_slot('nobody', true)")
    with done(world, "s1/primary", does, ("SELECT pg_drop_replication_slot('nobody')",)):
        # (A replica may lag for a moment.)
        until = time.monotonic() + 20
        while found := world.findings():
            assert time.monotonic() < until, found
            time.sleep(0.1)
        world.monkeypatch.setattr(replication, "_HELD_BYTES", 0)
        yield


@contextlib.contextmanager
def wrong_clock(world: World, name: str) -> Iterator[None]:
    """No clock of this machine is touched: the server that is asked adds to its own."""
    port = psycopg.conninfo.conninfo_to_dict(world.node(name).dsn)["port"]
    ahead = f"CASE current_setting('port') WHEN '{port}' THEN 5 ELSE 0 END"
    world.monkeypatch.setitem(QUERIES, "clock", f"SELECT {ahead} + extract(epoch FROM clock_timestamp())::float8")
    yield
