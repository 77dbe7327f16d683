"""What dead processes have left prepared, where nobody who is there commits over shards: it is finished anyway."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

import outgrow
from outgrow import Fleet, Session
from tests.integration.transactions.coordinators import UPDATE, transfer
from tests.integration.transactions.test_commit import amounts, prepared
from tests.servers import Servers


@pytest.fixture
def left(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> Iterator[None]:
    """A branch on s1 whose coordinator is dead."""
    with transfer(fleet.topology, keys, 0) as (_, says):
        assert says.recv() == "held"
        while not prepared(fleet, fleet_servers):
            time.sleep(0.02)
    yield
    assert prepared(fleet, fleet_servers) == []


def recovers() -> bool:
    return any(thread.name == "outgrow-recovery" for thread in threading.enumerate())


@pytest.mark.usefixtures("left")
def test_who_opens_the_fleet_finds_it(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    until = time.monotonic() + 15
    with outgrow.open(fleet.topology):
        while prepared(fleet, fleet_servers):
            assert time.monotonic() < until, "nobody recovers"
            time.sleep(0.1)
    assert amounts(fleet, keys) == [100, 100]


def alone(session: Session, key: int) -> None:
    session.execute(UPDATE, [1, key], timeout_seconds=15)


def in_transaction(session: Session, key: int) -> None:
    with session.transaction():
        session.execute(UPDATE, [1, key], timeout_seconds=15)


def impatient(session: Session, key: int) -> None:
    session.execute("SET lock_timeout = '200ms'")
    until = time.monotonic() + 15
    while True:
        try:
            return alone(session, key)
        except outgrow.Error as error:
            assert error.sqlstate == "55P03" and time.monotonic() < until, error


def impatient_in_transaction(session: Session, key: int) -> None:
    until = time.monotonic() + 15
    while True:
        try:
            with session.transaction():
                session.execute("SET LOCAL lock_timeout = '200ms'")
                return alone(session, key)
        except outgrow.Error as error:
            assert error.sqlstate == "55P03" and time.monotonic() < until, error


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("write", [alone, in_transaction, impatient, impatient_in_transaction])
def test_who_waits_for_its_rows_finishes_it(
    write: Callable[[Session, int], None], fleet: Fleet, keys: tuple[int, int]
) -> None:
    """This process was there before, and has written on one shard at a time only."""
    assert not recovers()
    with fleet.session() as session:
        write(session, keys[0])
    assert amounts(fleet, keys) == [101, 100]


def test_who_waits_for_nothing_starts_nothing(fleet: Fleet, keys: tuple[int, int]) -> None:
    with outgrow.open(fleet.topology) as other, other.session() as session:
        for _ in range(20):
            alone(session, keys[0])
            in_transaction(session, keys[1])
    assert not recovers()
