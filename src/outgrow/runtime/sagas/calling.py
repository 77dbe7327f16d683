"""Running the application's functions, plain and async ones, from steps.

A plain function runs in a thread of its own kind, so that it holds up nobody's loop and its time can be limited; where
the caller's thread has nothing else to do, it runs right there.  A coroutine runs in the application's loop; where
there is none, in one that the fleet has for this.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from outgrow.clock import monotonic
from outgrow.errors import OperationalError
from outgrow.runtime.endings import as_failure, from_outside
from outgrow.transactions.saga import UNLIMITED, Fenced, Limit
from outgrow.waits import Await, Future, Steps

#: Plain functions at work at once, at least.
_THREADS = 64
#: How long a coroutine that was cancelled may take to end.
_CANCEL_SECONDS = 5.0


class Threads:
    """The threads and the loop that a fleet's sagas share; made when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._size = _THREADS
        self.closed = False
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: threading.Thread | None = None

    def room_for(self, count: int) -> None:
        """So many plain functions may be at work at once: a worker's, say."""
        with self._lock:
            if count > self._size:
                self._size = count
                if self._pool is not None:
                    # What it was given it brings to its end.
                    self._pool.shutdown(wait=False)
                    self._pool = None

    def submit(self, function: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        with self._lock:
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(self._size, "outgrow-saga-steps")
            return self._pool.submit(function)

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._runner = threading.Thread(target=_run, args=(self._loop,), name="outgrow-saga-loop", daemon=True)
                self._runner.start()
            return self._loop

    def close(self) -> None:
        """Coroutines at work are cancelled, so that whoever waits for them is told; plain functions go on."""
        with self._lock:
            self.closed = True
            pool, loop, runner = self._pool, self._loop, self._runner
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        if loop is not None and runner is not None and runner.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            if runner is not threading.current_thread():
                runner.join(timeout=_CANCEL_SECONDS + 1.0)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    try:
        loop.run_until_complete(_cancelled(asyncio.all_tasks(loop)))
    finally:
        loop.close()


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    """They are, and have ended, as far as they do so in time."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)


class Caller:
    """How functions are run for one kind of driver: `loop` is the application's, None where a thread drives."""

    def __init__(self, threads: Threads, loop: asyncio.AbstractEventLoop | None) -> None:
        self.threads = threads
        self.loop = loop

    def call(self, function: Callable[..., Any]) -> Call:
        return Call(self, function)


class Call:
    """One function's one run.  `still` is set where it goes on although nobody waits for it any more."""

    def __init__(self, caller: Caller, function: Callable[..., Any]) -> None:
        self._caller = caller
        self._function = function
        self.awaits = inspect.iscoroutinefunction(function)
        self.still: concurrent.futures.Future[Any] | None = None

    def run_steps(self, *arguments: Any, limit: Limit) -> Steps[Any]:
        """What it returns.  Raises what it raises, OG-TX-050 when its time is over; Fenced: the fleet is closed."""
        if self._caller.threads.closed:
            raise Fenced
        if self.awaits:
            return (yield from self._await_steps(self._function(*arguments), limit))
        if self._caller.loop is None and limit == UNLIMITED:
            result = _own(self._function, arguments)
        else:
            result = yield from self._thread_steps(arguments, limit)
        if inspect.iscoroutine(result):
            result = yield from self._await_steps(result, limit)
        return result

    def _thread_steps(self, arguments: tuple[Any, ...], limit: Limit) -> Steps[Any]:
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        context = contextvars.copy_context()

        def run() -> Any:
            started.set_result(None)
            return _own(context.run, (self._function, *arguments))

        def settle(_: object) -> None:
            # It was cancelled before it began: the fleet is closed.
            if not started.done():
                started.set_result(None)

        future = self._caller.threads.submit(run)
        future.add_done_callback(settle)
        try:
            # Its own time begins when it does, not while all threads are at other functions.
            begun = yield Future(started, limit.deadline)
        except BaseException:
            if not future.cancel():
                self.still = future
            raise
        if not begun and future.cancel():
            raise OperationalError(
                "OG-TX-050",
                "it has not begun before the saga's deadline: all threads are at work on others",
                cure="give the saga more time (deadline_seconds), or run more workers",
            )
        if begun and future.cancelled():
            # (Nobody would be told by waiting for it: a pool notifies only of what it takes up.)
            raise Fenced
        return (yield from self._wait_steps(future, future, limit))

    def _await_steps(self, coroutine: Coroutine[Any, Any, Any], limit: Limit) -> Steps[Any]:
        if self._caller.loop is not None and limit == UNLIMITED:
            # Nothing limits it but the task that drives, which may just as well run it.
            return (yield Await(_own_coroutine(coroutine)))
        ended: concurrent.futures.Future[Any] = concurrent.futures.Future()

        async def watched() -> Any:
            try:
                return await _own_coroutine(coroutine)
            finally:
                ended.set_result(None)

        loop = self._caller.loop or self._caller.threads.loop()
        future = asyncio.run_coroutine_threadsafe(watched(), loop)
        return (yield from self._wait_steps(future, ended, limit))

    def _wait_steps(
        self, future: concurrent.futures.Future[Any], ended: concurrent.futures.Future[Any], limit: Limit
    ) -> Steps[Any]:
        started = monotonic()
        try:
            done = yield Future(future, limit.until(started))
            if not done:
                future.cancel()
                if ended is not future:
                    yield Future(ended, monotonic() + _CANCEL_SECONDS)
        except BaseException:
            future.cancel()
            if not ended.done():
                self.still = ended
            raise
        if not done:
            if not ended.done():
                self.still = ended
            raise OperationalError(
                "OG-TX-050",
                f"it has not ended within {monotonic() - started:.1f} s",
                cure="give the step more time (timeout_seconds), or let it be quicker",
            )
        if future.cancelled() and self._caller.threads.closed:
            # It has not failed: whoever goes on with the saga, when the lease is over, tries it again.
            raise Fenced
        return future.result()


def _own(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call it; an end of its own making is a failure as any other."""
    try:
        return function(*arguments)
    except BaseException as error:
        if isinstance(error, Exception) or from_outside(error):
            raise
        raise as_failure(error) from error


async def _own_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await coroutine
    except BaseException as error:
        if isinstance(error, Exception) or from_outside(error):
            raise
        raise as_failure(error) from error
