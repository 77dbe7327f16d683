"""Each protection of a session's promises, switched off: the same harness that finds no violation must find one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.route import Choice, Seats, choose
from outgrow.runtime import asking
from outgrow.runtime.health import Health
from tests.integration.runtime.conftest import CUSTOMERS, TABLES
from tests.integration.runtime.test_replicas import READ, WRITE, replica_of
from tests.servers import Servers, serving


def own_writes_missed(fleet: Fleet, servers: Servers) -> int:
    """How many of 20 writes the session's next read misses while the replica stands still."""
    missed = 0
    with fleet.session() as session:
        session.execute(WRITE, [1, "first"])
        servers.wait_replayed()
        replica = replica_of(fleet, 1)
        with servers.restored():
            servers.sql(replica, "SELECT pg_wal_replay_pause()")
            for number in range(20):
                session.execute(WRITE, [1, f"v{number}"])
                missed += session.execute(READ, [1]).fetchall() != [(f"v{number}",)]
    return missed


def test_own_writes_are_never_missed(fleet: Fleet, fleet_servers: Servers) -> None:
    assert own_writes_missed(fleet, fleet_servers) == 0


def test_mutant_a_guard_whose_answer_is_ignored(
    fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_is_enough", lambda *_: True)
    assert own_writes_missed(fleet, fleet_servers) > 0


def test_mutant_a_floor_that_writes_do_not_raise(
    fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking.Footing, "raise_floor", lambda self, position: None)
    assert own_writes_missed(fleet, fleet_servers) > 0


def test_mutant_a_replica_believed_to_be_ahead(
    fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds must come from the replica itself, never from hope."""
    real, real_by = Health.replayed, Health.replayed_by
    ahead = {"lsn": 2**62}
    monkeypatch.setattr(Health, "replayed", lambda self, node: (known := real(self, node)) and known._replace(**ahead))
    monkeypatch.setattr(Health, "replayed_by", lambda *asked: (known := real_by(*asked)) and known._replace(**ahead))
    assert own_writes_missed(fleet, fleet_servers) > 0


@pytest.fixture(scope="module")
def two_replicas() -> Iterator[Servers]:
    with serving(shards=1, replicas=2) as servers:
        yield servers


def went_back_in_time(servers: Servers) -> bool:
    """Whether a session that only reads ever sees an older value than it has seen, one of two replicas lagging."""
    topology = servers.fresh(TABLES)
    _, second = topology.domains[0].shards[0].replicas
    with outgrow.open(topology, install=True) as fleet, fleet.session() as writer:
        writer.execute(CUSTOMERS)
        writer.execute(WRITE, [1, "0"])
        servers.wait_replayed()
        with servers.restored():
            servers.sql(second, "SELECT pg_wal_replay_pause()")
            for number in range(1, 6):
                writer.execute(WRITE, [1, str(number)])
                with fleet.session() as reader:
                    seen = 0
                    for _ in range(10):
                        row = reader.execute(READ, [1]).fetchone()
                        assert row is not None
                        if int(row[0]) < seen:
                            return True
                        seen = int(row[0])
                        time.sleep(0.002)
    return False


def test_a_session_never_goes_back_in_time(two_replicas: Servers) -> None:
    assert not went_back_in_time(two_replicas)


def test_mutant_a_session_that_hops_between_replicas(two_replicas: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    def hopping(seats: Seats, level, floor, last, health, turn, reads) -> Choice:  # type: ignore[no-untyped-def]
        return choose(seats, level, floor, None, health, turn, reads)

    monkeypatch.setattr(asking, "choose", hopping)
    assert went_back_in_time(two_replicas)


def test_mutant_bounded_that_trusts_an_unknown_age(
    fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Health, "staleness_seconds", lambda self, node: 0.0)
    monkeypatch.setattr(Health, "staleness_at", lambda self, node, replayed: 0.0)
    with fleet.session() as writer:
        writer.execute(WRITE, [1, "old"])
        fleet_servers.wait_replayed()
        with fleet_servers.restored(), fleet.session(level="bounded(0.1)") as reader:
            fleet_servers.sql(replica_of(fleet, 1), "SELECT pg_wal_replay_pause()")
            writer.execute(WRITE, [1, "new"])
            time.sleep(0.3)
            assert reader.execute(READ, [1]).fetchall() == [("old",)]
