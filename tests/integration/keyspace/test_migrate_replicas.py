"""A failover may lose what replicas have not got: a migration counts only as they get it, whatever dies where."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from outgrow import Fleet
from outgrow.errors import OperationalError
from outgrow.local import processes
from outgrow.runtime.doctor import transactions
from outgrow.runtime.transaction import following
from outgrow.topology import Topology
from outgrow.transactions import PostgresBranch, commit
from tests.integration.keyspace.directory_world import editions, made, on, opened, rows_by_shard, shard_of, topology_of
from tests.servers import Servers

PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
HERE = {"s1": [(1, 10)], "s2": []}
THERE = {"s1": [], "s2": [(1, 10)]}


@pytest.fixture
def topology(fleet_servers: Servers) -> Iterator[Topology]:
    with topology_of(fleet_servers) as found:
        yield found


@pytest.fixture
def fleet(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """The key 1 on s1, with a row; replicas are waited for, but not for long."""
    monkeypatch.setattr(commit, "FOLLOW_SECONDS", 0.5)
    # (Recovery leaves alone what is younger than a second.)
    monkeypatch.setattr(commit, "SETTLE_SECONDS", 1.2)
    with opened(topology, install=True) as found:
        made(found)
        with found.session() as session:
            session.execute("INSERT INTO t VALUES (1, 10)")
        yield found


def rows(topology: Topology) -> dict[str, list[Any]]:
    return rows_by_shard(topology, "SELECT id, v FROM t")


def in_doubt(topology: Topology) -> int:
    return sum(len(on(shard, PREPARED)) for shard in topology.domains[0].shards)


@contextmanager
def behind(servers: Servers, topology: Topology, shard: str) -> Iterator[None]:
    """Its replica gets nothing more."""
    primary = shard_of(topology, shard).primary
    servers.wait_replayed()
    senders = [pid for (pid,) in servers.sql(primary, "SELECT pid FROM pg_stat_replication")]
    for pid in senders:
        processes.send(pid, servers.data(primary), signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in senders:
            processes.send(pid, servers.data(primary), signal.SIGCONT)


@pytest.mark.parametrize("shard", ["s1", "s2"])
def test_nothing_moves_without_replicas(fleet_servers: Servers, topology: Topology, fleet: Fleet, shard: str) -> None:
    """Neither where it comes from nor where it goes; and nothing is left behind."""
    with behind(fleet_servers, topology, shard):
        # (An idle primary has nothing that its replica lacks.)
        on(shard_of(topology, shard), "CREATE TABLE written ()")
        with pytest.raises(OperationalError, match=f"no replica of {shard} has got") as caught:
            fleet.directory().migrate(1, "s2", type="int8")
        assert caught.value.code == "OG-TX-012"
        assert (rows(topology), in_doubt(topology)) == (HERE, 0)
    fleet.directory().migrate(1, "s2", type="int8")
    assert rows(topology) == THERE


@contextmanager
def decided_alone(servers: Servers, topology: Topology, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The deciding shard's replica gets nothing from just before the decision on."""
    decide = PostgresBranch.decide_steps

    with ExitStack() as cut, patch.context() as patched:

        def alone(self: Any, *args: Any) -> Any:
            cut.enter_context(behind(servers, topology, "s1"))
            yield from decide(self, *args)

        patched.setattr(PostgresBranch, "decide_steps", alone)
        yield


def test_nobody_acts_on_a_decision_that_no_replica_has(
    fleet_servers: Servers, topology: Topology, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator does not know, and says so; recovery waits, and goes on when a replica has it."""
    with decided_alone(fleet_servers, topology, monkeypatch):
        with pytest.raises(OperationalError, match="no replica of s1 has got the decision") as caught:
            fleet.directory().migrate(1, "s2", type="int8")
        assert caught.value.code == "OG-TX-005"
        assert in_doubt(topology) == 1
        assert {left.shard for left in fleet.recover().left} == {"s2"}
        assert rows(topology) == {"s1": [], "s2": []}
        monkeypatch.setattr(transactions, "_IN_DOUBT_SECONDS", 0.0)
        [found] = [one for one in fleet.doctor() if one.check == "in doubt"]
        assert "ends when a replica of s1 follows" in found.cure
    fleet_servers.wait_replayed()
    fleet.recover()
    assert (rows(topology), in_doubt(topology)) == (THERE, 0)
    told, seen = editions(topology)
    assert all(told.get(shard, 0) == edition for shard, edition in seen.items())


def test_mutant_acts_on_such_a_decision(
    fleet_servers: Servers, topology: Topology, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody minds replicas: the new shard has committed what a failover of the old one would take back."""

    def reached_steps(*_: Any) -> Any:
        yield from ()
        return True

    monkeypatch.setattr(following, "reached_steps", reached_steps)
    with decided_alone(fleet_servers, topology, monkeypatch):
        fleet.directory().migrate(1, "s2", type="int8")
        assert rows(topology) == THERE
        replica = shard_of(topology, "s1").replicas[0]
        assert fleet_servers.sql(replica, "SELECT id, v FROM t") == [(1, 10)]


def test_a_replica_that_does_not_replay_has_it_all_the_same(
    fleet_servers: Servers, topology: Topology, fleet: Fleet
) -> None:
    """It would replay it before it took over."""
    with fleet_servers.restored():
        for shard in ("s1", "s2"):
            fleet_servers.sql(shard_of(topology, shard).replicas[0], "SELECT pg_wal_replay_pause()")
        fleet.directory().migrate(1, "s2", type="int8")
        assert rows(topology) == THERE
