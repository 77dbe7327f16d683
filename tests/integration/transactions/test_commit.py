"""Two shards, one transaction: on real servers, when all goes well and when a server says no."""

from __future__ import annotations

import io
import time

import pytest

import outgrow
from outgrow import Fleet
from outgrow.moving import LoadFormat, LoadOptions
from outgrow.runtime.transaction import branch
from outgrow.waits import Steps
from tests.servers import Servers

UPDATE = "UPDATE accounts SET amount = amount + %s WHERE account = %s"
#: Says no at the end of a transaction, when an account has 101.
REFUSE = """CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END $$"""
DEFERRED = """CREATE CONSTRAINT TRIGGER no AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (new.amount = 101) EXECUTE FUNCTION no()"""


def amounts(fleet: Fleet, keys: tuple[int, int]) -> list[int]:
    with fleet.session(level="strong") as session:
        return [
            session.execute("SELECT amount FROM accounts WHERE account = %s", [key]).fetchall()[0][0] for key in keys
        ]


def prepared(fleet: Fleet, servers: Servers) -> list[str]:
    shards = fleet.topology.domains[0].shards
    query = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
    return [row[0] for shard in shards for row in servers.sql(shard.primary, query)]


def at_rest(fleet: Fleet) -> bool:
    """Nobody holds a connection of the pools (for longer than recovery does when it looks)."""
    until = time.monotonic() + 2
    while not all(pool.idle == pool.size for pool in fleet.stats().values()):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_both_shards_have_it_and_the_session_sees_it(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    with fleet.session() as session:
        for _ in range(20):
            with session.transaction():
                session.execute(UPDATE, [-1, keys[0]])
                session.execute(UPDATE, [1, keys[1]])
            assert session.pending == {}
        assert session.execute("SELECT sum(amount) FROM accounts").fetchall() == [(4000,)]
        seen = [session.execute("SELECT amount FROM accounts WHERE account = %s", [key]).fetchall() for key in keys]
        assert seen == [[(80,)], [(120,)]]
        assert session.last_transaction is not None
        assert fleet.outcome(session.last_transaction) == "committed"
    assert prepared(fleet, fleet_servers) == []


def present(fleet: Fleet, servers: Servers) -> list[int]:
    """How many transactions each shard knows to be under way: those that hold a lock of their number."""
    query = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    return [servers.sql(shard.primary, query)[0][0] for shard in fleet.topology.domains[0].shards]


def test_presence_and_limits_that_a_savepoint_took_back_are_taken_again(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    with fleet.session() as session, session.transaction():
        session.execute(UPDATE, [-1, keys[0]])
        session.execute("SAVEPOINT before")
        session.execute(UPDATE, [1, keys[1]])
        session.execute(UPDATE, [-1, keys[0]])
        assert present(fleet, fleet_servers) == [1, 1]
        session.execute("ROLLBACK TO before")
        assert present(fleet, fleet_servers) == [0, 0]
        for key in keys:
            session.execute(UPDATE, [1, key])
        assert present(fleet, fleet_servers) == [1, 1]
        assert session.execute("SHOW lock_timeout").fetchall() == [("10s",)]
    assert amounts(fleet, keys) == [100, 101]


def test_a_place_that_cannot_be_told_changes_nothing_of_the_commit(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object) -> Steps[None]:
        raise outgrow.OperationalError("OG-X-001", "no place", cure="none")
        yield

    monkeypatch.setattr(branch, "stand_steps", unable)
    with fleet.session() as session:
        with session.transaction():
            session.execute(UPDATE, [-1, keys[0]])
            session.execute(UPDATE, [1, keys[1]])
        assert at_rest(fleet)
        assert session.execute("SELECT sum(amount) FROM accounts").fetchall() == [(4000,)]
    assert amounts(fleet, keys) == [99, 101]


def test_a_load_that_nobody_waits_for_leaves_the_session_without_a_transaction(
    fleet: Fleet, keys: tuple[int, int]
) -> None:
    rows = io.BytesIO(b"account,amount\n" + b"".join(b"%d,1\n" % account for account in range(41, 61)))
    with fleet.session() as session:
        steps = session._conversation.load_steps(rows, "accounts", LoadFormat(), LoadOptions(), None)
        next(steps)
        steps.close()
        assert not session.in_transaction
        assert at_rest(fleet)
        assert session.execute("SELECT count(*) FROM accounts").fetchall() == [(40,)]


def test_a_constraint_on_the_deciding_shard_undoes_the_other(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    for shard in fleet.topology.domains[0].shards:
        fleet_servers.sql(shard.primary, REFUSE)
        fleet_servers.sql(shard.primary, DEFERRED)
    for gains, loses in (keys, keys[::-1]):
        with fleet.session() as session:
            with pytest.raises(outgrow.IntegrityError, match="no"), session.transaction():
                session.execute(UPDATE, [-1, loses])
                session.execute(UPDATE, [1, gains])
            assert session.execute("SELECT 1").fetchall() == [(1,)]
        assert amounts(fleet, keys) == [100, 100]
    assert prepared(fleet, fleet_servers) == []
