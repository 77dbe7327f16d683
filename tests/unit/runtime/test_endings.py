"""A function that ends in a cancellation of its own, or calls exit() in a thread, has failed: nothing else ends."""

from __future__ import annotations

import asyncio
import threading
import uuid
from typing import Any

import pytest

from outgrow.nodes import drive
from outgrow.runtime.endings import as_failure, from_outside
from outgrow.runtime.outbox.delivering import Delivering, Loops
from outgrow.runtime.outbox.functions import AsyncFunction, Function
from outgrow.runtime.outbox.lane import Lane
from outgrow.transactions.outbox import Message, Refused, none_of

MESSAGES = [Message(uuid.UUID(int=n), "t", n, "json", b"1", number=n) for n in (1, 2)]


def in_a_thread(function: Any, *arguments: Any) -> Any:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(function(*arguments)))
    thread.start()
    thread.join(20)
    return got[0]


def test_whose_end_it_is() -> None:
    assert from_outside(KeyboardInterrupt()) and from_outside(SystemExit(3)) and not from_outside(ValueError())
    assert not in_a_thread(from_outside, SystemExit(3)) and not from_outside(asyncio.CancelledError())
    assert "exit(3)" in str(as_failure(SystemExit(3))) and "cancelled" in str(as_failure(asyncio.CancelledError()))

    async def cancelled() -> bool:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError as error:
            return from_outside(error)
        return False

    async def main() -> bool:
        assert not from_outside(asyncio.CancelledError())
        task = asyncio.ensure_future(cancelled())
        await asyncio.sleep(0.01)
        task.cancel()
        return await task

    assert asyncio.run(main())


@pytest.mark.parametrize("end", [asyncio.CancelledError, SystemExit])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_handler_that_ends_so_refuses_its_message(end: type[BaseException], workers: int) -> None:
    def handle(message: Message) -> None:
        if message.number == 1:
            raise end

    verdicts = in_a_thread(Function(handle, workers).deliver, MESSAGES)
    assert isinstance(verdicts[0], Refused) and verdicts[1] is None


def test_a_coroutine_that_is_cancelled_by_itself_refuses_its_message() -> None:
    async def handle(message: Message) -> None:
        if message.number == 1:
            raise asyncio.CancelledError

    verdicts = asyncio.run(AsyncFunction(handle, 2).deliver(MESSAGES))  # type: ignore[arg-type]
    assert isinstance(verdicts[0], Refused) and verdicts[1] is None


def test_exit_in_a_coroutine_leaves_the_loop_of_targets_alone() -> None:
    async def handle(message: Message) -> None:
        raise SystemExit(3)

    loops = Loops(None)
    try:
        given = loops.submit(AsyncFunction(handle, 1).deliver(MESSAGES))
        assert all(isinstance(verdict, Refused) for verdict in given.result(timeout=10))
    finally:
        loops.close()


class Cancelled:
    async def deliver(self, messages: Any) -> Any:
        raise asyncio.CancelledError

    def close(self) -> None: ...


class Silent:
    def deliver(self, messages: Any) -> Any:
        return None

    def close(self) -> None: ...


@pytest.mark.parametrize(("target", "said"), [(Cancelled(), "cancelled"), (Silent(), "NoneType")])
def test_a_target_that_gives_no_verdicts(target: Any, said: str) -> None:
    """The lane goes on, and nothing counts as delivered."""
    loops = Loops(None)
    lane = Lane.__new__(Lane)
    lane._delivering = Delivering(target, loops)
    try:
        verdicts, unavailable = drive(lane._deliver_steps(MESSAGES))
    finally:
        lane._delivering.close()
        loops.close()
    assert verdicts == none_of(MESSAGES) and said in str(unavailable)
