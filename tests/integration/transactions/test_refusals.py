"""What a server will not prepare, locks that wait for each other, and forgetting: on real servers."""

from __future__ import annotations

import threading

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.runtime.transaction import atomic
from outgrow.transactions import branch
from tests.integration.transactions.coordinators import UPDATE
from tests.integration.transactions.test_commit import amounts, prepared
from tests.servers import Servers, serving


def test_what_cannot_be_prepared_is_named_and_undone(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    with fleet.session() as session:
        with pytest.raises(outgrow.NotSupportedError, match="NOTIFY") as caught, session.transaction():
            session.execute(UPDATE, [-1, keys[0]])
            session.execute("SELECT pg_notify('channel', 'x')", shard="s1")
            session.execute(UPDATE, [1, keys[1]])
        assert caught.value.code == "OG-TX-003"
        assert session.execute("SELECT 1").fetchall() == [(1,)]
    assert amounts(fleet, keys) == [100, 100]
    assert prepared(fleet, fleet_servers) == []


def test_a_deadlock_over_shards_ends(fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branch, "LOCK_TIMEOUT_SECONDS", 0.7)
    both = threading.Barrier(2, timeout=30)
    ends: list[str] = []

    def run(first: int, second: int) -> None:
        with fleet.session() as session:
            try:
                with session.transaction():
                    session.execute(UPDATE, [1, first])
                    both.wait()
                    session.execute(UPDATE, [1, second])
                ends.append("committed")
            except outgrow.OperationalError as error:
                ends.append(error.code)

    threads = [threading.Thread(target=run, args=pair) for pair in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert "OG-TX-008" in ends and len(ends) == 2
    assert sum(amounts(fleet, keys)) == 200 + 2 * ends.count("committed")


def test_a_reader_s_locks_hold_until_the_decision(fleet: Fleet, keys: tuple[int, int]) -> None:
    with fleet.session() as session, fleet.session() as other:
        with session.transaction():
            session.execute("SELECT * FROM accounts WHERE account = %s FOR UPDATE", [keys[1]])
            session.execute(UPDATE, [1, keys[0]])
            with pytest.raises(outgrow.OperationalError):
                other.execute("SELECT * FROM accounts WHERE account = %s FOR UPDATE NOWAIT", [keys[1]])
        other.execute("SELECT * FROM accounts WHERE account = %s FOR UPDATE NOWAIT", [keys[1]])
        assert session.last_transaction is None or fleet.outcome(session.last_transaction) == "committed"


def test_decisions_and_stamps_are_forgotten_together(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    (state,) = fleet._states.values()
    primaries = [shard.primary for shard in fleet.topology.domains[0].shards]

    def kept() -> tuple[int, int]:
        counts = [
            [fleet_servers.sql(primary, f"SELECT count(*) FROM outgrow.{table}")[0][0] for primary in primaries]
            for table in ("decisions", "stamps")
        ]
        return sum(counts[0]), sum(counts[1])

    with fleet.session() as session:
        for _ in range(3):
            with session.transaction():
                session.execute(UPDATE, [-1, keys[0]])
                session.execute(UPDATE, [1, keys[1]])
    assert kept() == (3, 6)
    assert drive(atomic.collect_steps(state)) == 0
    # One branch has not confirmed, as it seems: its decision must stay, and with it every stamp.
    fleet_servers.sql(primaries[0], "DELETE FROM outgrow.stamps WHERE id = (SELECT id FROM outgrow.stamps LIMIT 1)")
    drive(atomic.collect_steps(state, -60.0))
    assert kept() == (1, 1)


def test_servers_without_prepared_transactions_are_named() -> None:
    from outgrow.topology import Sharded, TableName

    with serving(2, 0) as servers:
        first = servers.domain.shards[0].primary
        servers.sql(first, "ALTER SYSTEM SET max_prepared_transactions = 0", database="postgres")
        servers.kill(first)
        servers.start()
        topology = servers.fresh({TableName("public", "accounts"): Sharded(("account",))})
        with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
            session.execute("CREATE TABLE accounts (account int8 PRIMARY KEY, amount int8)")
            refused = pytest.raises(outgrow.NotSupportedError, match="max_prepared_transactions")
            with refused as caught, session.transaction():
                for account in range(1, 20):
                    session.execute("INSERT INTO accounts VALUES (%s, 1)", [account])
            assert caught.value.code == "OG-TX-001"
            assert session.execute("SELECT count(*) FROM accounts").fetchall() == [(0,)]
