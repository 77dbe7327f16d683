"""A small schema, as a server and as a snapshot, for the tests of reading SQL."""

from __future__ import annotations

from types import MappingProxyType

from outgrow.schema import Column, Function, Order, Schema, Table, TableKind, Volatility
from outgrow.topology import TableName

DDL = """
CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text NOT NULL, country text, born date, spare int4);
CREATE TABLE orders (
    id int8 PRIMARY KEY, customer_id int8, total numeric(10,2), note text, tags text[], placed timestamptz, d jsonb
);
CREATE TABLE items (order_id int8, line int4, sku varchar(12), price float8, PRIMARY KEY (order_id, line));
CREATE TABLE countries (code text PRIMARY KEY, title text COLLATE "C");
CREATE TABLE "Odd name" ("Key" int4, "select" text, "a""b" int2, value int4, key int4);
CREATE SCHEMA side;
CREATE TABLE side.notes (id int4, body text, customer_id int4);
CREATE VIEW rich AS SELECT * FROM customers WHERE customer_id < 3;
INSERT INTO customers VALUES
    (1, 'Ada', 'UK', '1815-12-10', 1), (2, 'Grace', 'US', '1906-12-09', NULL), (3, 'Edsger', 'NL', NULL, 3),
    (4, 'Barbara', NULL, '1939-11-07', 2);
INSERT INTO orders VALUES
    (1, 1, 10.50, 'first', '{a,b}', '2024-01-01 10:00+00', '{"k": {"x": 1}, "l": [1, 2]}'),
    (2, 1, 20.00, NULL, '{}', '2024-01-02 11:00+00', '{"k": null}'),
    (3, 2, 7.25, '100%', NULL, '2024-02-01 12:00+00', NULL),
    (4, 3, NULL, 'it''s', '{c}', NULL, '[1, 2, 3]'), (5, NULL, 1.00, '', '{a}', '2023-12-31 23:59+00', '{}');
INSERT INTO items VALUES (1, 1, 'S1', 1.5), (1, 2, 'S2', 2.25), (2, 1, 'S1', NULL), (3, 1, 'S3', 1e10);
INSERT INTO countries VALUES ('UK', 'United Kingdom'), ('US', 'United States'), ('NL', 'Netherlands');
INSERT INTO "Odd name" VALUES (1, 'x', 2, 3, 4), (2, NULL, 3, 5, 6);
INSERT INTO side.notes VALUES (1, 'hello', 1), (2, 'world', 3);
"""


def _table(name: str, columns: str, schema: str = "public", kind: TableKind = TableKind.TABLE) -> Table:
    """`columns` as in "id:int8 name:text"."""
    listed = []
    for column in columns.split(" "):
        column_name, _, type = column.partition(":")
        order = Order.BYTES if type in ("text", "varchar") else Order.NONE
        listed.append(Column(column_name.replace("~", " "), type, order=order))
    return Table(TableName(schema, name), kind, tuple(listed))


_CUSTOMERS = "customer_id:int8 name:text country:text born:date spare:int4"
TABLES = (
    _table("customers", _CUSTOMERS),
    _table("orders", "id:int8 customer_id:int8 total:numeric note:text tags:_text placed:timestamptz d:jsonb"),
    _table("items", "order_id:int8 line:int4 sku:varchar price:float8"),
    _table("countries", "code:text title:text"),
    _table("Odd name", 'Key:int4 select:text a"b:int2 value:int4 key:int4'),
    _table("notes", "id:int4 body:text customer_id:int4", "side"),
    _table("rich", _CUSTOMERS, kind=TableKind.VIEW),
    _table("ticket", "last_value:int8 log_cnt:int8 is_called:bool", kind=TableKind.SEQUENCE),
)
#: Without functions: the room's own table of PostgreSQL's functions serves.
SCHEMA = Schema("sales", 1, ("public",), MappingProxyType({table.name: table for table in TABLES}))


def with_functions(*functions: tuple[str, str, Volatility, bool]) -> Schema:
    """The schema with exactly these functions: (schema, name, volatility, builtin)."""
    known: dict[str, list[Function]] = {}
    for schema, name, volatility, builtin in functions:
        known.setdefault(name, []).append(Function(schema, name, "function", volatility, "int4", False, builtin))
    return Schema(
        "sales", 1, ("public",), SCHEMA.tables, MappingProxyType({name: tuple(f) for name, f in known.items()})
    )
