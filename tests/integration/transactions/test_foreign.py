"""Transactions that an application's own coordinator decides, with processes and servers killed at every moment."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.doors import dbapi
from outgrow.nodes import drive
from outgrow.runtime import doctor
from outgrow.runtime.transaction.foreign import Xid
from outgrow.topology import Topology
from outgrow.transactions import postgresql, recovery
from tests.integration.transactions.coordinators import UPDATE, child, held_steps
from tests.integration.transactions.test_commit import amounts, prepared
from tests.servers import Servers

XID = Xid(7, "order 42", "stock")


def begin(fleet: Fleet, keys: tuple[int, int]) -> dbapi.Connection:
    connection = dbapi.connect(fleet)
    connection.tpc_begin(XID)
    cursor = connection.cursor()
    cursor.execute(UPDATE, [-1, keys[0]])
    cursor.execute(UPDATE, [1, keys[1]])
    return connection


def leave(fleet: Fleet, keys: tuple[int, int]) -> None:
    """What a process leaves that has prepared, and is there no more."""
    with begin(fleet, keys) as connection:
        connection.tpc_prepare()


def _work(topology: Topology, keys: tuple[int, int], verb: str, waits: int, end: Connection) -> None:
    """In the child: stops before the given wait of the verb, or tells how it ended, and stays."""
    with outgrow.open(topology) as fleet:
        if verb == "prepare":
            speaking = begin(fleet, keys)._speaking
            steps: Any = speaking.prepare_steps()
        else:
            speaking = dbapi.connect(fleet)._speaking
            steps = speaking.end_two_phases_steps(XID, verb == "commit")

        def hold() -> None:
            end.send("held")
            os.kill(os.getpid(), signal.SIGSTOP)

        past = itertools.count().__next__
        drive(held_steps(steps, lambda: past() == waits, hold))
        end.send("through")
        signal.pause()


@contextmanager
def working(topology: Topology, keys: tuple[int, int], verb: str, waits: int) -> Iterator[str]:
    """What the child says; killed at the end."""
    with child(_work, topology, keys, verb, waits) as (_, says):
        yield says.recv()


def rest(fleet: Fleet) -> list[Xid]:
    """Let recovery finish what is its business; what waits for its decision."""
    until = time.monotonic() + 30
    while True:
        found = fleet.recover()
        if not found.left and not found.unreachable:
            return [one.marker.xid for one in found.foreign if one.marker is not None]
        assert time.monotonic() < until, found
        time.sleep(0.1)


@pytest.mark.parametrize("verb", ["prepare", "commit", "rollback"])
def test_a_process_is_killed_at_every_wait(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers, verb: str
) -> None:
    at = amounts(fleet, keys)
    done = [at[0] - 1, at[1] + 1]
    ends = []
    for waits in range(20):
        if verb != "prepare":
            leave(fleet, keys)
        with working(fleet.topology, keys, verb, waits) as said:
            pass
        waiting = rest(fleet)
        # What the dead client had sent may be worked off a moment later.
        time.sleep(0.1)
        waiting = rest(fleet)
        now = amounts(fleet, keys)
        with dbapi.connect(fleet) as connection:
            assert connection.tpc_recover() == waiting
            if waiting:
                # Nothing is decided, everything is there: so either can be done still.
                assert waiting == [XID] and now == at and len(prepared(fleet, fleet_servers)) == 2
                (connection.tpc_commit if waits % 2 else connection.tpc_rollback)(XID)
                assert amounts(fleet, keys) == (done if waits % 2 else at)
                ends.append("waiting")
            else:
                assert now in (done, at) and prepared(fleet, fleet_servers) == []
                ends.append("committed" if now == done else "rolled back")
        if amounts(fleet, keys) == done:
            with begin(fleet, (keys[1], keys[0])) as back:
                back.tpc_commit()
        if said == "through":
            break
    else:
        pytest.fail(f"{verb} does not wait so often")
    first, last = {
        "prepare": ("rolled back", "waiting"),
        "commit": ("waiting", "committed"),
        "rollback": ("waiting", "rolled back"),
    }[verb]
    # (How often it waits differs by one or two: answers may come together, or one by one.)
    assert ends[0] == first and ends[-1] == last and set(ends) == {first, last}, ends


def test_recovery_never_decides(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However old it is, whoever looks."""
    monkeypatch.setattr(recovery, "PATIENCE_SECONDS", 0.0)
    leave(fleet, keys)
    time.sleep(recovery.GRACE_SECONDS + 0.2)
    for _ in range(2):
        found = fleet.recover()
        assert not found.aborted and not found.committed and not found.left
        assert [(one.shard, one.marker.xid) for one in found.foreign if one.marker is not None] == [("s2", XID)]
    assert len(prepared(fleet, fleet_servers)) == 2
    # Nor does an outgrow that knows no such transactions, and sees the other branch alone.
    id = found.foreign[0].id
    assert fleet.outcome(str(id)) == "unknown"
    with monkeypatch.context() as older:
        older.setattr(postgresql, "read_marker", lambda gid: None)
        found = fleet.recover()
        assert not found.aborted and not found.committed and [one.shard for one in found.left] == ["s1"]
    with dbapi.connect(fleet) as connection:
        connection.tpc_commit(XID)
    assert amounts(fleet, keys) == [99, 101]
    assert fleet.outcome(str(id)) == "committed"


def test_two_who_decide_otherwise_do_not_both_have_their_way(fleet: Fleet, keys: tuple[int, int]) -> None:
    at = amounts(fleet, keys)
    with dbapi.connect(fleet) as one, dbapi.connect(fleet) as other:
        for _ in range(5):
            leave(fleet, keys)
            said: dict[str, str] = {}

            def decide(name: str, verb: Any, said: dict[str, str] = said) -> None:
                try:
                    verb(XID)
                    said[name] = "done"
                except outgrow.Error as error:
                    said[name] = error.code

            threads = [
                threading.Thread(target=decide, args=("commit", one.tpc_commit)),
                threading.Thread(target=decide, args=("rollback", other.tpc_rollback)),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            now = amounts(fleet, keys)
            committed = now != at
            assert now in (at, [at[0] - 1, at[1] + 1])
            assert said["commit" if committed else "rollback"] == "done"
            assert said["rollback" if committed else "commit"] in ("OG-TX-021", "OG-TX-024")
            at = now


def test_a_shard_out_of_reach(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    """What cannot be seen is not taken for gone; behind the decision it is pending, as after any commit."""
    first = fleet.topology.domains[0].shards[0].primary
    leave(fleet, keys)
    with fleet_servers.restored(), dbapi.connect(fleet) as connection:
        fleet_servers.kill(first)
        for call in (connection.tpc_recover, lambda: connection.tpc_commit(XID)):
            with pytest.raises(dbapi.OperationalError) as caught:
                call()
            assert caught.value.code == "OG-TX-025"
        with pytest.raises(dbapi.OperationalError) as caught:
            connection.tpc_rollback(Xid(7, "another", ""))
        assert caught.value.code == "OG-TX-025"
        fleet_servers.start()
        # Once the marker is committed, s1 goes again.
        second = fleet.topology.domains[0].shards[1].primary
        query = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
        speaking = connection._speaking
        steps = speaking.end_two_phases_steps(XID, True)
        drive(held_steps(steps, lambda: not fleet_servers.sql(second, query), lambda: fleet_servers.kill(first)))
        assert speaking.conversation.pending.keys() == {"s1"}
        fleet_servers.start()
        cursor = connection.cursor()
        cursor.execute("SELECT amount FROM accounts WHERE account = %s", [keys[0]])
        assert cursor.fetchone() == (99,)
        connection.rollback()
    assert rest(fleet) == [] and amounts(fleet, keys) == [99, 101]


def test_who_has_decided_reads_what_was_done(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    """Not on a replica that is behind."""
    domain = fleet.topology.domains[0]
    query = "SELECT amount FROM accounts WHERE account = %s"
    with fleet_servers.restored(), dbapi.connect(fleet, autocommit=True) as connection:
        cursor = connection.cursor()
        fleet_servers.wait_replayed()
        for key in keys:
            cursor.execute(query, [key])
        leave(fleet, keys)
        for shard in domain.shards:
            fleet_servers.sql(shard.replicas[0], "SELECT pg_wal_replay_pause()")
        connection.tpc_commit(XID)
        read = []
        for key in keys:
            cursor.execute(query, [key])
            read += cursor.fetchall()
    assert read == [(99,), (101,)]


def test_a_part_that_a_server_has_lost_is_not_committed_without(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    leave(fleet, keys)
    first = fleet.topology.domains[0].shards[0].primary
    gid = prepared(fleet, fleet_servers)[0]
    # As a failover to a replica that had not received it.
    fleet_servers.sql(first, f"ROLLBACK PREPARED '{gid}'")
    with dbapi.connect(fleet) as connection:
        with pytest.raises(dbapi.InternalError) as caught:
            connection.tpc_commit(XID)
        assert caught.value.code == "OG-TX-027"
        assert connection.tpc_recover() == [XID]
        connection.tpc_rollback(XID)
    assert prepared(fleet, fleet_servers) == [] and amounts(fleet, keys) == [100, 100]


def test_what_recovery_decides_is_on_disk_whatever_the_role_has_set(fleet: Fleet, fleet_servers: Servers) -> None:
    home = fleet.topology.domains[0].home.primary
    fleet_servers.sql(home, "ALTER ROLE app SET synchronous_commit = off")
    try:
        from outgrow.runtime.transaction import atomic

        shards = atomic.shards_of(fleet._states["app"])
        asked = [("SHOW synchronous_commit", None)]
        (answer,) = drive(shards.ask_steps("s1", asked, time.monotonic() + 5))
        shards.close()
        assert answer.rows == [("on",)]
    finally:
        fleet_servers.sql(home, "ALTER ROLE app RESET synchronous_commit")


def test_the_doctor_says_whose_it_is(fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    leave(fleet, keys)
    monkeypatch.setattr(doctor.transactions, "_IN_DOUBT_SECONDS", 0.0)
    found = [one for one in fleet.doctor() if one.check == "in doubt"]
    assert [(one.where, one.severity) for one in found] == [("app/s2/primary", "warning")]
    assert "(7, 'order 42', 'stock')" in found[0].what and "tpc_commit" in found[0].cure
    with dbapi.connect(fleet) as connection:
        connection.tpc_rollback(XID)
    assert [one for one in fleet.doctor() if one.check == "in doubt"] == []
