"""A small domain of MariaDB for plan tests: text of several collations, and types that Python does not order."""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan import Plan, build
from outgrow.schema import FUNCTIONS, Column, Order, Schema
from outgrow.statement import bind
from outgrow.topology import Copied, Sharded

from .world import domain, name, table

CI = "mariadb.varchar(30) collate utf8mb4_general_ci"
TABLES = (
    table(
        "orders",
        Column("id", "int8", not_null=True),
        Column("customer", "varchar", (20 + 4), order=Order.BYTES),
        Column("note", CI, order=Order.LINGUISTIC, nondeterministic=True),
        Column("memo", "mariadb.varchar(20) collate utf8mb4_bin", order=Order.LINGUISTIC, nondeterministic=True),
        Column("word", "mariadb.char(20) collate utf8mb4_unicode_ci", order=Order.LINGUISTIC, nondeterministic=True),
        Column("body", "text", order=Order.BYTES),
        Column("region", "int4"),
        Column("n", "int4"),
        Column("total", "numeric", (10 << 16 | 2) + 4),
        Column("ratio", "float8"),
        Column("day", "date"),
        Column("made", "timestamp"),
        Column("at", "mariadb.datetime"),
        Column("stamp", "mariadb.timestamp(3)"),
        Column("weight", "mariadb.float"),
        Column("kind", "mariadb.enum('a','b') collate utf8mb4_general_ci", order=Order.LINGUISTIC),
        Column("u", "mariadb.bigint unsigned"),
        Column("token", "uuid"),
        primary_key=("id",),
    ),
    table("items", Column("order_id", "int8"), Column("pos", "int4"), Column("qty", "int2"), Column("price", "float8"),
          primary_key=("order_id", "pos")),
    table("regions", Column("id", "int4"), Column("title", "varchar", order=Order.BYTES), primary_key=("id",)),
)  # fmt: skip
PLACEMENTS = {
    name("orders"): Sharded(("id",)),
    name("items"): Sharded(("order_id",)),
    name("regions"): Copied(),
}


def mariadb_schema() -> Schema:
    return Schema(
        "shop", 1, ("public",), {each.name: each for each in TABLES}, functions=FUNCTIONS, engine="mariadb",
        default_order=Order.LINGUISTIC,
    )  # fmt: skip


def mariadb_plan(sql: str) -> Plan:
    described = mariadb_schema()
    shop = replace(domain(), engine="mariadb", tables=PLACEMENTS)
    return build(bind(sql, described, parameters="%s" in sql), described, shop)
