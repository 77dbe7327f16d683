"""Interleaved blocks of all peers in one run, pinned to cores; medians, a table, and one JSON object at the end.

A *peer* is opened once, then timed in short blocks: round after round, every peer has one block in each, in an order
that rotates, so that whatever disturbs the machine disturbs all peers alike.  A block's figure is its mean time per
call; a peer's figure is the median over the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

#: Runs one block over these keys; returns the seconds it took.
Block = Callable[[Sequence[Any]], float]


class Missing(Exception):
    """This peer cannot be started on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """`open` connects and returns the block; what must be closed goes onto the stack it is given."""

    name: str
    open: Callable[[ExitStack], Block]


@dataclass(frozen=True, slots=True)
class Figures:
    """Microseconds per call: every round of every peer that ran, and why the others did not."""

    rounds: Mapping[str, list[float]]
    missing: Mapping[str, str] = field(default_factory=dict)

    def median(self, name: str) -> float | None:
        found = self.rounds.get(name)
        return statistics.median(found) if found else None

    def times(self, name: str, ours: str) -> float | None:
        """x's median time ÷ ours: above 1, ours is faster."""
        theirs, own = self.median(name), self.median(ours)
        return round(theirs / own, 3) if theirs is not None and own is not None else None

    def added(self, ours: str, name: str) -> float | None:
        """Our median − x's, microseconds."""
        theirs, own = self.median(name), self.median(ours)
        return round(own - theirs, 2) if theirs is not None and own is not None else None

    def medians(self) -> dict[str, float | None]:
        return {name: round(statistics.median(rounds), 2) for name, rounds in self.rounds.items()} | dict.fromkeys(
            self.missing
        )


def calling(one: Callable[[Any], object]) -> Block:
    """A block that calls `one(key)` for every key."""

    def block(keys: Sequence[Any]) -> float:
        start = time.perf_counter()
        for key in keys:
            one(key)
        return time.perf_counter() - start

    return block


@dataclass(frozen=True, slots=True)
class Opened:
    """Peers that answered, ready to be timed, possibly several times under different pinning."""

    blocks: Mapping[str, Block]
    missing: Mapping[str, str]


def open_peers(peers: Sequence[Peer], stack: ExitStack) -> Opened:
    blocks: dict[str, Block] = {}
    missing: dict[str, str] = {}
    for peer in peers:
        try:
            blocks[peer.name] = peer.open(stack)
        except (Missing, ImportError) as error:
            missing[peer.name] = str(error)
    return Opened(blocks, missing)


def measure(opened: Opened, keys: Sequence[Any], *, rounds: int, calls: int, warm: int) -> Figures:
    """Time every peer in `rounds` rounds of `calls` calls, over the same keys in the same order."""
    names = list(opened.blocks)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        opened.blocks[name](taken(keys, 0, warm))
    gc.collect()
    for turn in range(rounds):
        part = taken(keys, turn * calls, calls)
        shift = turn % len(names) if names else 0
        for name in names[shift:] + names[:shift]:
            figures[name].append(opened.blocks[name](part) / len(part) * 1e6)
    return Figures(figures, opened.missing)


def taken(keys: Sequence[Any], start: int, count: int) -> list[Any]:
    return [keys[(start + i) % len(keys)] for i in range(count)]


# -- pinning ------------------------------------------------------------------------------------------------------


def pin(pids: Sequence[int], cores: set[int]) -> None:
    """Pin these processes, all their descendants and every thread; what they fork later inherits it."""
    for pid in with_descendants(pids):
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(task), cores)


def with_descendants(pids: Sequence[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found = list(pids)
    for pid in found:
        found.extend(child for child in children.get(pid, ()) if child not in found)
    return found


@contextlib.contextmanager
def pinned(servers: Sequence[int], *, client: int, server: int) -> Iterator[None]:
    """The client (this process, all its threads) on one core, the servers on one; undone at the end."""
    cores = os.sched_getaffinity(0)
    pin([*servers], {server})
    # last: where the servers are children of this process, they must not follow it
    _pin_self({client})
    try:
        yield
    finally:
        pin([*servers], cores)
        _pin_self(cores)


def _pin_self(cores: set[int]) -> None:
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(task), cores)


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Keep the cores from going to sleep, with one process of policy SCHED_IDLE on each.

    Waking a sleeping core costs a virtual machine tens of microseconds, now more, now less, which would drown what
    client and servers on separate cores are measured for.  Anything at all preempts these processes at once.
    """
    spinners = [
        subprocess.Popen([sys.executable, "-c", SPIN, str(core), str(os.getpid())], stdin=subprocess.DEVNULL)
        for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


#: Ends by itself when its maker is gone.
SPIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == int(sys.argv[2]):
    for _ in range(1_000_000):
        pass
"""


def two_cores() -> tuple[int, int]:
    """A core for the client and one for the servers: the same one where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[min(1, len(cores) - 1)]


# -- telling ------------------------------------------------------------------------------------------------------


def arguments(description: str | None, *, rounds: int, calls: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--rounds", type=at_least(5), default=rounds, help="rounds of blocks, at least 5")
    parser.add_argument("--calls", type=int, default=calls, help="calls in one block")
    add_pg(parser)
    return parser


def add_pg(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pg", help="the servers: a version, or a directory of binaries (default: the embedded ones)")


def add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=("postgresql", "mariadb"), default="postgresql", help="the kind of database"
    )


def at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"at least {least}")
        return int(text)

    return number


def show(title: str, figures: Figures, ours: Sequence[str], unit: str = "µs") -> None:
    """One table: median, quartiles, and how many times slower than the first of ours each peer is."""
    table = Table(title=title, title_justify="left")
    table.add_column("peer")
    for heading in ("median " + unit, "quartiles", "÷ ours"):
        table.add_column(heading, justify="right")
    for name, rounds in figures.rounds.items():
        low, middle, high = statistics.quantiles(rounds, n=4)
        times = figures.times(name, ours[0])
        style = "bold" if name in ours else ""
        table.add_row(
            name, f"{middle:,.1f}", f"{low:,.1f} to {high:,.1f}", f"{times:.2f}" if times else "", style=style
        )
    for name, reason in figures.missing.items():
        table.add_row(name, "missing", reason, "", style="dim")
    Console(width=110).print(table)


def conditions() -> str:
    """One line for the record: what the figures were measured on."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, load {load:.1f} at the start, Python {platform.python_version()}"


def finish(figures: Mapping[str, object]) -> None:
    """The last line: one JSON object."""
    sys.stdout.flush()
    print(json.dumps(figures), flush=True)
