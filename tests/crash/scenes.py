"""Bringing a transaction to a point: traps are set, and what they hold is handed to whoever strikes."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.crash.crew import Crew, Hand
from tests.crash.mutants import FOLLOW_SECONDS, PATIENCE_SECONDS
from tests.crash.points import FORGETTING, LATE, MAP_CHANGE, RACE, RECOVERING, UNDECIDED, Held, Point
from tests.crash.proxy import Line, Message, Proxy, Trap, wait_for
from tests.crash.wire import Kind
from tests.crash.world import World

#: How long a point may take to come.
REACH_SECONDS = 6.0
#: A recoverer is only waited for so long: it looks every two seconds, and leaves alone what is younger than one.
RECOVERY_SECONDS = 8.0
#: How old a decision must be to be forgotten here: older than anybody sleeps.
KEPT_SECONDS = 20.0
#: Longer than the patience with a coordinator that is there and does nothing (`mutants.PATIENCE_SECONDS`).
IMPATIENT_SECONDS = PATIENCE_SECONDS + 0.2
#: How long a migration that waits for replicas is looked at before it is struck; it waits for longer.
WAITING_SECONDS = FOLLOW_SECONDS - 0.5
#: A transfer here goes over so many shards where that matters.
BRANCHES = 3


@dataclass
class Scene:
    """A transaction at a point."""

    point: Point
    #: Whom the fault strikes.
    hand: Hand
    #: The message that is held; its answer, if the server has worked it off.
    held: list[Message]
    #: Beside the hand's, lines of others that are let go on with it.
    others: list[Line] = field(default_factory=list)
    #: Whose coordinator is dead or asleep already.
    struck: bool = False
    #: Its transaction, as far as it is known.
    number: str = ""
    #: The server that has done what its replicas lack.
    ahead: str = ""

    @property
    def lines(self) -> list[Line]:
        return [*dict.fromkeys([message.line for message in self.held] + self.others)]


class Stage:
    """What it takes to reach points."""

    def __init__(self, world: World, crew: Crew, rng: random.Random, meanwhile: Callable[[], None]) -> None:
        self.world, self.crew, self.rng = world, crew, rng
        self.proxy: Proxy = world.proxy
        #: What is due elsewhere while this waits; `patient`: that may take its time.
        self.meanwhile = meanwhile
        self.patient = False
        #: Says that nothing is held up any more, though the point is still to come.
        self.healed: Callable[[], None] = lambda: None

    def reach(self, point: Point, hand: Hand, lag: Callable[[], object] | None = None) -> Scene | None:
        """None when the point did not come in time; then everything flows again.

        `lag`: replicas get nothing from then on, where the scene says when.
        """
        try:
            return self._reach(point, hand, lag)
        finally:
            self.patient = False

    def _reach(self, point: Point, hand: Hand, lag: Callable[[], object] | None) -> Scene | None:
        if point is RECOVERING:
            return self._recovering(hand)
        if point is RACE:
            return self._race(hand)
        if point is LATE:
            return self._late(hand)
        if point is FORGETTING:
            hand.send(("collect", KEPT_SECONDS))
            return self._caught(point, hand, self.rng.random() < 0.5, own=False)
        if point is MAP_CHANGE:
            return self._map_change(hand, lag)
        if point is UNDECIDED and self.rng.random() < 0.5:
            # The decision is on its way, and has not arrived.
            point = Point(point.number, point.name, Kind.DECIDE)
        return self._caught(point, hand, point.answer)

    def _caught(self, point: Point, hand: Hand, answer: bool, own: bool = True) -> Scene | None:
        trap = Trap(
            lambda message: self._wanted(point, message, hand),
            answer=answer,
            most=self._branches(point) if point.held is Held.ALL else 1,
            spared=self.rng.randint(0, point.spared),
        )
        with self._wide(hand) if own else contextlib.nullcontext(), self.proxy.set(trap):
            wait_for(lambda: self._there(point, trap), REACH_SECONDS, self.meanwhile)
        if not self._there(point, trap):
            self.proxy.release(*(message.line for message in trap.held))
            return None
        return Scene(point, hand, trap.held, number=next((m.number for m in trap.caught if m.number), ""))

    def _wanted(self, point: Point, message: Message, hand: Hand) -> bool:
        if message.line.owner != hand.number or point.kind not in message.kinds:
            return False
        # Somebody else's branches may be finished by this one's recovery at the same time.
        return point.kind is not Kind.FINISH or self.proxy.owners.get(message.number) == hand.number

    def _there(self, point: Point, trap: Trap) -> bool:
        held = trap.held
        if point.held is Held.ALL:
            return len(held) == self._branches(point) and (not trap.answer or all(m.answered for m in held))
        if not held:
            return False
        if point.held is Held.REST:
            others = [message for message in trap.caught if not message.held and message.number == held[0].number]
            return any(message.answered for message in others)
        return not trap.answer or held[0].answered

    @staticmethod
    def _branches(point: Point) -> int:
        return BRANCHES - 1

    @contextlib.contextmanager
    def _wide(self, hand: Hand) -> Iterator[None]:
        """Its transfers go over three shards for a while."""
        hand.send("wide")
        try:
            yield
        finally:
            hand.send("any")

    # -- points that take more than one ----------------------------------------------------------------------------

    def _recovering(self, hand: Hand) -> Scene | None:
        """A coordinator dies, and somebody is just about to end what it has left."""
        scene = self._caught(UNDECIDED, hand, True)
        if scene is None:
            return None
        self.crew.kill(hand)
        self.crew.out.add(hand.number)
        self.proxy.cut(*scene.lines)
        self.healed()
        trap = Trap(lambda message: self._recovers(message, hand), answer=self.rng.random() < 0.5)
        self.patient = True
        with self.proxy.set(trap):
            caught = wait_for(lambda: trap.held, RECOVERY_SECONDS, self.meanwhile)
        self.crew.replace(hand)
        if not caught:
            return None
        recoverer = self.crew.hands[caught[0].line.owner]
        return Scene(RECOVERING, recoverer, caught, number=scene.number)

    def _recovers(self, message: Message, hand: Hand) -> bool:
        others = message.line.owner not in self.crew.out | self.crew.busy
        return others and bool(message.kinds & {Kind.RULE, Kind.UNDO, Kind.FINISH}) and self._foreign(message)

    def _foreign(self, message: Message) -> bool:
        return self.proxy.owners.get(message.number) != message.line.owner

    def _race(self, hand: Hand) -> Scene | None:
        """The coordinator sleeps with its decision on its way; two who recover have had enough of it."""
        scene = self._caught(Point(6, "", Kind.DECIDE), hand, False)
        if scene is None:
            return None
        self.crew.pause(hand)
        self.crew.out.add(hand.number)
        until = time.monotonic() + IMPATIENT_SECONDS
        self.patient = True
        wait_for(lambda: time.monotonic() > until, 2 * IMPATIENT_SECONDS, self.meanwhile)
        seen: set[int] = set()

        def wants(message: Message) -> bool:
            rules = Kind.RULE in message.kinds and message.line.owner not in {*seen, *self.crew.out}
            if rules:
                seen.add(message.line.owner)
            return rules

        trap = Trap(wants, most=2)
        with self.proxy.set(trap):
            wait_for(lambda: len(trap.held) == 2, RECOVERY_SECONDS, self.meanwhile)
        self.crew.resume(hand)
        self.crew.out.discard(hand.number)
        if len(trap.held) < 2:
            self.proxy.release(*scene.lines, *(message.line for message in trap.held))
            return None
        lines = scene.lines + [message.line for message in trap.held]
        struck = self.rng.choice([hand, self.crew.hands[trap.held[0].line.owner]])
        mine = [line for line in lines if line.owner == struck.number]
        held = [message for message in scene.held + trap.held if message.line in mine]
        return Scene(RACE, struck, held, [line for line in lines if line not in mine], number=scene.number)

    def _late(self, hand: Hand) -> Scene | None:
        """The message of a coordinator that is gone arrives when its transaction may have been ended already."""
        scene = self._caught(Point(14, "", Kind.PREPARE), hand, False)
        if scene is None:
            return None
        self.crew.kill(hand)
        self.crew.out.add(hand.number)
        self.healed()
        until = time.monotonic() + self.rng.uniform(0.0, 4.0)
        self.patient = True
        wait_for(lambda: time.monotonic() > until, 5.0, self.meanwhile)
        self.crew.replace(hand)
        free = [one for one in self.crew.hands if one.number not in self.crew.out | self.crew.busy]
        return Scene(LATE, self.rng.choice(free or [hand]), [], scene.lines, number=scene.number)

    def _map_change(self, hand: Hand, lag: Callable[[], object] | None) -> Scene | None:
        """A key goes to another shard with all its rows.

        A message is held before it gets to its server, so that replicas can lack what it does.
        """
        migration = self.world.migration(self.rng)
        hand.send(("migrate", *migration))
        kind, answer = self.rng.choice([Kind.PREPARE, Kind.DECIDE, Kind.FINISH]), self.rng.random() < 0.5
        over: list[object] = []

        def wants(message: Message) -> bool:
            return message.line.owner == hand.number and kind in message.kinds and not over

        def there() -> bool:
            # (One that was struck earlier may say only now that it is over.)
            if not trap.held and hand.hear(0) == ("migrated", *migration):
                over.append(True)
            return bool(trap.held)

        trap = Trap(wants)
        with self.proxy.set(trap):
            wait_for(lambda: there() or over, 2 * REACH_SECONDS, self.meanwhile)
        if not trap.held:
            return None
        held, ahead = trap.held, ""
        if lag is not None:
            lag()
        if lag is not None and kind is not Kind.FINISH and self.rng.random() < 0.5:
            ahead, held = held[0].line.node, self._went_on(hand, held)
        elif answer:
            self.proxy.forward(held[0].line)
            wait_for(lambda: held[0].answered, REACH_SECONDS, self.meanwhile)
        number = next((message.number for message in trap.caught if message.number), "")
        return Scene(MAP_CHANGE, hand, held, number=number, ahead=ahead)

    def _went_on(self, hand: Hand, held: list[Message]) -> list[Message]:
        """Where it comes to without replicas: nowhere, if it minds them; else to others' acting on what may be lost."""
        trap = Trap(lambda message: message.line.owner == hand.number and Kind.FINISH in message.kinds)
        with self.proxy.set(trap):
            self.proxy.release(*(message.line for message in held))
            wait_for(lambda: trap.held, WAITING_SECONDS, self.meanwhile)
        return trap.held
