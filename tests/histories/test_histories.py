"""What sessions see of each other, read off their histories: which anomalies there are, and which there never are.

Transactions are at REPEATABLE READ, so one shard has snapshots: write skew (G2) and nothing else.  Over shards a commit
is atomic, but not seen at once everywhere: fractured reads (G-single), and what is made of several of them (G2).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator

import pytest

from outgrow.topology import Node, Topology
from tests.crash.ground import PostgresGround
from tests.histories.elle import Anomaly, Kind, Outcome, check, kinds
from tests.histories.workload import TABLES, Workload, opened
from tests.servers import Servers, serving

#: Within one shard, and over several.
WITHIN = {Kind.G2}
ACROSS = {Kind.G_SINGLE, Kind.G2}


@contextlib.contextmanager
def loaded(servers: Servers, seed: int, **options: str) -> Iterator[tuple[Workload, Topology]]:
    topology = servers.fresh(TABLES)
    with opened(topology) as fleet:
        load = Workload(fleet, seed, **options)
        load.set_up()
        servers.wait_replayed()
        yield load, topology


def judged(load: Workload) -> tuple[list[Anomaly], dict[str, list[Anomaly]]]:
    """Of the whole history, and of each shard's part of it."""
    history = load.history
    committed = sum(one.outcome is Outcome.COMMITTED for one in history)
    # It must have shown something.
    assert committed > 200, committed
    whole = check(history)
    return whole, {shard: check([one.of(keys) for one in history]) for shard, keys in load.keys.items()}


def expected(load: Workload) -> None:
    whole, parts = judged(load)
    assert kinds(whole) <= ACROSS, [str(one) for one in whole if one.kind not in ACROSS]
    for shard, anomalies in parts.items():
        assert kinds(anomalies) <= WITHIN, (shard, [str(one) for one in anomalies if one.kind not in WITHIN])


def lagging(servers: Servers, topology: Topology, rng: random.Random, seconds: float) -> Callable[[], None]:
    """Replicas stand still now and then."""

    def meanwhile() -> None:
        until = time.monotonic() + seconds
        replicas = [node for shard in topology.domains[0].shards for node in shard.replicas]
        with servers.restored():
            while time.monotonic() < until:
                replica = rng.choice(replicas)
                servers.sql(replica, "SELECT pg_wal_replay_pause()")
                time.sleep(rng.uniform(0.1, 0.5))
                servers.sql(replica, "SELECT pg_wal_replay_resume()")
                time.sleep(rng.uniform(0.1, 0.5))

    return meanwhile


def test_sessions_over_shards_and_replicas(fleet_servers: Servers) -> None:
    with loaded(fleet_servers, 1) as (load, topology):
        load.run(5, 8.0, lagging(fleet_servers, topology, random.Random(1), 6.0))
        expected(load)
    fleet_servers.drop(topology)


@pytest.mark.long
def test_a_session_without_a_promise_goes_back_and_is_found_out(fleet_servers: Servers) -> None:
    """The checker sees on real servers what it is for: at level `eventual` a session does not see its own writes."""
    with loaded(fleet_servers, 2, level="eventual") as (load, topology):
        load.run(5, 6.0, lagging(fleet_servers, topology, random.Random(2), 5.0))
        whole, _ = judged(load)
        assert Kind.READ_YOUR_WRITES in kinds(whole)
    fleet_servers.drop(topology)


@pytest.mark.long
def test_read_committed_has_no_snapshots_and_no_more_than_that(fleet_servers: Servers, seed: int) -> None:
    with loaded(fleet_servers, seed, begin="BEGIN ISOLATION LEVEL READ COMMITTED") as (load, topology):
        load.run(5, 20.0, lagging(fleet_servers, topology, random.Random(seed), 18.0))
        _, parts = judged(load)
        allowed = {Kind.G_SINGLE, Kind.G2, Kind.INTERNAL}
        for anomalies in parts.values():
            assert kinds(anomalies) <= allowed, [str(one) for one in anomalies if one.kind not in allowed]
    fleet_servers.drop(topology)


@pytest.mark.long
def test_sessions_while_primaries_are_killed(fleet_servers: Servers, seed: int) -> None:
    rng = random.Random(seed)
    with loaded(fleet_servers, seed) as (load, topology):

        def meanwhile() -> None:
            with fleet_servers.restored():
                for _ in range(8):
                    time.sleep(rng.uniform(1.0, 2.0))
                    fleet_servers.kill(rng.choice(topology.domains[0].shards).primary)
                    time.sleep(rng.uniform(0.1, 0.8))
                    fleet_servers.start()

        load.run(5, 30.0, meanwhile)
        expected(load)
    fleet_servers.drop(topology)


@pytest.mark.long
def test_sessions_over_synchronous_failovers(seed: int) -> None:
    rng = random.Random(seed)
    with serving(2, 1) as servers:
        ground = PostgresGround(servers, synchronous=True)
        with loaded(servers, seed) as (load, topology):
            primaries: dict[str, Node] = {shard.name: shard.primary for shard in topology.domains[0].shards}

            def meanwhile() -> None:
                for _ in range(5):
                    time.sleep(rng.uniform(1.0, 2.0))
                    shard = rng.choice(topology.domains[0].shards)
                    old = primaries[shard.name]
                    (new,) = (node for node in shard.nodes if node.name != old.name)
                    ground.kill(old)
                    ground.promote(new)
                    primaries[shard.name] = new
                    ground.rebuild(old, new)

            load.run(5, 40.0, meanwhile)
            expected(load)
