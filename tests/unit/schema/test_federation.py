"""What names mean over several domains, and what becomes of other domains' columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outgrow.errors import ProgrammingError
from outgrow.schema import Column, Order, Schema, Table, TableKind, federate
from outgrow.schema.federation import mapped
from outgrow.topology import Abroad, TableName


def _schema(domain: str, *names: str, collation: str = "UTF8 c C C", engine: str = "postgresql") -> Schema:
    columns = (Column("id", "int8"), Column("name", "text", order=Order.BYTES))
    tables = [TableName(*name.rpartition(".")[::2]) if "." in name else TableName("public", name) for name in names]
    known = {name: Table(name, TableKind.TABLE, columns) for name in tables}
    return Schema(domain, 1, ("public",), known, default_collation=collation, engine=engine)


SALES = _schema("sales", "orders", "shared", "users.orders")
USERS = _schema("users", "users", "shared", "orders", "audit.log")
LOG = _schema("log", "log", "orders", "archived", "users.archived")
KNOWN = federate(SALES, {"users": USERS, "log": LOG})


def found(name: str, schema: str | None = None) -> str:
    table = KNOWN.find(name, schema)
    return str(table.name) if table is not None else ""


def test_the_own_domain_comes_first_whatever_others_have() -> None:
    assert found("orders") == "orders"
    assert found("shared") == "shared"
    # A schema of one's own that is called like a domain is what it was.
    assert found("orders", "users") == "users.orders"


def test_then_the_domain_that_is_named_then_whoever_alone_has_it() -> None:
    assert found("users") == "users.users"
    assert found("users", "users") == "users.users"
    assert found("log", "audit") == "users.audit.log"
    assert found("archived") == "log.archived"
    assert found("archived", "users") == "log.users.archived"
    assert found("nothing") == found("nothing", "users") == found("orders", "nowhere") == ""
    table = KNOWN.find_in("users", "orders")
    assert table is not None and table.name == Abroad("public", "orders", "users")
    own = KNOWN.find_in("sales", "orders")
    assert own is not None and own.name == TableName("public", "orders")
    assert KNOWN.find_in("nobody", "orders") is None


def test_a_name_of_several_others_is_ambiguous() -> None:
    known = federate(_schema("empty"), {"users": USERS, "log": LOG})
    with pytest.raises(ProgrammingError, match=r"OG-STMT-030.*users, log"):
        known.find("orders")
    with pytest.raises(ProgrammingError, match=r"OG-STMT-030"):
        known.find("orders", "public")


def test_text_in_another_order_is_marked() -> None:
    def order(collation: str = "", theirs: str = "UTF8 c C C") -> Order:
        table = USERS.tables[TableName("public", "users")]
        name = replace(table.columns[1], collation=collation)
        other = replace(
            USERS, default_collation=theirs, tables={table.name: replace(table, columns=(table.columns[0], name))}
        )
        column = federate(SALES, {"users": other}).tables[Abroad("public", "users", "users")].column("name")
        assert column is not None
        return column.order

    assert order() is Order.BYTES
    assert order(theirs="UTF8 c en_US.UTF-8 2.36") is Order.ELSEWHERE
    assert order('pg_catalog."C"', "UTF8 c en_US.UTF-8 2.36") is Order.BYTES
    assert order("public.german") is Order.ELSEWHERE


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("int4", "int4"),
        ("mariadb.bigint unsigned", "numeric"),
        ("mariadb.varchar(40) collate utf8mb4_general_ci", "text"),
        ("mariadb.enum('a','b') collate utf8mb4_general_ci", "text"),
        ("mariadb.timestamp(6)", "timestamptz"),
        ("mariadb.time(3)", "interval"),
        ("mariadb.binary(16)", "bytea"),
        ("mariadb.float", "float4"),
        ("mariadb.bit(3)", "mariadb.bit(3)"),
        ("mariadb.point", "mariadb.point"),
        ("mariadb.inet6", "mariadb.inet6"),
    ],
)
def test_what_postgresql_makes_of_mariadbs_types(theirs: str, ours: str) -> None:
    assert mapped(theirs) == ours
