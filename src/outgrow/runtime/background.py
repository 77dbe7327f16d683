"""A thread that a fleet starts when something first needs it, once per process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Background:
    """`run` is called in a daemon thread and returns soon after the event it is given is set."""

    def __init__(self, name: str, run: Callable[[threading.Event], None]) -> None:
        self._name = name
        self._run = run
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._starting = threading.Lock()

    def ensure(self) -> None:
        """Start the thread where it does not run: after a fork too, which copies no threads, and when it broke down."""
        if self._running:
            return
        with self._starting:
            if self._running or self._stop.is_set():
                return
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name=self._name, daemon=True)
            self._thread.start()

    @property
    def _running(self) -> bool:
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(timeout=5)
