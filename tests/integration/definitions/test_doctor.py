"""Faults planted on real servers, one at a time: the doctor finds each, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


PLANTS: dict[str, tuple[Plant, tuple[Expected, ...]]] = {
    "fsync off": (
        server("s1/replica1", "fsync", "off"),
        (("error", "settings", "app/s1/replica1", "fsync is off"),),
    ),
    "full_page_writes off": (
        server("s2/primary", "full_page_writes", "off"),
        (("error", "settings", "app/s2/primary", "full_page_writes is off"),),
    ),
    "autovacuum off": (
        server("s1/primary", "autovacuum", "off"),
        (("warning", "settings", "app/s1/primary", "autovacuum is off"),),
    ),
    "synchronous_commit off": (
        server("s2/primary", "synchronous_commit", "off"),
        (("warning", "settings", "app/s2/primary", "synchronous_commit is off"),),
    ),
    "another DateStyle": (
        server("s2/replica1", "DateStyle", "'SQL, DMY'"),
        (("warning", "meanings", "app/s2/replica1", "DateStyle is 'SQL, DMY', and 'ISO, MDY' on app/s1/primary"),),
    ),
    "another time zone": (
        setting("s2/primary", "timezone", "'Asia/Tokyo'"),
        (
            ("warning", "meanings", "app/s2/primary", "TimeZone is 'Asia/Tokyo'"),
            ("warning", "meanings", "app/s2/replica1", "TimeZone is 'Asia/Tokyo'"),
        ),
    ),
    "read-only": (
        setting("s2/primary", "default_transaction_read_only", "on"),
        (("error", "read-only", "app/s2/primary", "default_transaction_read_only is on for app"),),
    ),
    "replay paused": (
        statements("s2/replica1", "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"),
        (("warning", "replication", "app/s2/replica1", "replay is paused"),),
    ),
    "a prepared transaction": (
        prepared,
        (("error", "in doubt", "app/s2/primary", "'mine'"),),
    ),
    "idle in a transaction": (
        idle,
        (("warning", "long transactions", "app/s1/primary", "has been idle in a transaction for"),),
    ),
    "an old database": (
        lambda world: patched(world, transactions, "_AGE", 1),
        tuple(
            ("warning", "wraparound", f"app/{shard}/primary", f"{which} old")
            for shard in ("s1", "s2")
            for which in ("transactions",)
        ),
    ),
    "an index on one shard": (
        statements("s1/primary", "CREATE INDEX by_name ON customers (name)", "DROP INDEX by_name"),
        (("warning", "schema", "s2", "by_name is missing on s2"),),
    ),
    "a constraint that is not proved": (
        statements(
            "*",
            "ALTER TABLE customers ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
            "ALTER TABLE customers DROP CONSTRAINT IF EXISTS named",
        ),
        (("warning", "constraints", "app", "check named of customers is NOT VALID"),),
    ),
    "an invalid index": (
        statements(
            "*",
            (
                "CREATE UNIQUE INDEX by_name ON customers (name, customer_id)",
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass",
            ),
            "DROP INDEX IF EXISTS by_name",
        ),
        (("warning", "indexes", "app", "the unique index by_name of customers is invalid"),),
    ),
    "a foreign key that is not checked": (
        statements("*", "ALTER TABLE orders DISABLE TRIGGER ALL", "ALTER TABLE orders ENABLE TRIGGER ALL"),
        (("warning", "triggers", "app", "the foreign key orders_customer_id_fkey is not checked"),),
    ),
    "a unique key without the shard key": (
        statements(
            "*",
            "ALTER TABLE customers ADD CONSTRAINT one_name UNIQUE (name)",
            "ALTER TABLE customers DROP CONSTRAINT IF EXISTS one_name",
        ),
        (("warning", "unique keys", "app", "the unique key (name) of customers lacks its shard key customer_id"),),
    ),
    "a foreign key across shards": (
        statements(
            "*",
            "ALTER TABLE customers ADD COLUMN setting text REFERENCES settings",
            "ALTER TABLE customers DROP COLUMN IF EXISTS setting",
        ),
        (("error", "foreign keys", "app", "one is on every shard, the other lives on s1"),),
    ),
    "no primary key": (
        statements(
            "*",
            "ALTER TABLE orders DROP CONSTRAINT orders_pkey",
            "ALTER TABLE orders ADD PRIMARY KEY (customer_id, number)",
        ),
        (("warning", "row identity", "app", "the table orders has no primary key"),),
    ),
    "a table without a placement": (
        statements("*", "CREATE TABLE stray (id int8 PRIMARY KEY)", "DROP TABLE IF EXISTS stray"),
        (("warning", "placements", "app", "the table stray has no placement")),
    ),
    "a right taken away": (
        statements("s2/primary", "REVOKE INSERT ON customers FROM app", "GRANT INSERT ON customers TO app"),
        (("warning", "rights", "app/s2/primary", "may not write customers"),),
    ),
    "no ledger on a shard": (
        statements(
            "s2/primary", "ALTER TABLE outgrow.meta RENAME TO hidden", "ALTER TABLE outgrow.hidden RENAME TO meta"
        ),
        (("error", "installed", "app/s2/primary", "there is no outgrow ledger")),
    ),
    "an old ledger": (
        statements(
            "s2/primary",
            "UPDATE outgrow.meta SET version = version - 1",
            "UPDATE outgrow.meta SET version = version + 1",
        ),
        (("error", "installed", "app/s2/primary", "this library knows"),),
    ),
    "a row on the wrong shard": (
        statements(
            "*",
            "INSERT INTO customers VALUES (1000, 'x'), (1001, 'x'), (1002, 'x'), (1003, 'x')",
            "DELETE FROM customers WHERE customer_id >= 1000",
        ),
        (
            ("error", "rows", "app/s1/primary", "of customers belong on s2 (keys such as ("),
            ("error", "rows", "app/s2/primary", "of customers belong on s1 (keys such as ("),
        ),
    ),
    "a copy that has drifted": (
        statements(
            "s2/primary",
            "UPDATE countries SET name = 'Holland' WHERE country = 'NL'",
            "UPDATE countries SET name = 'Netherlands' WHERE country = 'NL'",
        ),
        (("error", "copies", "app/s2/primary", "they differ in rows such as (NL)"),),
    ),
    "a single table's rows elsewhere": (
        statements("s2/primary", "INSERT INTO settings VALUES ('x', 'y')", "DELETE FROM settings"),
        (("error", "single tables", "app/s2/primary", "settings lives on s1, but has rows here"),),
    ),
    "a hot slot": (
        lambda world: done(
            world,
            "*",
            (
                "ALTER TABLE orders DISABLE TRIGGER ALL",
                "INSERT INTO orders (customer_id, number) SELECT customer_id, 1000 + g"
                " FROM customers, generate_series(1, 3000) AS g WHERE customer_id = 1",
                "ALTER TABLE orders ENABLE TRIGGER ALL",
            ),
            ("DELETE FROM orders WHERE number > 1000",),
        ),
        (
            ("warning", "rows", "app/s1/primary", "of the 3,020 rows of orders; by its slots 50% would be fair"),
            ("warning", "rows", "app/s1/primary", "of 1,024 has 99% of the rows of orders"),
        ),
    ),
    "a shard's own sequence ahead": (
        statements(
            "s2/primary",
            "SELECT setval('orders_number_seq', 100000)",
            "SELECT setval('orders_number_seq', 1, false)",
        ),
        (("error", "sequences", "app/s2/primary", "has handed out 100,000, and the fleet's goes on at"),),
    ),
    "an idle replication slot": (
        lambda world: idle_slot(world),
        (("warning", "replication slots", "app/s1/primary", "the physical replication slot nobody has no reader"),),
    ),
    "a collation that has changed": (
        statements(
            "s1/primary",
            "UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()",
            "UPDATE pg_database SET datcollversion = pg_database_collation_actual_version(oid)"
            " WHERE datname = current_database()",
        ),
        (
            ("error", "text", "app/s1/primary", "the database's collation has version"),
            ("error", "text", "app/s1/replica1", "the database's collation has version"),
        ),
    ),
    "a clock that is ahead": (
        lambda world: wrong_clock(world, "s2/replica1"),
        (("warning", "clock", "app/s2/replica1", "its clock is 5.0 s ahead of"),),
    ),
    "a ledger that says otherwise": (
        statements(
            "s1/primary",
            "UPDATE outgrow.placements SET kind = 'single', shard = 's1' WHERE table_name = 'countries'",
            "UPDATE outgrow.placements SET kind = 'copied', shard = NULL WHERE table_name = 'countries'",
        ),
        (
            ("warning", "ledger", "app", "OG-LEDGER-012: table countries"),
            ("error", "single tables", "app/s2/primary", "countries"),
        ),
    ),
}


@contextlib.contextmanager
def idle_slot(world: World) -> Iterator[None]:
    does = ("SELECT pg_create_physical_replication_slot('nobody', true)",)
    with done(world, "s1/primary", does, ("SELECT pg_drop_replication_slot('nobody')",)):
        assert world.findings() == []
        world.monkeypatch.setattr(replication, "_HELD_BYTES", 0)
        yield


@contextlib.contextmanager
def wrong_clock(world: World, name: str) -> Iterator[None]:
    """No clock of this machine is touched: the server that is asked adds to its own."""
    port = psycopg.conninfo.conninfo_to_dict(world.node(name).dsn)["port"]
    ahead = f"CASE current_setting('port') WHEN '{port}' THEN 5 ELSE 0 END"
    world.monkeypatch.setitem(QUERIES, "clock", f"SELECT {ahead} + extract(epoch FROM clock_timestamp())::float8")
    yield


@pytest.mark.parametrize("fault", PLANTS)
def test_a_planted_fault_is_found(world: World, fault: str) -> None:
    plant, expected = PLANTS[fault]
    with plant(world):
        found = world.findings()
    assert [(finding.severity.value, finding.check, finding.where) for finding in found] == [
        one[:3] for one in expected
    ], found
    for finding, one in zip(found, expected, strict=True):
        assert one[3] in finding.what
        assert finding.cure


def test_a_healthy_fleet_has_nothing_worse_than_worth_knowing(world: World) -> None:
    assert world.findings() == []
    assert world.findings(all_rows=True) == []
    assert [finding for finding in world.fleet.doctor() if finding.severity != "info"] == []
