"""Replicas: read when fresh, left when stale, lost without a failed read; a promoted primary is noticed."""

from __future__ import annotations

import asyncio
import os
import time

from outgrow import Fleet
from outgrow.topology import Topology

READ = "SELECT name FROM customers WHERE customer_id = %s"
WRITE = "INSERT INTO customers VALUES (%s, %s, 'DE') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name"


def replica_of(fleet: Fleet, key: int) -> str:
    (shard,) = fleet.explain(READ, [key]).to_dict()["shards"]["shards"]
    return next(s for s in fleet.topology.domains[0].shards if s.name == shard).replicas[0].name


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


def test_a_paused_replica_never_hides_a_write(fleet: Fleet, superuser) -> None:  # type: ignore[no-untyped-def]
    with fleet.session() as session:
        session.execute(WRITE, [1, "old"])
        replica = replica_of(fleet, 1)
        time.sleep(0.3)
        superuser(replica, "SELECT pg_wal_replay_pause()")
        try:
            for round_ in range(100):
                session.execute(WRITE, [1, f"new{round_}"])
                assert session.execute(READ, [1]).fetchall() == [(f"new{round_}",)]
            with fleet.session(level="eventual") as eventual:
                assert eventual.execute(READ, [1]).fetchall() == [("old",)]
        finally:
            superuser(replica, "SELECT pg_wal_replay_resume()")


def test_bounded_leaves_a_replica_that_is_too_old(fleet: Fleet, superuser) -> None:  # type: ignore[no-untyped-def]
    with fleet.session() as session:
        session.execute(WRITE, [1, "old"])
    replica = replica_of(fleet, 1)
    with fleet.session(level="bounded(0.5)") as session:
        time.sleep(0.3)
        superuser(replica, "SELECT pg_wal_replay_pause()")
        try:
            with fleet.session() as writer:
                writer.execute(WRITE, [1, "new"])
            time.sleep(0.6)
            for _ in range(50):
                assert session.execute(READ, [1]).fetchall() == [("new",)]
        finally:
            superuser(replica, "SELECT pg_wal_replay_resume()")


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


def test_reads_survive_the_death_of_a_replica(own_servers: Topology, kill_node, restart) -> None:  # type: ignore[no-untyped-def]
    import outgrow

    with outgrow.open(own_servers, install=True) as fleet, fleet.session() as session:
        session.execute("CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text, country text)")
        for key in range(20):
            session.execute(WRITE, [key, "a"])
        time.sleep(0.3)
        for node in [shard.replicas[0].name for shard in own_servers.domains[0].shards]:
            kill_node(node)
        for key in range(200):
            assert session.execute(READ, [key % 20]).fetchall() == [("a",)]
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(20,)]
        restart()
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if "replica" in str(session.execute(READ, [1]).node):
                return
            time.sleep(0.05)
        raise AssertionError("the replica never came back into rotation")


def test_reads_leave_a_replica_that_has_frozen(own_servers: Topology, freeze_node) -> None:  # type: ignore[no-untyped-def]
    import outgrow

    with outgrow.open(own_servers, install=True) as fleet, fleet.session(level="eventual") as session:
        session.execute("CREATE TABLE IF NOT EXISTS customers (customer_id int8 PRIMARY KEY, name text, country text)")
        session.execute(WRITE, [1, "a"])
        time.sleep(0.3)
        session.execute(READ, [1])
        with freeze_node(replica_of(fleet, 1)):
            started = time.monotonic()
            assert session.execute(READ, [1]).fetchall() == [("a",)]
            assert time.monotonic() - started < 5
