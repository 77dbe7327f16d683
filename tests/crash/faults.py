"""The faults: what is struck, where, and how it is put right again."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from outgrow.local import processes
from outgrow.topology import Node
from tests.crash.crew import Crew, Hand
from tests.crash.points import NOTHING, RECOVERING, look, point
from tests.crash.watch import Watch
from tests.crash.worker import Stand, Standing
from tests.crash.world import World

KILL = "coordinator killed"
PAUSE = "coordinator paused"
PARTICIPANT = "participant killed"
DECIDER = "deciding shard killed"
BOTH = "coordinator and server killed"
CUT = "link cut"
#: Something was done, and the network lost the answer.
LOST = "answer lost"
#: The server gets to the last message of a dead coordinator late: after somebody has recovered, for instance.
LATE = "coordinator killed, message late"
SLOW = "message late"
RECOVERER = "killed during recovery"

#: How often each is drawn.
WEIGHTS = {KILL: 6, PAUSE: 5, PARTICIPANT: 2, DECIDER: 3, BOTH: 2, CUT: 4, LOST: 3, LATE: 3, SLOW: 3, RECOVERER: 3}
KILLS_A_SERVER = frozenset((PARTICIPANT, DECIDER, BOTH))

#: The share of faults that strike at a chosen point; the others strike whenever it happens.
CHOSEN = 0.8
#: How long a worker may take to get to its point.
STAND_SECONDS = 10.0
#: A pause that nobody minds, and one that outlasts everybody's patience.
SHORT_SECONDS, LONG_SECONDS = (0.05, 0.5), (4.0, 7.0)
DOWN_SECONDS = (0.05, 0.8)
#: How long a message is late, and how long everything else may come to its end meanwhile.
LATE_SECONDS, MEANWHILE_SECONDS = (0.05, 6.0), 0.05

BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = %s AND datname = current_database() AND backend_type = 'client backend'
"""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    #: Where it struck: one of `points.POINTS`; "" for a moment by chance.
    point: str


@dataclass(slots=True)
class Mending:
    """Something to put right at a certain time."""

    due: float
    mend: Callable[[], None]
    server: bool = False


@dataclass
class Injector:
    """Strikes one fault after the other and puts right what is due; one server at most is down at a time."""

    world: World
    crew: Crew
    watch: Watch
    rng: random.Random
    #: Kind → how often it is drawn.
    weights: Mapping[str, int]
    mendings: list[Mending] = field(default_factory=list)
    #: Hands that are dead or paused.
    out: set[int] = field(default_factory=set)
    orders: int = 0

    def strike(self) -> Fault | None:
        """One fault; None when its moment did not come."""
        self.mend_due()
        self.crew.replace_dead()
        kind = self.rng.choices(list(self.weights), list(self.weights.values()))[0]
        if kind in KILLS_A_SERVER:
            self.mend(lambda mending: mending.server)
        while not (free := [hand for hand in self.crew.hands if hand.number not in self.out]):
            time.sleep(0.01)
            self.mend_due()
        hand = self.rng.choice(free)
        if kind == RECOVERER:
            return self._during_recovery(hand)
        if self.rng.random() > CHOSEN and kind not in (LATE, SLOW, LOST):
            time.sleep(self.rng.uniform(0.0, 0.1))
            self._do(kind, hand, [shard.name for shard in self.world.shards])
            return Fault(kind, "")
        stage, most = "commit" if self.rng.random() < 0.8 else "write", 1.0
        if kind in (PAUSE, SLOW):
            # Who is slow is only in danger before it has decided.
            stage, most = "commit", 0.7
        after = self.rng.random() < 0.5
        if kind == LOST:
            # What was sent is worked off while its sender stands before the answer.
            stage, after = "commit", False
        standing = self._stand(hand, stage, self.rng.uniform(0.0, most), after)
        if standing is None:
            return None
        if kind in (LATE, SLOW):
            self._freeze(hand, self.rng.choice(standing.shards))
            self.crew.go_on(hand)
            time.sleep(MEANWHILE_SECONDS)
        seen = look(self.world, standing.transfer, standing.shards, hand.name)
        self._do(kind, hand, standing.shards)
        return Fault(kind, point(seen))

    def _stand(self, hand: Hand, stage: str, fraction: float, after: bool) -> Standing | None:
        self.orders += 1
        return self.crew.stand(hand, Stand(self.orders, stage, fraction, after), STAND_SECONDS, self.mend_due)

    def _do(self, kind: str, hand: Hand, shards: Sequence[str]) -> None:
        """`shards` are those of the transfer in order; the last one decides."""
        if kind in KILLS_A_SERVER:
            chosen = shards[-1] if kind == DECIDER else self.rng.choice(shards[:-1] or shards)
            self._kill_server(self.world.primary(chosen))
        if kind in (KILL, BOTH, LATE):
            self._kill(hand)
        elif kind == PAUSE:
            self._pause(hand)
        else:
            if kind == CUT:
                shard = self.rng.choice(shards)
                for pid in self._backends(hand, shard):
                    self.world.servers.sql(self.world.primary(shard), "SELECT pg_terminate_backend(%s)", [pid])
            self.crew.go_on(hand, deaf=kind == LOST)

    def _backends(self, hand: Hand, shard: str) -> list[int]:
        """The worker's connections as the shard's primary has them; none where that is down."""
        try:
            return [pid for (pid,) in self.world.servers.sql(self.world.primary(shard), BACKENDS, [hand.name])]
        except psycopg.Error:
            return []

    def _freeze(self, hand: Hand, shard: str) -> None:
        """The shard's primary reads nothing more from the worker's connections for a while."""
        data = self.world.servers.data(self.world.primary(shard))
        pids = self._backends(hand, shard)
        for pid in pids:
            processes.send(pid, data, signal.SIGSTOP)

        def thaw() -> None:
            for pid in pids:
                processes.send(pid, data, signal.SIGCONT)

        self._later(self.rng.uniform(*LATE_SECONDS), thaw)

    def _kill(self, hand: Hand) -> None:
        self.crew.kill(hand)
        self.out.add(hand.number)

        def replace() -> None:
            self.crew.start(hand)
            self.out.discard(hand.number)

        self._later(self.rng.uniform(0.0, 0.3), replace)

    def _pause(self, hand: Hand) -> None:
        self.crew.pause(hand)
        self.out.add(hand.number)

        def wake() -> None:
            self.crew.resume(hand)
            self.crew.go_on(hand)
            self.out.discard(hand.number)

        others_work = len(self.out) < len(self.crew.hands) - 1
        patience = LONG_SECONDS if others_work and self.rng.random() < 0.6 else SHORT_SECONDS
        self._later(self.rng.uniform(*patience), wake)

    def _kill_server(self, node: Node) -> None:
        self.watch.up_since = None
        with contextlib.suppress(AssertionError):
            self.world.servers.kill(node, signal.SIGKILL)
        self._later(self.rng.uniform(*DOWN_SECONDS), lambda: self._start_server(node), server=True)

    def _start_server(self, node: Node) -> None:
        self.world.servers.start()
        until = time.monotonic() + 60
        while not self.world.answering(node):
            if time.monotonic() > until:
                raise RuntimeError(f"{node.name} does not come up again")
            time.sleep(0.02)
        self.watch.up_since = time.monotonic()

    def _during_recovery(self, hand: Hand) -> Fault | None:
        """Leave a transaction in doubt, wait until somebody is about to end it, and kill whoever that may be."""
        standing = self._stand(hand, "commit", self.rng.uniform(0.3, 1.0), True)
        if standing is None:
            return None
        seen = look(self.world, standing.transfer, standing.shards, hand.name)
        self._do(KILL, hand, standing.shards)
        if not any(one.prepared for one in seen):
            return Fault(KILL, point(seen))
        held = {one.shard for one in seen if one.prepared}
        time.sleep(self.rng.uniform(0.0, 3.0))
        still = [shard for shard in held if self.world.prepared(self.world.primary(shard))]
        self.mend_due()
        others = [one for one in self.crew.hands if one.number not in self.out]
        if others and self.rng.random() < 0.6:
            self._kill(self.rng.choice(others))
        else:
            self.mend(lambda mending: mending.server)
            self._kill_server(self.world.primary(self.rng.choice(standing.shards)))
        return Fault(RECOVERER, RECOVERING if still else NOTHING)

    # -- putting right ---------------------------------------------------------------------------------------------

    def _later(self, seconds: float, mend: Callable[[], None], *, server: bool = False) -> None:
        self.mendings.append(Mending(time.monotonic() + seconds, mend, server))

    def mend_due(self) -> None:
        now = time.monotonic()
        self.mend(lambda mending: mending.due <= now)

    def mend(self, which: Callable[[Mending], bool] = lambda _: True) -> None:
        """Put right what is chosen, each not before it is due."""
        chosen = sorted((one for one in self.mendings if which(one)), key=lambda one: one.due)
        for mending in chosen:
            self.mendings.remove(mending)
            time.sleep(max(0.0, mending.due - time.monotonic()))
            mending.mend()
