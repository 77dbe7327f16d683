"""The workers as their starter sees them: started, told what to do, paused, killed and replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.crash import worker as workers
from tests.crash.worker import Orders
from tests.crash.world import World


@dataclass(slots=True)
class Hand:
    """One place at work: its process changes when it is killed."""

    number: int
    life: int = 0
    process: Any = None
    pipe: Connection | None = None
    resting: bool = False

    @property
    def name(self) -> str:
        """Also the application name of its connections."""
        return f"hand{self.number}.{self.life}"

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def send(self, message: object) -> None:
        assert self.pipe is not None
        # One that has died by itself is found out by `replace_dead`.
        with contextlib.suppress(ConnectionError):
            self.pipe.send(message)

    def hear(self, seconds: float) -> object | None:
        assert self.pipe is not None
        try:
            return self.pipe.recv() if self.pipe.poll(seconds) else None
        except (EOFError, ConnectionError):
            return None


@dataclass(slots=True)
class Crew:
    world: World
    journals: Path
    seed: int
    mutant: str
    #: Replicas that have not got all may be promoted.
    lossy: bool = False
    #: Whoever is started from now on stays on one shard.
    narrow: bool = False
    hands: list[Hand] = field(default_factory=list)
    #: Those that are dead or asleep by order.
    out: set[int] = field(default_factory=set)
    #: Those that take part in a scene.
    busy: set[int] = field(default_factory=set)
    #: Deaths that nobody ordered.
    losses: list[str] = field(default_factory=list)

    def start(self, hand: Hand) -> None:
        """A process for this place, the first or the next."""
        if hand.process is not None:
            hand.life += 1
        # A server of forks: from a clean process without threads, and much quicker than a new Python each time.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([workers.__name__])
        ours, theirs = context.Pipe()
        orders = Orders(
            self.world.doors(hand.number, hand.name),
            self.world.accounts,
            self.journals,
            hand.name,
            f"{self.seed}/{hand.name}",
            self.mutant,
            self.world.ground.engine,
            self.lossy,
            self.narrow,
        )
        hand.process = context.Process(target=workers.serve, args=(orders, theirs), daemon=True)
        hand.process.start()
        theirs.close()
        hand.pipe, hand.resting = ours, False

    def kill(self, hand: Hand) -> None:
        os.kill(hand.pid, signal.SIGKILL)
        hand.process.join()
        if hand.pipe is not None:
            hand.pipe.close()
        hand.pipe = None

    def pause(self, hand: Hand) -> None:
        os.kill(hand.pid, signal.SIGSTOP)

    def resume(self, hand: Hand) -> None:
        os.kill(hand.pid, signal.SIGCONT)

    def replace(self, hand: Hand) -> None:
        """Somebody else in the place of a dead one."""
        self.start(hand)
        self.out.discard(hand.number)

    def rest(self, seconds: float) -> list[Hand]:
        """Everyone ends what they are at, and does nothing until `work`; who does not hear of it in time."""
        self.replace_dead()
        for hand in self.hands:
            hand.send("rest")
        until = time.monotonic() + seconds
        for hand in self.hands:
            while not hand.resting and time.monotonic() < until and hand.process.is_alive():
                hand.resting = hand.hear(max(0.0, until - time.monotonic())) == "resting"
        return [hand for hand in self.hands if not hand.resting]

    def work(self) -> None:
        for hand in self.hands:
            if hand.resting:
                hand.resting = False
                hand.send("on")

    def replace_dead(self) -> None:
        for hand in self.hands:
            if hand.pipe is not None and not hand.process.is_alive():
                self.losses.append(f"{hand.name} died by itself with {hand.process.exitcode}")
                self.start(hand)

    def dismiss(self) -> None:
        for hand in self.hands:
            if hand.process is not None and hand.process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    self.resume(hand)
                    os.kill(hand.pid, signal.SIGKILL)
                hand.process.join()


@contextlib.contextmanager
def crew(world: World, journals: Path, count: int, seed: int, mutant: str = "", lossy: bool = False) -> Iterator[Crew]:
    made = Crew(world, journals, seed, mutant, lossy, hands=[Hand(number) for number in range(count)])
    try:
        for hand in made.hands:
            made.start(hand)
        yield made
    finally:
        made.dismiss()
