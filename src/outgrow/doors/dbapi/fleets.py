"""The fleets that connections are of: the caller's own, or one for each source that this process has connections to."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import outgrow
from outgrow.doors.dbapi.speaking import Speaking
from outgrow.runtime import Fleet, Level
from outgrow.topology import Topology

#: (process, path) → the fleet and how many connections it has: each fleet has pools, which connections must share.
_shared: dict[tuple[int, str], tuple[Fleet, int]] = {}
_lock = threading.Lock()


def opened(source: str | Path | Topology | Fleet | None) -> tuple[Fleet, Callable[[], None]]:
    """The fleet, and what lets go of it; twice is once."""
    if isinstance(source, Fleet):
        return source, lambda: None
    if isinstance(source, Topology):
        fleet = outgrow.open(source)
        return fleet, fleet.close
    key = (os.getpid(), "" if source is None else str(Path(source).resolve()))
    with _lock:
        found = _shared.get(key)
        fleet, count = found if found is not None else (outgrow.open(source), 0)
        _shared[key] = (fleet, count + 1)
    held = [key]

    def let_go() -> None:
        with _lock:
            if not held:
                return
            held.clear()
            fleet, count = _shared.pop(key)
            if count > 1:
                _shared[key] = (fleet, count - 1)
        if count == 1:
            fleet.close()

    return fleet, let_go


def speaking(
    fleet: Fleet,
    let_go: Callable[[], None],
    domain: str | None,
    level: str | Level,
    autocommit: bool,
    scatter: str | None,
) -> Speaking:
    try:
        return Speaking(fleet.conversation(domain, level=level, scatter=scatter), autocommit)
    except BaseException:
        let_go()
        raise
