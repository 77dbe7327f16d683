"""The faults: what strikes a transaction at its point, and how it is put right again."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.crash.crew import Crew, Hand
from tests.crash.points import FORGETTING, LATE, MAP_CHANGE, POINTS, PREPARE_RUN, UNDECIDED, Point
from tests.crash.proxy import Line, wait_for
from tests.crash.respect import Respect
from tests.crash.scenes import KEPT_SECONDS, Scene, Stage
from tests.crash.watch import Watch
from tests.crash.world import World

KILL = "coordinator killed"
PAUSE = "coordinator paused"
PARTICIPANT = "participant killed"
DECIDER = "deciding shard killed"
BOTH = "coordinator and server killed"
CUT_UP = "link cut, client to server"
CUT_DOWN = "link cut, server to client"
#: Something was done, and the network lost the answer.
LOST = "answer lost"
#: Everything arrives, but late: after somebody has recovered, for instance.
SLOW = "messages late"
#: The primary is killed, and its replica promoted.
FAILOVER = "failover, synchronous"
#: The same, and the replica has not got all.
LOSSY = "failover, lossy"

FAULTS = (KILL, PAUSE, PARTICIPANT, DECIDER, BOTH, CUT_UP, CUT_DOWN, LOST, SLOW)
FAILOVERS = (FAILOVER, LOSSY)
#: What strikes one worker alone, so that it can do so beside another scene.
BESIDE = frozenset((KILL, PAUSE, CUT_UP, CUT_DOWN, LOST, SLOW))
STRIKES_A_SERVER = frozenset((PARTICIPANT, DECIDER, BOTH, FAILOVER, LOSSY))

#: A pause that nobody minds, and one that outlasts everybody's patience.
SHORT_SECONDS, LONG_SECONDS = (0.05, 0.5), (4.0, 7.0)
DOWN_SECONDS = (0.05, 0.8)
CUT_SECONDS = (0.2, 4.0)
#: How long messages are late.
LATE_SECONDS = (0.05, 6.0)
#: The same for those that recovery must wait for.
RESPECTED_SECONDS = (1.2, 1.6)
#: How long the answer that is to be lost may take to come.
ANSWER_SECONDS = 1.0
#: How often a cell that did not come about is tried again, and how many others come before that.
TRIES, OTHERS = 3, 3


@dataclass(frozen=True, slots=True)
class Cell:
    """What strikes where: one field of the matrix."""

    point: Point
    fault: str


@dataclass(slots=True)
class Mending:
    """Something to put right at a certain time."""

    due: float
    mend: Callable[[], None]
    server: bool = False


def cells(faults: Sequence[str], points: Sequence[Point]) -> list[Cell]:
    return [Cell(point, fault) for point in points for fault in faults]


def points_of(world: World) -> list[Point]:
    """Those that can be reached there: only keys of a directory can move."""
    return [point for point in POINTS if point is not MAP_CHANGE or world.moves]


@dataclass
class Injector:
    """Strikes one fault after the other and puts right what is due; one server at most is down at a time."""

    world: World
    crew: Crew
    watch: Watch
    rng: random.Random
    #: What may strike where; each of them as often as the others.
    matrix: Sequence[Cell]
    mendings: list[Mending] = field(default_factory=list)
    struck: list[Cell] = field(default_factory=list)
    #: Cells whose moment did not come.
    missed: list[Cell] = field(default_factory=list)
    #: From when until when replicas got nothing.
    lags: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.respect = Respect(self.watch)
        self.stage = Stage(self.world, self.crew, self.rng, self._meanwhile)
        #: What is to come, in order, and how often each was tried in vain.
        self._next: list[Cell] = []
        self._tried: Counter[Cell] = Counter()
        #: How many strikes are under way, one within the other, and at whom.
        self._depth = 0
        self._began = time.monotonic()
        #: What is to be seen of old transactions before they are forgotten.
        self.before_forgetting: Callable[[], object] = lambda: None

    def strike(self) -> None:
        """One fault, and others while its point takes long to come."""
        self.mend_due()
        self.crew.replace_dead()
        if not self._next:
            self._next = self._rounds()
        self._try(self._taken(lambda cell: self._is_time(cell)))

    def _rounds(self) -> list[Cell]:
        """All of the matrix, by chance, but so that every point comes once before one comes again."""
        places: Counter[Point] = Counter()
        drawn = []
        for cell in self.rng.sample(self.matrix, len(self.matrix)):
            places[cell.point] += 1
            drawn.append((places[cell.point], cell))
        return [cell for _, cell in sorted(drawn, key=lambda one: -one[0])]

    def _meanwhile(self) -> None:
        """What is due; and within a scene that takes seconds, other faults, where they do not concern it."""
        self.mend_due()
        if self._depth == 1 and self.stage.patient and len(self._idle()) > 1:
            cell = self._taken(lambda cell: cell.point.quick and cell.fault in BESIDE)
            if cell is not None:
                self._try(cell)

    def _taken(self, wanted: Callable[[Cell], bool]) -> Cell | None:
        for position in range(len(self._next) - 1, -1, -1):
            if wanted(self._next[position]):
                return self._next.pop(position)
        return None

    def _is_time(self, cell: Cell) -> bool:
        """Only what is old is forgotten."""
        return cell.point is not FORGETTING or time.monotonic() > self._began + KEPT_SECONDS + 5

    def _try(self, cell: Cell | None) -> None:
        if cell is None:
            # Only such are left that must wait.
            time.sleep(0.5)
            return
        self._depth += 1
        if cell.fault in STRIKES_A_SERVER or cell.point is MAP_CHANGE:
            self.mend(lambda mending: mending.server)
        if cell.point is FORGETTING:
            self.before_forgetting()
        hand = self._free()
        self.crew.busy.add(hand.number)
        # What is held up on the way to its point is broken, too.
        self.stage.healed = self.watch.ailing(hand.number)
        healed = self.stage.healed
        with contextlib.ExitStack() as until_struck:
            scene = self.stage.reach(cell.point, hand, self._lagging(cell, until_struck))
            if scene is not None:
                self.respect.note_strike(scene.hand.number)
                self._do(cell.fault, scene)
                self.struck.append(cell)
        healed()
        self.crew.busy.discard(hand.number)
        self._depth -= 1
        if scene is None:
            self.missed.append(cell)
            self._tried[cell] += 1
            if self._tried[cell] < TRIES:
                self._next.insert(max(0, len(self._next) - OTHERS), cell)

    def _lagging(self, cell: Cell, until_struck: contextlib.ExitStack) -> Callable[[], object] | None:
        """Where replicas are to lack something: from now on, or when the scene says so."""
        if cell.fault != LOSSY:
            return None
        if cell.point is MAP_CHANGE:
            return lambda: until_struck.enter_context(self._lag())
        until_struck.enter_context(self._lag())
        return None

    @contextlib.contextmanager
    def _lag(self) -> Iterator[None]:
        """Replicas get nothing, and it is known when."""
        began = time.monotonic()
        try:
            with self.world.lag():
                yield
        finally:
            self.lags.append((began, time.monotonic()))

    def _idle(self) -> list[Hand]:
        return [hand for hand in self.crew.hands if hand.number not in self.crew.out | self.crew.busy]

    def _free(self) -> Hand:
        while not (free := self._idle()):
            time.sleep(0.005)
            self.mend_due()
        return self.rng.choice(free)

    def kill_all(self) -> bool:
        """Everybody dies, one of them where all is prepared, and whoever comes after them stays on one shard.

        Whether that moment came.
        """
        self.stage.healed = lambda: None
        scene = self.stage.reach(UNDECIDED, self._free())
        if scene is None:
            return False
        for hand in self.crew.hands:
            self.crew.kill(hand)
        self.world.proxy.cut(*scene.lines)
        self.crew.narrow = True
        for hand in self.crew.hands:
            self.crew.replace(hand)
        return True

    # -- the faults ------------------------------------------------------------------------------------------------

    def _do(self, fault: str, scene: Scene) -> None:
        strikes = {
            KILL: self._kill,
            PAUSE: self._pause,
            PARTICIPANT: self._strike_server,
            DECIDER: self._strike_server,
            BOTH: self._kill_both,
            CUT_UP: self._cut,
            CUT_DOWN: self._cut,
            LOST: self._lose,
            SLOW: self._slow,
            FAILOVER: self._strike_server,
            LOSSY: self._strike_server,
        }
        strikes[fault](fault, scene)

    def _kill(self, fault: str, scene: Scene) -> None:
        hand = scene.hand
        self.crew.kill(hand)
        self.crew.out.add(hand.number)
        # What was on its way arrives, or does not.
        for line in scene.lines:
            if self.rng.random() < 0.5 or scene.point is LATE:
                self.world.proxy.release(line)
            else:
                self.world.proxy.cut(line)
        self._later(self.rng.uniform(0.0, 0.3), lambda: self.crew.replace(hand))

    def _pause(self, fault: str, scene: Scene) -> None:
        hand = scene.hand
        self.crew.pause(hand)
        self.crew.out.add(hand.number)
        others_work = len(self.crew.out) < len(self.crew.hands) - 1
        patience = LONG_SECONDS if others_work and self.rng.random() < 0.6 else SHORT_SECONDS
        # What it has sent goes on at once, or arrives when everything else is over.
        late = scene.lines if self.rng.random() < 0.5 else []
        self.world.proxy.release(*(line for line in scene.lines if line not in late))
        healed = self.watch.ailing(hand.number, scene.number)

        def wake() -> None:
            self.world.proxy.release(*late)
            self.crew.resume(hand)
            self.crew.out.discard(hand.number)
            healed()

        self._later(self.rng.uniform(*patience), wake)

    def _kill_both(self, fault: str, scene: Scene) -> None:
        self.crew.kill(scene.hand)
        self.crew.out.add(scene.hand.number)
        self._strike_server(fault, scene)
        hand = scene.hand
        self._later(self.rng.uniform(0.0, 0.3), lambda: self.crew.replace(hand))

    def _strike_server(self, fault: str, scene: Scene) -> None:
        shard = self._shard(fault, scene)
        healed = self.watch.ailing(None)
        node = self.world.primary(shard)
        self.world.kill(node)
        # Its connections break; whatever was held elsewhere goes on.
        self.world.proxy.release(*scene.lines)
        if fault in FAILOVERS:
            self.world.promote(shard)
            healed()
            self._later(0.0, lambda: self.world.rebuild(node), server=True)
            return

        def start() -> None:
            self.world.start(node)
            healed()

        self._later(self.rng.uniform(*DOWN_SECONDS), start, server=True)

    def _shard(self, fault: str, scene: Scene) -> str:
        """The shard that decides, or another one; before that is known, any."""
        names = [shard.name for shard in self.world.shards]
        decider = self.world.decider(scene.number)
        if fault == DECIDER and decider is not None:
            return decider
        if scene.ahead:
            return next(name for name in names if f"/{name}/" in scene.ahead)
        rest = [name for name in names if name != decider]
        if fault == PARTICIPANT and scene.held and self.rng.random() < 0.5:
            node = scene.held[0].line.node
            return next((name for name in rest if f"/{name}/" in node), rest[0])
        return self.rng.choice(names if fault in (BOTH, *FAILOVERS) else rest)

    def _cut(self, fault: str, scene: Scene) -> None:
        """One direction of the connections to one shard: neither end learns of it until they are mended."""
        held = [line for line in scene.lines if line.owner == scene.hand.number]
        node = self.rng.choice(held or self.world.proxy.of(scene.hand.number) or scene.lines).node
        struck = self.world.proxy.of(scene.hand.number, node)
        healed = self.watch.ailing(scene.hand.number, scene.number)
        if fault == CUT_UP:
            self.world.proxy.lose(*struck, up=True)
        else:
            # What was sent arrives.
            self.world.proxy.forward(*struck)
            self.world.proxy.lose(*struck, down=True)
        self.world.proxy.release(*(line for line in scene.lines if line not in struck))

        def mend() -> None:
            self.world.proxy.release(*struck)
            healed()

        self._later(self.rng.uniform(*CUT_SECONDS), mend)

    def _lose(self, fault: str, scene: Scene) -> None:
        """What is held gets there and is done; who has sent it hears only that the connection is gone."""
        self.world.proxy.forward(*(message.line for message in scene.held))
        wait_for(lambda: all(message.answered for message in scene.held), ANSWER_SECONDS, self.mend_due)
        self.world.proxy.cut(*(message.line for message in scene.held))
        self.world.proxy.release(*scene.others)

    def _slow(self, fault: str, scene: Scene) -> None:
        healed = self.watch.ailing(scene.hand.number, scene.number)
        lines: list[Line] = scene.lines
        seconds = self.rng.uniform(*LATE_SECONDS)
        # Long enough for others to look, and short enough for their patience: it is there, and must be left alone.
        if scene.point in (PREPARE_RUN, UNDECIDED) and self.rng.random() < 0.5:
            seconds = self.rng.uniform(*RESPECTED_SECONDS)
            self.respect.expect(scene.number, scene.hand.number)

        def arrive() -> None:
            self.world.proxy.release(*lines)
            healed()

        self._later(seconds, arrive)

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
