"""Ids without a round trip: `fleet.new_id()`, 63 bits ordered by time, and `uuid7()`.

They live here and not in `ledger`, which only records who holds which worker number: what makes an id is memory and
a clock, and only the application asks for one.

An id is unique because of what the ledger leases, not because clocks agree: a worker number *for an interval of
milliseconds*.  Intervals of one number never overlap, and an id's milliseconds always lie within one that its process
held.  A clock set back, a process that slept, another machine's clock: none can make an id twice.
"""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from outgrow import ledger
from outgrow.clock import monotonic, wall_ns
from outgrow.errors import Error, OperationalError
from outgrow.nodes import drive
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

T = TypeVar("T")

#: 2025-01-01 00:00 UTC, in milliseconds since 1970: where the milliseconds of ids begin.
EPOCH_MS = 1_735_689_600_000
#: 41 bits of milliseconds (until September 2094), 12 of worker number, 10 of counter.
_WORKER_BITS, _COUNTER_BITS = 12, 10
_COUNTERS = 1 << _COUNTER_BITS
_LAST_MS = (1 << 41) - 1
#: How long a lease is, and how long before its end the next is asked for (milliseconds).
_LEASE_MS = 600_000
_RENEW_MS = 300_000
#: How long a failed renewal rests, how long leasing may take in all, and giving back (seconds).
_REST_SECONDS = 5.0
_LEASE_SECONDS = 2.0
_END_SECONDS = 0.5

_all: weakref.WeakSet[Ids] = weakref.WeakSet()


class Minter:
    """Makes ids within what was leased; pure but for the clock it is given."""

    __slots__ = ("_clock_ms", "_counter", "_lock", "_ms", "_until_ms", "_worker", "due_ms")

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._ms = -1
        self._counter = -1
        self._worker = 0
        self._until_ms = -1
        #: From this millisecond on the lease should be renewed.
        self.due_ms = 0

    def lease(self, worker: int, from_ms: int, until_ms: int) -> None:
        """From now on ids are made with this number, within these milliseconds; what went before stays smaller."""
        with self._lock:
            self._ms = max(self._ms + 1, from_ms)
            self._counter = -1
            self._worker = worker << _COUNTER_BITS
            self._until_ms = until_ms
            self.due_ms = until_ms - _RENEW_MS

    def extend(self, until_ms: int) -> None:
        """The same number for longer."""
        with self._lock:
            self._until_ms = until_ms
            self.due_ms = until_ms - _RENEW_MS

    def end(self) -> int:
        """Give up the lease; the last millisecond that was used."""
        with self._lock:
            self._until_ms = -1
            return self._ms

    def needs_ms(self) -> int:
        """The earliest millisecond of the next id: now, or later where ids have run ahead of the clock."""
        return max(self._clock_ms(), self._ms + 1)

    def mint(self) -> int | None:
        """The next id, greater than every one before; None where no lease covers it."""
        with self._lock:
            now = self._clock_ms()
            ms, counter = self._ms, self._counter + 1
            if now > ms:
                ms, counter = now, 0
            elif counter == _COUNTERS:
                # More ids than a millisecond has: the next one is begun early, nobody waits.
                ms, counter = ms + 1, 0
            if ms > self._until_ms:
                return None
            self._ms, self._counter = ms, counter
            return ms << (_WORKER_BITS + _COUNTER_BITS) | self._worker | counter


class Ids:
    """`fleet.new_id()` of one fleet in one process: a minter, and its leases in the first domain's ledger."""

    def __init__(self, state: DomainState) -> None:
        self._state = state
        self.start_empty()
        _all.add(self)

    def start_empty(self) -> None:
        self._minter = Minter(_now_ms)
        self._holder = uuid.uuid4().hex
        self._worker: int | None = None
        self._leasing = threading.Lock()
        self._rest_until = 0.0

    def new(self) -> int:
        minter = self._minter
        minted = minter.mint()
        if minted is None:
            return self._leased()
        if minted >> (_WORKER_BITS + _COUNTER_BITS) >= minter.due_ms:
            self._renew_aside()
        return minted

    def close(self) -> None:
        """Let others have the worker number at once."""
        with self._leasing:
            worker, self._worker = self._worker, None
            if worker is None:
                return
            last_ms = self._minter.end()
            with suppress(Error):
                until = monotonic() + _REST_SECONDS / 10
                drive(
                    self._home_steps(lambda home: ledger.end_worker_steps(home, worker, self._holder, last_ms), until)
                )

    def _leased(self) -> int:
        """The next id after the lease that it needs; one thread leases, the others wait for it."""
        with self._leasing:
            minted = self._minter.mint()
            if minted is None:
                drive(self._lease_steps(monotonic() + _LEASE_SECONDS))
                minted = self._minter.mint()
        if minted is None:
            raise _no_lease("the lease ended before it was used")
        return minted

    def _renew_aside(self) -> None:
        """Renew in a thread of its own, which ends with it, so that who asked for an id does not wait."""
        if monotonic() < self._rest_until or not self._leasing.acquire(blocking=False):
            return
        self._rest_until = monotonic() + _REST_SECONDS
        leasing = self._leasing

        def renew() -> None:
            try:
                # Until the lease ends there is time for further tries.
                with suppress(Error):
                    drive(self._lease_steps(monotonic() + _LEASE_SECONDS))
            finally:
                leasing.release()

        threading.Thread(target=renew, name="outgrow-ids", daemon=True).start()

    def _lease_steps(self, until: float) -> Steps[None]:
        now = self._minter.needs_ms()
        if not 0 <= now <= _LAST_MS - _LEASE_MS:
            raise _no_lease("the clock of this machine is not between 2025 and 2094")
        until_ms = now + _LEASE_MS
        worker, holder = self._worker, self._holder
        if worker is not None:
            held: int = worker
            kept = yield from self._home_steps(
                lambda home: ledger.keep_worker_steps(home, held, holder, now, until_ms), until
            )
            if kept:
                self._minter.extend(until_ms)
                return
        self._worker = None
        worker = yield from self._home_steps(lambda home: ledger.take_worker_steps(home, holder, now, until_ms), until)
        if worker is None:
            raise _no_lease("all 1,024 worker numbers are taken")
        self._worker = worker
        self._minter.lease(worker, now, until_ms)

    def _home_steps(self, ask: Callable[[ledger.Runner], Steps[T]], until: float) -> Steps[T]:
        home = self._state.picture.domain.home.name
        return (yield from self._state.sequences.on_primary_steps(home, ask, until))[0]


def _now_ms() -> int:
    return wall_ns() // 1_000_000 - EPOCH_MS


def _no_lease(why: str) -> OperationalError:
    return OperationalError(
        "OG-RUN-074",
        f"no worker number could be leased for new ids: {why}",
        cure="set the clock; close fleets that are not used; a number is free ten minutes after its process has ended",
    )


_uuid_lock = threading.Lock()
_uuid_ms = 0
_uuid_counter = 0


def uuid7() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, 42 of counter, 32 of chance.

    Within a process each is greater than the one before, also when the clock is set back.  The counter begins at
    random in each millisecond, so that ids tell nobody how many there are.
    """
    global _uuid_ms, _uuid_counter
    chance = int.from_bytes(os.urandom(10), "big")
    with _uuid_lock:
        now = wall_ns() // 1_000_000
        if now > _uuid_ms:
            _uuid_ms, _uuid_counter = now, chance >> 39
        else:
            _uuid_counter += 1
            if _uuid_counter >> 42:
                _uuid_ms, _uuid_counter = _uuid_ms + 1, chance >> 39
        ms, counter = _uuid_ms, _uuid_counter
    high, low = counter >> 30, counter & 0x3FFF_FFFF
    return uuid.UUID(int=ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << 32 | (chance & 0xFFFF_FFFF))


def _start_empty_after_fork() -> None:
    global _uuid_lock, _uuid_counter
    _uuid_lock = threading.Lock()
    # Else parent and child would count on from the same number.
    _uuid_counter = int.from_bytes(os.urandom(6), "big") >> 7
    for ids in list(_all):
        ids.start_empty()


os.register_at_fork(after_in_child=_start_empty_after_fork)
