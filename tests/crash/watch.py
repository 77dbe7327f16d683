"""Looks at the prepared transactions of all shards, twenty times a second, from a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import psycopg

from tests.crash.world import World

PERIOD_SECONDS = 0.05

QUERY = """
    SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts
    WHERE database = current_database()
"""


@dataclass(slots=True)
class Age:
    """One prepared transaction on one shard."""

    #: How often it was seen, and how old it was at last.
    sightings: int = 0
    seconds: float = 0.0
    #: The same, counted from the moment when all servers were up again.
    after_up_seconds: float = 0.0


@dataclass
class Watch:
    world: World
    ages: dict[tuple[str, str], Age] = field(default_factory=dict)
    #: When all servers were last up again; None while one is down.
    up_since: float | None = None

    def __post_init__(self) -> None:
        self._links: dict[str, psycopg.Connection[Any]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self.up_since = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(30)
        for link in self._links.values():
            link.close()

    def in_doubt(self) -> list[float]:
        """How long each lasted that was seen more than once: what a healthy commit prepares is gone before."""
        return sorted(age.seconds for age in list(self.ages.values()) if age.sightings > 1)

    def oldest_seconds(self) -> float:
        """The longest that one was left after all servers were up again."""
        return max((age.after_up_seconds for age in list(self.ages.values())), default=0.0)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            for shard in self.world.shards:
                up_since = self.up_since
                try:
                    found = self._link(shard.name).execute(QUERY).fetchall()
                except psycopg.Error:
                    if (lost := self._links.pop(shard.name, None)) is not None:
                        lost.close()
                    continue
                for gid, seconds in found:
                    age = self.ages.setdefault((shard.name, gid), Age())
                    age.sightings += 1
                    age.seconds = seconds
                    if up_since is not None and up_since == self.up_since:
                        up_seconds = time.monotonic() - up_since
                        age.after_up_seconds = max(age.after_up_seconds, min(seconds, up_seconds))

    def _link(self, shard: str) -> psycopg.Connection[Any]:
        link = self._links.get(shard)
        if link is None:
            node = self.world.primary(shard)
            address = psycopg.conninfo.make_conninfo(
                node.dsn, user="postgres", password="", host=self.world.servers.sockets, connect_timeout=5
            )
            link = self._links[shard] = psycopg.connect(address, autocommit=True)
        return link
