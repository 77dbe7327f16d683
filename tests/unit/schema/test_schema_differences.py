"""Each way in which two shards can disagree has its code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outgrow.schema import Column, ForeignKey, Order, Schema, Table, TableKind, differences, with_tables_of
from outgrow.topology import TableName

NAME = TableName("public", "orders")
COLUMNS = (
    Column("id", "int8", not_null=True),
    Column("total", "numeric", typmod=655366, default="0"),
    Column("note", "text", order=Order.BYTES),
)
TABLE = Table(NAME, TableKind.TABLE, COLUMNS, primary_key=("id",), unique_keys=(("id", "note"), ("note",)))


def schema(*tables: Table, **other: object) -> Schema:
    return replace(Schema("sales", 1, ("pg_catalog", "public"), {t.name: t for t in tables}), **other)  # type: ignore[arg-type]


def with_column(index: int, **changes: object) -> Table:
    columns = list(COLUMNS)
    columns[index] = replace(columns[index], **changes)  # type: ignore[arg-type]
    return replace(TABLE, columns=tuple(columns))


def test_equal_snapshots_do_not_differ_whatever_the_order_of_unique_keys() -> None:
    other = replace(TABLE, unique_keys=(("note",), ("id", "note")))
    assert differences(schema(TABLE), schema(other)) == ()


@pytest.mark.parametrize(
    ("other", "code", "what"),
    [
        (replace(TABLE, kind=TableKind.VIEW), "OG-SCHEMA-011", "kind"),
        (replace(TABLE, columns=COLUMNS[:2]), "OG-SCHEMA-012", "column note"),
        (replace(TABLE, columns=(*COLUMNS, Column("x", "date"))), "OG-SCHEMA-012", "column x"),
        (with_column(0, type="int4"), "OG-SCHEMA-013", "type of column id"),
        (with_column(1, typmod=-1), "OG-SCHEMA-013", "type of column total"),
        (with_column(1, default=None), "OG-SCHEMA-014", "default of column total"),
        (with_column(0, not_null=False), "OG-SCHEMA-014", "not null of column id"),
        (with_column(2, order=Order.LINGUISTIC), "OG-SCHEMA-014", "order of column note"),
        (with_column(2, nondeterministic=True), "OG-SCHEMA-014", "nondeterministic of column note"),
        (replace(TABLE, columns=COLUMNS[::-1]), "OG-SCHEMA-014", "order of columns"),
        (replace(TABLE, primary_key=("note",)), "OG-SCHEMA-015", "primary key"),
        (replace(TABLE, unique_keys=()), "OG-SCHEMA-015", "unique keys"),
        (replace(TABLE, foreign_keys=(ForeignKey(("id",), NAME, ("id",)),)), "OG-SCHEMA-015", "foreign keys"),
        (replace(TABLE, triggers=("audit",)), "OG-SCHEMA-016", "triggers"),
        (replace(TABLE, row_security=True), "OG-SCHEMA-016", "row security"),
    ],
)
def test_one_change_is_one_difference(other: Table, code: str, what: str) -> None:
    (found,) = differences(schema(TABLE), schema(other))
    assert (found.code, found.what, found.table) == (code, what, NAME)
    assert found.here != found.there
    error = found.error("s1", "s2")
    assert error.code == code
    assert error.shard == "s2"
    assert "orders" in error.message
    assert error.cure


def test_a_missing_table_is_told_unless_it_was_not_asked_for() -> None:
    (found,) = differences(schema(TABLE), schema())
    assert (found.code, found.here, found.there) == ("OG-SCHEMA-010", "table", "")
    assert differences(schema(TABLE), schema(), tables=[TableName("public", "other")]) == ()


def test_system_relations_are_not_compared() -> None:
    system = replace(TABLE, name=TableName("pg_catalog", "pg_class"))
    assert differences(schema(system), schema()) == ()


def test_servers_that_sort_differently_differ() -> None:
    (found,) = differences(schema(), schema(default_order=Order.LINGUISTIC))
    assert found.code == "OG-SCHEMA-017"
    (found,) = differences(schema(), schema(search_path=("pg_catalog", "app")))
    assert found.code == "OG-SCHEMA-018"


def test_single_tables_are_taken_from_their_own_shard() -> None:
    whole = with_tables_of(schema(), schema(TABLE), [NAME, TableName("public", "nowhere")])
    assert whole.find("orders") is TABLE
    assert len(whole.tables) == 1
