"""Catalogue rows in, `Schema` out."""

from __future__ import annotations

import pytest

from outgrow.errors import InternalError, OperationalError
from outgrow.schema import (
    Apart,
    FleetUnique,
    ForeignKey,
    Order,
    Schema,
    TableKind,
    Volatility,
    build,
    fleet_unique_text,
    queries,
)
from outgrow.topology import TableName

COLUMN = ("public", "t", "a", "text", -1, False, None, False, False, False, False)


def server(
    provider: str = "c",
    collate: str = "C.UTF-8",
    locale: str | None = None,
    encoding: str = "UTF8",
    version: int = 150018,
) -> list[tuple]:
    return [(version, ["pg_catalog", "public"], encoding, provider, collate, locale)]


def table(name: str, kind: str = "r") -> tuple:
    return ("public", name, kind, None, None, None, False, None, None, None, False, None)


def foreign(child: str, parent: str, on_delete: str) -> tuple:
    return ("foreign", "public", child, ["p"], "public", parent, ["id"], "a", on_delete)


def built(**rows: list[tuple]) -> Schema:
    answers: dict[str, list[tuple]] = {name: [] for name in queries()}
    return build("sales", 3, {**answers, "server": server(), **rows})


def order_of(collation: tuple, **answers: list[tuple]) -> Order:
    schema = built(relations=[table("t")], columns=[(*COLUMN, *collation, None)], **answers)
    return schema.tables[TableName("public", "t")].columns[0].order


DEFAULT = (False, "default", "d", None, True)


@pytest.mark.parametrize(
    ("provider", "collate", "locale", "encoding", "expected"),
    [
        ("c", "C", None, "UTF8", Order.BYTES),
        ("c", "POSIX", None, "UTF8", Order.BYTES),
        ("c", "C.UTF-8", None, "UTF8", Order.BYTES),
        ("c", "de_DE.UTF-8", None, "UTF8", Order.LINGUISTIC),
        ("b", "de_DE.UTF-8", "C.UTF-8", "UTF8", Order.BYTES),
        ("i", "C.UTF-8", "und", "UTF8", Order.LINGUISTIC),
        ("c", "C", None, "EUC_JP", Order.LINGUISTIC),
        ("c", "C", None, "SQL_ASCII", Order.LINGUISTIC),
    ],
)
def test_the_databases_collation_decides_for_default_columns(
    provider: str, collate: str, locale: str | None, encoding: str, expected: Order
) -> None:
    answer = server(provider, collate, locale, encoding=encoding)
    assert order_of(DEFAULT, server=answer) is expected
    assert built(server=answer).default_order is expected


@pytest.mark.parametrize(
    ("collation", "expected"),
    [
        ((False, "C", "c", "C", True), Order.BYTES),
        ((False, "ucs_basic", "c", "C", True), Order.BYTES),
        ((False, "pg_c_utf8", "b", None, True), Order.BYTES),
        ((False, "de-x-icu", "i", None, True), Order.LINGUISTIC),
        ((True, "default", "d", None, True), Order.LINGUISTIC),
        ((None, None, None, None, None), Order.NONE),
    ],
)
def test_a_columns_own_collation_decides(collation: tuple, expected: Order) -> None:
    assert order_of(collation) is expected


def test_a_nondeterministic_collation_is_marked() -> None:
    schema = built(relations=[table("t")], columns=[(*COLUMN, False, "ci", "i", None, False, 'public."ci"')])
    column = schema.tables[TableName("public", "t")].columns[0]
    assert column.nondeterministic
    assert column.collation == 'public."ci"'


def test_an_identity_is_serial_and_volatile() -> None:
    row = ("public", "t", "a", "int8", -1, True, None, False, False, True, False, *[None] * 6)
    column = built(relations=[table("t")], columns=[row]).tables[TableName("public", "t")].columns[0]
    assert column.serial
    assert column.default_volatile
    assert not column.nondeterministic


def test_cascades_are_followed_to_the_end_and_through_circles() -> None:
    keys = [foreign("b", "a", "c"), foreign("c", "b", "n"), foreign("a", "c", "d"), foreign("d", "a", "r")]
    tables = built(relations=[table(name) for name in "abcd"], keys=keys).tables
    assert tables[TableName("public", "a")].cascades_to == tuple(TableName("public", name) for name in "bca")
    assert tables[TableName("public", "d")].cascades_to == ()
    expected = (ForeignKey(("p",), TableName("public", "a"), ("id",), False),)
    assert tables[TableName("public", "d")].foreign_keys == expected


def test_keys_triggers_rules_and_partitions() -> None:
    relations = [
        ("public", "t", "p", None, None, None, True, ["audit", "stamp"], ["no_delete"], ["52 audit"], False, None),
        ("public", "t1", "r", "public", "t", None, False, None, None, None, False, None),
        ("public", "v", "v", None, None, " SELECT 1;", False, None, None, None, True, None),
    ]
    keys = [
        ("primary", "public", "t", ["a", "b"], None, None, None, "", ""),
        ("unique", "public", "t", ["c"], None, None, None, "", ""),
    ]
    schema = built(relations=relations, keys=keys)
    whole = schema.find("t")
    assert whole is not None
    assert whole.kind is TableKind.PARTITIONED
    assert whole.row_security
    assert (whole.primary_key, whole.unique_keys) == (("a", "b"), (("c",),))
    assert whole.triggers == ("audit", "stamp", "no_delete")
    assert whole.statement_trigger("truncate") == "audit"
    assert whole.statement_trigger("delete") == "no_delete"
    assert whole.statement_triggers[0].events == ("insert", "update", "truncate")
    part, view = schema.find("t1"), schema.find("v", "public")
    assert part is not None
    assert part.partition_of == TableName("public", "t")
    assert view is not None
    assert (view.definition, view.security_barrier) == (" SELECT 1;", True)


def test_what_is_unique_in_the_whole_domain_its_trigger_says() -> None:
    unique = FleetUnique(7, 'é"key', ("mail",), ("id", "day"), ("s1", "s2"))
    said = fleet_unique_text(unique)
    assert said.isascii()
    relations = [("public", "t", "r", None, None, None, False, None, None, None, False, [said])]
    keys = [("other", "public", "t", [], None, "t_lower_idx", None, "", "")]
    schema = built(relations=relations, keys=keys)
    found = schema.find("t")
    assert found is not None
    assert found.fleet_unique == (unique,) and dict(schema.fleet_unique) == {7: unique}
    assert found.triggers == () and found.apart == (Apart("t_lower_idx", ()),)


def test_overloads_are_listed_under_one_name_and_types_by_kind() -> None:
    functions = [
        ("pg_catalog", "max", "a", "i", "int8", False, True),
        ("public", "max", "f", "v", "public.mood", True, False),
    ]
    schema = built(functions=functions, types=[("public", "mood", "e"), ("public", "pair", "c")])
    assert [f.volatility for f in schema.functions["max"]] == [Volatility.IMMUTABLE, Volatility.VOLATILE]
    assert [f.kind for f in schema.functions["max"]] == ["aggregate", "function"]
    assert schema.types == {"mood": "enum", "pair": "composite"}


def test_an_old_server_and_a_missing_answer_are_refused() -> None:
    with pytest.raises(OperationalError) as old:
        built(server=server(version=140010))
    assert old.value.code == "OG-SCHEMA-001"
    with pytest.raises(InternalError) as missing:
        build("sales", 1, {"server": server()})
    assert missing.value.code == "OG-SCHEMA-002"
    assert "columns" in missing.value.message


def test_at_most_seven_questions_are_asked() -> None:
    assert len(queries()) <= 7
