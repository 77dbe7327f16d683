"""A run in slices: each has fresh databases, a seed and faults of its own; a run can go on where one has stopped."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from outgrow import local
from tests import mariadb
from tests.crash.faults import FAILOVER, FAULTS, LOSSY
from tests.crash.ground import Ground, PostgresGround
from tests.crash.mariadb_ground import MariadbGround
from tests.crash.points import Point
from tests.crash.report import Report
from tests.crash.run import run
from tests.servers import serving

#: Faults in one slice.
SLICE_MAX = 125
#: Servers whose primaries die: no other slice finds them as they were.
FAILING_OVER = frozenset(("synchronous", "asynchronous"))


@dataclass(frozen=True, slots=True)
class Slice:
    number: int
    seed: int
    faults: int
    #: Which servers it needs.
    ground: str
    strategy: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number} ({self.ground}, {self.strategy}): {self.faults} faults"


#: Servers → their part of all faults, how keys are placed there, and what strikes.
SHARES = (
    ("postgresql", 0.45, "directory", FAULTS),
    ("postgresql", 0.2, "hash", FAULTS),
    ("mariadb", 0.23, "directory", FAULTS),
    ("synchronous", 0.06, "directory", (FAILOVER,)),
    ("asynchronous", 0.06, "directory", (LOSSY,)),
)
SHARDS = 3


def grounds(engines: str) -> list[str]:
    """The servers of a run: `postgresql`, `mariadb` or `all`, as far as they are on this machine."""
    wanted = {"postgresql": ("postgresql", "synchronous", "asynchronous"), "mariadb": ("mariadb",)}
    names = [name for engine, names in wanted.items() for name in names if engines in ("all", engine)]
    return [name for name in names if name != "mariadb" or not mariadb.missing()]


def sliced(faults: int, seed: int, on: Sequence[str]) -> list[Slice]:
    """So many faults over these servers; one slice where there are few."""
    shares = [share for share in SHARES if share[0] in on]
    if faults < 60:
        shares = shares[:1]
    whole = sum(share for _, share, _, _ in shares)
    slices: list[Slice] = []
    left = faults
    for position, (ground, share, strategy, kinds) in enumerate(shares):
        count = left if position == len(shares) - 1 else round(faults * share / whole)
        left -= count
        while count > 0:
            size = min(count, SLICE_MAX)
            slices.append(Slice(len(slices), seed + len(slices), size, ground, strategy, tuple(kinds)))
            count -= size
    return slices


@contextlib.contextmanager
def standing(name: str, replicas: int = 1) -> Iterator[Ground]:
    """The servers of that name, for the length of a `with`."""
    if name == "mariadb":
        with local.temporary_mariadb(SHARDS) as servers:
            yield MariadbGround(servers)
        return
    with serving(SHARDS, replicas) as servers:
        yield PostgresGround(servers, synchronous=name == "synchronous")


def run_all(
    slices: Sequence[Slice],
    kept: Path | None,
    *,
    workers: int,
    points: Sequence[Point] = (),
    behind: str = "",
    mutant: str = "",
    stop: bool = False,
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Every slice that `kept` does not have; a file that it goes into as soon as it is over."""
    done = _kept(kept)
    whole = Report(slices[0].seed if slices else 0)
    for report in done.values():
        whole.add(report)
    waiting = [one for one in slices if one.number not in done]
    for name, together in _by_ground(waiting):
        with standing(name) as ground:
            for one in together:
                before = _copy(whole)

                def progress(report: Report, before: Report = before) -> None:
                    so_far = _copy(before)
                    so_far.add(report)
                    on_progress(so_far)

                report = run(
                    ground,
                    one.faults,
                    one.seed,
                    workers=workers,
                    mutant=mutant,
                    kinds=one.kinds,
                    points=points,
                    # A directory and a pooler do not go together.
                    strategy="hash" if behind else one.strategy,
                    stop=stop,
                    behind=behind,
                    on_progress=progress,
                )
                if kept is not None:
                    with open(kept, "a") as file:
                        file.write(json.dumps({"slice": one.number, **report.saved()}) + "\n")
                whole.add(report)
                if stop and whole.anomalies:
                    return whole
    return whole


def _by_ground(slices: Sequence[Slice]) -> Iterator[tuple[str, Sequence[Slice]]]:
    """Servers, and what may run on them one after another: where primaries die, each slice has servers of its own."""
    for name in dict.fromkeys(one.ground for one in slices):
        there = [one for one in slices if one.ground == name]
        if name in FAILING_OVER:
            yield from ((name, [one]) for one in there)
        else:
            yield name, there


def _kept(file: Path | None) -> dict[int, Report]:
    if file is None or not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {line["slice"]: Report.read(line) for line in lines}


def _copy(report: Report) -> Report:
    made = Report(report.seed)
    made.add(report)
    return made
