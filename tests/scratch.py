"""Where the servers of tests keep their data: in memory where the machine has enough, else on the disk.

None of these servers outlives its test, and a disk that is not flushed to still has to write everything once.  What
becomes of committed rows when a process is killed is the same in both places: the kernel keeps the pages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

#: What all fleets of a run may come to hold at once, with room to spare (bytes).
NEEDED = 8 << 30

MEMORY, DISK = Path("/dev/shm"), Path("/var/tmp")


def place() -> Path:
    """A directory that root's servers, run as nobody, can reach."""
    try:
        roomy = shutil.disk_usage(MEMORY).free >= NEEDED and _available() >= NEEDED
    except (OSError, ValueError):
        return DISK
    return MEMORY if roomy and os.access(MEMORY, os.W_OK) else DISK


def keep_home() -> None:
    """The home of outgrow for this process and its children: one for all runs, unless the user has chosen."""
    if place() == MEMORY:
        os.environ.setdefault("OUTGROW_HOME", str(MEMORY / f"outgrow-tests-{os.geteuid()}"))


def leave_home() -> None:
    """Give the memory back, unless another run still has fleets there."""
    home = Path(os.environ.get("OUTGROW_HOME", ""))
    if home.parent != MEMORY:
        return
    with contextlib.suppress(OSError):
        (home / "temporary").rmdir()
        shutil.rmtree(home)


def _available() -> int:
    """Memory that programs could have without swapping (bytes)."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0
