"""A run: faults one after another under a load of transfers, and now and then everything put right and looked over."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from unittest import mock

import outgrow
from outgrow.errors import Error
from outgrow.transactions import recovery
from tests.crash.crew import Crew, crew
from tests.crash.faults import FAULTS, LOSSY, Cell, Injector, cells, points_of
from tests.crash.ground import Ground
from tests.crash.journal import Reader, Told
from tests.crash.lost import named_lost
from tests.crash.points import Point
from tests.crash.report import EXAMPLES_MAX, Report
from tests.crash.scenes import KEPT_SECONDS
from tests.crash.verify import Verifier, conserved, outcome_anomalies
from tests.crash.watch import Watch
from tests.crash.world import World, world

#: Faults between two looks at everything; fewer for whoever wants to stop at the first anomaly.
EVERY, EVERY_STOPPING = 25, 4
#: What a prepared transaction may last once everything is mended.
DOUBT_SECONDS = 10.0
#: How many outcomes are asked at once; the others' turn comes later.
ASKED_MAX = 400
#: How long a worker may take to end what it is at.
REST_SECONDS = 30.0


class Run:
    def __init__(
        self, place: World, workers: Crew, watch: Watch, seed: int, journals: Path, matrix: Sequence[Cell]
    ) -> None:
        self.world = place
        self.crew = workers
        self.watch = watch
        self.injector = Injector(place, workers, watch, random.Random(seed), matrix)
        self.reader = Reader(journals)
        self.lossy = any(cell.fault == LOSSY for cell in matrix)
        self.verifier = Verifier(self.lossy, self.injector.lags)
        self.report = Report(seed)
        self.report.engines[place.ground.engine] = 0
        self.found: dict[str, None] = {}
        self._asked: set[str] = set()
        #: Transactions of which the product has said that failovers have lost a part.
        self._named: set[str] = set()
        if self.lossy:
            # Stamps tell, which stay for a day; here for seconds.
            self.injector.before_forgetting = lambda: self._note_lost(self.reader.read())

    def strike(self) -> bool:
        """Whether a fault has found its moment."""
        before = self.report.faults
        self.injector.strike()
        for cell in self.injector.struck:
            self.report.strike(str(cell.point), cell.fault)
        self.report.engines[self.world.ground.engine] += len(self.injector.struck)
        self.report.missed.update(f"{cell.point} × {cell.fault}" for cell in self.injector.missed)
        self.injector.struck.clear()
        self.injector.missed.clear()
        return self.report.faults > before

    def lacks(self, faults: int, points: int) -> bool:
        struck = self.report.faults
        return struck < faults or (self.report.points_covered < points and struck < 3 * faults)

    def look_over(self) -> None:
        """Put everything right, let everyone rest, wait for what is in doubt, and hold all against all."""
        self.injector.mend()
        restless = self.crew.rest(REST_SECONDS)
        for hand in restless:
            self.found[f"{hand.name} did not come to rest in {REST_SECONDS:.0f} s"] = None
        self.await_nothing_in_doubt()
        self.found |= dict.fromkeys(self._open_work())
        # Only now: what is decided while one shard after the other is read would look half done.
        held = self.world.held()
        told = self.reader.read()
        self.found |= dict.fromkeys(self.verifier.anomalies(told, held))
        self.found |= dict.fromkeys(self.injector.respect.anomalies(told))
        if self.lossy:
            self.found |= dict.fromkeys(self._losses(told))
        else:
            self.found |= dict.fromkeys(outcome_anomalies(told, held, self._outcomes(told)))
            self.report.sums_conserved &= conserved(held.balances)
        self.found |= dict.fromkeys(self.crew.losses)
        self._sum_up(told)
        self.crew.work()

    def await_nothing_in_doubt(self) -> None:
        until = time.monotonic() + DOUBT_SECONDS
        while self.world.in_doubt() and time.monotonic() < until:
            time.sleep(0.1)

    def _open_work(self) -> list[str]:
        """What is open still on servers though everybody rests: it holds locks, and keeps dead rows.

        Who recovers looks on, so that there must be a moment at which nothing is.
        """
        until = time.monotonic() + DOUBT_SECONDS
        while (left := self.world.open_work()) and time.monotonic() < until:
            time.sleep(0.1)
        return [f"left open at rest: {one}" for one in left]

    def _losses(self, told: Told) -> list[str]:
        """What failovers have lost, and what of it nobody has named."""
        self._note_lost(told)
        self.report.lost_by_failover = len(self.verifier.lost)
        self.report.lost_named = len(self._named)
        return list(self.verifier.unnamed(told, self._named))

    def _note_lost(self, told: Told) -> None:
        self._named |= named_lost(self.world, told)

    def _outcomes(self, told: Told) -> dict[str, str]:
        """What the fleet says of transactions that it was not asked about before."""
        fresh = to_ask(told, self._asked)
        self._asked.update(fresh)
        found = {}
        # As in earnest, what may have been forgotten is only looked up.
        remembered = mock.patch.object(recovery, "REMEMBERED_SECONDS", KEPT_SECONDS / 2)
        with remembered, outgrow.open(self.world.topology) as fleet:
            for name in fresh:
                with contextlib.suppress(Error):
                    found[name] = str(fleet.outcome(name))
        return found

    def _sum_up(self, told: Told) -> None:
        report = self.report
        report.transfers = len(told.attempts)
        report.answers = Counter(attempt.answer or "none" for attempt in told.attempts.values())
        report.codes = Counter(a.said.partition(":")[0] for a in told.attempts.values() if a.said)
        report.doubts = [round(seconds, 3) for seconds in self.watch.in_doubt()]
        report.prepared = [round(seconds, 3) for seconds in self.watch.prepared()]
        if report.doubts and report.doubts[-1] > DOUBT_SECONDS:
            self.found[f"a branch stayed prepared for {report.doubts[-1]} s with everything mended"] = None
        report.anomalies = len(self.found)
        report.examples = list(self.found)[:EXAMPLES_MAX]


def to_ask(told: Told, asked: Set[str], most: int = ASKED_MAX) -> list[str]:
    """The ids whose outcome nobody has asked: first where the answer was no clear one, then the latest."""
    fresh = [one for one in reversed(told.attempts.values()) if one.transaction and one.transaction not in asked]
    clear = ("committed", "aborted")
    return [one.transaction for one in sorted(fresh, key=lambda one: one.answer in clear)][:most]


def run(
    ground: Ground,
    faults: int,
    seed: int,
    *,
    workers: int = 4,
    mutant: str = "",
    kinds: Sequence[str] = FAULTS,
    points: Sequence[Point] = (),
    strategy: str = "hash",
    wanted: int = 0,
    stop: bool = False,
    behind: str = "",
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """`kinds`: the faults.  `points`: where they strike, everywhere if none.  `stop`: at the first anomaly.

    `wanted`: at so many points at least, up to three times as many faults.  `behind`: a pooler.
    `strategy`: directory, where keys move.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        journals = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgrow-crash-")))
        place = stack.enter_context(world(ground, strategy=strategy, behind=behind))
        hands = stack.enter_context(crew(place, journals, workers, seed, mutant, LOSSY in kinds))
        watch = stack.enter_context(Watch(place))
        matrix = cells(kinds, points or points_of(place))
        this = Run(place, hands, watch, seed, journals, matrix)
        tries, every = 0, EVERY_STOPPING if stop else EVERY
        due = every
        while this.lacks(faults, wanted) and tries < 3 * faults + 20 and not (stop and this.found):
            tries += 1
            if this.strike() and this.report.faults >= due:
                this.look_over()
                due = this.report.faults + every
            this.report.seconds = round(time.monotonic() - started, 1)
            on_progress(this.report)
        this.look_over()
        this.report.seconds = round(time.monotonic() - started, 1)
        return this.report
