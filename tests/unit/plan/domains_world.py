"""The domain of `world`, with two others: users (PostgreSQL, one shard) and stock (MariaDB, two)."""

from __future__ import annotations

from outgrow.plan import Places, Plan, build_across
from outgrow.schema import Column, Federation, Order, Schema, Table, TableKind, federate
from outgrow.statement import bind
from outgrow.topology import Domain, Node, Role, Shard, Sharded, TableName

from .world import domain, schema


def _table(name: str, *columns: Column, space: str = "public", **more: object) -> Table:
    return Table(TableName(space, name), TableKind.TABLE, columns, **more)  # type: ignore[arg-type]


def _schema(name: str, engine: str, *tables: Table) -> Schema:
    return Schema(name, 1, ("public",), {table.name: table for table in tables}, engine=engine)


USERS = _schema(
    "users",
    "postgresql",
    _table(
        "users",
        Column("id", "int8", not_null=True),
        Column("name", "text", order=Order.BYTES),
        Column("local", "text", order=Order.LINGUISTIC, collation="public.german"),
        Column("blind", "text", order=Order.LINGUISTIC, nondeterministic=True, collation="public.blind"),
        Column("mood", "public.mood"),
        Column("born", "date"),
        Column("small", "int2"),
        primary_key=("id",),
    ),
    _table("log", Column("who", "int8"), Column("at", "timestamptz"), space="audit"),
    _table("events", Column("id", "int8")),
    _table("stores", Column("id", "int8")),
)
STOCK = _schema(
    "stock",
    "mariadb",
    _table(
        "products",
        Column("id", "int4", not_null=True),
        Column("name", "mariadb.varchar(40) collate utf8mb4_general_ci", order=Order.LINGUISTIC, nondeterministic=True),
        Column("made", "mariadb.timestamp"),
        Column("weight", "mariadb.float"),
        Column("year", "int2"),
        Column("bits", "mariadb.bit(3)"),
        primary_key=("id",),
    ),
    _table("stores", Column("id", "int4")),
)


def _domain(name: str, engine: str, shards: int, tables: dict[TableName, Sharded]) -> Domain:
    made = tuple(
        Shard(f"s{at}", Node(f"{name}/s{at}/primary", name, f"s{at}", Role.PRIMARY, "")) for at in range(1, shards + 1)
    )
    return Domain(name, engine, 16, made, tables)


DOMAINS = {
    "users": _domain("users", "postgresql", 1, {}),
    "stock": _domain(
        "stock",
        "mariadb",
        2,
        {TableName("public", "products"): Sharded(("id",)), TableName("public", "stores"): Sharded(("id",))},
    ),
}


def federation() -> Federation:
    return federate(schema(), {"users": USERS, "stock": STOCK})


def across_plan(sql: str) -> Plan:
    given = "$1" in sql
    known = federation()
    places = {"users": Places(USERS, DOMAINS["users"]), "stock": Places(STOCK, DOMAINS["stock"])}
    places[known.domain] = Places(schema(), domain())
    return build_across(bind(sql, known, parameters=given), known, places)
