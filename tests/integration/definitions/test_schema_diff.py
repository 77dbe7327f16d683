"""Shards that disagree in every way that is compared: found, and mended until nothing differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import outgrow
from outgrow import Fleet
from tests.integration.definitions.test_ddl import TABLES, states
from tests.servers import Servers


@pytest.fixture(scope="module")
def opened(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened:
            yield opened
    finally:
        fleet_servers.drop(topology)


@pytest.fixture
def fleet(fleet_servers: Servers, opened: Fleet) -> Fleet:
    """The same databases for all, emptied: making new ones costs more than all that is done in them."""
    for shard in opened.topology.domains[0].shards:
        for statement in (
            *(
                "DROP SCHEMA public CASCADE",
                "DROP SCHEMA IF EXISTS s CASCADE",
                "CREATE SCHEMA public AUTHORIZATION app",
            ),
            "CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text, email text)",
            "ALTER TABLE customers OWNER TO app",
        ):
            fleet_servers.sql(shard.primary, statement)
    return opened


#: What one shard is given beside the other: (statements on the shard compared with, on the other one, kinds found).
CASES = {
    "table": (["CREATE TABLE t (a int PRIMARY KEY, b text NOT NULL DEFAULT 'x''y')"], [], {"table", "constraint"}),
    "unlogged": (["CREATE UNLOGGED TABLE t (a int)"], ["CREATE TABLE t (a int)"], {"table"}),
    "row security": (
        ["ALTER TABLE customers ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON customers USING (name <> '')"],
        [],
        {"table", "policy"},
    ),
    "odd names": (['CREATE TABLE "Od d" ("select" int PRIMARY KEY, "B" text)'], [], {"table", "constraint"}),
    "partitions": (
        [
            "CREATE TABLE t (a int, d date) PARTITION BY RANGE (d)",
            "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
            "CREATE INDEX t_d ON t (d)",
        ],
        [],
        {"table", "index"},
    ),
    "heirs": (["CREATE TABLE t (extra int) INHERITS (customers)"], [], {"table"}),
    "column": (["ALTER TABLE customers ADD COLUMN c int DEFAULT 7 NOT NULL"], [], {"column"}),
    "extra column": ([], ["ALTER TABLE customers ADD COLUMN c int"], {"column"}),
    "type": (["ALTER TABLE customers ALTER COLUMN name TYPE varchar(30)"], [], {"column"}),
    "type and default": (
        ["ALTER TABLE customers ADD COLUMN c int8 DEFAULT 5"],
        ["ALTER TABLE customers ADD COLUMN c int4 DEFAULT 6"],
        {"column"},
    ),
    "collation": (['ALTER TABLE customers ALTER COLUMN name TYPE text COLLATE "C"'], [], {"column"}),
    "default": (
        ["ALTER TABLE customers ALTER COLUMN name SET DEFAULT lower('A')"],
        ["ALTER TABLE customers ALTER COLUMN email SET DEFAULT 'b'"],
        {"column"},
    ),
    "not null": (["ALTER TABLE customers ALTER COLUMN name SET NOT NULL"], [], {"column"}),
    "identity": (
        ["ALTER TABLE customers ADD COLUMN i int GENERATED ALWAYS AS IDENTITY"],
        ["ALTER TABLE customers ADD COLUMN i int NOT NULL"],
        {"column"},
    ),
    "generated": (["ALTER TABLE customers ADD COLUMN g text GENERATED ALWAYS AS (lower(name)) STORED"], [], {"column"}),
    "serial": (
        ["CREATE TABLE t (a serial, b int)"],
        [],
        {"sequence", "table", "owner of sequence"},
    ),
    "sequence": (["CREATE SEQUENCE q INCREMENT 3"], ["CREATE SEQUENCE q CYCLE"], {"sequence"}),
    "check": (
        ["ALTER TABLE customers ADD CONSTRAINT c CHECK (name <> 'a')"],
        ["ALTER TABLE customers ADD CONSTRAINT c CHECK (name <> 'b')"],
        {"constraint"},
    ),
    "unique": (["ALTER TABLE customers ADD CONSTRAINT u UNIQUE (email) DEFERRABLE"], [], {"constraint"}),
    "foreign key": (
        [
            "CREATE TABLE a (customer_id int8 REFERENCES customers ON DELETE CASCADE)",
        ],
        [],
        {"table", "foreign key"},
    ),
    "extra constraint": ([], ["ALTER TABLE customers ADD CHECK (name <> 'a')"], {"constraint"}),
    "index": (
        ["CREATE INDEX i ON customers (lower(name)) WHERE email IS NOT NULL"],
        ["CREATE INDEX i ON customers (name)"],
        {"index"},
    ),
    "extra index": ([], ["CREATE INDEX i ON customers (name)"], {"index"}),
    "function": (
        ["CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'"],
        ["CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 2'"],
        {"function"},
    ),
    "function before its table": (
        [
            "CREATE TABLE t (a int)",
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.t'",
            "CREATE FUNCTION g() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM public.t; END",
        ],
        [],
        {"function", "late function", "table"},
    ),
    "procedure": (["CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'"], [], {"function"}),
    "trigger": (
        [
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER t BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION f()",
            "ALTER TABLE customers DISABLE TRIGGER t",
        ],
        [],
        {"function", "trigger"},
    ),
    "rule": (["CREATE RULE r AS ON DELETE TO customers DO INSTEAD NOTHING"], [], {"rule"}),
    "view": (
        ["CREATE VIEW v AS SELECT name, email FROM customers"],
        ["CREATE VIEW v AS SELECT name AS n FROM customers"],
        {"view"},
    ),
    "materialized view": (["CREATE MATERIALIZED VIEW v AS SELECT name FROM customers"], [], {"materialized view"}),
    "enum": (["CREATE TYPE e AS ENUM ('a', 'b''c', 'd')"], ["CREATE TYPE e AS ENUM ('b''c')"], {"enum"}),
    "new enum": (["CREATE TYPE e AS ENUM ('a', 'b')", "CREATE TABLE t (a e)"], [], {"enum", "table"}),
    "domain": (["CREATE DOMAIN d AS numeric(10,2) NOT NULL CHECK (VALUE > 0)"], [], {"domain"}),
    "composite": (["CREATE TYPE c AS (a int, b text)"], [], {"composite type"}),
    "schema": (["CREATE SCHEMA s", "CREATE TABLE s.t (a int)"], [], {"schema", "table"}),
    "extra table": ([], ["CREATE TABLE t (a serial PRIMARY KEY)", "CREATE INDEX i ON t (a)"], {"table"}),
}


def given(servers: Servers, fleet: Fleet, case: str) -> set[str]:
    here, there, kinds = CASES[case]
    for shard, statements in zip(fleet.topology.domains[0].shards, (here, there), strict=True):
        for statement in statements:
            servers.sql(shard.primary, f"SET ROLE app; {statement}; RESET ROLE")
    return kinds


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_difference_is_found_and_mended(fleet_servers: Servers, fleet: Fleet, case: str) -> None:
    assert fleet.compare_schema().differences == ()
    kinds = given(fleet_servers, fleet, case)
    found = fleet.compare_schema()
    assert {one.kind for one in found.differences} == kinds, found.differences
    assert {one.shard for one in found.differences} == {"s2"}
    mended = fleet.mend_schema(found, allow_drop=True)
    assert mended == found.differences
    assert fleet.compare_schema().differences == ()
    assert set(states(fleet_servers, fleet)) == {"done"}
    with outgrow.open(fleet.topology) as other:
        assert other.execute("SELECT name FROM customers WHERE customer_id = 1").fetchall() == []


def test_rows_are_dropped_only_on_request(fleet_servers: Servers, fleet: Fleet) -> None:
    given(fleet_servers, fleet, "extra table")
    found = fleet.compare_schema()
    (table,) = found.differences
    assert (table.what, table.drops) == ("extra", True)
    assert fleet.mend_schema(found) == ()
    assert fleet.compare_schema().differences == (table,)
    # Seen from the other side it is missing on the first shard.
    other = fleet.compare_schema(like="s2")
    assert {one.what for one in other.differences} == {"missing"}
    fleet.mend_schema(other)
    assert fleet.compare_schema().differences == ()


def test_what_nobody_can_write_is_told_and_left(fleet_servers: Servers, fleet: Fleet) -> None:
    first, second = (shard.primary for shard in fleet.topology.domains[0].shards)
    fleet_servers.sql(first, "CREATE TYPE e AS ENUM ('a', 'b')")
    fleet_servers.sql(second, "CREATE TYPE e AS ENUM ('b', 'a')")
    fleet_servers.sql(first, "CREATE TABLE t (a int, b int)")
    fleet_servers.sql(second, "CREATE TABLE t (b int, a int)")
    fleet_servers.sql(first, "CREATE TABLE parted (a int) PARTITION BY RANGE (a)")
    fleet_servers.sql(second, "CREATE TABLE parted (a int)")
    found = fleet.compare_schema().differences
    assert [(one.kind, one.statements, bool(one.note)) for one in found] == [
        ("enum", (), True),
        ("table", (), True),
        ("order of columns", (), True),
    ]


def test_a_single_table_is_nobody_elses_business(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.place("settings", single="s2")
    with fleet.session() as session:
        session.execute("CREATE TABLE settings (name text PRIMARY KEY)", shard="s2")
    assert fleet.compare_schema().differences == ()
    assert replace(fleet.compare_schema(), differences=()).mendable(allow_drop=True) == ()
    with pytest.raises(outgrow.InterfaceError, match="OG-RUN-007"):
        fleet.compare_schema(like="s9")
