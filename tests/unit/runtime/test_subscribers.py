"""Subscribers are told in order, harm nobody, and leave nothing behind."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from outgrow.errors import InterfaceError
from outgrow.events import ErrorFacts, ErrorMet, Event
from outgrow.runtime.events.subscribers import Subscribers

EVENT = ErrorMet(ErrorFacts("OG-NODE-110", "outgrow.errors.IntegrityError"), "sales", 0)


def made() -> tuple[Subscribers, Any]:
    state: Any = SimpleNamespace(tell=None, subscribers=None)
    return Subscribers([state], False), state


def test_nobody_is_told_when_nobody_listens() -> None:
    subscribers, state = made()
    assert state.tell is None
    leave = subscribers.add(lambda event: None)
    assert state.tell is not None
    leave()
    leave()
    assert state.tell is None


def test_the_same_function_twice_is_two_subscriptions() -> None:
    subscribers, state = made()
    told: list[Event] = []
    first = subscribers.add(told.append)
    subscribers.add(told.append)
    state.tell(EVENT)
    assert told == [EVENT, EVENT]
    first()
    state.tell(EVENT)
    assert len(told) == 3


def test_a_callback_that_raises_stops_neither_the_statement_nor_the_others(caplog: pytest.LogCaptureFixture) -> None:
    subscribers, state = made()
    told: list[Event] = []

    def wrong(event: Event) -> None:
        raise ValueError("no")

    subscribers.add(wrong)
    subscribers.add(told.append)
    with caplog.at_level(logging.ERROR, "outgrow.events"):
        for _ in range(3):
            state.tell(EVENT)
    assert len(told) == 3
    [record] = caplog.records
    assert record.name == "outgrow.events"
    assert record.exc_info is not None and record.exc_info[0] is ValueError


def test_what_a_callback_makes_happen_is_not_told() -> None:
    """A callback that writes events into the fleet would never end."""
    subscribers, state = made()
    told: list[Event] = []

    def again(event: Event) -> None:
        told.append(event)
        state.tell(event)

    subscribers.add(again)
    state.tell(EVENT)
    state.tell(EVENT)
    assert told == [EVENT, EVENT]


def test_what_cannot_be_called_at_once_is_refused() -> None:
    subscribers, state = made()

    async def later(event: Event) -> None: ...

    for wrong in (later, "text"):
        with pytest.raises(InterfaceError, match="OG-RUN-090"):
            subscribers.add(wrong)  # type: ignore[arg-type]
    assert state.tell is None
