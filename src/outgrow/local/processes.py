"""Which processes belong to a data directory, and how to end them without hitting a stranger.

A pid in a file is a rumour: its process may be gone and the number given to another.  So a pid counts only when that
process was started for the very data directory, and on Linux a signal goes through a pidfd that was opened before the
check, which cannot be recycled in between.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The only programs that this room ever ends.
PROGRAMS = frozenset({"postgres", "initdb", "pg_basebackup", "pg_ctl", "mariadbd", "mariadb-install"})

_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True, slots=True)
class Process:
    """What is known of a living process; zombies are dead."""

    pid: int
    program: str
    arguments: tuple[str, ...]
    #: None where the system does not tell.
    directory: str | None

    def works_in(self, place: Path) -> bool:
        """Whether it was started for `place` or for something below it."""
        known = " ".join((*self.arguments[1:], self.directory or ""))
        return re.search(re.escape(str(place)) + r"(?:/|\s|\Z)", known) is not None


def look(pid: int) -> Process | None:
    """The process of that number, or None when there is none or it is a zombie."""
    if not _PROC:
        return next((process for process in _listed() if process.pid == pid), None)
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return None
    if facts.rpartition(")")[2].split()[0] in "ZX":
        return None
    try:
        directory = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        directory = None
    # The kernel's short name survives PostgreSQL's retitling of its children.
    return Process(pid, facts.partition("(")[2].rpartition(")")[0], tuple(arguments), directory)


def born(pid: int) -> str:
    """A stamp of when the process started, for telling it from a later one of the same number; "" when it is gone."""
    if not _PROC:
        said = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return said.stdout.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def of(place: Path) -> list[Process]:
    """Every living server program that was started for `place` or for something below it."""
    processes: Iterator[Process]
    if _PROC:
        pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
        processes = (process for process in map(look, pids) if process is not None)
    else:
        processes = _listed()
    return [process for process in processes if process.program in PROGRAMS and process.works_in(place)]


def postmaster(data: Path) -> int | None:
    """The pid of the PostgreSQL server that runs on this data directory."""
    return server_of(data, "postmaster.pid", "postgres")


def server_of(data: Path, file: str, program: str) -> int | None:
    """The pid in that file, if it is a server's that was started for this data directory, or for the folder around."""
    try:
        pid = int((data / file).read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    process = look(pid)
    known = process is not None and process.program == program
    return (
        pid
        if process is not None and known and process.works_in(data if program == "postgres" else data.parent)
        else None
    )


def ready(data: Path) -> bool:
    """Whether that server said, in the eighth line of its pid file, that it accepts connections."""
    try:
        lines = (data / "postmaster.pid").read_text().split("\n")
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def send(pid: int, place: Path, number: signal.Signals) -> bool:
    """Signal `pid` if it still is a server program of `place`."""
    with contextlib.ExitStack() as stack:
        handle = None
        if hasattr(os, "pidfd_open"):
            try:
                handle = os.pidfd_open(pid)
                stack.callback(os.close, handle)
            except ProcessLookupError:
                return False
            except OSError:
                handle = None  # an old kernel or a sandbox: the plain signal below has to do
        process = look(pid)
        if process is None or process.program not in PROGRAMS or not process.works_in(place):
            return False
        try:
            if handle is not None:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(pid, number)
        except ProcessLookupError:
            return False
    return True


def end_all(place: Path, wait_timeout_seconds: float = 10.0) -> None:
    """Kill whatever server programs still work in `place`; wait until they are gone."""
    until = time.monotonic() + wait_timeout_seconds
    while (left := of(place)) and time.monotonic() < until:
        for process in left:
            send(process.pid, place, signal.SIGKILL)
        time.sleep(0.02)


def _listed() -> Iterator[Process]:
    said = subprocess.run(["ps", "-axww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=False)
    for line in said.stdout.splitlines():
        pid, state, command = (*line.split(None, 2), "")[:3]
        words = command.split()
        if words and not state.startswith("Z"):
            yield Process(int(pid), os.path.basename(words[0]).rstrip(":"), tuple(words), None)
