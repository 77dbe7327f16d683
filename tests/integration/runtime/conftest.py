"""A fleet over two shards with a replica each, with the tables that the tests of this room use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Copied, Placement, Sharded, Single, TableName
from tests.integration.runtime.copies import both_sides, sides
from tests.servers import Servers

__all__ = ["both_sides", "sides"]

TABLES: dict[TableName, Placement] = {
    TableName("public", "customers"): Sharded(("customer_id",)),
    TableName("public", "orders"): Sharded(("customer_id",)),
    TableName("public", "countries"): Copied(),
    TableName("public", "settings"): Single("s1"),
}
CUSTOMERS = "CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text, country text)"
ORDERS = """CREATE TABLE orders (
    customer_id int8, order_id int8, total numeric(10, 2), PRIMARY KEY (customer_id, order_id))"""


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened:
            with opened.session() as session:
                session.execute(CUSTOMERS)
                session.execute(ORDERS)
                session.execute("CREATE TABLE countries (code text PRIMARY KEY, name text)")
                session.execute("CREATE TABLE settings (name text PRIMARY KEY, value text)")
            yield opened
    finally:
        fleet_servers.drop(topology)
