"""Nobody aborts what a coordinator that is there is about to decide.

A coordinator whose messages are a little late is there all the time.  Whether that was so until it was answered shows
only afterwards: it may be struck again, a server may die, and on a busy machine it may take longer than anybody's
patience allows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.crash.journal import Told
from tests.crash.mutants import PATIENCE_SECONDS
from tests.crash.watch import Watch

#: So much earlier than patience ends it must be over, by the harness's own clock: it looks twenty times a second.
MARGIN_SECONDS = 0.5


@dataclass(slots=True)
class Respect:
    watch: Watch
    #: Transaction → its worker, and since when its messages are late.
    _late: dict[str, tuple[int, float]] = field(default_factory=dict)
    #: When which worker was struck.
    _strikes: list[tuple[float, int]] = field(default_factory=list)

    def note_strike(self, worker: int) -> None:
        self._strikes.append((time.monotonic(), worker))

    def expect(self, number: str, worker: int) -> None:
        """From now on the transaction's messages are late, and that is all."""
        self._late[number] = (worker, time.monotonic())

    def anomalies(self, told: Told) -> Iterator[str]:
        for name, attempt in told.attempts.items():
            number = attempt.transaction.rpartition("/")[2]
            if number not in self._late or not attempt.said.startswith("OG-TX-004"):
                continue
            worker, began = self._late[number]
            prepared_seconds = attempt.ended - self.watch.prepared_at(number)
            if prepared_seconds < PATIENCE_SECONDS - MARGIN_SECONDS and not self._broken(worker, began, attempt.ended):
                yield (
                    f"{name} ({number}) was aborted by recovery, and its coordinator was there all the time: "
                    f"{attempt.ended - began:.2f} s since its messages were late, {prepared_seconds:.2f} s prepared"
                )

    def _broken(self, worker: int, since: float, until: float) -> bool:
        struck = any(one == worker and since < at <= until for at, one in self._strikes)
        return struck or self.watch.server_ailed(since, until)
