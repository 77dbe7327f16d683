"""Three PostgreSQL domains, and one PostgreSQL with all their tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Copied, Sharded, Single, TableName
from tests.domains import several
from tests.servers import Servers


def _name(name: str) -> TableName:
    return TableName("public", name)


DOMAINS = {
    "sales": (
        2,
        {
            _name("orders"): Sharded(("customer",)),
            _name("lines"): Sharded(("customer",)),
            _name("countries"): Copied(),
            _name("notes"): Single("s2"),
            _name("shared"): Sharded(("id",)),
        },
    ),
    "users": (1, {}),
    "stock": (2, {_name("goods"): Sharded(("id",)), _name("shared"): Sharded(("id",))}),
}
SETUP = {
    "sales": (
        "CREATE TABLE orders (customer int8, id int8, total numeric(10,2), made timestamptz,"
        " PRIMARY KEY (customer, id))",
        'CREATE TABLE lines (customer int8, "order" int8, good int8, n int4)',
        "CREATE TABLE countries (code text PRIMARY KEY, name text)",
        "CREATE TABLE notes (id int8, note text)",
        "CREATE TABLE shared (id int8, what text)",
        "INSERT INTO orders SELECT i % 7, i, i * 1.5, '2024-01-01Z'::timestamptz + i * interval '1 day'"
        " FROM generate_series(1, 40) i",
        "INSERT INTO lines SELECT i % 7, i, i % 11, CASE WHEN i % 5 > 0 THEN i % 5 END FROM generate_series(1, 40) i",
        "INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France')",
        "INSERT INTO notes VALUES (1, 'one'), (2, NULL)",
        "INSERT INTO shared VALUES (1, 'sales')",
    ),
    "users": (
        "CREATE TABLE users (id int8 PRIMARY KEY, name text, country text, born date, active bool)",
        "CREATE SCHEMA audit",
        "CREATE TABLE audit.log (at timestamptz, who int8, what jsonb)",
        "CREATE VIEW actives AS SELECT id, name FROM users WHERE active",
        "INSERT INTO users SELECT i, 'user ' || i, CASE i % 3 WHEN 0 THEN 'DE' WHEN 1 THEN 'FR' END,"
        " '1990-01-01'::date + i, i % 2 = 0 FROM generate_series(0, 9) i",
        "INSERT INTO audit.log SELECT '2024-01-01Z'::timestamptz + i * interval '1 hour', i % 4,"
        " jsonb_build_object('i', i) FROM generate_series(1, 12) i",
    ),
    "stock": (
        "CREATE TABLE goods (id int8 PRIMARY KEY, label text, price numeric(8,2), tags text[])",
        "CREATE TABLE shared (id int8, what text)",
        "INSERT INTO goods SELECT i, 'good ' || i % 4, i * 2.50, ARRAY['a', NULL, '\"' || i]"
        " FROM generate_series(1, 12) i",
        "INSERT INTO shared VALUES (2, 'stock')",
    ),
}


@dataclass
class Sides:
    fleet: Fleet
    plain: psycopg.Connection[Any]
    servers: Servers

    def same(self, sql: str, params: Sequence[Any] | None = None, plain: str | None = None) -> list[Any]:
        """The answer of the fleet (a session of sales), which is that of one PostgreSQL to `plain`."""
        theirs = self.plain.execute(plain or sql, params)  # type: ignore[call-overload]
        ours = self.fleet.execute(sql, params)
        assert [(column.name, column.type_code) for column in theirs.description or ()] == [
            (field.name, field.oid) for field in ours.fields
        ]
        rows = ours.fetchall()
        assert rows == theirs.fetchall()
        return rows


@pytest.fixture(scope="module")
def sides(fleet_servers: Servers) -> Iterator[Sides]:
    plain_topology = fleet_servers.fresh()
    with (
        several(fleet_servers, DOMAINS) as topology,
        outgrow.open(topology, install=True) as fleet,
        psycopg.connect(plain_topology.domains[0].home.primary.dsn, autocommit=True) as plain,
    ):
        for domain, statements in SETUP.items():
            with fleet.session(domain) as session:
                for sql in statements:
                    if "INSERT INTO" in sql and domain != "users":
                        _insert(session, plain, sql)
                    else:
                        session.execute(sql)
                        plain.execute(sql.replace("shared", f"{domain}_shared"))  # type: ignore[call-overload]
        fleet_servers.wait_replayed()
        yield Sides(fleet, plain, fleet_servers)
    fleet_servers.drop(plain_topology)


def _insert(session: outgrow.Session, plain: psycopg.Connection[Any], sql: str) -> None:
    """Rows as one PostgreSQL makes them, on both sides."""
    table = sql.split()[2]
    target = f"{session._conversation.state.name}_{table}" if table == "shared" else table
    rows = plain.execute(f"{sql.replace(table, target, 1)} RETURNING *").fetchall()  # type: ignore[call-overload]
    for row in rows:
        session.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", list(row))
