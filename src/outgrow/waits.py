"""What step generators yield: the things that only a driver may wait for.

Logic that needs I/O is written once, as a generator (`Steps[T]`, its name ends in `_steps`) that yields a wait and
is resumed when it is over; its return value is the result.  Two small drivers in `outgrow.nodes` resume them:
`drive` (blocking) and `drive_async` (asyncio).  The contract:

* a `Socket` or `Sockets` wait is resumed with what is ready: `{fd: events}`, empty when `until` passed first;
* a `Future` wait is resumed with `True` when the future is done, `False` when `until` passed first (the generator
  reads the future itself);
* `Until` is resumed with `None`;
* an `Await` is resumed with what the coroutine returns, and what that raises is thrown into the generator; only
  `drive_async` knows it, and not for several generators at once;
* all times are `clock.monotonic()` seconds; `until=None` waits for ever;
* a driver that is interrupted (Ctrl-C, asyncio cancellation) throws the exception into the generator at its yield:
  the generator must then cancel what it started on servers, and let the exception go on.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Coroutine, Generator, Mapping
from typing import Any, NamedTuple, TypeVar

READ = 1
WRITE = 2

T = TypeVar("T")


class Socket(NamedTuple):
    """One file descriptor, READ and/or WRITE."""

    fd: int
    events: int
    until: float | None = None


class Sockets(NamedTuple):
    """Several file descriptors; over when any of them is ready."""

    wants: Mapping[int, int]
    until: float | None = None


class Future(NamedTuple):
    """A result that another thread or connection will deliver."""

    future: concurrent.futures.Future[Any]
    until: float | None = None


class Until(NamedTuple):
    """A moment of `clock.monotonic()`."""

    until: float


class Await(NamedTuple):
    """A coroutine of the application's, to be run in the task that drives: that costs no other task, and no signal."""

    coroutine: Coroutine[Any, Any, Any]
    #: It ends by itself.
    until: None = None


Wait = Socket | Sockets | Future | Until | Await
Steps = Generator[Wait, Any, T]
