"""Workers: they claim sagas that are due, many at once, and go on with them.

Woken by a notification behind the commit that makes one due, by the end of a rest that they know of, and now and then.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from typing import Any

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, ProgrammingError
from outgrow.ledger import SagaRow
from outgrow.nodes import notified_steps
from outgrow.runtime.sagas.calling import Caller
from outgrow.runtime.sagas.crew import SagaCrew
from outgrow.transactions.saga import Fenced, Saga
from outgrow.waits import Future, Steps, Until

#: Claimed at once at most.
_CLAIM_MAX = 50
#: Without a sign a worker looks so often, and never more often than that.
_POLL_SECONDS, _POLL_SOONEST_SECONDS = 5.0, 0.05
#: A rest of a saga that is not waited for, but leaves its place to others.
_PATIENCE_SECONDS = 1.0
#: Between two tries where the ledger is out of reach; and how long a listener waits before it looks whether to stop.
_REST_SECONDS, _LISTEN_SECONDS = 1.0, 1.0

#: Runs steps beside those of the worker: in a thread, or as a task.
Spawn = Callable[[Steps[Any]], "concurrent.futures.Future[Any]"]


class Working:
    """One worker of this process, for some definitions."""

    def __init__(self, crew: SagaCrew, sagas: Sequence[Saga], caller: Caller, spawn: Spawn, concurrency: int) -> None:
        if not sagas:
            raise ProgrammingError("OG-TX-056", "a worker was given no saga", cure="name the definitions that it knows")
        crew.threads.room_for(concurrency)
        self._crew = crew
        self._sagas = {(saga.name, saga.version): saga for saga in sagas}
        self._known = [(saga.name, saga.version, saga.lease_seconds) for saga in sagas]
        self._caller = caller
        self._spawn = spawn
        self._concurrency = concurrency
        self._active: set[concurrent.futures.Future[Any]] = set()
        self._lock = threading.Lock()
        self._bell: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stopping = False
        #: Sagas that it has let go of, over or not.
        self.worked = 0
        #: What stopped it from working on one, the last time.
        self.last_error: BaseException | None = None

    def stop(self) -> None:
        """Claim no more; what is at work comes to its end, or to its next rest."""
        self._stopping = True
        self.ring()

    def ring(self) -> None:
        with self._lock:
            if not self._bell.done():
                self._bell.set_result(None)

    def run_steps(self, until_idle: bool = False) -> Steps[int]:
        """Until `stop`; or until nothing is due and nothing at work.  How many sagas it has had."""
        for saga in self._sagas.values():
            yield from self._crew.known_steps(saga)
        listener = None if until_idle else self._spawn(self._listen_steps())
        try:
            while not self._stopping:
                with self._lock:
                    bell = self._bell = concurrent.futures.Future()
                    free = min(self._concurrency - len(self._active), _CLAIM_MAX)
                try:
                    claimed = (yield from self._claim_steps(free)) if free > 0 else 0
                    if claimed and claimed == free:
                        continue
                    if until_idle and not claimed and not self._active:
                        break
                    yield Future(bell, monotonic() + (yield from self._pause_steps()))
                except Error as error:
                    self.last_error = error
                    yield Until(monotonic() + _REST_SECONDS)
        finally:
            self._stopping = True
        for future in (*self._active, *([listener] if listener is not None else [])):
            yield Future(future)
        return self.worked

    def _claim_steps(self, limit: int) -> Steps[int]:
        crew, asked_at = self._crew, monotonic()
        rows = yield from crew.on_home_steps(
            lambda link: ledger.claim_sagas_steps(link, self._known, crew.holder, limit), asked_at + 10.0
        )
        for row in rows:
            future = self._spawn(self._one_steps(row, asked_at))
            with self._lock:
                self._active.add(future)
            future.add_done_callback(self._ended)
        return len(rows)

    def _pause_steps(self) -> Steps[float]:
        """How long to wait for a sign."""
        if len(self._active) >= self._concurrency:
            return _POLL_SECONDS
        known = [(name, version) for name, version, _ in self._known]
        due = yield from self._crew.on_home_steps(lambda link: ledger.next_due_steps(link, known))
        return _POLL_SECONDS if due is None else max(_POLL_SOONEST_SECONDS, min(due, _POLL_SECONDS))

    def _one_steps(self, row: SagaRow, asked_at: float) -> Steps[None]:
        saga = self._sagas[row.name, row.version]
        work = self._crew.resumed(saga, row, self._caller, asked_at, _PATIENCE_SECONDS)
        try:
            yield from self._crew.worked_steps(work)
        except Fenced:
            # Another process has it.
            return
        except Error as error:
            # The ledger is out of reach: when the lease is over, the saga is due again.
            self.last_error = error
        except BaseException as error:
            # So it is behind whatever else this was; but nobody looks at what it ended with.
            self.last_error = error
            raise

    def _ended(self, future: concurrent.futures.Future[Any]) -> None:
        with self._lock:
            self._active.discard(future)
            self.worked += 1
        self.ring()

    def _listen_steps(self) -> Steps[None]:
        """Ring when somebody has begun a saga for workers.  Without a listener there is the slow look."""
        state = self._crew.home
        while not self._stopping:
            link = None
            try:
                node = state.health.seats(state.name, state.picture.domain.home.name).primary
                if node.pooled and node.direct is None:
                    return
                link = yield from state.nodes.connect_steps(node.direct or node, monotonic() + 5.0)
                yield from link.run_steps(ledger.queries()["saga_listen"], prepare=False)
                self.ring()
                while not self._stopping:
                    if (yield from notified_steps(link, monotonic() + _LISTEN_SECONDS)):
                        self.ring()
            except Error:
                yield Until(monotonic() + _REST_SECONDS)
            finally:
                if link is not None:
                    link.close()
