"""A replica, a primary, a whole shard is gone: the table of docs/consistency.md, cell by cell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from outgrow import Fleet, Session
from outgrow.errors import DataError, Error
from outgrow.runtime.domain import EPOCHS_SECONDS
from outgrow.topology import Shard
from tests.integration.runtime.test_replicas import READ, WRITE
from tests.servers import Servers

COUNT = "SELECT count(*) FROM customers"
LEVELS = ("strong", "session", "bounded(60)", "eventual")


@pytest.fixture
def keys(fleet: Fleet, fleet_servers: Servers) -> dict[str, int]:
    """One key on each shard, with its row on every node."""
    found: dict[str, int] = {}
    for key in range(20):
        fleet.execute(WRITE, [key, "here"])
        (shard,) = fleet.explain(READ, [key]).to_dict()["shards"]["shards"]
        found.setdefault(shard, key)
    fleet_servers.wait_replayed()
    return found


@contextmanager
def sessions(fleet: Fleet, shards: dict[str, int]) -> Iterator[dict[str, Session]]:
    """Of every level, each having read every shard, while the heartbeat knows how far replicas are."""
    opened = {level: fleet.session(level=level) for level in LEVELS}
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        for session in opened.values():
            for key in shards.values():
                assert session.execute(READ, [key]).fetchall() == [("here",)]
    yield opened
    for session in opened.values():
        session.close()


def outcome(run: Callable[[], object]) -> object:
    try:
        return run()
    except Error as error:
        assert error.code and error.cure and error.shard == "s1", error
        return "error"


def seen(session: Session, key: int, other: int) -> tuple[object, ...]:
    """A keyed read of the shard, one of the other shard, all shards, all that are there, and a write."""
    partial = outcome(lambda: session.execute(COUNT, allow_partial=True))
    return (
        outcome(lambda: session.execute(READ, [key]).fetchall()),
        outcome(lambda: session.execute(READ, [other]).fetchall()),
        outcome(lambda: session.execute(COUNT).fetchall()),
        partial if isinstance(partial, str) else (*partial.fetchall(), partial.missing),  # type: ignore[attr-defined]
        outcome(lambda: session.execute(WRITE, [key, "here"]).rowcount),
    )


def of_shard(fleet: Fleet, fleet_servers: Servers) -> int:
    node = fleet.topology.domains[0].shards[1].primary
    return int(fleet_servers.sql(node, COUNT)[0][0])


HERE, ALL, ERROR = [("here",)], [(20,)], "error"


def lost(fleet: Fleet, servers: Servers, keys: dict[str, int], which: str) -> dict[str, tuple[object, ...]]:
    shard: Shard = fleet.topology.domains[0].shards[0]
    gone = {"replica": shard.replicas, "primary": (shard.primary,), "shard": shard.nodes}[which]
    with sessions(fleet, keys) as opened, servers.restored():
        for node in gone:
            servers.kill(node)
        return {level: seen(session, keys["s1"], keys["s2"]) for level, session in opened.items()}


def test_a_replica_is_gone(fleet: Fleet, fleet_servers: Servers, keys: dict[str, int]) -> None:
    found = lost(fleet, fleet_servers, keys, "replica")
    assert found == dict.fromkeys(LEVELS, (HERE, HERE, ALL, ((20,), ()), 1))


def test_a_primary_is_gone(fleet: Fleet, fleet_servers: Servers, keys: dict[str, int]) -> None:
    rest = of_shard(fleet, fleet_servers)
    found = lost(fleet, fleet_servers, keys, "primary")
    assert found.pop("strong") == (ERROR, HERE, ERROR, ((rest,), ("s1",)), ERROR)
    assert found == dict.fromkeys(LEVELS[1:], (HERE, HERE, ALL, ((20,), ()), ERROR))


def test_a_shard_is_gone(fleet: Fleet, fleet_servers: Servers, keys: dict[str, int]) -> None:
    rest = of_shard(fleet, fleet_servers)
    found = lost(fleet, fleet_servers, keys, "shard")
    assert found == dict.fromkeys(LEVELS, (ERROR, HERE, ERROR, ((rest,), ("s1",)), ERROR))


@pytest.mark.long
def test_with_every_shard_gone_there_is_no_partial_result(
    fleet: Fleet, fleet_servers: Servers, keys: dict[str, int]
) -> None:
    with fleet.session(level="eventual") as session, fleet_servers.restored():
        session.execute(COUNT)
        for shard in fleet.topology.domains[0].shards:
            for node in shard.nodes:
                fleet_servers.kill(node)
        with pytest.raises(Error):
            session.execute(COUNT, allow_partial=True)


def test_a_silent_shard_is_missing_at_the_time_limit(
    fleet: Fleet, fleet_servers: Servers, keys: dict[str, int]
) -> None:
    with fleet.session(level="strong") as session:
        session.execute(COUNT)
        rest = of_shard(fleet, fleet_servers)
        with fleet_servers.restored():
            fleet_servers.freeze(fleet.topology.domains[0].shards[0].primary)
            began = time.monotonic()
            result = session.execute(COUNT, timeout_seconds=0.5, allow_partial=True)
            # The limit, and what a server that hears nothing is given to stop.
            assert time.monotonic() - began < 10
            assert (result.fetchall(), result.missing) == ([(rest,)], ("s1",))


def test_other_errors_are_errors_all_the_same(fleet: Fleet) -> None:
    with fleet.session() as session, pytest.raises(DataError):
        session.execute(WRITE, [1, "here"])
        session.execute("SELECT customer_id / 0 FROM customers", allow_partial=True)


@pytest.mark.long
def test_a_ledger_that_says_nothing_holds_no_statement_for_ever(
    fleet: Fleet, fleet_servers: Servers, keys: dict[str, int]
) -> None:
    """The epochs are due, and the server that has them has stopped, while its connection in the pool still stands."""
    with fleet.session(level="strong") as session:
        session.execute(READ, [keys["s2"]])
        with fleet_servers.restored():
            fleet_servers.freeze(fleet.topology.domains[0].shards[0].primary)
            time.sleep(EPOCHS_SECONDS)
            began = time.monotonic()
            assert session.execute(READ, [keys["s2"]]).fetchall() == HERE
            assert time.monotonic() - began < 10
