"""Coordinators killed and paused, servers killed, in the middle of a commit; then all of it is there, or nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from uuid import UUID

import pytest

import outgrow
from outgrow.nodes import drive
from outgrow.runtime.transaction import atomic
from outgrow.transactions import recovery
from tests import mariadb
from tests.integration.mariadb.accounts import UPDATE, amounts, locks, prepared, recovered
from tests.integration.transactions.coordinators import held_steps, transfer


def test_a_coordinator_is_killed_at_every_wait_of_its_commit(fleet, keys, mariadb_servers):
    ends = []
    at = amounts(fleet, keys)
    for waits in range(12):
        with transfer(fleet.topology, keys[:2], waits, pause_seconds=0.1 * (waits % 2)) as (_, says):
            said = says.recv()
        recovered(fleet, mariadb_servers)
        # What the dead client had sent may be worked off a moment later.
        time.sleep(0.2)
        recovered(fleet, mariadb_servers)
        now = amounts(fleet, keys)
        assert now in ([at[0] - 1, at[1] + 1, at[2]], at), (waits, at, now)
        ends.append(now != at)
        if said != "held":
            assert said.startswith("committed") and now != at
            break
        at = now
    else:
        pytest.fail("a commit does not wait so often")
    # At first nothing is decided, at last it is.
    assert not ends[0] and ends[-2]


def test_a_coordinator_that_was_asleep_is_told(fleet, keys, mariadb_servers, monkeypatch):
    """Its connections stand, and nobody else can finish what was prepared on them: they are ended."""
    monkeypatch.setattr(recovery, "PATIENCE_SECONDS", 1.5)
    with transfer(fleet.topology, keys[:2], 0, pause_seconds=0.3) as (pid, says):
        assert says.recv() == "held"
        recovered(fleet, mariadb_servers)
        assert amounts(fleet, keys) == [100, 100, 100]
        os.kill(pid, signal.SIGCONT)
        assert says.recv() == "OG-TX-004"
    assert amounts(fleet, keys) == [100, 100, 100]
    assert locks(mariadb_servers) == [0, 0]


def test_a_coordinator_that_is_there_is_left_alone(fleet, keys, mariadb_servers):
    with transfer(fleet.topology, keys[:2], 0, pause_seconds=0.3) as (pid, says):
        assert says.recv() == "held"
        time.sleep(recovery.GRACE_SECONDS + 0.5)
        found = fleet.recover()
        assert [str(branch.shard) for branch in found.left] == ["s2"] and not found.aborted
        assert found.left[0].age_seconds >= recovery.GRACE_SECONDS
        os.kill(pid, signal.SIGCONT)
        said = says.recv()
        assert said.startswith("committed")
        assert fleet.outcome(said.split()[1]) == "committed"
    assert amounts(fleet, keys) == [99, 101, 100]


def test_branches_of_others_are_left_alone(fleet, keys, mariadb_servers):
    """Of another fleet on the same servers whose names are the same, and of whoever else speaks XA."""
    with (
        mariadb_servers.open(mariadb_servers.fresh(3, "{accounts: {shard_by: account}}")) as other,
        contextlib.closing(mariadb_servers.link(0, mariadb.databases_of(fleet)[0])) as link,
        link.cursor() as cursor,
    ):
        cursor.execute("XA START 'theirs', 's1'")
        cursor.execute("INSERT INTO accounts VALUES (1000, 7)")
        cursor.execute("XA END 'theirs', 's1'")
        cursor.execute("XA PREPARE 'theirs', 's1'")
        with transfer(fleet.topology, keys[:2], 0, pause_seconds=0.3) as (_, says):
            assert says.recv() == "held"
            assert len(prepared(mariadb_servers)) == 2
        time.sleep(recovery.GRACE_SECONDS + 0.5)
        assert other.recover() == recovery.Recovered()
        assert fleet.recover().left == []
        assert prepared(mariadb_servers) == ["'theirs','s1'"]
        cursor.execute("XA ROLLBACK 'theirs', 's1'")
    assert amounts(fleet, keys) == [100, 100, 100]


def test_a_shard_lost_after_the_decision_is_pending_and_read_when_it_is_back(fleet, keys, mariadb_servers):
    lost = mariadb_servers.servers[1]
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute(UPDATE, [-1, keys[0]])
        session.execute(UPDATE, [1, keys[1]])
        home = mariadb.databases_of(fleet)[0]
        try:
            decided = lambda: mariadb_servers.sql(0, "SELECT id FROM outgrow_decisions", home)  # noqa: E731
            kill = lambda: lost.stop(at_once=True)  # noqa: E731
            drive(held_steps(session._conversation.commit_steps(), decided, kill))
            if not session.pending:
                pytest.skip("the shard had confirmed before it was killed")
            assert list(session.pending) == ["s2"]
            here = session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]])
            assert here.fetchall() == [(99,)]
            with pytest.raises(outgrow.OperationalError) as caught:
                session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[1]], timeout_seconds=1)
            assert caught.value.code == "OG-TX-009"
            told = session.token()
        finally:
            lost.start()
        # Another process that is given the token sees it too: before anybody else has recovered it, or after.
        with outgrow.open(fleet.topology) as other, other.session(token=told) as reader:
            assert list(reader.pending) == ["s2"]
            there = reader.execute("SELECT amount FROM accounts WHERE account = %s", [keys[1]])
            assert there.fetchall() == [(101,)] and reader.pending == {}
        there = session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[1]])
        assert there.fetchall() == [(101,)]
        assert session.pending == {}
    recovered(fleet, mariadb_servers)


def test_the_deciding_server_dies_and_its_answer_is_found_out(fleet, keys, mariadb_servers):
    decider = mariadb_servers.servers[0]
    before = amounts(fleet, keys)
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute(UPDATE, [-1, keys[0]])
        session.execute(UPDATE, [1, keys[1]])

        def kill() -> None:
            decider.stop(at_once=True)
            decider.start()

        said = "committed"
        try:
            drive(held_steps(session._conversation.commit_steps(), lambda: prepared(mariadb_servers), kill))
        except outgrow.Error as error:
            said = error.code
        ended = str(fleet.outcome(session.last_transaction))
    recovered(fleet, mariadb_servers)
    now = amounts(fleet, keys)
    assert ended == ("committed" if said == "committed" else "aborted")
    assert now == ([before[0] - 1, before[1] + 1, before[2]] if said == "committed" else before)


def test_what_everybody_has_confirmed_is_forgotten(fleet, keys, mariadb_servers):
    with fleet.session() as session:
        for _ in range(3):
            with session.transaction():
                for key in keys:
                    session.execute(UPDATE, [1, key])
    shards = list(enumerate(mariadb.databases_of(fleet)))
    rows = [mariadb_servers.sql(n, "SELECT id, outcome FROM outgrow_decisions", db) for n, db in shards]
    assert [len(found) for found in rows] == [3, 0, 0]
    ids = {UUID(bytes=id) for id, outcome in rows[0] if outcome == "committed"}
    assert {UUID(session.last_transaction.split("/")[2])} <= ids
    # A shard that has lost its stamp keeps the decision.
    [database] = [name for _, name in shards[1:2]]
    mariadb_servers.sql(1, "DELETE FROM outgrow_stamps LIMIT 1", database)
    assert drive(atomic.collect_steps(fleet._states["sales"], kept_seconds=-60.0)) == 2 + 6 - 0
    counts = [mariadb_servers.sql(n, "SELECT COUNT(*) FROM outgrow_stamps", db)[0][0] for n, db in shards]
    assert counts == [1, 0, 1]
    assert mariadb_servers.sql(0, "SELECT COUNT(*) FROM outgrow_decisions", shards[0][1]) == [(1,)]


def test_the_doctor_names_what_a_shard_lacks(fleet, keys, mariadb_servers):
    with fleet.session() as session:
        with session.transaction():
            for key in keys:
                session.execute(UPDATE, [1, key])
        id = session.last_transaction
    assert [one for one in fleet.doctor() if one.check == "lost branches"] == []
    number = id.rpartition("/")[2]
    mariadb_servers.sql(1, f"DELETE FROM outgrow_stamps WHERE id = UNHEX('{number}')", mariadb.databases_of(fleet)[1])
    [found] = [one for one in fleet.doctor() if one.check == "lost branches"]
    assert (found.where, found.severity) == ("sales/s2/primary", "error") and id in found.what
