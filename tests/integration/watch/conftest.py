"""A fleet of two shards with a replica each, with tables and a few rows, one for the tests of a file."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.events import Event
from outgrow.topology import Copied, Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "customers"): Sharded(("customer_id",)),
    TableName("public", "countries"): Copied(),
}
#: Rows that are there; 1 and 2 lie on shard s1, 5 on s2.
KEYS = range(1, 9)


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened:
            with opened.session() as session:
                session.execute("CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text)")
                session.execute("CREATE TABLE countries (code text PRIMARY KEY)")
                for key in KEYS:
                    session.execute("INSERT INTO customers VALUES (%s, %s)", [key, f"c{key}"])
            fleet_servers.wait_replayed()
            yield opened
    finally:
        fleet_servers.drop(topology)


@pytest.fixture
def events(fleet: Fleet) -> Iterator[list[Event]]:
    """What is told during the test."""
    told: list[Event] = []
    leave = fleet.subscribe(told.append)
    yield told
    leave()


def wait_for(fleet: Fleet) -> None:
    """Until the heartbeat knows the replicas, so that reads go there unasked."""
    with fleet.session(level="eventual") as session:
        until = time.monotonic() + 10
        while "replica" not in str(session.execute("SELECT * FROM customers WHERE customer_id = 1").node):
            assert time.monotonic() < until
            time.sleep(0.02)
