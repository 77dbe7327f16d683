"""Targets are given messages aside: blocking ones in threads, others in an event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Sequence
from typing import Any

from outgrow.transactions.outbox import Message, Target


class Loops:
    """The event loop for targets that need one: the application's where it has one, else one in a thread."""

    def __init__(self, running: asyncio.AbstractEventLoop | None) -> None:
        self._loop = running
        self._thread: threading.Thread | None = None

    def submit(self, coroutine: Any) -> concurrent.futures.Future[Any]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="outgrow-targets", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            self._loop.close()
            self._loop = self._thread = None


class Delivering:
    """One lane's way to its target."""

    def __init__(self, target: Target, loops: Loops) -> None:
        self._target = target
        self._loops = loops
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None

    def start(self, messages: Sequence[Message]) -> concurrent.futures.Future[Any]:
        deliver: Any = self._target.deliver
        if inspect.iscoroutinefunction(deliver):
            return self._loops.submit(deliver(messages))
        if self._thread is None:
            self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="outgrow-relay")
        return self._thread.submit(deliver, messages)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
