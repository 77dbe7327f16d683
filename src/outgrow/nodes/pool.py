"""`Pool`: the connections of one process to one node, for threads and tasks alike.

Idle links are taken last in, first out, so that the surplus grows old and can be closed.  Who finds none and may not
open one more waits in a queue, first come first served: a returned link goes straight to the first waiter.  Taking
and giving never block: `take_now` and `give` are for the common case, `take_steps` and `give_steps` for the rest.
"""

from __future__ import annotations

import concurrent.futures
import math
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from outgrow import errors
from outgrow.clock import monotonic, wall_ns
from outgrow.events import ConnectionClosed, ConnectionEvent, ConnectionOpened, ConnectionWaited
from outgrow.nodes.connect import link_steps
from outgrow.nodes.link import Link
from outgrow.nodes.queries import QUERIES
from outgrow.nodes.settings import LinkSettings, PoolAges
from outgrow.topology import Node, PoolLimits
from outgrow.waits import Future, Steps

#: How a pool opens a link: `connect.link_steps`, or the fake's.
Connect = Callable[[Node, LinkSettings, dict[int, str], float | None], Steps[Link]]


class PoolStats(NamedTuple):
    """Counts of one pool.  From `opened` on they only grow."""

    size: int
    idle: int
    waiting: int
    size_max: int
    opened: int
    taken: int
    waited: int
    waited_seconds: float
    timeouts: int
    lost: int
    #: Who was not let wait, because too many did.
    refused: int


#: Links live up to this share less than life_max_seconds, each another: those opened together shall not end together.
_LIFE_SPREAD = 0.1


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """See the module.  Safe for threads; in a forked child it starts empty."""

    def __init__(
        self,
        node: Node,
        limits: PoolLimits | None = None,
        settings: LinkSettings | None = None,
        ages: PoolAges | None = None,
        connect: Connect = link_steps,
    ) -> None:
        self.node = node
        self.limits = limits or PoolLimits()
        self.settings = settings or LinkSettings()
        self.ages = ages or PoolAges()
        #: This server's type names beyond the built-in ones.
        self.names: dict[int, str] = {}
        self._connect = connect
        self._peek_after_seconds = self.ages.peek_after_seconds
        self._closed = False
        #: Told of what happens to connections, never under the lock; None where nobody listens.
        self.tell: Callable[[ConnectionEvent], None] | None = None
        self._opened = self._taken = self._waited = self._timeouts = self._lost = self._refused = 0
        self._waited_seconds = 0.0
        self._start_empty()
        _pools.add(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._idle: deque[Link] = deque()
        #: Resolved with a link, or with None: a place for a new link, already counted in `_size`.
        self._waiters: deque[concurrent.futures.Future[Link | None]] = deque()
        self._out: set[Link] = set()
        #: Links idle, taken, and being opened.
        self._size = 0

    @property
    def spare(self) -> bool:
        """A link can be had now without waiting for anybody to give one back."""
        return bool(self._idle) or self._size < self.limits.size_max

    # -- taking -------------------------------------------------------------------------------------------------------

    def take_now(self) -> Link | None:
        """A link that was used a moment ago; None when taking one needs steps."""
        with self._lock:
            idle = self._idle
            if not idle or monotonic() - idle[-1].idle_since > self._peek_after_seconds:
                return None
            self._taken += 1
            link = idle.pop()
            self._out.add(link)
            return link

    def take_steps(self, until: float | None = None) -> Steps[Link]:
        """A link that works, within the pool's wait limit and `until`.

        Raises OperationalError OG-NODE-013 when all links stay taken, OG-NODE-027 when too many wait already,
        InterfaceError OG-NODE-014 when the pool is closed, and what `link_steps` raises.
        """
        limit = monotonic() + self.limits.wait_timeout_seconds
        if until is not None and until < limit:
            limit = until
        waiter: concurrent.futures.Future[Link | None] | None = None
        link: Link | None = None
        full = False
        with self._lock:
            self._check_open()
            if self._idle:
                link = self._idle.pop()
            elif self._size < self.limits.size_max:
                self._size += 1
            else:
                full = self.limits.queue_max is not None and len(self._waiters) >= self.limits.queue_max
                self._refused += full
                if not full:
                    waiter = concurrent.futures.Future()
                    self._waiters.append(waiter)
        if full:
            self._told_waited("refused", 0.0)
            raise self._queue_full()
        if waiter is not None:
            link = yield from self._wait_steps(waiter, limit)
        if link is not None and not (yield from self._fit_steps(link, until)):
            self._close(link, "broken")
            with self._lock:
                self._lost += 1
            link = None
        if link is None:
            link = yield from self._open_steps(until)
        with self._lock:
            self._taken += 1
            self._out.add(link)
        return link

    def _check_open(self) -> None:
        if self._closed:
            raise errors.InterfaceError(
                "OG-NODE-014", "the fleet is closed", cure="open it again", shard=self.node.shard, node=self.node.name
            )

    def _wait_steps(self, waiter: concurrent.futures.Future[Link | None], limit: float) -> Steps[Link | None]:
        started = monotonic()
        try:
            done = yield Future(waiter, limit)
        except BaseException:
            # Whoever resolves waiters holds the lock, so after this it is decided whether a link came.
            if not self._withdraw(waiter):
                self._return(waiter)
            self._told_waited("left", monotonic() - started)
            raise
        seconds = monotonic() - started
        with self._lock:
            self._waited += 1
            self._waited_seconds += seconds
        if not done and self._withdraw(waiter):
            with self._lock:
                self._timeouts += 1
            self._told_waited("late", seconds)
            raise self._exhausted(seconds)
        self._told_waited("served", seconds)
        return waiter.result()

    def _told_waited(self, outcome: str, seconds: float) -> None:
        if self.tell is not None:
            self.tell(ConnectionWaited(self.node.name, self.node.domain, wall_ns(), outcome, seconds))

    def _withdraw(self, waiter: concurrent.futures.Future[Link | None]) -> bool:
        """Leave the queue; False when the waiter has been resolved already."""
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                return True
        return False

    def _return(self, waiter: concurrent.futures.Future[Link | None]) -> None:
        if waiter.exception() is None:
            link = waiter.result()
            if link is None:
                self._free_place()
            else:
                self.give(link)

    def _exhausted(self, seconds: float) -> errors.OperationalError:
        return errors.OperationalError(
            "OG-NODE-013",
            f"the pool is exhausted: all {self.limits.size_max} connections were in use for {seconds:.1f} s, "
            f"{len(self._waiters)} more are waiting",
            cure="raise the pool's size_max or wait_timeout_seconds, or hold sessions and transactions for less time",
            shard=self.node.shard,
            node=self.node.name,
        )

    def _queue_full(self) -> errors.OperationalError:
        return errors.OperationalError(
            "OG-NODE-027",
            f"all {self.limits.size_max} connections are in use, and {len(self._waiters)} are waiting for one already",
            cure="shed load, or raise the pool's size_max or queue_max",
            shard=self.node.shard,
            node=self.node.name,
        )

    def _open_steps(self, until: float | None) -> Steps[Link]:
        """Open a link into a place that `_size` already counts."""
        started = monotonic()
        try:
            link = yield from self._connect(self.node, self.settings, self.names, until)
        except BaseException:
            self._free_place()
            raise
        with self._lock:
            self._opened += 1
        if self.tell is not None:
            self.tell(ConnectionOpened(self.node.name, self.node.domain, wall_ns(), monotonic() - started))
        return link

    def _fit_steps(self, link: Link, until: float | None) -> Steps[bool]:
        """Whether a link that lay idle still works."""
        idle = monotonic() - link.idle_since
        if idle <= self.ages.peek_after_seconds:
            return True
        if not link.peek():
            return False
        if idle <= self.ages.check_after_seconds:
            return True
        limit = monotonic() + self.ages.check_timeout_seconds
        try:
            return (yield from link.alive_steps(limit if until is None else min(limit, until)))
        except BaseException:
            self.give(link)
            raise

    # -- giving back --------------------------------------------------------------------------------------------------

    def give(self, link: Link) -> None:
        """Take a link back, at once.  One with an open transaction is closed: `give_steps` would roll it back."""
        now = link.idle_since = monotonic()
        fit = link.at_rest
        if fit and now - link.opened_at < self._life_seconds(link):
            with self._lock:
                self._out.discard(link)
                if not self._closed:
                    if self._waiters:
                        self._waiters.popleft().set_result(link)
                    else:
                        self._idle.append(link)
                    return
        if link.abandoned:
            return
        with self._lock:
            self._out.discard(link)
            self._lost += not fit
        self._close(link, "age" if fit else "broken")
        self._free_place()

    def _close(self, link: Link, why: str) -> None:
        link.close()
        if self.tell is not None:
            lived = monotonic() - link.opened_at
            self.tell(ConnectionClosed(self.node.name, self.node.domain, wall_ns(), why, lived))

    def _life_seconds(self, link: Link) -> float:
        spread = link.backend_pid % 101 / 100
        return self.limits.life_max_seconds * (1 - _LIFE_SPREAD * spread)

    def give_steps(self, link: Link) -> Steps[None]:
        """Take a link back, rolling back what is open on it."""
        if link.in_transaction and not link.broken:
            try:
                yield from link.run_steps(
                    QUERIES["rollback"], until=monotonic() + self.settings.cancel_timeout_seconds, prepare=False
                )
            except errors.Error:
                link.close()
            except BaseException:
                link.close()
                self.give(link)
                raise
        self.give(link)

    def _free_place(self) -> None:
        """A link is gone: its place goes to the first waiter, who opens a new one there."""
        with self._lock:
            if self._waiters:
                self._waiters.popleft().set_result(None)
            else:
                self._size -= 1

    # -- the whole pool -----------------------------------------------------------------------------------------------

    def tend_steps(self) -> Steps[None]:
        """Close what lay idle too long and open what is missing up to size_min; to be run now and then."""
        now = monotonic()
        old: list[Link] = []
        with self._lock:
            while self._size - len(old) > self.limits.size_min and self._idle:
                if now - self._idle[0].idle_since <= self.limits.idle_max_seconds:
                    break
                old.append(self._idle.popleft())
        for link in old:
            self._close(link, "idle")
            self._free_place()
        while True:
            with self._lock:
                if self._closed or self._size >= self.limits.size_min:
                    return
                self._size += 1
            self.give((yield from self._open_steps(None)))

    def cut(self, opened_before: float = math.inf) -> None:
        """The node has stopped answering: shut its connections down, so that whoever waits on one is woken.

        A stopped server (SIGSTOP, a cut cable) closes nothing by itself; a read from it would wait for ever.
        `opened_before` (clock.monotonic) spares those that it has accepted since.
        """
        with self._lock:
            idle = [link for link in self._idle if link.opened_at < opened_before]
            self._idle = deque(link for link in self._idle if link.opened_at >= opened_before)
            for link in self._out:
                if link.opened_at < opened_before:
                    link.shut_down()
        for link in idle:
            self._close(link, "silent")
            self._free_place()

    def forget_prepared(self) -> None:
        """The schema changed: the idle links prepare anew (those in use notice by the server's error 0A000)."""
        self.names.clear()
        with self._lock:
            for link in self._idle:
                link.forget_prepared()

    @property
    def used(self) -> int:
        """Connections that somebody holds now."""
        return len(self._out)

    def stats(self) -> PoolStats:
        with self._lock:
            return PoolStats(
                size=self._size,
                idle=len(self._idle),
                waiting=len(self._waiters),
                size_max=self.limits.size_max,
                opened=self._opened,
                taken=self._taken,
                waited=self._waited,
                waited_seconds=self._waited_seconds,
                timeouts=self._timeouts,
                lost=self._lost,
                refused=self._refused,
            )

    def close(self) -> None:
        """Close the idle links and refuse waiters; links in use are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = list(self._idle), deque()
            self._size -= len(idle)
            while self._waiters:
                self._waiters.popleft().set_exception(
                    errors.InterfaceError(
                        "OG-NODE-014", "the fleet was closed", cure="open it again", node=self.node.name
                    )
                )
        for link in idle:
            link.close()


def _start_empty_after_fork() -> None:
    for pool in list(_pools):
        pool._start_empty()


os.register_at_fork(after_in_child=_start_empty_after_fork)
