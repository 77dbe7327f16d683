"""Transactions over MariaDB shards: on all or on none, seen, and nothing left behind."""

from __future__ import annotations

import threading
import time

import pytest

import outgrow
from outgrow.transactions import branch
from tests.integration.mariadb.accounts import SHARDS, UPDATE, amounts, at_rest, locks, prepared


def test_all_shards_have_it_and_the_session_sees_it(fleet, keys, mariadb_servers):
    with fleet.session() as session:
        for _ in range(20):
            with session.transaction():
                for key, amount in zip((*keys, keys[0]), (-1, 1, 1, -1), strict=True):
                    session.execute(UPDATE, [amount, key])
                assert locks(mariadb_servers) == [1, 0]
            assert session.pending == {}
        assert session.execute("SELECT SUM(amount) AS s FROM accounts").fetchall() == [(4000,)]
        assert amounts(fleet, keys) == [60, 120, 120]
        assert fleet.outcome(session.last_transaction) == "committed"
        # Nothing is worn by the pool's connections, and nobody's presence is told any more.
        limit = "SELECT @@innodb_lock_wait_timeout + @@lock_wait_timeout"
        assert [session.execute(limit, shard=shard).fetchone() for shard in SHARDS] == [(86450,)] * 3
    assert (prepared(mariadb_servers), locks(mariadb_servers)) == ([], [0, 0])
    assert at_rest(fleet)


def test_one_that_writes_among_readers_needs_no_second_phase(fleet, keys):
    for writer in keys:
        with fleet.session() as session:
            with session.transaction():
                for key in keys:
                    session.execute("SELECT amount FROM accounts WHERE account = %s FOR UPDATE", [key])
                session.execute(UPDATE, [1, writer])
            assert session.last_transaction is None
    assert amounts(fleet, keys) == [101, 101, 101]
    assert at_rest(fleet)


def test_the_first_branch_decides_although_it_has_only_read(fleet, keys, mariadb_servers):
    with fleet.session() as session:
        with session.transaction():
            session.execute("SELECT amount FROM accounts WHERE account = %s", [keys[1]])
            session.execute(UPDATE, [-5, keys[0]])
            session.execute(UPDATE, [5, keys[2]])
        assert session.last_transaction.split("/")[1] == "s2"
        assert fleet.outcome(session.last_transaction) == "committed"
    assert amounts(fleet, keys) == [95, 100, 105]
    assert prepared(mariadb_servers) == []


def test_a_savepoint_is_a_way_back_on_all_shards(fleet, keys, mariadb_servers):
    with fleet.session() as session:
        with session.transaction():
            session.execute(UPDATE, [-1, keys[0]])
            with pytest.raises(outgrow.IntegrityError), session.transaction():
                session.execute(UPDATE, [-7, keys[1]])
                session.execute("INSERT INTO accounts VALUES (%s, 0)", [keys[2]])
            session.execute(UPDATE, [1, keys[2]])
            session.execute("SAVEPOINT again")
            session.execute(UPDATE, [-50, keys[1]])
            session.execute("ROLLBACK TO again")
        assert session.last_transaction is not None
    assert amounts(fleet, keys) == [99, 100, 101]
    assert (prepared(mariadb_servers), locks(mariadb_servers)) == ([], [0, 0])


def test_a_branch_that_was_let_go_decides_all_the_same(fleet, keys):
    """Its first statement fails behind a savepoint, and nothing ever runs there again."""
    with fleet.session() as session:
        with session.transaction():
            with pytest.raises(outgrow.IntegrityError), session.transaction():
                session.execute(UPDATE, [-101, keys[0]])
            session.execute(UPDATE, [-1, keys[1]])
            session.execute(UPDATE, [1, keys[2]])
        assert session.last_transaction.split("/")[1] == "s1"
        assert fleet.outcome(session.last_transaction) == "committed"
    assert amounts(fleet, keys) == [100, 99, 101]
    assert at_rest(fleet)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_one_shard_says_no_and_nobody_has_it(fleet, keys, mariadb_servers, order):
    with fleet.session() as session:
        with pytest.raises(outgrow.IntegrityError), session.transaction():
            for at in order:
                session.execute(UPDATE, [-40, keys[at]])
            session.execute(UPDATE, [-61, keys[order[-1]]])
        with pytest.raises(ZeroDivisionError), session.transaction():
            for at in order:
                session.execute(UPDATE, [-40, keys[at]])
            raise ZeroDivisionError
        assert session.execute("SELECT 1").fetchall() == [(1,)]
    assert amounts(fleet, keys) == [100, 100, 100]
    assert (prepared(mariadb_servers), locks(mariadb_servers)) == ([], [0, 0])
    assert at_rest(fleet)


def test_an_error_that_was_caught_without_a_savepoint_lets_nothing_be_committed(fleet, keys):
    failing = pytest.raises(outgrow.OperationalError, match="OG-RUN-020")
    with fleet.session() as session, failing, session.transaction():
        session.execute(UPDATE, [-1, keys[0]])
        session.execute(UPDATE, [1, keys[1]])
        with pytest.raises(outgrow.IntegrityError):
            session.execute(UPDATE, [-1000, keys[1]])
    assert amounts(fleet, keys) == [100, 100, 100]


def test_an_isolation_level_is_that_of_every_branch(fleet, keys, mariadb_servers):
    with fleet.session() as session, session.transaction("SERIALIZABLE"):
        for key in keys:
            session.execute("SELECT amount FROM accounts WHERE account = %s", [key])
        for key, number in zip(keys, range(3), strict=True):
            database = fleet.topology.domains[0].shards[number].primary.dsn.rpartition("/")[2]
            wait = f"SELECT account FROM {database}.accounts WHERE account = {key} FOR UPDATE NOWAIT"
            with pytest.raises(Exception, match="1205"):
                mariadb_servers.sql(number, wait)


def test_what_has_no_form_over_shards_is_refused_and_harms_nobody(fleet, keys):
    with fleet.session() as session:
        session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        session.execute(UPDATE, [1, keys[0]])
        with pytest.raises(outgrow.NotSupportedError) as caught:
            session.execute(UPDATE, [1, keys[1]])
        assert caught.value.code == "OG-RUN-085"
        session.execute("ROLLBACK")
        session.execute("START TRANSACTION READ ONLY")
        assert [session.execute("SELECT amount FROM accounts WHERE account = %s", [key]).rowcount for key in keys]
        with pytest.raises(outgrow.Error) as caught:
            session.execute(UPDATE, [1, keys[1]])
        assert caught.value.sqlstate == "25006"
        session.execute("ROLLBACK")
    assert amounts(fleet, keys) == [100, 100, 100]
    assert at_rest(fleet)


def test_two_that_wait_for_each_other_on_different_shards_do_not_wait_for_ever(fleet, keys, monkeypatch):
    monkeypatch.setattr(branch, "LOCK_TIMEOUT_SECONDS", 1.0)
    codes: list[str] = []
    both = threading.Barrier(2)

    def transfer(first, second):
        with fleet.session() as session:
            try:
                with session.transaction():
                    session.execute(UPDATE, [-1, first])
                    both.wait()
                    session.execute(UPDATE, [1, second])
            except outgrow.Error as error:
                codes.append(error.code)

    started = time.monotonic()
    threads = [threading.Thread(target=transfer, args=pair) for pair in (keys[:2], keys[1::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 10
    assert codes and set(codes) == {"OG-TX-008"}
    assert sum(amounts(fleet, keys)) == 300
    assert at_rest(fleet)
