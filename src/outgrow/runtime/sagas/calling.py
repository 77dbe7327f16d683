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
from outgrow.waits import Await, Future, Steps

#: Plain functions at work at once.
_THREADS = 64
#: How long a coroutine that was cancelled may take to end.
_CANCEL_SECONDS = 5.0


class Threads:
    """The threads and the loop that a fleet's sagas share; made when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: threading.Thread | None = None

    def pool(self) -> concurrent.futures.ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(_THREADS, "outgrow-saga-steps")
            return self._pool

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = loop = asyncio.new_event_loop()

                def run() -> None:
                    loop.run_forever()
                    loop.close()

                self._runner = threading.Thread(target=run, name="outgrow-saga-loop", daemon=True)
                self._runner.start()
            return self._loop

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
            if self._loop is not None and self._runner is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._runner.join(timeout=5)


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

    def run_steps(self, *arguments: Any, until: float | None) -> Steps[Any]:
        """What it returns.  Raises what it raises, and OG-TX-050 when its time is over."""
        if self.awaits:
            return (yield from self._await_steps(self._function(*arguments), until))
        if self._caller.loop is None and until is None:
            result = self._function(*arguments)
        else:
            context = contextvars.copy_context()
            future = self._caller.threads.pool().submit(context.run, self._function, *arguments)
            result = yield from self._wait_steps(future, future, until)
        if inspect.iscoroutine(result):
            result = yield from self._await_steps(result, until)
        return result

    def _await_steps(self, coroutine: Coroutine[Any, Any, Any], until: float | None) -> Steps[Any]:
        if self._caller.loop is not None and until is None:
            # Nothing limits it but the task that drives, which may just as well run it.
            return (yield Await(coroutine))
        ended: concurrent.futures.Future[Any] = concurrent.futures.Future()

        async def watched() -> Any:
            try:
                return await coroutine
            finally:
                ended.set_result(None)

        loop = self._caller.loop or self._caller.threads.loop()
        future = asyncio.run_coroutine_threadsafe(watched(), loop)
        return (yield from self._wait_steps(future, ended, until))

    def _wait_steps(
        self, future: concurrent.futures.Future[Any], ended: concurrent.futures.Future[Any], until: float | None
    ) -> Steps[Any]:
        started = monotonic()
        try:
            done = yield Future(future, until)
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
        return future.result()
