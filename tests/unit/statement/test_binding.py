"""Names, depths, types and output names."""

from __future__ import annotations

import pytest

from outgrow.errors import ProgrammingError
from outgrow.schema import Order
from outgrow.statement import bind, columns_of, render, transform, type_of, walk
from outgrow.statement.tree import (
    Call,
    Cast,
    ColumnRef,
    CteScan,
    Derived,
    InList,
    Insert,
    Join,
    Literal,
    Operation,
    Parameter,
    Quantified,
    RowOf,
    RowPart,
    Scan,
    Select,
    SetOperation,
    SortKey,
    Update,
    Values,
    WholeRow,
)
from outgrow.topology import TableName
from tests.unit.statement.shop import SCHEMA

ORDERS = TableName("public", "orders")


def select(text: str) -> Select:
    tree = bind(text, SCHEMA, parameters=False).tree
    assert isinstance(tree, Select)
    return tree


def names(text: str) -> list[str]:
    return [item.name for item in select(text).items]


def test_a_column_knows_its_table_type_and_order() -> None:
    tree = select("SELECT note FROM orders o")
    assert tree.items[0].expr == ColumnRef("o", "note", "text", Order.BYTES, 0, ORDERS)


def test_a_keyed_select_is_easy_to_read() -> None:
    where = select("SELECT * FROM orders WHERE customer_id = $1 AND id IN (1, '2') AND note = ANY($2)").where
    assert isinstance(where, Operation) and where.operator == "and"
    equal, listed, any_of = where.operands
    assert isinstance(equal, Operation) and equal.operator == "="
    assert equal.operands[1] == Parameter(1)
    assert isinstance(listed, InList) and listed.items == (Literal("number", "1"), Literal("string", "2"))
    assert isinstance(any_of, Quantified) and (any_of.operator, any_of.quantifier) == ("=", "any")
    assert any_of.of == Parameter(2)


def test_typed_literals_and_casts_are_the_same() -> None:
    for text in ("'42'::int8", "int8 '42'", "CAST('42' AS bigint)", "bigint '42'"):
        assert select(f"SELECT {text}").items[0].expr == Cast(Literal("string", "42"), "int8")


def test_row_comparisons() -> None:
    where = select("SELECT 1 FROM orders WHERE (id, note) = (1, 'x')").where
    assert isinstance(where, Operation) and all(isinstance(side, RowOf) for side in where.operands)


@pytest.mark.parametrize(
    ("text", "depths"),
    [
        ("SELECT (SELECT o.id) FROM orders o", [1]),
        ("SELECT (SELECT (SELECT o.id)) FROM orders o", [2]),
        ("SELECT (SELECT 1 UNION SELECT o.id) FROM orders o", [1]),
        ("SELECT (SELECT x FROM (SELECT o.id AS x) s) FROM orders o", [0, 2]),
        ("SELECT (WITH c AS (SELECT o.id AS x) SELECT x FROM c) FROM orders o", [0, 1]),
        ("SELECT (VALUES (o.id)) FROM orders o", [1]),
        ("SELECT 1 FROM orders o, LATERAL (SELECT o.id) x", [1]),
        ("SELECT 1 FROM orders o, LATERAL (SELECT 1 FROM items i WHERE i.line = o.id) x", [0, 1]),
        ("SELECT 1 FROM orders o JOIN items i ON o.id = i.order_id", [0, 0]),
        ("SELECT 1 FROM orders o, generate_series(1, o.id) g", [0]),
    ],
)
def test_depth_counts_blocks_outwards(text: str, depths: list[int]) -> None:
    found = [node.depth for node in walk(select(text)) if isinstance(node, ColumnRef)]
    assert sorted(found) == depths
    assert all(depth == 0 for _, depth in columns_of(select(text)))


def test_columns_of_a_subquery_are_its_correlations() -> None:
    tree = select("SELECT (SELECT count(*) FROM items i WHERE i.order_id = o.id AND i.line > 1) FROM orders o")
    inner = tree.items[0].expr
    assert [(ref.name, depth) for ref, depth in columns_of(inner)] == [("id", 0)]
    assert sorted((ref.name, depth) for ref, depth in columns_of(inner.query) if depth) == [("id", 1)]  # type: ignore[attr-defined]


def test_using_merges_and_stars_expand_in_order() -> None:
    assert names("SELECT * FROM items JOIN orders ON id = order_id")[:4] == ["order_id", "line", "sku", "price"]
    assert names("SELECT * FROM side.notes JOIN customers USING (customer_id)") == [
        "customer_id", "id", "body", "name", "country", "born", "spare",
    ]  # fmt: skip
    left = select("SELECT customer_id FROM customers LEFT JOIN orders USING (customer_id)").items[0].expr
    right = select("SELECT customer_id FROM customers RIGHT JOIN orders USING (customer_id)").items[0].expr
    full = select("SELECT customer_id FROM customers FULL JOIN orders USING (customer_id)").items[0]
    assert isinstance(left, ColumnRef) and left.relation == "customers"
    assert isinstance(right, ColumnRef) and right.relation == "orders"
    assert isinstance(full.expr, Call) and full.name == "customer_id"


def test_a_renamed_column_does_not_claim_its_table() -> None:
    where = select("SELECT 1 FROM orders u (note, id) WHERE u.note = 1 AND total > 2").where
    assert isinstance(where, Operation)
    columns = [node for node in walk(where) if isinstance(node, ColumnRef)]
    assert [(c.name, c.type, c.table) for c in columns] == [("note", "int8", None), ("total", "numeric", ORDERS)]


def test_group_by_prefers_input_and_order_by_output() -> None:
    tree = select("SELECT lower(note) AS note, -id AS id FROM orders GROUP BY note, id ORDER BY note, id, lower(note)")
    assert [type(key).__name__ for key in tree.group] == ["ColumnRef", "ColumnRef"]
    assert tree.order[0] == SortKey(tree.items[0].expr)
    assert tree.order[1].expr == tree.items[1].expr
    inside = tree.order[2].expr
    assert isinstance(inside, Call) and isinstance(inside.args[0], ColumnRef)


def test_nulls_stand_where_postgresql_puts_them() -> None:
    keys = select("SELECT id FROM orders ORDER BY id, id DESC, id NULLS FIRST, id DESC NULLS LAST").order
    assert [(key.descending, key.nulls_first) for key in keys] == [
        (False, False), (True, True), (False, True), (True, False),
    ]  # fmt: skip


def test_ordinals_resolve_to_expressions() -> None:
    tree = select("SELECT id + 1, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC")
    assert tree.group == (tree.items[0].expr,)
    assert tree.order == (SortKey(tree.items[1].expr, True, True),)
    assert render(tree).endswith("GROUP BY 1 ORDER BY 2 DESC")


def test_set_operations_order_by_position() -> None:
    tree = bind("SELECT id, note FROM orders UNION SELECT 1, 'x' ORDER BY note DESC, 1", SCHEMA).tree
    assert isinstance(tree, SetOperation)
    assert tree.order == ((1, True, True), (0, False, False))


def test_commas_bind_less_than_joins() -> None:
    tree = select("SELECT 1 FROM orders a, customers b JOIN items c ON true")
    assert isinstance(tree.source, Join) and isinstance(tree.source.right, Join)


def test_ctes_shadow_tables_and_tell_their_columns() -> None:
    tree = select("WITH orders (a) AS (SELECT id, note FROM orders) SELECT * FROM orders AS o")
    assert isinstance(tree.source, CteScan) and tree.source.alias == "o"
    assert [item.name for item in tree.items] == ["a", "note"]
    inner = tree.with_.ctes[0].query
    assert isinstance(inner, Select) and isinstance(inner.source, Scan)
    assert bind("WITH c AS (SELECT 1) SELECT * FROM c", SCHEMA).reads == ()


def test_derived_tables_pass_types_on() -> None:
    tree = select("SELECT k, t, n FROM (SELECT customer_id AS k, note AS t, count(*) AS n FROM orders) AS s")
    assert isinstance(tree.source, Derived)
    assert [(type_of(item.expr)) for item in tree.items] == ["int8", "text", "int8"]
    expr = tree.items[1].expr
    assert isinstance(expr, ColumnRef) and expr.order is Order.BYTES and expr.table is None


#: Type → what nullif is beside each (pg_typeof on PostgreSQL 15).
NULLIF = {
    "int2": "int2 int2 int2 numeric float8 float8",
    "int4": "int4 int4 int4 numeric float8 float8",
    "int8": "int8 int8 int8 numeric float8 float8",
    "numeric": "numeric numeric numeric numeric float8 float8",
    "float4": "float4 float4 float4 float4 float4 float4",
    "float8": "float8 float8 float8 float8 float8 float8",
}


@pytest.mark.parametrize("one", NULLIF)
def test_nullif_of_numbers_is_what_equality_makes_of_the_first(one: str) -> None:
    items = ", ".join(f"nullif(NULL::{one}, NULL::{other})" for other in NULLIF)
    assert [type_of(item.expr) for item in select(f"SELECT {items}").items] == NULLIF[one].split()


@pytest.mark.parametrize(
    ("call", "expected"),
    [("'5', 5.0", "numeric"), ("5, '5'", "int4"), ("'a', 'b'", "text"), ("NULL, 'b'::varchar", "text"),
     ("'a'::varchar, NULL", "text"), ("'a'::varchar, 'b'::text", "text"), ("'a'::name, 'b'::text", "name"),
     ("5, $1", None), ("DATE '2024-01-01', $1", "date")],
)  # fmt: skip
def test_nullif_of_other_types(call: str, expected: str | None) -> None:
    tree = bind(f"SELECT nullif({call})", SCHEMA).tree
    assert isinstance(tree, Select) and type_of(tree.items[0].expr) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT id, o.note, id AS x, id y FROM orders o", ["id", "note", "x", "y"]),
        ("SELECT 1, 'a', $1, NULL, true, -1, id + 1, NOT true, id = 1, id IS NULL FROM orders", ["?column?"] * 10),
        ("SELECT id::text, '1'::int, '1'::character varying(3), CAST('x' AS side.notes)", None),
        ("SELECT '1'::int, '1'::bigint, '1'::character varying(3), '1'::timestamp with time zone, '{}'::text[]",
         ["int4", "int8", "varchar", "timestamptz", "text"]),
        ("SELECT interval '1 day', date '2024-01-01', id::text FROM orders", ["interval", "date", "id"]),
        ("SELECT count(*), pg_catalog.lower('x'), coalesce(1), nullif(1, 2), greatest(1)",
         ["count", "lower", "coalesce", "nullif", "greatest"]),
        ("SELECT CASE WHEN true THEN 1 END, CASE WHEN true THEN 1 ELSE id END FROM orders", ["case", "id"]),
        ("SELECT EXISTS (SELECT 1), ARRAY[1], ARRAY(SELECT 1), (SELECT id FROM orders), (SELECT 1), ROW(1, 2)",
         ["exists", "array", "array", "id", "?column?", "row"]),
        ("SELECT tags[1], (tags)[1:2], note COLLATE \"C\", placed AT TIME ZONE 'UTC' FROM orders",
         ["tags", "tags", "note", "timezone"]),
        ("SELECT EXTRACT(year FROM placed), substring(note FROM 1), trim(note), trim(LEADING FROM note) FROM orders",
         ["extract", "substring", "btrim", "ltrim"]),
        ("SELECT current_date, user, current_timestamp(3)", ["current_date", "user", "current_timestamp"]),
        ("SELECT sum(id) OVER (), count(*) FILTER (WHERE true), id IN (1) FROM orders", ["sum", "count", "?column?"]),
        ("SELECT c, (c).name FROM customers c", ["c", "name"]),
    ],
)  # fmt: skip
def test_output_names(text: str, expected: list[str] | None) -> None:
    if expected is not None:
        assert names(text) == expected


def test_whole_rows_are_known_as_such() -> None:
    assert select("SELECT o FROM orders o").items[0].expr == WholeRow("o", 0, ORDERS)
    assert isinstance(select("SELECT to_jsonb(o) FROM orders o").items[0].expr.args[0], WholeRow)  # type: ignore[attr-defined]


def test_writes() -> None:
    insert = bind("INSERT INTO items VALUES (1, 2), (3, DEFAULT)", SCHEMA).tree
    assert isinstance(insert, Insert) and isinstance(insert.source, Values)
    assert insert.columns == ("order_id", "line") and not insert.columns_written
    upsert = bind("INSERT INTO items (order_id) VALUES (1) ON CONFLICT (order_id) DO UPDATE SET line = 2", SCHEMA).tree
    assert isinstance(upsert, Insert) and upsert.conflict_assigns == ("line",)
    update = bind("UPDATE orders SET (id, note) = (1, 'x'), (total, d) = (SELECT 1, NULL)", SCHEMA).tree
    assert isinstance(update, Update)
    assert [name for name, _ in update.assigns] == ["id", "note", "total", "d"]
    assert isinstance(update.assigns[3][1], RowPart)


@pytest.mark.parametrize(
    ("text", "code", "sqlstate", "hint"),
    [
        ("SELECT * FROM order", "OPAQUE", "", ""),
        ("SELECT * FROM (SELECT id, note, note FROM orders) s", "OPAQUE", "", ""),
        ("SELECT s.* FROM (SELECT id, note, note FROM orders) AS s (a)", "OPAQUE", "", ""),
        ("SELECT note COLLATE FROM orders ORDER BY note", "OPAQUE", "", ""),
        ("SELECT * FROM ordres", "OG-STMT-010", "42P01", "orders"),
        ("SELECT * FROM other.orders", "OG-STMT-010", "42P01", "other.orders"),
        ("INSERT INTO nope VALUES (1)", "OG-STMT-010", "42P01", "nope"),
        ("SELECT totl FROM orders", "OG-STMT-011", "42703", "total"),
        ("SELECT o.totl FROM orders o", "OG-STMT-011", "42703", "total"),
        ("INSERT INTO orders (idd) VALUES (1)", "OG-STMT-011", "42703", "id"),
        ("UPDATE orders SET idd = 1", "OG-STMT-011", "42703", "id"),
        ("SELECT orders.id FROM orders o", "OG-STMT-012", "42P01", "orders"),
        ("SELECT x.id FROM orders o", "OG-STMT-012", "42P01", "x"),
        ("SELECT 1 FROM orders, orders", "OG-STMT-013", "42712", "orders"),
        ("SELECT customer_id FROM orders, customers", "OG-STMT-014", "42702", "customer_id"),
        ("SELECT id AS a, note AS a FROM orders ORDER BY a", "OG-STMT-014", "42702", "a"),
        ("SELECT *", "OG-STMT-015", "42601", ""),
        ("SELECT id FROM orders ORDER BY 2", "OG-STMT-016", "42P10", "2"),
        ("INSERT INTO items (line) VALUES (1, 2)", "OG-STMT-017", "42601", "items"),
        ("SELECT 1 FROM (SELECT id FROM orders) s WHERE s.note = 'x'", "OG-STMT-011", "42703", "note"),
        ("SELECT 1 FROM orders o, (SELECT o.id) x", "OG-STMT-012", "42P01", "o"),
    ],
)
def test_names_that_do_not_exist(text: str, code: str, sqlstate: str, hint: str) -> None:
    if code == "OPAQUE":
        assert bind(text, SCHEMA).tree is None
        return
    with pytest.raises(ProgrammingError) as caught:
        bind(text, SCHEMA, parameters=False)
    assert (caught.value.code, caught.value.sqlstate) == (code, sqlstate)
    assert hint in caught.value.message
    assert caught.value.cure


def test_transform_shares_what_stays() -> None:
    tree = select("SELECT id, note FROM orders WHERE id = $1")
    assert transform(tree, lambda node: node) is tree

    def bound(node: object) -> object:
        return Literal("number", "7") if node == Parameter(1) else node

    changed = transform(tree, bound)
    assert changed.items is tree.items
    assert render(changed).endswith("WHERE orders.id = 7")


def test_traps_of_the_parser() -> None:
    cosine = select("SELECT id <=> 2 FROM orders").items[0].expr
    assert isinstance(cosine, Operation) and cosine.operator == "<=>"
    assert bind("SELECT $1,$2", SCHEMA).placeholders.count == 2
    assert render(select("SELECT 7 / 2, 'it''s' || E'\\\\', \"Key\" FROM \"Odd name\"")) == (
        "SELECT 7 / 2, 'it''s' || E'\\\\', \"Odd name\".\"Key\" FROM \"Odd name\""
    )
    literal = bind("SELECT 5 %% 3, %s", SCHEMA)
    assert literal.sql == "SELECT 5 % 3, $1"
    assert literal.tree is not None and render(literal.tree) == "SELECT 5 % 3, $1"
