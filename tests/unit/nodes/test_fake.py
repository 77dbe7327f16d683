"""What the fake adds to the conformance suite: scripts, lag, whole fleets."""

from __future__ import annotations

import pytest

from outgrow import errors
from outgrow.nodes import drive, fake
from outgrow.topology import Domain, Node, PoolLimits, Role, Shard, Topology


def node(name: str, role: Role = Role.PRIMARY) -> Node:
    return Node(f"sales/s1/{name}", "sales", "s1", role, "")


@pytest.fixture
def fleet():
    shard = Shard("s1", node("primary"), (node("replica1", Role.REPLICA),))
    topology = Topology("shop", (Domain("sales", "postgresql", 64, (shard,), {}, PoolLimits(size_max=2)),))
    nodes, servers = fake.fake_nodes(topology)
    yield shard, nodes, servers
    nodes.close()


def run(nodes, where, sql, params=None):
    pool = nodes.pool(where)
    link = drive(pool.take_steps())
    try:
        return drive(link.run_steps(sql, params))
    finally:
        pool.give(link)


def test_what_was_not_scripted_is_an_error(fleet):
    shard, nodes, _ = fleet
    with pytest.raises(errors.InterfaceError) as caught:
        run(nodes, shard.primary, "SELECT 1")
    assert caught.value.code == "OG-NODE-025"


def test_scripts_see_parameters_and_the_log_remembers(fleet):
    shard, nodes, servers = fleet
    servers[shard.primary.name].answer("SELECT $1", lambda params: [(params[0] * 2,)], columns=[("n", "int8")])
    assert run(nodes, shard.primary, "SELECT $1", [21]).rows == [(42,)]
    assert servers[shard.primary.name].log == [("SELECT $1", (21,))]


def test_a_replica_lags_behind_its_primary(fleet):
    shard, nodes, servers = fleet
    primary, replica = servers[shard.primary.name], servers[shard.replicas[0].name]
    primary.answer("INSERT", status="INSERT")
    run(nodes, shard.primary, "INSERT")
    assert primary.insert_lsn == primary.replayed_lsn == replica.replayed_lsn == 1
    replica.lag_seconds = 100.0
    run(nodes, shard.primary, "INSERT")
    assert (primary.insert_lsn, replica.replayed_lsn) == (2, 0)
    replica.lag_seconds = 0.0
    assert replica.replayed_lsn == 2


def test_a_stopped_server_breaks_links_and_refuses_new_ones(fleet):
    shard, nodes, servers = fleet
    server = servers[shard.primary.name]
    server.answer("SELECT 1", [(1,)])
    link = drive(nodes.pool(shard.primary).take_steps())
    server.stop()
    assert link.broken
    nodes.pool(shard.primary).give(link)
    with pytest.raises(errors.OperationalError) as caught:
        run(nodes, shard.primary, "SELECT 1")
    assert caught.value.code == "OG-NODE-001"
    server.start()
    assert run(nodes, shard.primary, "SELECT 1").rows == [(1,)]
