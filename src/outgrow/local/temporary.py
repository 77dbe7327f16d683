"""Fleets that end with their user: for tests, the demo and benchmarks.

Three nets, each for the failure of the one before: the context manager's own end; a watchman process that holds the
other end of a pipe and takes the fleet down when the pipe breaks, whatever killed us; and the next temporary fleet,
which first removes those whose makers are gone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from outgrow.errors import Error
from outgrow.local import fleet as fleets
from outgrow.local import processes
from outgrow.local.places import own_directory, prepared_home
from outgrow.topology import Topology

#: Beside a temporary fleet's directory: the pid of its maker and when that process was born.
MAKER = ".maker"


@contextlib.contextmanager
def temporary(
    shards: int = 2,
    replicas: int = 1,
    binaries: str | None = None,
    *,
    tcp: bool = False,
    durable: bool = False,
    on_progress: fleets.Progress = lambda _: None,
) -> Iterator[tuple[Topology, Path]]:
    """A fleet for the length of a `with`: its topology and its directory.

    `durable=False` saves the flushes to disk; benchmarks of commits say True.
    """
    with reserved() as directory:
        topology = fleets.up(shards, replicas, directory, binaries, on_progress, tcp=tcp, durable=durable)
        yield topology, directory


@contextlib.contextmanager
def reserved() -> Iterator[Path]:
    """A directory that does not exist yet; a fleet made in it ends and goes with the `with`, or with this process."""
    store = prepared_home() / "temporary"
    own_directory(store)
    reap(store)
    directory = store / secrets.token_hex(4)
    maker = directory.with_suffix(MAKER)
    maker.write_text(f"{os.getpid()} {processes.born(os.getpid())}")
    # A session of its own: Ctrl-C and the killing of our process group do not reach it.
    watchman = subprocess.Popen(
        [sys.executable, "-m", "outgrow.local.watchman", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    assert watchman.stdin is not None
    try:
        yield directory
    finally:
        try:
            remove(directory)
        finally:
            watchman.stdin.close()
            watchman.wait()


def remove(directory: Path) -> None:
    """Take a temporary fleet down; the note of its maker goes last, so that a removal cut short is repeated."""
    fleets.down(directory, delete=True)
    processes.end_all(directory)  # also a server that belongs to no fleet
    shutil.rmtree(directory, ignore_errors=True)  # also what its user put beside the fleet
    directory.with_suffix(MAKER).unlink(missing_ok=True)


def reap(store: Path) -> None:
    """Remove the temporary fleets whose makers are gone."""
    for maker in store.glob(f"*{MAKER}"):
        try:
            pid, _, birth = maker.read_text().partition(" ")
            orphaned = processes.born(int(pid)) != birth
        except FileNotFoundError:
            continue  # removed meanwhile
        except (OSError, ValueError):
            orphaned = True
        if orphaned:
            with contextlib.suppress(Error):  # another process may be reaping it too
                remove(maker.with_suffix(""))
