"""How a transaction ends when somebody is in the way: an interruption, a late statement, a server that is silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.topology import Placement, Sharded, TableName
from outgrow.waits import Future
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {TableName("public", "accounts"): Sharded(("account",))}


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    """One connection to each node: one that is not given back is soon missed."""
    topology = fleet_servers.fresh(TABLES)
    domain = topology.domains[0]
    narrow = replace(domain, pool=replace(domain.pool, size_max=1, wait_timeout_seconds=5))
    try:
        with outgrow.open(replace(topology, domains=(narrow,)), install=True) as opened:
            opened.execute("CREATE TABLE accounts (account int8 PRIMARY KEY, amount int8)")
            opened.execute("INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 20) AS n")
            yield opened
    finally:
        fleet_servers.drop(topology)


def used(fleet: Fleet) -> list[int]:
    return [fleet._nodes.pool(shard.primary).used for shard in fleet.topology.domains[0].shards]


def on_each_shard(fleet: Fleet) -> list[int]:
    """An account of each shard."""
    found: dict[str, int] = {}
    for account in range(1, 21):
        told = fleet.explain("SELECT * FROM accounts WHERE account = %s", [account]).to_dict()
        found.setdefault(told["shards"]["shards"][0], account)
    return list(found.values())


UPDATE = "UPDATE accounts SET amount = amount + 1 WHERE account = %s"


def test_a_rollback_that_is_interrupted_leaves_no_branch_behind(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        for account in on_each_shard(fleet):
            session.execute(UPDATE, [account])
        assert sum(used(fleet)) == len(on_each_shard(fleet)) > 1
        steps = session._conversation.rollback_steps()
        wait = steps.send(None)

        def interrupted_steps() -> Any:
            wait = steps.throw(KeyboardInterrupt())
            while True:
                wait = steps.send((yield wait))

        assert wait is not None
        with pytest.raises(KeyboardInterrupt):
            drive(interrupted_steps())
    assert used(fleet) == [0] * len(used(fleet))
    with fleet.session() as other:
        other.execute("UPDATE accounts SET amount = 0")


def test_a_statement_that_comes_behind_the_end_of_its_transaction_begins_nothing(fleet: Fleet) -> None:
    """Its task waits for a connection while another one leaves the block: nobody would end what it begins."""
    here, there = on_each_shard(fleet)[:2]
    with fleet.session() as session, fleet.session() as holder:
        holder.execute("BEGIN")
        holder.execute(UPDATE, [there])
        session.execute("BEGIN")
        session.execute(UPDATE, [here])
        conversation = session._conversation
        steps = conversation.execute_steps(UPDATE, [there], None, None)
        wait = steps.send(None)
        assert isinstance(wait, Future), "it waits for the one connection"
        drive(conversation.rollback_steps())
        holder.execute("ROLLBACK")

        def on_steps() -> Any:
            ready: Any = True
            while True:
                ready = yield steps.send(ready)

        with pytest.raises(outgrow.InterfaceError, match="OG-RUN-009: the transaction has ended"):
            drive(on_steps())
    assert used(fleet) == [0] * len(used(fleet))


def test_a_commit_that_nobody_confirms_is_not_called_cancelled(fleet: Fleet, fleet_servers: Servers) -> None:
    (account, *_) = on_each_shard(fleet)
    shard = fleet.explain(UPDATE, [account]).to_dict()["shards"]["shards"][0]
    primary = fleet.topology.domains[0].shard(shard).primary
    with fleet.session() as session, fleet_servers.restored():
        session.execute("BEGIN")
        session.execute(UPDATE, [account])
        fleet_servers.freeze(primary)
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-021"):
            session.execute("COMMIT", timeout_seconds=0.2)


@pytest.mark.long
def test_a_write_that_nobody_confirms_is_not_called_cancelled(fleet: Fleet, fleet_servers: Servers) -> None:
    (account, *_) = on_each_shard(fleet)
    shard = fleet.explain(UPDATE, [account]).to_dict()["shards"]["shards"][0]
    primary = fleet.topology.domains[0].shard(shard).primary
    with fleet.session() as session, fleet_servers.restored():
        session.execute(UPDATE, [account])
        fleet_servers.freeze(primary)
        with pytest.raises(outgrow.OperationalError, match=r"OG-NODE-012: .* may have run") as caught:
            session.execute(UPDATE, [account], timeout_seconds=0.2)
        assert caught.value.sqlstate == "08007"
