"""One thread that makes a link's blocking calls, one after another.

Not a pool: workers shared by links could all sit in statements that wait for a lock, while the COMMIT that would free
them waits for a worker.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Job = tuple[Callable[[], Any], "Future[Any]"]


class Worker:
    """Ends with `end`, or with the process."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), name=f"outgrow-{name}", daemon=True).start()

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        self._jobs.put((call, done))
        return done

    def end(self, last: Callable[[], Any]) -> None:
        """Make one more call, whose outcome nobody hears, and end."""
        self._jobs.put((last, Future()))
        self._jobs.put(None)


def _work(jobs: queue.SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        call, done = job
        try:
            outcome = call()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(outcome)
        # A result that nobody reads any more must not live until the next job.
        del job, call, done
        outcome = None
