"""Reads shared out among two real replicas, as `reads:` says."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.topology import Domain, Node, Reads, Shard, Topology
from tests.integration.runtime.conftest import CUSTOMERS, TABLES
from tests.servers import Servers, serving

READ = "SELECT name FROM customers WHERE customer_id = 1"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with serving(1, 2) as made:
        yield made


@pytest.fixture(scope="module")
def placed(servers: Servers) -> Topology:
    topology = servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as fleet:
        fleet.execute(CUSTOMERS)
        fleet.execute("INSERT INTO customers VALUES (1, 'one', 'DE')")
    servers.wait_replayed()
    return topology


def opened(topology: Topology, reads: Reads, *weights: int, zones: tuple[str, ...] = ("", "")) -> Fleet:
    domain = topology.domains[0]
    shard = domain.shards[0]
    made: list[Node] = [
        replace(node, weight=weight, zone=zone)
        for node, weight, zone in zip(shard.replicas, weights or (1, 1), zones, strict=True)
    ]
    other: Domain = replace(domain, shards=(Shard(shard.name, shard.primary, tuple(made)),), reads=reads)
    return outgrow.open(replace(topology, domains=(other,)))


def answers(fleet: Fleet, level: str = "eventual", reads: int = 60) -> Counter[str]:
    with fleet.session(level=level) as session:
        return Counter(str(session.execute(READ).node).rpartition("/")[2] for _ in range(reads))


def test_by_weight(placed: Topology) -> None:
    with opened(placed, Reads("weighted"), 3, 1) as fleet:
        assert answers(fleet) == {"replica1": 45, "replica2": 15}
    with opened(placed, Reads("weighted"), 0, 1) as fleet:
        assert answers(fleet) == {"replica2": 60}


def test_in_ones_own_zone(placed: Topology) -> None:
    with opened(placed, Reads(zone="west"), zones=("east", "west")) as fleet:
        assert answers(fleet) == {"replica2": 60}


def test_where_a_session_has_read_before(placed: Topology) -> None:
    with opened(placed, Reads("sticky")) as fleet:
        assert list(answers(fleet).values()) == [60]
        assert len(answers(fleet, reads=1) + answers(fleet, reads=1)) == 2


def test_where_the_fewest_connections_are_in_use(placed: Topology) -> None:
    with opened(placed, Reads("least_connections")) as fleet:
        busy = fleet.topology.domains[0].shards[0].replicas[0]
        pool = fleet._nodes.pool(busy)
        held = drive(pool.take_steps())
        assert answers(fleet) == {"replica2": 60}
        pool.give(held)
        assert answers(fleet).keys() == {"replica1", "replica2"}


def test_where_answers_come_soonest(placed: Topology) -> None:
    with opened(placed, Reads("lowest_latency")) as fleet:
        slow = fleet.topology.domains[0].shards[0].replicas[0]
        fleet.health.note_latency(slow, 10.0)
        assert answers(fleet) == {"replica2": 60}


def test_a_replica_that_lags_is_left_alone_until_it_has_caught_up(placed: Topology, servers: Servers) -> None:
    reads = Reads(lag_max_seconds=0.5)
    with opened(placed, reads) as fleet, servers.restored():
        slow = fleet.topology.domains[0].shards[0].replicas[0]

        def only(which: set[str]) -> None:
            until = time.monotonic() + 10
            while answers(fleet, reads=10).keys() != which:
                assert time.monotonic() < until, answers(fleet)

        only({"replica1", "replica2"})
        servers.sql(slow, "SELECT pg_wal_replay_pause()")
        fleet.execute("UPDATE customers SET country = 'FR'")
        time.sleep(0.6)
        only({"replica2"})
        servers.sql(slow, "SELECT pg_wal_replay_resume()")
        only({"replica1", "replica2"})


def test_a_replica_that_lags_in_bytes(placed: Topology, servers: Servers) -> None:
    with opened(placed, Reads(lag_max_bytes=100_000)) as fleet, servers.restored():
        slow = fleet.topology.domains[0].shards[0].replicas[0]
        servers.sql(slow, "SELECT pg_wal_replay_pause()")
        with fleet.session() as session:
            for _ in range(50):
                session.execute("UPDATE customers SET name = %s", [secrets.token_hex(8000)])
        until = time.monotonic() + 10
        while answers(fleet, reads=10).keys() != {"replica2"}:
            assert time.monotonic() < until, answers(fleet)
