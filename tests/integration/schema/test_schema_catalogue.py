"""The catalogue queries on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from outgrow.schema import Order, Schema, TableKind, Volatility, build, differences, queries
from outgrow.topology import TableName
from tests.servers import Servers

DDL = r"""
CREATE SCHEMA shop;
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN stamp AS uuid DEFAULT gen_random_uuid();
CREATE FUNCTION shop.dice() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 4';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE parent (
    id bigserial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY, name varchar(20) NOT NULL DEFAULT 'x' UNIQUE,
    twice text GENERATED ALWAYS AS (name || name) STORED, price numeric(10, 2), tags text[], feeling mood, mail email,
    at timestamptz DEFAULT now(), rolled int DEFAULT shop.dice(), token stamp, c "char", p char(3) COLLATE "POSIX",
    UNIQUE (price, mail), UNIQUE (tags) DEFERRABLE,
    CONSTRAINT one_place EXCLUDE USING btree (id WITH =) WHERE (id > 5)
);
CREATE UNIQUE INDEX ON parent (lower(name));
CREATE UNIQUE INDEX ON parent (at) WHERE at > '2020-01-01';
CREATE UNIQUE INDEX ON parent (rolled) INCLUDE (c);
CREATE TABLE child (id int8 REFERENCES parent ON DELETE CASCADE, a int, b int, PRIMARY KEY (id, b));
CREATE TABLE "Grand child" (id int8, b int, FOREIGN KEY (id, b) REFERENCES child ON UPDATE SET NULL);
CREATE TABLE shop.parts (k int, v text) PARTITION BY HASH (k);
CREATE TABLE shop.parts0 PARTITION OF shop.parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TRIGGER t_note BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION note();
CREATE RULE keep AS ON DELETE TO child DO INSTEAD NOTHING;
CREATE VIEW names AS SELECT name, shop.dice() FROM parent;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
ALTER TABLE shop.parts ENABLE ROW LEVEL SECURITY;
ALTER TABLE child DROP COLUMN a;
CREATE SCHEMA outgrow;
CREATE TABLE outgrow.meta (version int);
CREATE TEMP TABLE temporary (a int);
"""


@pytest.fixture(scope="module")
def server(fleet_servers: Servers) -> Iterator[str]:
    topology = fleet_servers.fresh()
    yield topology.domains[0].home.primary.dsn
    fleet_servers.drop(topology)


def snapshot(connection: psycopg.Connection[tuple[object, ...]]) -> Schema:
    return build("sales", 1, {name: connection.execute(sql).fetchall() for name, sql in queries().items()})


@pytest.fixture(scope="module")
def schema(server: str) -> Iterator[Schema]:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(DDL)
        yield snapshot(connection)


def test_server_facts(schema: Schema, server: str) -> None:
    assert schema.search_path[-2:] == ("pg_catalog", "public")
    assert schema.default_order is Order.BYTES
    assert schema.server_version >= 150000


def test_columns_and_their_types_by_name(schema: Schema) -> None:
    parent = schema.find("parent")
    assert parent is not None
    types = {column.name: column.type for column in parent.columns}
    assert types == {
        "id": "int8", "other": "int4", "name": "varchar", "twice": "text", "price": "numeric", "tags": "_text",
        "feeling": "public.mood", "mail": "public.email", "at": "timestamptz", "rolled": "int4",
        "token": "public.stamp", "c": "char", "p": "bpchar",
    }  # fmt: skip
    column = {column.name: column for column in parent.columns}
    assert (column["name"].typmod, column["price"].typmod) == (24, 655366)
    assert column["name"].default == "'x'::character varying"
    assert column["id"].not_null
    assert column["name"].not_null
    assert not column["price"].not_null
    child = schema.find("child")
    assert child is not None
    assert [c.name for c in child.columns] == ["id", "b"]


def test_defaults_are_told_apart(schema: Schema) -> None:
    parent = schema.find("parent")
    assert parent is not None
    column = {column.name: column for column in parent.columns}
    assert {name for name, c in column.items() if c.serial} == {"id", "other"}
    assert {name for name, c in column.items() if c.default_volatile} == {"id", "other", "rolled", "token"}
    assert {name for name, c in column.items() if c.generated} == {"twice"}
    assert column["twice"].default is None
    assert column["token"].default == "gen_random_uuid()"
    assert column["at"].default == "now()"


def test_collations(schema: Schema) -> None:
    parent = schema.find("parent")
    assert parent is not None
    orders = {column.name: column.order for column in parent.columns if column.order is not Order.NONE}
    assert orders.pop("p") is Order.BYTES
    assert set(orders) == {"name", "twice", "tags", "mail"}
    assert set(orders.values()) == {Order.BYTES}


def test_keys_and_cascades(schema: Schema) -> None:
    parent, child, grand = schema.find("parent"), schema.find("child"), schema.find("Grand child")
    assert parent is not None
    assert child is not None
    assert grand is not None
    assert parent.primary_key == ("id",)
    assert set(parent.unique_keys) == {("name",), ("price", "mail"), ("rolled",)}
    assert [apart.columns for apart in parent.apart] == [(), ("at",), ("id",)]
    assert parent.apart[2].name == "one_place"
    assert child.apart == ()
    assert child.primary_key == ("id", "b")
    assert parent.cascades_to == (child.name, grand.name)
    assert grand.foreign_keys[0].columns == ("id", "b")
    assert grand.cascades_to == ()


def test_triggers_rules_views_partitions_security(schema: Schema) -> None:
    child, names, parts = schema.find("child"), schema.find("names"), schema.find("parts", "shop")
    assert child is not None
    assert names is not None
    assert parts is not None
    assert child.triggers == ("t_note", "keep")
    assert names.kind is TableKind.VIEW
    assert "dice()" in (names.definition or "")
    assert names.triggers == ()
    assert parts.kind is TableKind.PARTITIONED
    assert parts.row_security
    assert schema.tables[TableName("shop", "parts0")].partition_of == parts.name
    materialized = schema.find("m")
    assert materialized is not None
    assert materialized.kind is TableKind.MATERIALIZED_VIEW


def test_functions_and_types(schema: Schema) -> None:
    assert schema.types == {"mood": "enum", "email": "domain", "stamp": "domain"}
    assert {f.volatility for f in schema.functions["nextval"]} == {Volatility.VOLATILE}
    assert {f.kind for f in schema.functions["sum"]} == {"aggregate"}
    assert {f.kind for f in schema.functions["row_number"]} == {"window"}
    assert [f.returns_set for f in schema.functions["unnest"]] == [True] * len(schema.functions["unnest"])
    (dice,) = schema.functions["dice"]
    assert (dice.schema, dice.builtin, dice.returns, dice.volatility) == ("shop", False, "int4", Volatility.VOLATILE)


def test_what_is_nobodys_business_is_left_out(schema: Schema) -> None:
    schemas = {name.schema for name in schema.tables}
    assert schemas == {"public", "shop", "pg_catalog", "information_schema"}
    assert schema.find("pg_class") is not None


def test_collations_of_the_provider(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_collation WHERE collname = 'de-x-icu'").fetchone():
            pytest.skip("this server has no ICU")
        connection.execute("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        collations = ("ci", '"de-x-icu"', "ucs_basic")
        columns = ", ".join(f"{name} text COLLATE {c}" for name, c in zip("abc", collations, strict=True))
        connection.execute(f"CREATE TABLE words ({columns})")
        words = snapshot(connection).find("words")
        connection.execute("DROP TABLE words")
    assert words is not None
    assert [column.order for column in words.columns] == [Order.LINGUISTIC, Order.LINGUISTIC, Order.BYTES]
    assert [column.nondeterministic for column in words.columns] == [True, False, False]


def test_two_databases_are_compared(server: str, schema: Schema) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        assert differences(schema, snapshot(connection)) == ()
        connection.execute('ALTER TABLE parent ALTER price TYPE numeric(12, 2); DROP TABLE "Grand child"')
        found = differences(schema, snapshot(connection))
    assert [(str(d.table), d.code) for d in found] == [("Grand child", "OG-SCHEMA-010"), ("parent", "OG-SCHEMA-013")]
