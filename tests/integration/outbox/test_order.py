"""The key's lock is taken before the number is drawn: each protection of the order, and what breaks without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import pytest

from outgrow import Fleet
from outgrow.runtime.outbox.lane import Lane
from outgrow.transactions import outbox
from outgrow.transactions.outbox import Message, Settlement, storing
from tests.integration.outbox.conftest import eventually
from tests.servers import Servers

INSERT = """
INSERT INTO outgrow.outbox (number, id, topic, family, key, headers, form, body)
SELECT {number}, $1::uuid, $2::text, $4::text, $5::text, $6::text, $7::text, $3::bytea"""
#: The number first, then the lock.
LATE = (
    "WITH drawn AS MATERIALIZED (SELECT nextval('outgrow.outbox_number') AS number), "
    "held AS MATERIALIZED (SELECT drawn.number, pg_advisory_xact_lock(hashtext($5::text)) IS NOT NULL AS done "
    "FROM drawn) " + INSERT.format(number="held.number") + " FROM held WHERE held.done"
)
NONE = INSERT.format(number="nextval('outgrow.outbox_number')")


def said(monkeypatch: pytest.MonkeyPatch, name: str, sql: str) -> None:
    monkeypatch.setattr(storing, "_SQL", MappingProxyType({**storing._SQL, name: sql}))


def crossed(fleet: Fleet, key: int) -> tuple[list[str], list[str]]:
    """Two transactions emit with one key, crosswise: in which order they committed, and were delivered."""
    committed: list[str] = []
    delivered: list[str] = []

    def second() -> None:
        with fleet.session() as session:
            with session.transaction():
                session.emit("orders", "second", key=key)
            committed.append("second")

    with fleet.session() as session:
        with session.transaction():
            session.emit("orders", "first", key=key)
            other = threading.Thread(target=second)
            other.start()
            time.sleep(0.5)
            session.emit("orders", "first too", key=key)
        committed += ["first", "first too"]
    other.join()
    fleet.relay({"orders": lambda message: delivered.append(message.payload)}).run_once()
    return committed, delivered


def test_numbers_of_a_key_are_in_the_order_of_commits(fleet: Fleet, keys: tuple[int, int]) -> None:
    # (Who has committed second may say so first: between a commit and its note there is time for another.)
    _, delivered = crossed(fleet, keys[0])
    assert delivered == ["first", "first too", "second"]


def test_a_prepared_transaction_keeps_its_place(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    """Between its two phases the lock is there still."""
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    primary = fleet.topology.domains[0].shards[0].primary
    session = fleet.session()
    session.execute("BEGIN")
    session.emit("orders", 1, key=keys[0])
    other = threading.Thread(target=lambda: fleet.session().emit("orders", 2, key=keys[0]))
    other.start()
    eventually(lambda: fleet_servers.sql(primary, waits) == [(1,)])
    ((drawn,),) = fleet_servers.sql(primary, "SELECT last_value FROM outgrow.outbox_number")
    session.execute("COMMIT")
    session.close()
    other.join()
    ((now,),) = fleet_servers.sql(primary, "SELECT last_value FROM outgrow.outbox_number")
    assert now == drawn + 1


@pytest.mark.parametrize("sql", [LATE, NONE], ids=["the number before the lock", "no lock"])
def test_without_the_lock_the_order_breaks(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    said(monkeypatch, "outbox_emit", sql)
    committed, delivered = crossed(fleet, keys[0])
    assert committed != delivered


def test_deleting_before_delivery_loses(fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that fails once, and a relay that has deleted what it was about to deliver."""
    deliver_steps = Lane._deliver_steps

    def early_steps(lane: Lane, messages: Sequence[Message]) -> Any:
        done = Settlement(tuple(message.number for message in messages), tuple(message.id for message in messages))
        yield from lane._ask_steps(outbox.settling(lane.topic, done, lambda: 0.5))
        return (yield from deliver_steps(lane, messages))

    assert lost_by_a_failing_target(fleet, keys[0]) == 0
    monkeypatch.setattr(Lane, "_deliver_steps", early_steps)
    assert lost_by_a_failing_target(fleet, keys[0]) == 10


def lost_by_a_failing_target(fleet: Fleet, key: int) -> int:
    got: list[int] = []
    failing = [True]

    class Target:
        def deliver(self, messages: Sequence[Message]) -> list[None]:
            if failing.pop() if failing else False:
                raise ConnectionError
            got.extend(message.payload for message in messages)
            return [None] * len(messages)

        def close(self) -> None:
            pass

    with fleet.session() as session:
        for n in range(10):
            session.emit("orders", n, key=key)
    for _ in range(2):
        fleet.relay({"orders": Target()}).run_once()
    return 10 - len(set(got))


def test_the_target_answers_for_every_message(fleet: Fleet, keys: tuple[int, int]) -> None:
    """One that forgets some is as one that is not there."""

    class Target:
        def deliver(self, messages: Sequence[Message]) -> list[None]:
            return [None]

        def close(self) -> None:
            pass

    with fleet.session() as session:
        for n in range(3):
            session.emit("orders", n, key=keys[0])
    done = fleet.relay({"orders": Target()}).run_once()
    assert not done.delivered.get("orders") and "1 of 3" in done.waiting["orders on s1"]
    assert sum(lag.waiting for lag in fleet.outbox().lag()) == 3
