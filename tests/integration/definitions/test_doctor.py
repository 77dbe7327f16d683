"""Faults planted on real servers, one at a time: the doctor finds each, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from outgrow.doors.cli.app import run
from outgrow.keyspace import Hash
from outgrow.runtime.doctor import copies, reading, transactions
from outgrow.runtime.doctor.examination import QUERIES
from outgrow.topology import write
from tests.integration.definitions.planting import (
    Expected,
    Plant,
    World,
    done,
    idle,
    idle_slot,
    made,
    patched,
    port,
    prepared,
    server,
    setting,
    statements,
    summary,
    with_node,
    world,
    wrong_clock,
)

__all__ = ["made", "world"]

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
    "a table without a placement": (
        statements("*", "CREATE TABLE stray (id int8 PRIMARY KEY)", "DROP TABLE IF EXISTS stray"),
        (("warning", "placements", "app", "the table stray has no placement"),),
    ),
    "a right taken away": (
        statements("s2/primary", "REVOKE INSERT ON customers FROM app", "GRANT INSERT ON customers TO app"),
        (("warning", "rights", "app/s2/primary", "may not write customers"),),
    ),
    "no ledger on a shard": (
        statements(
            "s2/primary", "ALTER TABLE outgrow.meta RENAME TO hidden", "ALTER TABLE outgrow.hidden RENAME TO meta"
        ),
        (("error", "installed", "app/s2/primary", "there is no outgrow ledger"),),
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
            ("warning", "rows", "app/s1/primary", "the key (1) alone has about 99% of the rows of orders"),
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
        idle_slot,
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


def test_pools_larger_than_the_servers(world: World) -> None:
    domain = world.topology.domains[0]
    large = replace(domain, pool=replace(domain.pool, size_max=150))
    found = world.findings(replace(world.topology, domains=(large,)))
    assert {(finding.severity.value, finding.check) for finding in found} == {("warning", "settings")}
    assert len(found) == 8
    assert "max_prepared_transactions is 100: few can commit at once" in found[0].what
    assert "takes 97 connections, and one process's pool may open 150" in found[1].what


def test_a_node_that_is_not_there(world: World) -> None:
    assert summary(world.findings(with_node(world, "s2/replica1", port="1"))) == [
        ("warning", "servers", "app/s2/replica1"),
        ("warning", "not made", "app/s2/replica1"),
    ]
    assert summary(world.findings(with_node(world, "s2/replica1", user="nobody_known"))) == [
        ("error", "servers", "app/s2/replica1"),
        ("warning", "not made", "app/s2/replica1"),
    ]
    assert summary(world.findings(with_node(world, "s2/primary", port="1")))[0] == (
        ("error", "servers", "app/s2/primary")
    )


def test_a_replica_of_another_shard(world: World) -> None:
    (found,) = world.findings(with_node(world, "s2/replica1", port=port(world, "s1/replica1")))
    assert summary([found]) == [("error", "identity", "app/s2/replica1")]
    assert "is the same server and database as app/s1/replica1" in found.what


def test_two_shards_that_are_one_database(world: World) -> None:
    found = world.findings(with_node(world, "s2/primary", port=port(world, "s1/primary")))
    assert ("error", "identity", "app/s2/primary") in summary(found)


def test_another_database_of_the_same_server(world: World) -> None:
    found = world.findings(with_node(world, "s2/replica1", dbname="postgres"))
    assert ("error", "identity", "app/s2/replica1") in summary(found)


def test_a_ledger_that_is_gone_is_found_although_nothing_can_be_opened(world: World) -> None:
    with done(
        world,
        "s1/primary",
        ("ALTER TABLE outgrow.meta RENAME TO hidden",),
        ("ALTER TABLE outgrow.hidden RENAME TO meta",),
    ):
        found = world.findings()
    assert summary(found) == [
        ("error", "opening", "app"),
        ("error", "installed", "app/s1/primary"),
        ("warning", "not made", "app"),
    ]
    assert found[-1].what.startswith("not examined, because the domain could not be opened: ledger, definitions, ")
    assert found[0].what.startswith("OG-RUN-040: ")


def test_a_question_that_a_server_refuses_hides_no_other(world: World) -> None:
    world.monkeypatch.setitem(QUERIES, "unproven", "SELECT nonsense")
    with statements("s2/primary", "INSERT INTO settings VALUES ('x', 'y')", "DELETE FROM settings")(world):
        found = world.findings()
    assert summary(found) == [
        ("warning", "constraints", "app/s1/primary"),
        ("warning", "constraints", "app/s2/primary"),
        ("error", "single tables", "app/s2/primary"),
    ]
    assert "could not be examined: " in found[0].what


def test_samples_and_all_rows(world: World) -> None:
    """Of tables with more pages than a sample has, all rows are read on request: piece by piece, none twice."""
    world.monkeypatch.setattr(reading, "_SAMPLE_PAGES", 12)
    world.monkeypatch.setattr(reading, "_CHUNK_PAGES", 3)
    world.monkeypatch.setattr(copies, "_WHOLE_PAGES", 0)
    many = "INSERT INTO customers SELECT customer_id, repeat('x', 900) FROM customers_of_s1"
    with done(
        world,
        "s2/primary",
        ("CREATE TABLE customers_of_s1 AS SELECT g::int8 AS customer_id FROM generate_series(5001, 5200) AS g", many),
        ("DELETE FROM customers WHERE customer_id > 5000", "DROP TABLE customers_of_s1"),
    ):
        (sampled,) = [finding for finding in world.findings() if finding.check == "rows"]
        (whole,) = [finding for finding in world.findings(all_rows=True) if finding.check == "rows"]
    assert "rows sampled of customers belong on s1" in sampled.what
    slot = Hash(("int8",), 1024).sql(["k"])
    counted = f"SELECT count(*) FROM generate_series(5001::int8, 5200) AS g(k) WHERE {slot} % 2 = 0"
    [[wrong]] = world.servers.sql(world.node("s2/primary"), counted)
    [[kept]] = world.servers.sql(world.node("s2/primary"), "SELECT count(*) FROM customers")
    assert whole.what.startswith(f"{wrong} of {kept + 200} rows of customers belong on s1")


def test_a_sharded_table_without_a_primary_key(world: World) -> None:
    """Nothing fails before its rows are moved."""
    with done(
        world,
        "*",
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey",),
        ("ALTER TABLE orders ADD PRIMARY KEY (customer_id, number)",),
    ):
        (found,) = [finding for finding in world.fleet.doctor() if finding.check == "row identity"]
    assert (found.severity, found.where) == ("info", "app")
    assert found.what.startswith("the table orders has no primary key")
    assert "row identity" not in {finding.check for finding in world.fleet.doctor()}


def test_the_command_line(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(write(world.topology))
    assert run(("doctor", "--fleet", str(file), "--all", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True
    with statements("s2/primary", "INSERT INTO settings VALUES ('x', 'y')", "DELETE FROM settings")(world):
        assert run(("doctor", "--fleet", str(file), "--json")) == 1
        told = json.loads(capsys.readouterr().out)
        assert told["healthy"] is False
        (finding,) = [one for one in told["findings"] if one["severity"] != "info"]
        assert finding.keys() == {"severity", "check", "what", "where", "cure"}
        assert (finding["check"], finding["where"]) == ("single tables", "app/s2/primary")
        assert run(("doctor", "--fleet", str(file))) == 1
        assert "error app/s2/primary: the single table settings" in capsys.readouterr().out
