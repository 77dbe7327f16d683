"""A small domain for plan tests: three shards, every kind of placement, keys of several types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.plan import Located, Plan, build, locate
from outgrow.schema import Column, Function, Order, Schema, SequenceDefinition, Table, TableKind, Volatility
from outgrow.statement import bind
from outgrow.topology import Copied, Domain, Node, Role, Shard, Sharded, Single, TableName

SHARDS = ("s1", "s2", "s3")


def name(text: str) -> TableName:
    return TableName("public", text)


def view(called: str, definition: str, *columns: Column, **more: Any) -> Table:
    """`definition` as the server prints it."""
    return table(called, *columns, kind=TableKind.VIEW, definition=definition, **more)


def text(column: str, order: Order = Order.BYTES, **more: Any) -> Column:
    return Column(column, "text", order=order, **more)


def table(called: str, *columns: Column, **more: Any) -> Table:
    return Table(name(called), more.pop("kind", TableKind.TABLE), columns, **more)


TABLES = (
    table(
        "customers",
        Column("customer_id", "int8", not_null=True),
        text("name"),
        text("city", Order.LINGUISTIC),
        text("nick", nondeterministic=True),
        Column("vip", "bool"),
        Column("score", "numeric"),
        Column("seen", "timestamptz"),
        Column("weight", "float4"),
        Column("wait", "interval"),
        primary_key=("customer_id",),
    ),
    table(
        "orders",
        Column("order_id", "int8", not_null=True),
        Column("customer_id", "int8"),
        Column("total", "numeric", typmod=(10 << 16 | 2) + 4),
        Column("qty", "int4"),
        text("status"),
        Column("day", "date"),
    ),
    table("items", Column("customer_id", "int4"), Column("price", "float8"), text("note")),
    table("docs", text("slug"), text("title")),
    table("tags", Column("slug", "varchar", order=Order.BYTES), text("tag")),
    table("flags", Column("flag", "bool"), Column("n", "int4")),
    table("events", Column("device", "int8"), text("sort"), Column("n", "int4")),
    table("loud", text("word", nondeterministic=True, collation="public.blind")),
    table("numbered", Column("id", "int8", default="nextval('numbered_id_seq'::regclass)", serial=True,
                             default_volatile=True, not_null=True, sequence=name("numbered_id_seq")),
          Column("customer_id", "int8"), primary_key=("id",)),
    table("drawn", Column("key", "int8", default="nextval('s'::regclass)", serial=True, default_volatile=True,
                          sequence=name("s")),
          Column("n", "int4")),
    table("tickets", Column("id", "int8", serial=True, default_volatile=True, not_null=True, identity="always",
                            sequence=name("tickets_id_seq")),
          Column("customer_id", "int8"),
          text("label", default="('T-'::text || nextval('labels'::regclass))", serial=True, default_volatile=True,
               sequence=name("labels"))),
    table("people", Column("id", "int4", serial=True, default_volatile=True, not_null=True, identity="by default",
                           sequence=name("people_id_seq")), text("name")),
    table("odd", Column("id", "int8", default="nextval(('s'::text)::regclass)", serial=True, default_volatile=True),
          Column("customer_id", "int8")),
    table("stamps", Column("id", "int4", default="nextval('stamps_id_seq'::regclass)", serial=True,
                           default_volatile=True, sequence=name("stamps_id_seq")), text("stamp")),
    table("notes", Column("id", "int4", default="nextval('notes_id_seq'::regclass)", serial=True,
                          default_volatile=True, sequence=name("notes_id_seq")), text("note")),
    table("fixed", Column("key", "int8", default="7"), Column("n", "int4")),
    table("countries", text("code"), text("name"), Column("eu", "bool")),
    table("settings", text("name"), text("value")),
    table("other_settings", text("name")),
    table("unlisted", Column("id", "int8"), primary_key=("id",)),
    table("view_of_orders", Column("customer_id", "int8"), kind=TableKind.VIEW),
    table("stored", Column("qty", "int4"), kind=TableKind.MATERIALIZED_VIEW),
    table("totals", Column("qty", "int4"), kind=TableKind.MATERIALIZED_VIEW),
    table("watched", Column("qty", "int4"), row_security=True),
    table("guarded", Column("customer_id", "int8"), row_security=True),
    *(view(*each, security_barrier=each[0] == "shut") for each in (
        ("big", " SELECT o.customer_id,\n    o.total AS amount\n   FROM orders o\n  WHERE (o.qty > 1);",
         Column("customer_id", "int8"), Column("amount", "numeric")),
        ("bigger", " SELECT big.customer_id,\n    c.name\n   FROM (big\n     JOIN customers c USING (customer_id));",
         Column("customer_id", "int8"), text("name")),
        ("by_qty", " SELECT orders.qty,\n    count(*) AS n\n   FROM orders\n  GROUP BY orders.qty;",
         Column("qty", "int4"), Column("n", "int8")),
        ("all_ids", " SELECT orders.customer_id AS id\n   FROM orders\nUNION ALL\n SELECT items.customer_id AS id\n"
         "   FROM items;", Column("id", "int8")),
        ("eu", " SELECT countries.code\n   FROM countries\n  WHERE countries.eu;", text("code")),
        ("setting_names", " SELECT settings.name\n   FROM settings;", text("name")),
        ("mine_of", " SELECT mine(orders.qty) AS mine\n   FROM orders;", Column("mine", "int4")),
        ("dice", " SELECT orders.qty,\n    random() AS roll\n   FROM orders;",
         Column("qty", "int4"), Column("roll", "float8")),
        ("peeking", " SELECT orders.customer_id,\n    peek(orders.qty) AS peek\n   FROM orders;",
         Column("customer_id", "int8"), Column("peek", "int4")),
        ("shut", " SELECT orders.qty\n   FROM orders;", Column("qty", "int4")),
        ("odd_view", " SELECT XMLELEMENT(NAME a) AS x\n   FROM orders;", Column("x", "xml")),
        ("stray", " SELECT unlisted.id\n   FROM unlisted;", Column("id", "int8")),
        ("placed_odd", " SELECT XMLELEMENT(NAME a) AS x,\n    orders.customer_id\n   FROM orders;",
         Column("x", "xml"), Column("customer_id", "int8")),
        ("on_s2", " SELECT orders.qty\n   FROM orders;", Column("qty", "int4")),
    )),
)  # fmt: skip

SEQUENCES = tuple(
    SequenceDefinition(name(each))
    for each in "numbered_id_seq s tickets_id_seq labels people_id_seq stamps_id_seq notes_id_seq".split()
)

PLACEMENTS = {
    name("customers"): Sharded(("customer_id",)),
    name("orders"): Sharded(("customer_id",)),
    name("items"): Sharded(("customer_id",)),
    name("docs"): Sharded(("slug",)),
    name("tags"): Sharded(("slug",)),
    name("flags"): Sharded(("flag",)),
    name("events"): Sharded(("device", "sort")),
    name("loud"): Sharded(("word",)),
    name("numbered"): Sharded(("customer_id",)),
    name("drawn"): Sharded(("key",)),
    name("fixed"): Sharded(("key",)),
    name("tickets"): Sharded(("customer_id",)),
    name("people"): Sharded(("id",)),
    name("odd"): Sharded(("customer_id",)),
    name("stamps"): Copied(),
    name("notes"): Single("s2"),
    name("stored"): Sharded(("qty",)),
    name("totals"): Copied(),
    name("watched"): Copied(),
    name("guarded"): Sharded(("customer_id",)),
    name("view_of_orders"): Sharded(("customer_id",)),
    name("placed_odd"): Sharded(("customer_id",)),
    name("on_s2"): Single("s2"),
    name("countries"): Copied(),
    name("settings"): Single("s2"),
    name("other_settings"): Single("s3"),
}


_I, _S, _V = Volatility.IMMUTABLE, Volatility.STABLE, Volatility.VOLATILE


def _builtin(
    names: str, volatility: Volatility, kind: str = "function", returns: str = "int8", set_: bool = False
) -> dict[str, tuple[Function, ...]]:
    return {each: (Function("pg_catalog", each, kind, volatility, returns, set_, True),) for each in names.split()}


def _own(called: str, volatility: Volatility, kind: str = "function") -> tuple[Function, ...]:
    return (Function("public", called, kind, volatility, "int4", False, False),)


FUNCTIONS = {
    **_builtin("count sum min max avg bool_and bool_or every string_agg array_agg stddev", _I, "aggregate"),
    **_builtin("row_number rank", _I, "window"),
    **_builtin("abs lower upper round length", _I),
    **_builtin("now date_trunc pg_postmaster_start_time", _S),
    **_builtin("random nextval currval lastval setval pg_advisory_lock clock_timestamp", _V),
    **_builtin("generate_series unnest", _I, set_=True),
    "mine": _own("mine", _I),
    "peek": _own("peek", _S),
    "median": _own("median", _I, "aggregate"),
}


def schema(default_order: Order = Order.BYTES, linguistic: bool = True) -> Schema:
    tables = TABLES
    if not linguistic:
        tables = tuple(each for each in tables if each.name.name != "customers")
    return Schema(
        "d", 1, ("public",), {each.name: each for each in tables}, FUNCTIONS,
        sequences={each.name: each for each in SEQUENCES}, default_order=default_order,
    )  # fmt: skip


def domain(shards: Sequence[str] = SHARDS) -> Domain:
    return Domain(
        "d",
        "postgresql",
        64,
        tuple(Shard(shard, Node(f"d/{shard}/primary", "d", shard, Role.PRIMARY, "")) for shard in shards),
        PLACEMENTS,
    )


class Placer:
    """Shards that a reader of a test can compute: an integer's remainder, a text's length, NULL on s1."""

    shards: tuple[str, ...] = SHARDS

    def shards_for(self, types: tuple[str, ...], key: tuple[object, ...]) -> str:
        total = 0
        for value in key:
            total += value if isinstance(value, int) else 0 if value is None else len(str(value))
        return self.shards[int(total) % len(self.shards)]

    @property
    def owners(self) -> tuple[str, ...]:
        return self.shards

    def slot(self, types: tuple[str, ...], key: tuple[object, ...]) -> int:
        return self.shards.index(self.shards_for(types, key))

    def slots_between(self, types: tuple[str, ...], low: Any, high: Any, high_open: bool) -> range | None:
        return None


def plan(sql: str, *, params: bool | None = None, order: Order = Order.BYTES, shards: Sequence[str] = SHARDS) -> Plan:
    given = "$1" in sql or "%s" in sql if params is None else params
    described = schema(order)
    return build(bind(sql, described, parameters=given), described, domain(shards))


def where(sql: str, *params: Any) -> tuple[str, ...]:
    """The shards of one execution, whether or not the statement could be scattered."""
    made = plan(sql)
    from dataclasses import replace

    return located(replace(made, refusal=None), *params).shards


def located(made: Plan, *params: Any) -> Located:
    return locate(made, params, Placer())
