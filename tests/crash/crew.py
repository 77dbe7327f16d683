"""The workers as their starter sees them: started, told where to stand, paused, killed and replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.crash import worker as workers
from tests.crash.worker import Orders, Stand, Standing
from tests.crash.world import World, named


@dataclass(slots=True)
class Hand:
    """One place at work: its process changes when it is killed."""

    number: int
    life: int = 0
    process: Any = None
    pipe: Connection | None = None
    #: Stands where it was told to, and waits for the word to go on.
    stands: Standing | None = None
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
    hands: list[Hand] = field(default_factory=list)
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
            named(self.world.asked, hand.name),
            self.world.accounts,
            self.journals,
            hand.name,
            f"{self.seed}/{hand.name}",
            self.mutant,
        )
        hand.process = context.Process(target=workers.serve, args=(orders, theirs), daemon=True)
        hand.process.start()
        theirs.close()
        hand.pipe, hand.stands, hand.resting = ours, None, False

    def kill(self, hand: Hand) -> None:
        os.kill(hand.pid, signal.SIGKILL)
        hand.process.join()
        if hand.pipe is not None:
            hand.pipe.close()
        hand.pipe = hand.stands = None

    def pause(self, hand: Hand) -> None:
        os.kill(hand.pid, signal.SIGSTOP)

    def resume(self, hand: Hand) -> None:
        os.kill(hand.pid, signal.SIGCONT)

    def stand(self, hand: Hand, where: Stand, seconds: float, meanwhile: Callable[[], None]) -> Standing | None:
        """Have it stand still there; None when it does not get there in time."""
        hand.send(where)
        until = time.monotonic() + seconds
        while hand.stands is None and hand.process.is_alive():
            heard = hand.hear(0.01)
            if isinstance(heard, Standing) and heard.number == where.number:
                hand.stands = heard
            elif time.monotonic() > until:
                hand.send("forget")
                break
            meanwhile()
        return hand.stands

    def go_on(self, hand: Hand, *, deaf: bool = False) -> None:
        """Let it go on where it stands; `deaf`: without the answer that it waits for."""
        if hand.stands is not None:
            hand.stands = None
            hand.send("deaf" if deaf else "on")

    def rest(self, seconds: float) -> list[Hand]:
        """Everyone ends what they are at, and does nothing until `work`; who does not hear of it in time."""
        self.replace_dead()
        for hand in self.hands:
            self.go_on(hand)
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
def crew(world: World, journals: Path, count: int, seed: int, mutant: str = "") -> Iterator[Crew]:
    made = Crew(world, journals, seed, mutant, [Hand(number) for number in range(count)])
    try:
        for hand in made.hands:
            made.start(hand)
        yield made
    finally:
        made.dismiss()
