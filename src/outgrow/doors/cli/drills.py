"""The two drills of the demo: reading one's own writes while a replica stands still, and losing a replica."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from outgrow.clock import monotonic
from outgrow.runtime import Fleet

UPDATE = "UPDATE planes SET seats = %s WHERE tailnum = %s"
READ = "SELECT seats FROM planes WHERE tailnum = %s"
LOOKUP = "SELECT count(*), sum(distance) FROM flights WHERE tailnum = %s"
EVERYWHERE = "SELECT count(*), max(seats) FROM planes"

#: How long a replica may take to serve again after its replay or its process is back (seconds).
BACK_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """`seen` of `writes` came back in the session's next read; `stale` is what the standing replica still showed."""

    writes: int
    seen: int
    #: Of those reads, by kind of node.
    by_primary: int
    by_replica: int
    #: Whether a session at level `eventual`, reading that replica, still got the old value: it did stand still.
    replica_was_behind: bool
    #: From the end of the pause until the replica served this session again; None: it did not.
    back_seconds: float | None

    @property
    def as_promised(self) -> bool:
        return self.seen == self.writes and self.replica_was_behind and self.back_seconds is not None


def own_writes(
    fleet: Fleet, planes: Sequence[str], still: str, pause: Callable[[], None], resume: Callable[[], None]
) -> OwnWrites:
    """Write and read back each of these planes while the replica named `still` does not replay."""
    where: Counter[str] = Counter()
    seen = 0
    behind = False
    mine = ""
    with fleet.session(level="session") as session, fleet.session(level="eventual") as onlooker:
        pause()
        try:
            for number, plane in enumerate(planes):
                session.execute(UPDATE, (1_000 + number, plane))
                result = session.execute(READ, (plane,))
                seen += result.fetchone() == (1_000 + number,)
                where["replica" if "replica" in str(result.node) else "primary"] += 1
                old = onlooker.execute(READ, (plane,))
                if old.node == still:
                    mine = plane
                    behind |= old.fetchone() != (1_000 + number,)
        finally:
            resume()
        resumed = monotonic()
        back = _until(lambda: bool(mine) and session.execute(READ, (mine,)).node == still)
    return OwnWrites(
        len(planes), seen, where["primary"], where["replica"], behind, None if back is None else back - resumed
    )


@dataclass(slots=True)
class Load:
    """What the readers saw, all phases together."""

    reads: int = 0
    failed: int = 0
    slowest_seconds: float = 0.0
    failure: str = ""
    #: Reads by node, in each phase: "before", "gone", "back".
    nodes: dict[str, Counter[str]] = field(default_factory=lambda: {p: Counter() for p in ("before", "gone", "back")})
    #: From the start of the lost server until it served reads again; None: it did not.
    back_seconds: float | None = None

    @property
    def as_promised(self) -> bool:
        return self.failed == 0 and self.reads > 0 and self.back_seconds is not None


class Readers:
    """Threads that read without a break, each in a session of its own."""

    def __init__(self, fleet: Fleet, planes: Sequence[str], threads: int) -> None:
        self._fleet = fleet
        self._planes = planes
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.phase = "before"
        self.load = Load()
        self._threads = [threading.Thread(target=self._read, args=(seed,), daemon=True) for seed in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> Load:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.load

    def _read(self, seed: int) -> None:
        chance = random.Random(seed)
        with self._fleet.session(level="session") as session:
            while not self._stop.is_set():
                phase, nodes, failure = self.phase, tuple[str, ...](), ""
                started = monotonic()
                try:
                    if chance.random() < 0.02:
                        nodes = session.execute(EVERYWHERE).nodes
                    else:
                        nodes = session.execute(LOOKUP, (chance.choice(self._planes),)).nodes
                except Exception as error:
                    failure = f"{type(error).__name__}: {error}"
                self._note(phase, nodes, monotonic() - started, failure)

    def _note(self, phase: str, nodes: tuple[str, ...], seconds: float, failure: str) -> None:
        with self._lock:
            self.load.reads += 1
            self.load.slowest_seconds = max(self.load.slowest_seconds, seconds)
            self.load.nodes[phase].update(nodes)
            if failure:
                self.load.failed += 1
                self.load.failure = self.load.failure or failure

    def served(self, phase: str, node: str) -> int:
        with self._lock:
            return self.load.nodes[phase][node]


def lose_replica(
    fleet: Fleet, planes: Sequence[str], lost: str, kill: Callable[[], None], restart: Callable[[], None]
) -> Load:
    """Kill the replica named `lost` under load, start it again, and wait until it serves."""
    readers = Readers(fleet, planes, threads=2)
    readers.start()
    try:
        _until(lambda: readers.served("before", lost) > 100)
        time.sleep(0.5)
        kill()
        readers.phase = "gone"
        time.sleep(1.5)
        restart()
        readers.phase = "back"
        started = monotonic()
        back = _until(lambda: readers.served("back", lost) > 0)
    finally:
        load = readers.stop()
    load.back_seconds = None if back is None else back - started
    return load


def _until(condition: Callable[[], bool]) -> float | None:
    """When the condition came true; None if it did not in time."""
    until = monotonic() + BACK_SECONDS
    while monotonic() < until:
        if condition():
            return monotonic()
        time.sleep(0.01)
    return None
