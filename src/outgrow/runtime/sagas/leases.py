"""Which sagas this process holds, and one thread that says so to the ledger as long as the process lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from uuid import UUID

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, OperationalError
from outgrow.nodes import drive
from outgrow.runtime.background import Background
from outgrow.transactions.saga import Fenced
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: Leases are renewed so many times in their length; with less than this part left, nothing is begun on trust.
_RENEWALS = 3
_MARGIN = 0.25
#: How often a lease is asked for before a step, where the answers are late.
_ASKS = 2
#: How long one renewal may take.
_KEEP_SECONDS = 5.0


class Hold:
    """One saga that this process holds."""

    __slots__ = ("at_work", "epoch", "gone", "id", "lease", "lost", "until")

    def __init__(self, id: UUID, epoch: int, lease: float, asked_at: float) -> None:
        self.id = id
        self.epoch = epoch
        self.lease = lease
        #: By our clock, from before it was asked for: it ends here before it ends there.
        self.until = asked_at + lease
        #: Nothing may be begun or written any more: somebody else has it, or it was aborted.
        self.lost = False
        #: The row is another's, or at rest: there is no lease to renew.
        self.gone = False
        #: A step is under way.  A saga that was aborted is kept for so long, that its compensation begins behind it.
        self.at_work = False

    @property
    def renewed(self) -> bool:
        return not self.gone and (self.at_work or not self.lost)

    @property
    def sure(self) -> bool:
        """Nobody else takes it within the next moments."""
        return not self.lost and monotonic() < self.until - self.lease * _MARGIN


class Leases:
    def __init__(self, home: DomainState, holder: str) -> None:
        self._home = home
        self._holder = holder
        self._lock = threading.Lock()
        self._held: dict[UUID, Hold] = {}
        self._background = Background("outgrow-sagas", self._run)
        #: The shortest lease so far says how often.
        self._period = 60.0

    def hold(self, id: UUID, epoch: int, lease: float, asked_at: float) -> Hold:
        hold = Hold(id, epoch, lease, asked_at)
        with self._lock:
            self._held[id] = hold
        self._period = min(self._period, lease / _RENEWALS)
        self._background.ensure()
        return hold

    def count(self) -> int:
        return len(self._held)

    def drop(self, hold: Hold) -> None:
        with self._lock:
            if self._held.get(hold.id) is hold:
                del self._held[hold.id]

    def sure_steps(self, hold: Hold) -> Steps[None]:
        """Raises Fenced where somebody else has taken it, an Error where nobody can tell."""
        for _ in range(_ASKS):
            if hold.sure:
                return
            if not hold.lost:
                yield from self._keep_steps([hold], monotonic() + _KEEP_SECONDS)
            if hold.lost:
                raise Fenced
        if not hold.sure:
            # Each answer took so long that somebody may have the saga by now.
            raise OperationalError(
                "OG-TX-058",
                f"the ledger's answers take longer than the lease of the saga {hold.id}, {hold.lease:g} s",
                cure="give the saga a longer lease (lease_seconds), or look why the ledger is so slow",
            )

    def stop(self) -> None:
        self._background.stop()

    def _keep_steps(self, held: list[Hold], until: float) -> Steps[None]:
        asked_at = monotonic()
        state = self._home
        # In one order with whoever else writes many (`writer`): they would wait for each other.
        asked = sorted((hold.id, hold.epoch, hold.lease) for hold in held)
        kept, _ = yield from state.sequences.on_primary_steps(
            state.picture.domain.home.name, lambda link: ledger.keep_sagas_steps(link, asked, self._holder), until
        )
        for hold in held:
            if hold.id in kept:
                hold.until = asked_at + hold.lease
                hold.lost = hold.lost or not kept[hold.id]
            else:
                hold.lost = hold.gone = True

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(min(self._period / 2, 0.5)):
            with self._lock:
                now = monotonic()
                due = [h for h in self._held.values() if h.renewed and now > h.until - h.lease * 2 / _RENEWALS]
            if not due:
                continue
            try:
                drive(self._keep_steps(due, monotonic() + _KEEP_SECONDS))
            except Error:
                # The leases run out where this goes on; then others take over.
                continue
