"""A fleet of two shards with a replica each, every node behind PgBouncer in transaction mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Placement, Sharded, TableName, Topology
from tests import pgbouncer
from tests.integration.runtime import conftest as plain
from tests.integration.runtime.conftest import CUSTOMERS, ORDERS
from tests.pgbouncer import Pooler
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {**plain.TABLES, TableName("public", "visits"): Sharded(("customer_id",))}


def furnished(topology: Topology) -> None:
    """The ledger and the tables, made past the poolers."""
    with outgrow.open(topology, install=True) as opened, opened.session() as session:
        session.execute(CUSTOMERS)
        session.execute(ORDERS)
        session.execute("CREATE TABLE countries (code text PRIMARY KEY, name text)")
        session.execute("CREATE TABLE settings (name text PRIMARY KEY, value text)")
        session.execute("CREATE TABLE visits (customer_id int8, visit bigserial, seen date)")


@pytest.fixture(scope="module")
def pooler(fleet_servers: Servers) -> Iterator[Pooler]:
    topology = fleet_servers.fresh(TABLES)
    try:
        furnished(topology)
        with pgbouncer.before(topology) as started:
            yield started
    finally:
        fleet_servers.drop(topology)


@pytest.fixture(scope="module")
def fleet(pooler: Pooler) -> Iterator[Fleet]:
    assert pooler.topology is not None
    with outgrow.open(pooler.topology) as opened:
        yield opened


@pytest.fixture(scope="module")
def only(fleet_servers: Servers) -> Iterator[Fleet]:
    """The same, with nothing but the pooler's addresses known: no way past it."""
    topology = fleet_servers.fresh(TABLES)
    try:
        furnished(topology)
        with pgbouncer.before(topology, direct=False) as started:
            assert started.topology is not None
            with outgrow.open(started.topology) as opened:
                yield opened
    finally:
        fleet_servers.drop(topology)
