"""The two drivers of step generators, and the one way to run many of them at once.

`drive` blocks the thread in `poll(2)`; `drive_async` awaits asyncio (or uvloop).  Both keep the contract of
`outgrow.waits`: whatever interrupts the wait is thrown into the generator, which cancels what it started on servers
before it lets the exception go on.  Nothing else in outgrow waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import select
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from outgrow.clock import monotonic
from outgrow.waits import READ, WRITE, Await, Future, Socket, Sockets, Steps, Until, Wait

T = TypeVar("T")

#: READ | WRITE → what poll(2) calls it.
_POLL_EVENTS = (0, select.POLLIN, select.POLLOUT, select.POLLIN | select.POLLOUT)


#: Polls kept for connections that were waited for alone, per thread.
_ALONE_MAX = 1024


class Stopped(BaseException):
    """Thrown into generators whose sibling in `together` failed; it never leaves `together`."""


class _Poller(threading.local):
    """One `select.poll` per thread, with what is registered in it: a repeated wait registers nothing.

    And one for each connection that was waited for alone: a transaction over shards goes back and forth between them.
    (Descriptors that were closed meanwhile do no harm: they mean something only while somebody polls.)
    """

    def __init__(self) -> None:
        self.poll = select.poll()
        self.wants: dict[int, int] = {}
        self.alone: dict[tuple[int, int], select.poll] = {}

    def only(self, fd: int, events: int) -> select.poll:
        found = self.alone.get((fd, events))
        if found is None:
            if len(self.alone) >= _ALONE_MAX:
                self.alone.clear()
            found = self.alone[fd, events] = select.poll()
            found.register(fd, _POLL_EVENTS[events])
        return found

    def register(self, wants: Mapping[int, int]) -> None:
        held = self.wants
        for fd in [fd for fd in held if fd not in wants]:
            self.poll.unregister(fd)
            del held[fd]
        for fd, events in wants.items():
            if held.get(fd) != events:
                self.poll.register(fd, _POLL_EVENTS[events])
                held[fd] = events


_poller = _Poller()


def drive(steps: Steps[T]) -> T:
    """Run `steps` to its end in this thread; return its value, or raise its error."""
    poller = _poller
    try:
        wait = steps.send(None)
        while True:
            try:
                # The wait of a keyed statement, kept in line.
                if wait.__class__ is Socket:
                    fd, events, until = wait
                    found = poller.only(fd, events).poll(None if until is None else _milliseconds_left(until))
                    ready: Any = {fd: 1} if found and found[0][1] == 1 else _events(found, {fd: events})
                else:
                    ready = _block(wait, poller)
            except BaseException as interruption:
                wait = steps.throw(interruption)
            else:
                wait = steps.send(ready)
    except StopIteration as stop:
        value: T = stop.value
        return value


def _events(found: list[tuple[int, int]], wants: Mapping[int, int]) -> dict[int, int]:
    """What poll(2) found, in READ and WRITE.  Errors and hang-ups count as all that was asked: the read tells."""
    ready = {}
    for fd, events in found:
        if events & ~(select.POLLIN | select.POLLOUT):
            ready[fd] = wants[fd]
        else:
            ready[fd] = (READ if events & select.POLLIN else 0) | (WRITE if events & select.POLLOUT else 0)
    return ready


def _milliseconds_left(until: float | None) -> float | None:
    return None if until is None else max(0.0, (until - monotonic()) * 1000.0)


def _block(wait: Wait, poller: _Poller) -> Any:
    """One wait of any kind; `drive` has the commonest in line."""
    match wait:
        case Socket(fd, events, until):
            return _events(poller.only(fd, events).poll(_milliseconds_left(until)), {fd: events})
        case Sockets(wants, until):
            pass
        case Future(future, until):
            left = _milliseconds_left(until)
            done, _ = concurrent.futures.wait((future,), None if left is None else left / 1000.0)
            return bool(done)
        case Until(until):
            wants = {}
        case Await(coroutine, _):
            coroutine.close()
            raise RuntimeError("a coroutine needs a loop")
    poller.register(wants)
    return _events(poller.poll.poll(_milliseconds_left(until)), wants) if wants else _sleep(poller, until)


def _sleep(poller: _Poller, until: float | None) -> None:
    poller.poll.poll(_milliseconds_left(until))


async def drive_async(steps: Steps[T]) -> T:
    """As `drive`, in the running asyncio loop.  A cancellation of the task is thrown into the generator."""
    loop = asyncio.get_running_loop()
    try:
        wait = steps.send(None)
        while True:
            try:
                ready = await _ready(loop, wait)
            except BaseException as interruption:
                wait = steps.throw(interruption)
            else:
                wait = steps.send(ready)
    except StopIteration as stop:
        value: T = stop.value
        return value


async def _ready(loop: asyncio.AbstractEventLoop, wait: Wait) -> Any:
    match wait:
        case Socket(fd, events, until):
            return await _sockets_ready(loop, {fd: events}, until)
        case Sockets(wants, until):
            return await _sockets_ready(loop, wants, until)
        case Future(future, until):
            return await _future_ready(loop, future, until)
        case Until(until):
            await asyncio.sleep(max(0.0, until - monotonic()))
            return None
        case Await(coroutine, _):
            return await coroutine


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


async def _sockets_ready(
    loop: asyncio.AbstractEventLoop, wants: Mapping[int, int], until: float | None
) -> dict[int, int]:
    done = loop.create_future()
    ready: dict[int, int] = {}

    def mark(fd: int, event: int) -> None:
        ready[fd] = ready.get(fd, 0) | event
        _settle(done)

    asked = dict(wants)
    timer = None if until is None else loop.call_later(max(0.0, until - monotonic()), _settle, done)
    try:
        for fd, events in asked.items():
            if events & READ:
                loop.add_reader(fd, mark, fd, READ)
            if events & WRITE:
                loop.add_writer(fd, mark, fd, WRITE)
        await done
    finally:
        if timer is not None:
            timer.cancel()
        for fd, events in asked.items():
            if events & READ:
                loop.remove_reader(fd)
            if events & WRITE:
                loop.remove_writer(fd)
    return ready


async def _future_ready(
    loop: asyncio.AbstractEventLoop, future: concurrent.futures.Future[Any], until: float | None
) -> bool:
    done = loop.create_future()

    def ring(_: object) -> None:
        # Whoever finishes it within the loop need not wake it.
        if _running_loop() is loop:
            _settle(done)
        # The loop may have been closed while the future was still under way; then nobody waits.
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_settle, done)

    future.add_done_callback(ring)
    timer = None if until is None else loop.call_later(max(0.0, until - monotonic()), _settle, done)
    try:
        await done
    finally:
        if timer is not None:
            timer.cancel()
    return future.done()


def undisturbed_steps(steps: Steps[T]) -> Steps[T]:
    """Run `steps`, which cleans up already, deaf to `Stopped`: a sibling's failure asks for nothing more."""
    try:
        wait = steps.send(None)
        while True:
            try:
                ready = yield wait
            except Stopped:
                continue
            except BaseException as interruption:
                wait = steps.throw(interruption)
            else:
                wait = steps.send(ready)
    except StopIteration as stop:
        value: T = stop.value
        return value


class _Bell:
    """Lets a poll over sockets also wait for futures: whoever finishes one rings."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._lock = threading.Lock()
        self.fd = self._near.fileno()
        #: Futures that ring, until they do.  Not weakly: Ctrl-C in a weak reference's callback would be lost.
        self._heard: set[concurrent.futures.Future[Any]] = set()

    def listen(self, future: concurrent.futures.Future[Any]) -> None:
        if future not in self._heard:
            self._heard.add(future)
            future.add_done_callback(self._ring)

    def _ring(self, future: concurrent.futures.Future[Any]) -> None:
        self._heard.discard(future)
        with self._lock:
            if self._far.fileno() >= 0:
                # A full buffer means that it is ringing already.
                with contextlib.suppress(BlockingIOError):
                    self._far.send(b"!")

    def hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._near.recv(4096)

    def close(self) -> None:
        with self._lock:
            self._near.close()
            self._far.close()
        self._heard.clear()


class _Party:
    """The generators of one `together`: who waits for what, who is done, what went wrong first."""

    def __init__(self, many: Sequence[Steps[Any]]) -> None:
        self.many = many
        self.waits: dict[int, Wait] = {}
        self.results: list[Any] = [None] * len(many)
        self.failure: BaseException | None = None
        self.bell: _Bell | None = None

    def resume(self, child: int, call: Callable[[Any], Wait], value: Any) -> None:
        try:
            self.waits[child] = call(value)
        except StopIteration as stop:
            self.results[child] = stop.value
        except BaseException as error:
            # Once something failed, what the others say while they stop is an echo of it.
            if self.failure is None:
                self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Remember `error` and stop everyone who still waits; a second error makes them give up at once."""
        if self.failure is None:
            self.failure = error
            error = Stopped()
        waiting = list(self.waits)
        self.waits.clear()
        for child in waiting:
            self.resume(child, self.many[child].throw, error)

    def merged(self) -> tuple[dict[int, int], dict[int, int], float | None]:
        """fd → events over all children, fd → child, and the earliest `until`."""
        wants: dict[int, int] = {}
        owner: dict[int, int] = {}
        soonest: float | None = None
        for child, wait in self.waits.items():
            kind = wait.__class__
            if kind is Socket:
                fd, events, until = wait  # type: ignore[misc]
                wants[fd] = events
                owner[fd] = child
            elif kind is Sockets:
                more, until = wait.wants, wait.until  # type: ignore[union-attr]
                wants.update(more)
                owner.update(dict.fromkeys(more, child))
            else:
                until = wait.until
                if isinstance(wait, Future):
                    if self.bell is None:
                        self.bell = _Bell()
                    self.bell.listen(wait.future)
                assert kind is not Await, "a coroutine runs in its own task's driver"
            if until is not None and (soonest is None or until < soonest):
                soonest = until
        if self.bell is not None:
            wants[self.bell.fd] = READ
        return wants, owner, soonest

    def deliver(self, ready: Mapping[int, int], owner: Mapping[int, int], timed: bool) -> None:
        """Resume every child whose wait is over."""
        answers: dict[int, dict[int, int]] = {}
        for fd, events in ready.items():
            if fd in owner:
                answers.setdefault(owner[fd], {})[fd] = events
            elif self.bell is not None:
                self.bell.hush()
        over: list[tuple[int, Wait, Any]] = [(child, self.waits[child], found) for child, found in answers.items()]
        if timed or self.bell is not None:
            now = monotonic()
            for child, wait in self.waits.items():
                if child in answers:
                    continue
                late = wait.until is not None and wait.until <= now
                if wait.__class__ is Future and (late or wait.future.done()):
                    over.append((child, wait, wait.future.done()))
                elif late:
                    over.append((child, wait, None if wait.__class__ is Until else {}))
        for child, wait, answer in over:
            # An earlier one in this round may have failed and sent this child on to stopping: its wait is a new one.
            if self.waits.get(child) is wait:
                del self.waits[child]
                self.resume(child, self.many[child].send, answer)


def together(many: Sequence[Steps[T]]) -> Steps[list[T]]:
    """Run all of `many` at once over one poll; their values in order.

    The first error stops the others (each cancels what it started on its server) and is raised when they are done.
    All have sent before the first one is waited for.
    """
    if len(many) == 1:
        return [(yield from many[0])]
    party = _Party(many)
    try:
        for child, steps in enumerate(many):
            if party.failure is not None:
                steps.close()
            else:
                party.resume(child, steps.send, None)
        while party.waits:
            wants, owner, soonest = party.merged()
            try:
                ready = yield Sockets(wants, soonest) if wants else Until(soonest or 0.0)
            except GeneratorExit:
                raise
            except BaseException as interruption:
                party.fail(interruption)
            else:
                party.deliver(ready or {}, owner, soonest is not None)
    finally:
        for child in party.waits:
            many[child].close()
        if party.bell is not None:
            party.bell.close()
    if party.failure is not None:
        raise party.failure
    return party.results
