"""Replicas: read when fresh, left when stale, lost without a failed read; a promoted primary is noticed."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.runtime import heartbeat
from outgrow.topology import Node
from tests.integration.runtime.conftest import CUSTOMERS, TABLES
from tests.servers import Servers, serving

READ = "SELECT name FROM customers WHERE customer_id = %s"
WRITE = "INSERT INTO customers VALUES (%s, %s, 'DE') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name"


def replica_of(fleet: Fleet, key: int) -> Node:
    (shard,) = fleet.explain(READ, [key]).to_dict()["shards"]["shards"]
    return fleet.topology.domains[0].shard(shard).replicas[0]


def test_reads_go_to_replicas_once_they_have_caught_up(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute(WRITE, [1, "a"])
        deadline = time.monotonic() + 10
        nodes = set()
        while time.monotonic() < deadline and not any("replica" in str(node) for node in nodes):
            result = session.execute(READ, [1])
            assert result.fetchall() == [("a",)]
            nodes.add(result.node)
        assert any("replica" in str(node) for node in nodes)


def test_a_paused_replica_never_hides_a_write(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session() as session:
        session.execute(WRITE, [1, "old"])
        replica = replica_of(fleet, 1)
        time.sleep(0.3)
        with fleet_servers.restored():
            fleet_servers.sql(replica, "SELECT pg_wal_replay_pause()")
            for round_ in range(100):
                session.execute(WRITE, [1, f"new{round_}"])
                assert session.execute(READ, [1]).fetchall() == [(f"new{round_}",)]
            with fleet.session(level="eventual") as eventual:
                assert eventual.execute(READ, [1]).fetchall() == [("old",)]


def test_bounded_leaves_a_replica_that_is_too_old(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session() as session:
        session.execute(WRITE, [1, "old"])
    replica = replica_of(fleet, 1)
    with fleet.session(level="bounded(0.5)") as session:
        time.sleep(0.3)
        with fleet_servers.restored():
            fleet_servers.sql(replica, "SELECT pg_wal_replay_pause()")
            with fleet.session() as writer:
                writer.execute(WRITE, [1, "new"])
            time.sleep(0.6)
            for _ in range(50):
                assert session.execute(READ, [1]).fetchall() == [("new",)]


def test_asyncio_runs_the_same_steps(fleet: Fleet) -> None:
    async def talk() -> None:
        async with fleet.async_session() as session:
            for key in range(20):
                await session.execute(WRITE, [key, f"c{key}"])
                assert (await session.execute(READ, [key])).fetchall() == [(f"c{key}",)]
            assert (await session.execute("SELECT count(*) FROM customers")).fetchall() == [(20,)]
            async with session.transaction():
                await session.execute(WRITE, [1, "changed"])
                assert (await session.execute(READ, [1])).fetchall() == [("changed",)]
            keys = [row[0] async for row in session.stream("SELECT customer_id FROM customers ORDER BY 1")]
            assert keys == list(range(20))

    asyncio.run(talk())


def test_a_forked_child_talks_over_connections_of_its_own(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute(WRITE, [1, "parent"])
        session.execute(READ, [1])
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with fleet.session() as mine:
                    mine.execute(WRITE, [2, "child"])
                    code = 0 if mine.execute(READ, [2]).fetchall() == [("child",)] else 2
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert session.execute(READ, [1]).fetchall() == [("parent",)]
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(2,)]


def test_reads_survive_the_death_of_replicas_and_return_to_them(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session() as session:
        for key in range(20):
            session.execute(WRITE, [key, "a"])
        fleet_servers.wait_replayed()
        with fleet_servers.restored():
            for shard in fleet.topology.domains[0].shards:
                fleet_servers.kill(shard.replicas[0])
            for key in range(200):
                assert session.execute(READ, [key % 20]).fetchall() == [("a",)]
            assert session.execute("SELECT count(*) FROM customers").fetchall() == [(20,)]
        deadline = time.monotonic() + 15
        while "replica" not in str(session.execute(READ, [1]).node):
            assert time.monotonic() < deadline, "the replica never came back into rotation"
            time.sleep(0.02)


def test_reads_leave_a_replica_that_has_frozen(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session(level="eventual") as session:
        session.execute(WRITE, [1, "a"])
        fleet_servers.wait_replayed()
        time.sleep(0.3)
        assert "replica" in str(session.execute(READ, [1]).node)
        with fleet_servers.restored():
            fleet_servers.freeze(replica_of(fleet, 1))
            started = time.monotonic()
            assert session.execute(READ, [1]).fetchall() == [("a",)]
            assert time.monotonic() - started < 4


def test_what_a_node_that_is_back_has_accepted_is_not_cut(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is too busy to answer the heartbeat in time; what was open before is."""
    with outgrow.open(fleet.topology) as own, own.session(level="strong") as session:
        state, node = own._states["app"], own.topology.domains[0].shards[0].primary
        before = drive(own._nodes.pool(node).take_steps())
        own.health.note_lost(node, OSError("gone"))
        with session.transaction():
            session.execute("SELECT count(*) FROM customers")
            monkeypatch.setattr(heartbeat, "_PROBE_SECONDS", 0.0)
            assert not own.health.usable(node)
            drive(heartbeat.Heartbeat([state])._beat_steps(state, node))
            assert not own.health.usable(node)
            assert session.execute("SELECT count(*) FROM customers").rowcount == 1
        with pytest.raises(outgrow.OperationalError):
            drive(before.run_steps("SELECT 1"))
        own._nodes.pool(node).give(before)
        pool = own._nodes.pool(node)
        held = drive(pool.take_steps())
        monkeypatch.setattr(heartbeat, "_ACCEPTED_SECONDS", 0.0)
        drive(heartbeat.Heartbeat([state])._beat_steps(state, node))
        with pytest.raises(outgrow.OperationalError):
            drive(held.run_steps("SELECT 1"))
        pool.give(held)


def test_a_promoted_replica_is_found_and_old_tokens_lead_to_it() -> None:
    with serving(shards=1, replicas=1) as servers:
        topology = servers.fresh(TABLES)
        with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
            session.execute(CUSTOMERS)
            session.execute(WRITE, [1, "a"])
            servers.wait_replayed()
            shard = topology.domains[0].shards[0]
            servers.kill(shard.primary)
            servers.sql(shard.replicas[0], "SELECT pg_promote()")
            deadline = time.monotonic() + 20
            while True:
                try:
                    session.execute(WRITE, [1, "b"])
                    break
                except outgrow.Error:
                    assert time.monotonic() < deadline, "the promoted replica was never found"
                    time.sleep(0.1)
            result = session.execute(READ, [1])
            assert result.fetchall() == [("b",)]
            assert result.node == shard.replicas[0].name
            floor = session._conversation.footing(shard.name).floor
            assert floor is not None and floor.generation == 2


def test_a_fleet_that_is_opened_writes_to_no_primary_that_has_been_replaced() -> None:
    """Nobody has stopped the old one: what is written to it is lost."""
    with serving(shards=2, replicas=1) as servers:
        topology = servers.fresh(TABLES)
        with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
            session.execute(CUSTOMERS)
        servers.wait_replayed()
        for shard in topology.domains[0].shards:
            servers.sql(shard.replicas[0], "SELECT pg_promote()")
        with outgrow.open(topology) as fleet, fleet.session(level="strong") as session:
            for key in range(8):
                session.execute(WRITE, [key, "a"])
        for shard in topology.domains[0].shards:
            assert servers.sql(shard.primary, "SELECT count(*) FROM customers") == [(0,)]
            assert servers.sql(shard.replicas[0], "SELECT count(*) > 0 FROM customers") == [(True,)]


def test_a_fleet_with_a_silent_replica_opens_in_a_moment() -> None:
    with serving(shards=1, replicas=1) as servers:
        topology = servers.fresh(TABLES)
        with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
            session.execute(CUSTOMERS)
        servers.freeze(topology.domains[0].shards[0].replicas[0])
        started = time.monotonic()
        with outgrow.open(topology) as fleet, fleet.session() as session:
            session.execute(WRITE, [1, "a"])
            assert session.execute(READ, [1]).fetchall() == [("a",)]
        assert time.monotonic() - started < 5


def test_a_fleet_with_a_dead_primary_opens_and_reads() -> None:
    with serving(shards=2, replicas=1) as servers:
        topology = servers.fresh(TABLES)
        with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
            session.execute(CUSTOMERS)
            for key in range(20):
                session.execute(WRITE, [key, "a"])
        servers.wait_replayed()
        servers.kill(topology.domains[0].shards[1].primary)
        with outgrow.open(topology) as fleet, fleet.session() as session:
            for key in range(20):
                assert session.execute(READ, [key]).fetchall() == [("a",)]
            assert session.execute("SELECT count(*) FROM customers").fetchall() == [(20,)]


def test_a_token_of_a_session_that_only_read_replicas_needs_no_primary(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session() as writer:
        writer.execute(WRITE, [1, "a"])
    fleet_servers.wait_replayed()
    with fleet.session() as session:
        session.execute(READ, [1])
        with fleet_servers.restored():
            for shard in fleet.topology.domains[0].shards:
                fleet_servers.kill(shard.primary)
            token = session.token()
            with fleet.session(token=token) as other:
                assert other.execute(READ, [1]).fetchall() == [("a",)]


def test_a_token_needs_no_replica_that_has_died(fleet: Fleet, fleet_servers: Servers) -> None:
    """The primary is past all that it had shown."""
    with fleet.session() as writer:
        writer.execute(WRITE, [1, "a"])
    fleet_servers.wait_replayed()
    with fleet.session() as session:
        assert "replica" in str(session.execute(READ, [1]).node)
        with fleet_servers.restored():
            fleet_servers.kill(replica_of(fleet, 1))
            with fleet.session(token=session.token()) as other:
                assert other.execute(READ, [1]).fetchall() == [("a",)]


def test_a_server_restarted_in_mid_transaction_loses_it_whole() -> None:
    with serving(shards=1, replicas=0) as servers:
        topology = servers.fresh(TABLES)
        with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
            session.execute(CUSTOMERS)
            session.execute("BEGIN")
            session.execute(WRITE, [1, "lost"])
            servers.kill(topology.domains[0].shards[0].primary)
            servers.start()
            with pytest.raises(outgrow.OperationalError) as caught:
                session.execute(WRITE, [2, "lost"])
            assert isinstance(caught.value, outgrow.NodeLost)
            session.execute("ROLLBACK")
            assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]
            with session.transaction():
                session.execute(WRITE, [3, "kept"])
            assert session.execute("SELECT name FROM customers").fetchall() == [("kept",)]


def test_what_servers_say_of_their_roles_wins_over_the_file(fleet: Fleet, fleet_servers: Servers) -> None:
    """A file that calls the replica primary: strong reads, transactions and writes find the true one."""
    with fleet.session() as session:
        session.execute(WRITE, [1, "a"])
    fleet_servers.wait_replayed()
    domain = fleet.topology.domains[0]
    swapped = tuple(replace(shard, primary=shard.replicas[0], replicas=(shard.primary,)) for shard in domain.shards)
    topology = replace(fleet.topology, domains=(replace(domain, shards=swapped),))
    primaries = {shard.primary.name for shard in domain.shards}
    with outgrow.open(topology) as wrong, wrong.session(level="strong") as session:
        result = session.execute(READ, [1])
        assert result.fetchall() == [("a",)]
        assert result.node in primaries
    with outgrow.open(topology) as wrong, wrong.session() as session, session.transaction():
        session.execute(WRITE, [1, "b"])
        assert session.execute(READ, [1]).node in primaries
    with outgrow.open(topology) as wrong, wrong.session() as session:
        assert session.execute(WRITE, [1, "c"]).node in primaries


def test_a_shard_of_replicas_only_is_named(fleet: Fleet) -> None:
    domain = fleet.topology.domains[0]
    headless = tuple(replace(shard, primary=shard.replicas[0], replicas=()) for shard in domain.shards)
    topology = replace(fleet.topology, domains=(replace(domain, shards=headless),))
    with outgrow.open(topology) as wrong, wrong.session(level="strong") as session:
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-014"):
            session.execute(READ, [1])
        with pytest.raises(outgrow.Error):
            session.execute(WRITE, [1, "a"])
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-014"), session.transaction():
            session.execute(READ, [1])
