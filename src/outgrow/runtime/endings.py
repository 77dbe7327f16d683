"""How an application's function has ended: by itself, or because whoever drives it shall end."""

from __future__ import annotations

import asyncio
import threading


def from_outside(error: BaseException) -> bool:
    """Whether it was ended by somebody else: its task is being cancelled, or its process told to go.

    What a library below it cancelled, or an `exit()` in a thread, which ends no process, is a failure like any other.
    """
    if isinstance(error, asyncio.CancelledError):
        try:
            task = asyncio.current_task()
        except RuntimeError:
            # A plain function in a thread, which nobody can cancel.
            return False
        return task is not None and task.cancelling() > 0
    if isinstance(error, SystemExit):
        # A signal's handler raises it in the main thread, in whatever runs there.
        return threading.current_thread() is threading.main_thread()
    return not isinstance(error, Exception)


def as_failure(error: BaseException) -> Exception:
    """What is not `from_outside`, as a failure."""
    if isinstance(error, Exception):
        return error
    what = "it was cancelled by itself" if isinstance(error, asyncio.CancelledError) else f"it has called exit({error})"
    failure = RuntimeError(what)
    failure.__cause__ = error
    return failure
