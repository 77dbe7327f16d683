"""A relay that is interrupted lets go of its targets, and says nothing else than that it was interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from outgrow import Fleet
from outgrow.transactions.outbox import Message
from tests.integration.outbox.conftest import eventually


class Target:
    def __init__(self, asynchronous: bool, error: Exception | None = None) -> None:
        self.asynchronous = asynchronous
        self.error = error
        self.closed = 0

    def deliver(self, messages: Sequence[Message]) -> list[None]:
        return [None] * len(messages)

    def close(self) -> Any:
        if self.asynchronous:
            return self._closed()
        self._count()
        return None

    async def _closed(self) -> None:
        await asyncio.sleep(0)
        self._count()

    def _count(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


def targets() -> dict[str, Target]:
    return {
        "a": Target(False, ValueError("no")),
        "b": Target(True, ValueError("no")),
        "c": Target(False),
        "d": Target(True),
    }


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Ctrl-C means what it means at a terminal: a shell's background job ignores it, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("keyboard")
def test_by_a_key(fleet: Fleet) -> None:
    made = targets()
    relay = fleet.relay(made)

    over = threading.Event()

    def press() -> None:
        eventually(lambda: len(relay.now.serving) == 8)
        os.kill(os.getpid(), signal.SIGINT)
        # Python loses what comes in the middle of a weak reference's callback or a destructor: one presses again.
        while not over.wait(10):
            os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        relay.run()
    over.set()
    presser.join(20)
    assert [target.closed for target in made.values()] == [1] * 4
    # It can begin again.
    with pytest.raises(ValueError, match="no"):
        relay.run_once()
    assert [target.closed for target in made.values()] == [2] * 4


def test_by_a_cancellation(fleet: Fleet) -> None:
    made = targets()
    relay = fleet.relay(made)

    async def story() -> None:
        task = asyncio.ensure_future(relay.run_async())
        while len(relay.now.serving) < 8:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert [target.closed for target in made.values()] == [1] * 4


def test_a_second_run_closes_nothing(fleet: Fleet) -> None:
    """It is refused, and the first goes on."""
    made = {"c": Target(False)}
    relay = fleet.relay(made)
    first = threading.Thread(target=relay.run)
    first.start()
    eventually(lambda: len(relay.now.serving) == 2)
    with pytest.raises(Exception, match="OG-TX-088"):
        relay.run_once()
    assert made["c"].closed == 0
    relay.stop()
    first.join(20)
    assert made["c"].closed == 1
