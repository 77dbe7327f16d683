"""A run: faults one after another under a load of transfers, and now and then everything put right and looked over."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import outgrow
from outgrow.errors import Error
from tests.crash.crew import Crew, crew
from tests.crash.faults import WEIGHTS, Injector
from tests.crash.journal import Reader, Told
from tests.crash.points import POINTS
from tests.crash.verify import Verifier, conserved, outcome_anomalies
from tests.crash.watch import Watch
from tests.crash.world import World, world
from tests.servers import Servers

#: Faults between two looks at everything; fewer for whoever wants to stop at the first anomaly.
EVERY, EVERY_STOPPING = 12, 4
#: What a prepared transaction may last once all servers are up again.
DOUBT_SECONDS = 10.0
#: How long a worker may take to end what it is at.
REST_SECONDS = 30.0
#: Anomalies are told with their words up to this many; all are counted.
EXAMPLES_MAX = 20


@dataclass(slots=True)
class Report:
    seed: int
    faults: int = 0
    anomalies: int = 0
    #: Point of the protocol → how many faults struck there.
    points_covered: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    #: 99 of 100 transactions that were seen in doubt were in doubt for no longer.
    in_doubt_p99_s: float | None = None
    in_doubt: int = 0
    #: The longest that one stayed prepared after all servers were up again.
    oldest_prepared_s: float = 0.0
    sums_conserved: bool = True
    transfers: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    #: Why transfers were answered as they were: the error's code.
    codes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Run:
    def __init__(
        self, place: World, workers: Crew, watch: Watch, seed: int, journals: Path, weights: Mapping[str, int]
    ) -> None:
        self.world = place
        self.crew = workers
        self.watch = watch
        self.injector = Injector(place, workers, watch, random.Random(seed), weights)
        self.reader = Reader(journals)
        self.verifier = Verifier()
        self.report = Report(seed)
        self.found: dict[str, None] = {}
        self._asked: set[str] = set()

    def strike(self) -> bool:
        """Whether the fault found its moment."""
        fault = self.injector.strike()
        if fault is None:
            return False
        self.report.faults += 1
        self.report.by_kind[fault.kind] += 1
        if fault.point:
            self.report.points_covered[fault.point] += 1
        return True

    def lacks(self, points: int, faults_max: int) -> bool:
        """Some points were not struck yet, and there is time to."""
        struck = sum(count > 0 for count in self.report.points_covered.values())
        return struck < points and self.report.faults < faults_max

    def look_over(self) -> None:
        """Put everything right, let everyone rest, wait for what is in doubt, and hold all against all."""
        self.injector.mend()
        restless = self.crew.rest(REST_SECONDS)
        for hand in restless:
            self.found[f"{hand.name} did not come to rest in {REST_SECONDS:.0f} s"] = None
        until = time.monotonic() + DOUBT_SECONDS
        while self.world.in_doubt() and time.monotonic() < until:
            time.sleep(0.1)
        # Only now: what is decided while one shard after the other is read would look half done.
        held = self.world.held()
        told = self.reader.read()
        self.found |= dict.fromkeys(self.verifier.anomalies(told, held))
        self.found |= dict.fromkeys(outcome_anomalies(told, held, self._outcomes(told)))
        self.found |= dict.fromkeys(self.crew.losses)
        self.report.sums_conserved &= conserved(held.balances)
        self._sum_up(told)
        self.crew.work()

    def _outcomes(self, told: Told) -> dict[str, str]:
        """What the fleet says of the transactions that were named since the last time."""
        names = [attempt.transaction for attempt in told.attempts.values() if attempt.transaction]
        fresh = [name for name in names if name not in self._asked][-200:]
        self._asked.update(names)
        found = {}
        with outgrow.open(self.world.topology) as fleet:
            for name in fresh:
                with contextlib.suppress(Error):
                    found[name] = str(fleet.outcome(name))
        return found

    def _sum_up(self, told: Told) -> None:
        report = self.report
        report.transfers = len(told.attempts)
        report.answers = Counter(attempt.answer or "none" for attempt in told.attempts.values())
        report.codes = Counter(a.said.partition(":")[0] for a in told.attempts.values() if a.said)
        doubts = self.watch.in_doubt()
        report.in_doubt = len(doubts)
        report.in_doubt_p99_s = round(doubts[int(0.99 * (len(doubts) - 1))], 3) if doubts else None
        report.oldest_prepared_s = round(self.watch.oldest_seconds(), 3)
        if report.oldest_prepared_s > DOUBT_SECONDS:
            self.found[f"a transaction stayed prepared for over {DOUBT_SECONDS:.0f} s"] = None
        report.points_covered = Counter({point: report.points_covered[point] for point in POINTS})
        report.anomalies = len(self.found)
        report.examples = list(self.found)[:EXAMPLES_MAX]


def run(
    servers: Servers,
    faults: int,
    seed: int,
    *,
    workers: int = 4,
    mutant: str = "",
    weights: Mapping[str, int] = WEIGHTS,
    stop: bool = False,
    points: int = 0,
    behind: str = "",
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """`weights`: how often each kind of fault is drawn.  `stop`: at the first anomaly.  `behind`: a pooler.

    It goes on until faults have struck at so many `points` of the protocol, up to four times as many faults.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        journals = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgrow-crash-")))
        place = stack.enter_context(world(servers, behind))
        hands = stack.enter_context(crew(place, journals, workers, seed, mutant))
        watch = stack.enter_context(Watch(place))
        this = Run(place, hands, watch, seed, journals, weights)
        while (this.report.faults < faults or this.lacks(points, 4 * faults)) and not (stop and this.found):
            if this.strike() and this.report.faults % (EVERY_STOPPING if stop else EVERY) == 0:
                this.look_over()
            this.report.seconds = round(time.monotonic() - started, 1)
            on_progress(this.report)
        this.look_over()
        this.report.seconds = round(time.monotonic() - started, 1)
        return this.report
