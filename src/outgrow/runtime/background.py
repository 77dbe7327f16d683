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
        """Start the thread where it does not run (also after a fork, which copies no threads)."""
        if self._thread is not None and self._pid == os.getpid():
            return
        with self._starting:
            if self._thread is not None and self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(timeout=5)
