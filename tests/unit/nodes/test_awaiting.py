"""What the asyncio driver does without another task or a signal to its loop."""

from __future__ import annotations

import asyncio
import concurrent.futures

import pytest

from outgrow.clock import monotonic
from outgrow.nodes import drive, drive_async
from outgrow.waits import Await, Future


def awaiting_steps(coroutine, seen):
    try:
        return (yield Await(coroutine))
    except BaseException as error:
        seen.append(type(error))
        raise


def test_a_coroutine_runs_in_the_task_that_drives():
    async def answered(value):
        await asyncio.sleep(0)
        return value, asyncio.current_task()

    async def failing():
        raise KeyError("x")

    async def endless(ended):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def main():
        seen, ended = [], []
        assert await drive_async(awaiting_steps(answered(1), seen)) == (1, asyncio.current_task())
        with pytest.raises(KeyError):
            await drive_async(awaiting_steps(failing(), seen))
        task = asyncio.ensure_future(drive_async(awaiting_steps(endless(ended), seen)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]
        assert seen == [KeyError, asyncio.CancelledError]

    asyncio.run(main())
    with pytest.raises(RuntimeError, match="needs a loop"):
        drive(awaiting_steps(answered(1), []))


def test_a_future_that_the_loop_itself_finishes():
    """No signal is needed, nor sent: the loop is awake."""

    async def main():
        future = concurrent.futures.Future()

        def waiting_steps():
            return (yield Future(future, monotonic() + 10))

        task = asyncio.ensure_future(drive_async(waiting_steps()))
        await asyncio.sleep(0)
        woken = []
        asyncio.get_running_loop()._write_to_self = lambda: woken.append(True)
        future.set_result(None)
        assert await task is True
        assert not woken

    asyncio.run(main())
