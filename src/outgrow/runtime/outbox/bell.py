"""Something to wait for that may be rung from anywhere, several times."""

from __future__ import annotations

import concurrent.futures
import threading

from outgrow.waits import Future, Steps


class Bell:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung: concurrent.futures.Future[None] = concurrent.futures.Future()

    def ring(self) -> None:
        with self._lock:
            if not self._rung.done():
                self._rung.set_result(None)

    @property
    def rung(self) -> bool:
        return self._rung.done()

    def hush(self) -> None:
        """From now on only a new ring counts."""
        with self._lock:
            if self._rung.done():
                self._rung = concurrent.futures.Future()

    def wait_steps(self, until: float | None) -> Steps[bool]:
        """True when it rings, or has; False where `until` passes first."""
        return bool((yield Future(self._rung, until)))
