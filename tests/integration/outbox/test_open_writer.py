"""A transaction that has drawn a number and runs for long, on a server where nobody else does anything."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Any

import pytest

from outgrow import Fleet
from outgrow.transactions.outbox import Floor, Message, storing
from tests.integration.outbox.conftest import relaying

BURNT = "CASE WHEN $2::bool THEN pg_current_xact_id()::text::int8 ELSE 0 END"


def delivered_behind_an_open_writer(fleet: Fleet, key: int, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a relay delivers of a transaction that is committed only when it has looked many times."""
    got: list[Any] = []
    looks: list[int] = []
    look = Floor.look

    def counted(floor: Floor, drawn: int, oldest: int, begun: int) -> None:
        looks.append(drawn)
        look(floor, drawn, oldest, begun)

    def take(message: Message) -> None:
        got.append(message.payload)

    monkeypatch.setattr(Floor, "look", counted)
    with fleet.session() as session:
        session.execute("BEGIN")
        session.emit("orders", "slow", key=key)
        with relaying(fleet, {"orders": take}, poll_seconds=0.05):
            until = time.monotonic() + 10
            while sum(drawn >= 1 for drawn in looks) < 8 and time.monotonic() < until:
                time.sleep(0.05)
            session.execute("COMMIT")
            until = time.monotonic() + 3
            while not got and time.monotonic() < until:
                time.sleep(0.05)
    assert sum(drawn >= 1 for drawn in looks) >= 8
    return got


def test_an_open_writer_on_a_quiet_server_is_waited_for(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert delivered_behind_an_open_writer(fleet, keys[0], monkeypatch) == ["slow"]


def test_what_has_ended_is_no_bound_for_it(
    fleet: Fleet, keys: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot's xmax instead of a transaction number of one's own: the message is never found."""
    sql = storing._SQL["outbox_look"]
    assert BURNT in sql
    bound = sql.replace(BURNT, "CASE WHEN $2::bool THEN pg_snapshot_xmax(n.now)::text::int8 ELSE 0 END")
    monkeypatch.setattr(storing, "_SQL", MappingProxyType({**storing._SQL, "outbox_look": bound}))
    assert delivered_behind_an_open_writer(fleet, keys[0], monkeypatch) == []


def test_an_idle_relay_draws_no_transaction_numbers(fleet: Fleet, keys: tuple[int, int]) -> None:
    """They are not endless, and each is a transaction that vacuum has to mind."""
    number = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8"

    def ask(session: Any) -> int:
        ((found,),) = session.execute(number).fetchall()
        return int(found)

    with fleet.session(level="strong") as session, relaying(fleet, {"orders": lambda m: None}, poll_seconds=0.02):
        session.emit("orders", 1, key=keys[0])
        time.sleep(1.0)
        before = ask(session)
        time.sleep(1.0)
        assert ask(session) == before
