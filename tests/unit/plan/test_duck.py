"""Brought queries in DuckDB's words, and what is left to PostgreSQL: pure, so nothing is run."""

from __future__ import annotations

from typing import Any

import pytest

from outgrow.plan import ColumnType, Rendered, Unvetted, render_duckdb, shapes_of
from outgrow.schema import Order
from tests.unit.plan.world import plan


def rendered(sql: str, *values: Any, order: Order = Order.BYTES, last_scale: int = 2) -> Rendered | Unvetted:
    """`last_scale` is that of the last numeric column brought, the others' is 2."""
    brought = plan(sql, order=order).brought
    assert brought is not None and brought.tree is not None, sql
    columns = shapes_of(brought.tree, brought.by_bytes)
    numerics = [number for number, column in columns.items() if column.name == "numeric"]
    if numerics:
        columns[max(numerics)] = ColumnType("numeric", scale=last_scale)
    return render_duckdb(brought.tree, values, columns, order is Order.BYTES)


def sql_of(sql: str, *values: Any, last_scale: int = 2) -> str:
    found = rendered(sql, *values, last_scale=last_scale)
    assert isinstance(found, Rendered), found
    return found.sql


def test_names_do_not_reach_it() -> None:
    sql = sql_of('SELECT o.status AS "Foo", d.title foo FROM orders o JOIN docs d ON d.slug = o.status')
    assert sql == "SELECT r1.c1, r2.c1 FROM (b1 AS r1 (c1) CROSS JOIN b2 AS r2 (c1, c2)) WHERE (r2.c2 = r1.c1)"


def test_an_integer_division_cuts_and_a_numeric_one_is_left_to_python() -> None:
    join = "FROM orders o JOIN docs d ON d.slug = o.status"
    assert rendered(f"SELECT avg(o.qty) OVER () {join}") == Unvetted("the window function avg")
    found = rendered(f"SELECT o.qty / 2, o.total / o.qty {join}")
    assert isinstance(found, Rendered)
    assert "r1.c1 // CAST('2' AS INTEGER)" in found.sql and "r1.c2 / " not in found.sql
    assert [(output.type, output.column, output.divisor) for output in found.outputs] == [
        ("int4", 0, None),
        ("numeric", 1, 2),
    ]


def test_a_quotient_is_only_a_column_of_the_result() -> None:
    join = "FROM orders o JOIN docs d ON d.slug = o.status"
    for text in (
        f"SELECT sum(o.total) / 3 AS q {join} ORDER BY q",
        f"SELECT o.status {join} GROUP BY 1 HAVING avg(o.total) > 1",
        f"SELECT x.q FROM (SELECT avg(o.total) AS q {join}) x",
        f"SELECT avg(o.total) + 1 {join}",
    ):
        assert isinstance(rendered(text), Unvetted), text


def test_numerics_are_compared_with_one_scale() -> None:
    text = (
        "SELECT count(*) FROM orders o JOIN docs d ON d.slug = o.status WHERE o.total IN (SELECT score FROM customers)"
    )
    sql = sql_of(text, last_scale=4)
    assert "AS DECIMAL(38, 4)) IN (SELECT CAST(q.v AS DECIMAL(38, 4))" in sql


def test_values_of_several_scales_only_go_out() -> None:
    join = "FROM orders o JOIN docs d ON d.slug = o.status"
    found = rendered(f"SELECT coalesce(o.total, 0) {join}")
    assert isinstance(found, Rendered) and found.outputs[0].shows == 1
    found = rendered(f"SELECT coalesce(o.total, 0.00) {join}")
    assert isinstance(found, Rendered) and found.outputs[0].shows is None
    for text in (
        f"SELECT coalesce(o.total, 0) * 2 {join}",
        f"SELECT x.v FROM (SELECT coalesce(o.total, 0) AS v {join}) x",
        f"SELECT DISTINCT coalesce(o.total, 0) {join}",
        f"SELECT max(coalesce(o.total, 0)) {join}",
        f"SELECT 1 {join} ORDER BY coalesce(o.total, 0)",
    ):
        assert isinstance(rendered(text), Unvetted), text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("it's {0} {name}", "'it''s {0} {name}'"),
        ("x'; DROP TABLE b1; --", "'x''; DROP TABLE b1; --'"),
    ],
)
def test_strings_are_quoted_and_never_read_as_a_template(value: str, written: str) -> None:
    text = "SELECT count(*) FROM orders o JOIN docs d ON d.slug = o.status || %s AND o.status <> d.slug || %s"
    assert sql_of(text, value, value).count(written) == 2


@pytest.mark.parametrize(
    "item",
    [
        "lower(o.status)",
        "d.slug ~ o.status",
        "d.slug LIKE o.status",
        r"d.slug LIKE 'a\'",
        "(d.slug, 1) = (o.status, 1)",
        "mine(1)",
        "o.total::float8",
        "o.day = 'yesterday'",
        "o.qty = '0x1'",
        "o.day + '1 day'",
        "o.total / o.qty + 1",
        'o.status COLLATE "de-x-icu"',
        "avg(o.qty) FILTER (WHERE d.slug = '') + 1",
    ],
)
def test_what_is_left_to_postgresql(item: str) -> None:
    assert isinstance(rendered(f"SELECT {item} FROM orders o JOIN docs d ON d.slug = o.status"), Unvetted)


def test_columns_of_other_types_are_left() -> None:
    for column in ("weight", "wait"):
        text = f"SELECT c.{column} FROM customers c JOIN docs d ON d.slug = c.name"
        assert isinstance(rendered(text), Unvetted)


def test_text_in_a_language_s_order_is_equal_by_bytes_and_not_sorted() -> None:
    join = "FROM customers c JOIN docs d ON d.slug = c.city"
    assert isinstance(rendered(f"SELECT c.city, count(*) {join} GROUP BY 1"), Rendered)
    for text in (f"SELECT 1 {join} ORDER BY c.city", f"SELECT min(c.city) {join}", f"SELECT c.city < 'x' {join}"):
        assert rendered(text) != rendered(text.replace("c.city", "d.title"))
        assert isinstance(rendered(text), Unvetted), text


def test_parameters_of_other_classes_are_left() -> None:
    text = "SELECT o.qty + %s FROM orders o JOIN docs d ON d.slug = o.status"

    class Own(int):
        pass

    assert isinstance(rendered(text, 3), Rendered)
    assert isinstance(rendered(text, Own(3)), Unvetted)
    assert isinstance(rendered(text, [3]), Unvetted)


def test_nullif_that_postgresql_widens_is_left_to_it() -> None:
    join = "FROM orders o JOIN docs d ON d.slug = o.status"
    for item in ("nullif(o.qty, 0.0)", "nullif(o.qty, o.total)", "o.qty / nullif(o.qty, 2.0)"):
        assert rendered(f"SELECT {item} {join}") == Unvetted("nullif of int4 and numeric"), item
    for item in ("nullif(o.total, 0)", "nullif(o.qty, 0::int8)", "nullif(o.status, 'x')"):
        assert isinstance(rendered(f"SELECT {item} {join}"), Rendered), item
