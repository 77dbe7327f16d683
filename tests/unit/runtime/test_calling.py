"""The application's functions: whose failure it is, whose time it takes, and what a close leaves behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from outgrow.clock import monotonic
from outgrow.errors import OperationalError
from outgrow.nodes import drive, drive_async
from outgrow.runtime.sagas.calling import Caller, Threads
from outgrow.transactions.saga import UNLIMITED, Fenced, Limit


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads()
    yield made
    made.close()


async def cancelled() -> None:
    raise asyncio.CancelledError


def leaving() -> None:
    raise SystemExit(3)


async def leaving_too() -> None:
    raise SystemExit(3)


LIMITS = [UNLIMITED, Limit(20.0, None)]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_coroutine_that_is_cancelled_by_itself_has_failed(threads: Threads, limit: Limit) -> None:
    async def main() -> None:
        call = Caller(threads, asyncio.get_running_loop()).call(cancelled)
        with pytest.raises(Exception, match=r"cancelled|^$"):
            await drive_async(call.run_steps(limit=limit))

    asyncio.run(main())
    with pytest.raises(Exception, match=r"cancelled|^$"):
        drive(Caller(threads, None).call(cancelled).run_steps(limit=limit))


@pytest.mark.parametrize("limit", LIMITS)
def test_the_cancellation_of_the_task_that_drives_goes_on(threads: Threads, limit: Limit) -> None:
    ended: list[bool] = []

    async def endless() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            ended.append(True)

    async def main() -> None:
        call = Caller(threads, asyncio.get_running_loop()).call(endless)
        task = asyncio.ensure_future(drive_async(call.run_steps(limit=limit)))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.02)

    asyncio.run(main())
    assert ended == [True]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("function", [leaving, leaving_too])
def test_exit_in_a_thread_has_failed(threads: Threads, limit: Limit, function: Any) -> None:
    """A worker would take the saga up again for ever; and the loop of coroutines would be gone."""
    with concurrent.futures.ThreadPoolExecutor(1) as worker:
        for _ in range(2):
            future = worker.submit(drive, Caller(threads, None).call(function).run_steps(limit=limit))
            error = future.exception(timeout=10)
            assert isinstance(error, RuntimeError) and "exit(3)" in str(error)


def test_exit_in_the_main_thread_goes_on(threads: Threads) -> None:
    """It may be a signal's handler that wants the process to end."""
    with pytest.raises(SystemExit):
        drive(Caller(threads, None).call(leaving).run_steps(limit=UNLIMITED))


def test_the_wait_for_a_thread_is_not_the_steps_time(threads: Threads) -> None:
    threads._size = 1
    call = Caller(threads, None).call(lambda: time.sleep(0.3))
    with concurrent.futures.ThreadPoolExecutor(4) as workers:
        done = [workers.submit(drive, call.run_steps(limit=Limit(0.7, None))) for _ in range(4)]
        assert [one.exception(timeout=10) for one in done] == [None] * 4
        late = workers.submit(
            drive, Caller(threads, None).call(lambda: time.sleep(2)).run_steps(limit=Limit(0.2, None))
        )
        assert "OG-TX-050" in str(late.exception(timeout=10))


def test_the_deadline_counts_before_it_begins(threads: Threads) -> None:
    threads._size = 1
    held, ran = threading.Event(), threading.Event()
    threads.submit(lambda: held.wait(20))
    began = time.monotonic()
    with pytest.raises(OperationalError, match="has not begun"):
        drive(Caller(threads, None).call(ran.set).run_steps(limit=Limit(10.0, monotonic() + 0.2)))
    assert time.monotonic() - began < 5
    held.set()
    threads.submit(lambda: None).result(10)
    assert not ran.is_set()


def test_there_is_a_thread_for_each_saga_of_a_worker(threads: Threads) -> None:
    threads.submit(lambda: None)
    threads.room_for(100)
    together = threading.Barrier(100, timeout=10)
    waiting = [threads.submit(together.wait) for _ in range(100)]
    assert sorted(one.result(20) for one in waiting) == list(range(100))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_close_ends_whoever_waits_for_a_coroutine(limit: Limit) -> None:
    """It has not failed, and is cleaned up."""
    threads = Threads()
    ended: list[bool] = []

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    with concurrent.futures.ThreadPoolExecutor(1) as others:
        waiting = others.submit(drive, Caller(threads, None).call(endless).run_steps(limit=limit))
        time.sleep(0.1)
        threads.close()
        assert isinstance(waiting.exception(timeout=10), Fenced)
    assert ended == [True]


def test_a_close_ends_whoever_waits_for_a_thread() -> None:
    threads = Threads()
    threads._size = 1
    held = threading.Event()
    threads.submit(lambda: held.wait(20))
    with concurrent.futures.ThreadPoolExecutor(1) as others:
        waiting = others.submit(drive, Caller(threads, None).call(held.set).run_steps(limit=Limit(5.0, None)))
        time.sleep(0.1)
        threads.close()
        assert isinstance(waiting.exception(timeout=10), Fenced)
    held.set()


@pytest.mark.parametrize("limit", LIMITS)
def test_nothing_is_begun_behind_a_close(limit: Limit) -> None:
    threads = Threads()
    threads.close()
    began: list[bool] = []

    async def begin() -> None:
        began.append(True)

    for function in (begin, lambda: began.append(True)):
        with pytest.raises(Fenced):
            drive(Caller(threads, None).call(function).run_steps(limit=limit))
    assert not began
