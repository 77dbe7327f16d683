"""A MariaDB fleet of two shards, and faults to plant in it: how, and what the doctor is to find."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest

from outgrow.local.mariadb import MariadbServer
from outgrow.runtime.doctor import Finding, examine, mariadb_data
from outgrow.topology import Topology
from outgrow.transactions.model import numbered

MADE = (
    "CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(40))",
    "CREATE TABLE orders (id bigint, number int, PRIMARY KEY (id, number), FOREIGN KEY (id) REFERENCES customers (id))",
    "CREATE TABLE countries (country varchar(2) PRIMARY KEY, name varchar(40), n decimal(10,2))",
    "CREATE TABLE settings (word varchar(20) PRIMARY KEY, value varchar(20))",
    "INSERT INTO countries VALUES ('NL', 'Netherlands', 1.5), ('FR', 'France', NULL)",
)


@dataclass
class World:
    servers: dict[str, MariadbServer]
    topology: Topology
    monkeypatch: pytest.MonkeyPatch

    @contextlib.contextmanager
    def connected(self, name: str) -> Iterator[Any]:
        """As root, whom read_only does not bind."""
        server = self.servers[name]
        link = pymysql.connect(
            unix_socket=str(server.socket), user="root", password=server.password, database="app", autocommit=True
        )
        try:
            yield link
        finally:
            link.close()

    def sql(self, name: str, *statements: str) -> None:
        with self.connected(name) as link, link.cursor() as cursor:
            for text in statements:
                cursor.execute(text)

    def everywhere(self, *statements: str) -> None:
        for name in ("s1/primary", "s2/primary"):
            self.sql(name, *statements)

    def findings(self, *, all_rows: bool = False, topology: Topology | None = None) -> list[Finding]:
        """What is worse than worth knowing."""
        found = examine(topology or self.topology, all_rows=all_rows)
        return [finding for finding in found if finding.severity != "info"]

    def wait_replayed(self) -> None:
        until = time.monotonic() + 20
        for shard in ("s1", "s2"):
            with self.connected(f"{shard}/primary") as link, link.cursor() as cursor:
                cursor.execute("SELECT @@gtid_binlog_pos")
                [place] = cursor.fetchone()
            with self.connected(f"{shard}/replica1") as link, link.cursor() as cursor:
                cursor.execute("SELECT MASTER_GTID_WAIT(%s, %s)", [place, max(0.0, until - time.monotonic())])
                assert cursor.fetchone() == (0,)


Plant = Callable[[World], contextlib.AbstractContextManager[object]]


def statements(name: str, does: str | tuple[str, ...], undoes: str | tuple[str, ...]) -> Plant:
    @contextlib.contextmanager
    def done(world: World) -> Iterator[None]:
        run = world.everywhere if name == "*" else lambda *texts: world.sql(name, *texts)
        try:
            run(*([does] if isinstance(does, str) else does))
            world.wait_replayed()
            yield
        finally:
            run(*([undoes] if isinstance(undoes, str) else undoes))

    return done


def setting(name: str, what: str, value: str, before: str) -> Plant:
    return statements(name, f"SET GLOBAL {what} = {value}", f"SET GLOBAL {what} = {before}")


@contextlib.contextmanager
def stopped_replica(world: World) -> Iterator[None]:
    world.sql("s1/replica1", "STOP SLAVE SQL_THREAD")
    world.sql("s1/primary", "INSERT INTO countries VALUES ('ZZ', 'Z', 1)", "DELETE FROM countries WHERE country = 'ZZ'")
    try:
        yield
    finally:
        world.sql("s1/replica1", "START SLAVE SQL_THREAD")


@contextlib.contextmanager
def broken_replica(world: World) -> Iterator[None]:
    """A row that is there already: the replica's thread stops at it."""
    world.sql(
        "s1/replica1",
        *("SET GLOBAL read_only = 0", "SET sql_log_bin = 0", "INSERT INTO settings VALUES ('x', 'y')"),
        "SET GLOBAL read_only = 1",
    )
    world.sql("s1/primary", "INSERT INTO settings VALUES ('x', 'y')")
    time.sleep(0.3)
    try:
        yield
    finally:
        world.sql(
            "s1/replica1",
            *("SET GLOBAL read_only = 0", "SET sql_log_bin = 0", "DELETE FROM settings WHERE word = 'x'"),
            *("SET GLOBAL read_only = 1", "START SLAVE"),
        )
        world.sql("s1/primary", "DELETE FROM settings WHERE word = 'x'")


@contextlib.contextmanager
def abandoned_branch(world: World, name: str = "'mine'") -> Iterator[None]:
    with world.connected("s2/primary") as link, link.cursor() as cursor:
        for text in ("XA START {}", "INSERT INTO settings VALUES ('q', 'q')", "XA END {}", "XA PREPARE {}"):
            cursor.execute(text.format(name))
    world.monkeypatch.setattr(mariadb_data, "_IN_DOUBT_SECONDS", 0)
    try:
        yield
    finally:
        # Where the server has only just heard that the session has gone, nobody else can end it yet.
        time.sleep(0.5)
        world.sql("s2/primary", f"XA ROLLBACK {name}")


@contextlib.contextmanager
def idle(world: World) -> Iterator[None]:
    with world.connected("s1/primary") as link, link.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM settings")
        assert world.findings() == []
        world.monkeypatch.setattr(mariadb_data, "_IDLE_SECONDS", 0)
        yield


@contextlib.contextmanager
def stray(world: World) -> Iterator[None]:
    """A row that its key sends to the other shard."""
    with world.connected("s2/primary") as link, link.cursor() as cursor:
        cursor.execute("SELECT id FROM customers ORDER BY id LIMIT 1")
        [id] = cursor.fetchone()
    world.sql("s1/primary", f"INSERT INTO customers VALUES ({id}, 'stray')")
    try:
        yield
    finally:
        world.sql("s1/primary", f"DELETE FROM customers WHERE id = {id}")


FAULTS: dict[str, tuple[Plant, list[tuple[str, str, str, str]]]] = {
    "a commit that is not flushed": (
        setting("s1/primary", "innodb_flush_log_at_trx_commit", "2", "1"),
        [("warning", "settings", "sales/s1/primary", "commits that were confirmed are lost")],
    ),
    "a log that is not flushed": (
        setting("s2/replica1", "sync_binlog", "0", "1"),
        [("warning", "settings", "sales/s2/replica1", "sync_binlog is 0")],
    ),
    "statements in the log": (
        setting("s1/primary", "binlog_format", "'MIXED'", "'ROW'"),
        [("warning", "settings", "sales/s1/primary", "binlog_format is MIXED")],
    ),
    "loose GTIDs": (
        setting("s1/replica1", "gtid_strict_mode", "OFF", "ON"),
        [("warning", "settings", "sales/s1/replica1", "gtid_strict_mode is off")],
    ),
    "few connections": (
        setting("s2/primary", "max_connections", "10", "151"),
        [("warning", "settings", "sales/s2/primary", "takes 10 connections")],
    ),
    "one domain for two shards": (
        setting("s2/primary", "gtid_domain_id", "1", "2"),
        [
            ("warning", "identity", "sales/s2/replica1", "its gtid_domain_id is 2, and its primary's 1"),
            ("warning", "identity", "sales", "have the same gtid_domain_id, 1"),
        ],
    ),
    "another time zone": (
        setting("s2/primary", "time_zone", "'+02:00'", "'SYSTEM'"),
        [("warning", "meanings", "sales/s2/primary", "time_zone is '+02:00', and 'SYSTEM' on sales/s1/primary")],
    ),
    "a week that begins on another day": (
        setting("s1/replica1", "default_week_format", "3", "0"),
        [("warning", "meanings", "sales/s1/replica1", "default_week_format is '3', and '0'")],
    ),
    "a replica that takes writes": (
        setting("s1/replica1", "read_only", "0", "1"),
        [("error", "identity", "sales/s1/replica1", "two primaries of one shard")],
    ),
    "a primary that takes none": (
        setting("s2/primary", "read_only", "1", "0"),
        [("error", "read-only", "sales/s2/primary", "no other server of the shard takes writes")],
    ),
    "a stopped replica": (
        stopped_replica,
        [("warning", "replication", "sales/s1/replica1", "its SQL thread stands; it is 2 transactions behind")],
    ),
    "a broken replica": (
        broken_replica,
        [("warning", "replication", "sales/s1/replica1", "Duplicate entry")],
    ),
    "a replica without GTIDs": (
        statements(
            "s2/replica1",
            ("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID = no", "START SLAVE"),
            ("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID = slave_pos", "START SLAVE"),
        ),
        [("warning", "replication", "sales/s2/replica1", "replicates by log file and position")],
    ),
    "no ledger on a shard": (
        statements(
            "s2/primary",
            "RENAME TABLE outgrow_meta TO outgrow_away",
            "RENAME TABLE outgrow_away TO outgrow_meta",
        ),
        [("error", "installed", "sales/s2/primary", "there is no outgrow ledger")],
    ),
    "a map that is not the file's": (
        statements(
            "s1/primary",
            "UPDATE outgrow_placements SET shard = 's2' WHERE table_name = 'settings'",
            "UPDATE outgrow_placements SET shard = 's1' WHERE table_name = 'settings'",
        ),
        [
            ("warning", "ledger", "sales", "settings"),
            ("error", "single tables", "sales/s1/primary", "the single table settings lives on s2"),
        ],
    ),
    "an index on one shard": (
        statements("s2/primary", "CREATE INDEX i ON orders (number)", "DROP INDEX i ON orders"),
        [("warning", "schema", "sales/s2/primary", "the index orders.i is not on sales/s1/primary")],
    ),
    "another column": (
        statements(
            "s2/primary",
            "ALTER TABLE countries MODIFY name varchar(41)",
            "ALTER TABLE countries MODIFY name varchar(40)",
        ),
        [("error", "schema", "sales/s2/primary", "the column countries.name is `2 varchar(41)")],
    ),
    "a trigger on one shard": (
        statements(
            "s1/primary",
            "CREATE TRIGGER tr BEFORE INSERT ON orders FOR EACH ROW SET NEW.number = NEW.number",
            "DROP TRIGGER tr",
        ),
        [("warning", "schema", "sales/s2/primary", "the trigger orders.tr is missing")],
    ),
    "a table without a placement": (
        statements("*", "CREATE TABLE other (id int PRIMARY KEY)", "DROP TABLE other"),
        [("warning", "placements", "sales", "the table other has no placement")],
    ),
    "a unique key without the shard key": (
        statements("*", "CREATE UNIQUE INDEX u ON customers (name)", "DROP INDEX u ON customers"),
        [("warning", "unique keys", "sales", "(name) of customers lacks its shard key id")],
    ),
    "a foreign key to another shard": (
        statements(
            "*",
            (
                "ALTER TABLE orders ADD c bigint",
                "ALTER TABLE orders ADD CONSTRAINT away FOREIGN KEY (c) REFERENCES customers (id)",
            ),
            ("ALTER TABLE orders DROP FOREIGN KEY away", "ALTER TABLE orders DROP COLUMN c"),
        ),
        [("error", "foreign keys", "sales", "the foreign key (c) of orders")],
    ),
    "a table without transactions": (
        statements("*", "ALTER TABLE settings ENGINE = Aria", "ALTER TABLE settings ENGINE = InnoDB"),
        [("error", "tables", "sales", "the table settings is Aria")],
    ),
    "a table without a primary key": (
        statements(
            "*",
            "ALTER TABLE orders DROP PRIMARY KEY, ADD INDEX k (id, number)",
            "ALTER TABLE orders ADD PRIMARY KEY (id, number), DROP INDEX k",
        ),
        [("warning", "tables", "sales", "the table orders has no primary key")],
    ),
    "numbers that run out": (
        statements(
            "s1/primary",
            (
                "ALTER TABLE settings ADD n tinyint AUTO_INCREMENT UNIQUE",
                "ALTER TABLE settings AUTO_INCREMENT = 100",
            ),
            "ALTER TABLE settings DROP COLUMN n",
        ),
        [("warning", "numbers", "sales/s1/primary", "AUTO_INCREMENT of settings has used 79%")],
    ),
    "an abandoned branch": (
        abandoned_branch,
        [
            (
                "error",
                "in doubt",
                "sales/s2/primary",
                "branches of others are prepared ('mine',''), and a session has gone",
            )
        ],
    ),
    "a branch that outgrow has left": (
        lambda world: abandoned_branch(world, f"'outgrow/{numbered(time.time() - 7200, bytes(10)).hex}','s2'"),
        [("error", "in doubt", "sales/s2/primary", "has been prepared for 7,2")],
    ),
    "a session idle in a transaction": (
        idle,
        [("warning", "long transactions", "sales/s1/primary", "has been idle in a transaction")],
    ),
    "a row on the wrong shard": (
        stray,
        [("error", "rows", "sales/s1/primary", "belong on s2 (keys such as (")],
    ),
    "a single table's row elsewhere": (
        statements("s2/primary", "INSERT INTO settings VALUES ('lost', 'x')", "DELETE FROM settings"),
        [("error", "single tables", "sales/s2/primary", "the single table settings lives on s1")],
    ),
    "a copy that differs": (
        statements(
            "s2/primary",
            "UPDATE countries SET n = 1.51 WHERE country = 'NL'",
            "UPDATE countries SET n = 1.5 WHERE country = 'NL'",
        ),
        [("error", "copies", "sales/s2/primary", "its copy of countries has 2 rows")],
    ),
}
