"""Coordinators killed and paused, servers killed, in the middle of a commit; then all of it is there, or nothing."""

from __future__ import annotations

import itertools
import os
import signal
import time

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.transactions import recovery
from tests.integration.transactions.coordinators import UPDATE, held_steps, transfer
from tests.integration.transactions.test_commit import amounts, prepared
from tests.servers import Servers


def recovered(fleet: Fleet, servers: Servers) -> None:
    """Look until nothing is left, as fleets do by themselves."""
    until = time.monotonic() + 30
    while prepared(fleet, servers):
        assert time.monotonic() < until, prepared(fleet, servers)
        fleet.recover()
        time.sleep(0.1)


def test_a_coordinator_is_killed_at_every_wait_of_its_commit(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    ends = []
    at = amounts(fleet, keys)
    for waits in range(12):
        with transfer(fleet.topology, keys, waits) as (_, says):
            said = says.recv()
        recovered(fleet, fleet_servers)
        # What the dead client had sent may be worked off a moment later.
        time.sleep(0.2)
        recovered(fleet, fleet_servers)
        now = amounts(fleet, keys)
        assert now in ([at[0] - 1, at[1] + 1], at), (waits, at, now)
        ends.append(now != at)
        if said != "held":
            assert said.startswith("committed") and now != at
            break
        at = now
    else:
        pytest.fail("a commit does not wait so often")
    # At first nothing is decided, at last it is.
    assert not ends[0] and ends[-2]


def test_a_coordinator_that_was_asleep_is_told(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PATIENCE_SECONDS", 1.5)
    with transfer(fleet.topology, keys, 0) as (pid, says):
        assert says.recv() == "held"
        # It has sent PREPARE; the server may take its time.
        while not prepared(fleet, fleet_servers):
            time.sleep(0.02)
        recovered(fleet, fleet_servers)
        os.kill(pid, signal.SIGCONT)
        assert says.recv() == "OG-TX-004"
    assert amounts(fleet, keys) == [100, 100]


def test_a_coordinator_that_is_there_is_left_alone(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    with transfer(fleet.topology, keys, 0) as (pid, says):
        assert says.recv() == "held"
        time.sleep(recovery.GRACE_SECONDS + 0.5)
        found = fleet.recover()
        assert [str(branch.shard) for branch in found.left] == ["s1"] and not found.aborted
        os.kill(pid, signal.SIGCONT)
        said = says.recv()
        assert said.startswith("committed")
        assert fleet.outcome(said.split()[1]) == "committed"
    assert amounts(fleet, keys) == [99, 101]


def test_a_shard_lost_after_the_decision_is_pending_and_read_when_it_is_back(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    lost = fleet.topology.domains[0].shards[0].primary
    with fleet_servers.restored(), fleet.session() as session:
        session.execute("BEGIN")
        session.execute(UPDATE, [-1, keys[0]])
        session.execute(UPDATE, [1, keys[1]])
        past = itertools.count().__next__
        # The first wait is for what is prepared, the second for the decision.
        drive(held_steps(session._conversation.commit_steps(), lambda: past() == 1, lambda: fleet_servers.kill(lost)))
        here = session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[1]]).fetchall()
        assert here == [(101,)]
        token = session._conversation.token_steps
        assert list(session.pending) == ["s1"]
        with pytest.raises(outgrow.OperationalError) as caught:
            session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]], timeout_seconds=1)
        assert caught.value.code == "OG-TX-009"
        seen = drive(token())
        assert list(seen.pending) == [f"{fleet.topology.domains[0].name}/s1"]
        told = session.token()
        fleet_servers.start()
        # Another process that is given the token sees it too: before anybody else has recovered it, or after.
        with outgrow.open(fleet.topology) as other, other.session(token=told) as reader:
            assert list(reader.pending) == ["s1"]
            there = reader.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]]).fetchall()
            assert there == [(99,)] and reader.pending == {}
        there = session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]]).fetchall()
        assert there == [(99,)]
        assert session.pending == {}
    recovered(fleet, fleet_servers)
