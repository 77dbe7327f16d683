"""Looks at the prepared transactions of all shards, twenty times a second, from a thread of its own."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.crash.world import World

PERIOD_SECONDS = 0.05


@dataclass(slots=True)
class Age:
    """One prepared branch."""

    began: float
    #: When it was last seen, and how often it was.
    ended: float = 0.0
    sightings: int = 0
    #: The worker that has prepared it.
    owner: int | None = None


@dataclass(slots=True)
class Ailment:
    """From when until when something was broken: a worker's own affairs, or, with None, a server."""

    owner: int | None
    #: The transaction that it also concerns, whoever has prepared it; "" for none.
    number: str
    began: float
    ended: float | None = None


@dataclass
class Watch:
    world: World
    ages: dict[tuple[str, str], Age] = field(default_factory=dict)
    ailments: list[Ailment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(30)

    def ailing(self, owner: int | None, number: str = "") -> Callable[[], None]:
        """Something is broken from now on; what is returned says that it is mended, when it is called first."""
        ailment = Ailment(owner, number, time.monotonic())
        self.ailments.append(ailment)

        def healed() -> None:
            ailment.ended = ailment.ended or time.monotonic()

        return healed

    def prepared_at(self, number: str) -> float:
        """When the transaction's first branch was seen prepared; the end of time where none was."""
        return min((age.began for (_, name), age in self._all() if self.world.number(name) == number), default=math.inf)

    def server_ailed(self, since: float, until: float) -> bool:
        """Some server was broken then."""
        servers = [one for one in list(self.ailments) if one.owner is None]
        return any(one.began <= until and (one.ended is None or one.ended > since) for one in servers)

    def _all(self) -> list[tuple[tuple[str, str], Age]]:
        return list(self.ages.items())

    def in_doubt(self) -> list[float]:
        """How long each lasted that was seen more than once: what a healthy commit prepares is gone before.

        The time in which its own coordinator or link, or any server, was broken does not count.
        """
        return sorted(
            self._healthy_seconds(age, self.world.number(name)) for (_, name), age in self._all() if age.sightings > 1
        )

    def prepared(self) -> list[float]:
        """The same, with the time in which something was broken."""
        return sorted(age.ended - age.began for age in list(self.ages.values()) if age.sightings > 1)

    def _healthy_seconds(self, age: Age, number: str) -> float:
        broken = sorted(
            (max(one.began, age.began), min(one.ended or time.monotonic(), age.ended))
            for one in list(self.ailments)
            if one.owner in (None, age.owner) or (number and one.number == number)
        )
        seconds, at = age.ended - age.began, age.began
        for began, ended in broken:
            seconds -= max(0.0, ended - max(at, began))
            at = max(at, ended)
        return max(0.0, seconds)

    def _run(self) -> None:
        eye = self.world.eye()
        try:
            for _ in itertools.count():
                if self._stop.wait(PERIOD_SECONDS):
                    return
                for shard in self.world.shards:
                    now = time.monotonic()
                    for name in eye.prepared(shard.name):
                        age = self.ages.setdefault((shard.name, name), Age(now))
                        age.sightings += 1
                        age.ended = now
                        age.owner = self.world.proxy.owners.get(self.world.number(name))
        finally:
            eye.close()
