"""A function as a target: called with each message, its exceptions are refusals."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from outgrow.runtime.endings import as_failure, from_outside
from outgrow.transactions.outbox import (
    IN_A_ROW,
    UNTRIED,
    Message,
    Refused,
    Target,
    Unavailable,
    Verdict,
    chains,
    none_of,
)

_log = logging.getLogger("outgrow.outbox")


class _Tries:
    """One batch's verdicts so far, and whether it is worth going on."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self.verdicts: list[Verdict] = none_of(messages)
        self._failed_first = 0
        self._unavailable: Unavailable | None = None

    @property
    def hopeless(self) -> bool:
        return self._unavailable is not None or self._failed_first >= IN_A_ROW

    def delivered(self, at: int) -> None:
        self.verdicts[at] = None
        self._failed_first = -len(self.messages)

    def failed(self, at: int, error: Exception) -> None:
        if isinstance(error, Unavailable):
            self._unavailable = error
            return
        message = self.messages[at]
        if not message.attempts:
            _log.warning("a message of %s could not be delivered", message.topic, exc_info=error)
        self.verdicts[at] = Refused(f"{type(error).__name__}: {error}")
        self._failed_first += 1

    def end(self) -> list[Verdict]:
        if self._unavailable is not None:
            raise Unavailable(self._unavailable.reason, self.verdicts)
        return self.verdicts


class Function:
    """A blocking function; with several `workers`, messages of different keys at once."""

    def __init__(self, function: Callable[[Message], object], workers: int) -> None:
        self._function = function
        self._workers = workers
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None

    def deliver(self, messages: Sequence[Message]) -> Sequence[Verdict]:
        tries = _Tries(messages)
        if self._workers == 1:
            # In the order of their numbers, not key by key.
            self._go_through(tries, range(len(messages)))
            return tries.end()
        if self._threads is None:
            self._threads = concurrent.futures.ThreadPoolExecutor(self._workers, thread_name_prefix="outgrow-target")
        for done in [self._threads.submit(self._go_through, tries, chain) for chain in chains(messages)]:
            done.result()
        return tries.end()

    def _go_through(self, tries: _Tries, positions: Iterable[int]) -> None:
        waiting = set()
        for at in positions:
            if tries.hopeless:
                return
            if (lane := tries.messages[at].lane) in waiting:
                continue
            try:
                self._function(tries.messages[at])
            except BaseException as error:
                if from_outside(error):
                    raise
                waiting.add(lane)
                tries.failed(at, as_failure(error))
            else:
                tries.delivered(at)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None


class AsyncFunction:
    """The same for a coroutine function."""

    def __init__(self, function: Callable[[Message], Any], workers: int) -> None:
        self._function = function
        self._workers = workers

    async def deliver(self, messages: Sequence[Message]) -> Sequence[Verdict]:
        tries = _Tries(messages)
        few = asyncio.Semaphore(self._workers)
        await asyncio.gather(*(self._go_through(tries, chain, few) for chain in chains(messages)))
        return tries.end()

    async def _go_through(self, tries: _Tries, chain: Iterable[int], few: asyncio.Semaphore) -> None:
        for at in chain:
            async with few:
                if tries.hopeless:
                    return
                try:
                    await self._function(tries.messages[at])
                except BaseException as error:
                    if from_outside(error):
                        raise
                    tries.failed(at, as_failure(error))
                    return
                tries.delivered(at)

    def close(self) -> None:
        pass


def target_of(given: Any, workers: int) -> Target:
    """A target as it is; a function as one."""
    if hasattr(given, "deliver"):
        target: Target = given
        return target
    called = given if inspect.isroutine(given) else getattr(given, "__call__", given)  # noqa: B004
    if inspect.iscoroutinefunction(called):
        return AsyncFunction(given, workers)
    return Function(given, workers)


__all__ = ["UNTRIED", "AsyncFunction", "Function", "target_of"]
