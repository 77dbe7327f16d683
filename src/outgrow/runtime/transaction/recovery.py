"""Who finishes what a dead process has left prepared: every process that has a reason to, now and then.

It has one where something is prepared when it opens the fleet (all others may have died), where it commits over shards,
and where a statement waits: perhaps for the rows of a transaction that nobody finishes.  Who has none looks once.

Not in the heartbeat's thread: a look waits seconds for a shard that is gone, and beats must not.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence

from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import drive, together
from outgrow.runtime.background import Background
from outgrow.runtime.domain import DomainState
from outgrow.runtime.outbox.seeing import KEPT_SECONDS, forget_steps
from outgrow.runtime.transaction import atomic
from outgrow.transactions import Looks
from outgrow.waits import Steps

_log = logging.getLogger("outgrow.recovery")

#: Between two looks, on average (seconds); each is between half and one and a half of it, so that processes that were
#: started together do not keep meeting.
_PERIOD_SECONDS = 2.0
#: Between two rounds of forgetting, on average.
_COLLECT_SECONDS = 3600.0


class Recovery:
    def __init__(self, states: Sequence[DomainState]) -> None:
        self._states = states
        self._background = Background("outgrow-recovery", self._run)

    def begin_steps(self) -> Steps[None]:
        """The look of a process that has just come."""
        split = [state for state in self._states if len(state.picture.domain.shards) > 1]
        if any((yield from together([atomic.waits_steps(state) for state in split]))):
            self.ensure()

    def ensure(self) -> None:
        self._background.ensure()

    def stop(self) -> None:
        self._background.stop()

    def _run(self, stop: threading.Event) -> None:
        collect_at = monotonic() + _COLLECT_SECONDS * random.random()
        looks = {state.name: Looks() for state in self._states}
        while not stop.wait(_PERIOD_SECONDS * (0.5 + random.random())):
            due = monotonic() > collect_at
            if due:
                collect_at = monotonic() + _COLLECT_SECONDS * (0.5 + random.random())
            for state in self._states:
                try:
                    drive(atomic.recover_steps(state))
                    if due:
                        drive(atomic.collect_steps(state, looks=looks[state.name]))
                        drive(forget_steps(state, KEPT_SECONDS))
                except Error:
                    # A shard is away, or it is no time to connect: the next look may fare better.
                    continue
                except Exception:
                    # Nobody else may be there to look: what is broken here must not end the looks.
                    _log.exception("a look for unfinished transactions of %s broke down", state.name)
