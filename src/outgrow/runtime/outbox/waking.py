"""Relays are woken behind commits, but not behind each of many."""

from __future__ import annotations

from collections.abc import Iterable

from outgrow.clock import monotonic
from outgrow.nodes import Asked
from outgrow.transactions.outbox import waking

#: A process calls for a topic on a shard once in so many seconds.  A relay that was woken looks for longer than that
#: before it sleeps again (`lane.LINGER_SECONDS`), so it finds what came without a call.
REST_SECONDS = 0.005


class Waking:
    """A domain's: when this process has last called for a topic on a shard.  (A call too many does no harm.)"""

    def __init__(self) -> None:
        self._called: dict[tuple[str, str], float] = {}

    def calls(self, shard: str, topics: Iterable[str]) -> list[Asked]:
        """What is to be run behind a commit there, with messages of these topics."""
        due = self.due(shard, topics, monotonic())
        return [waking(due)] if due else []

    def due(self, shard: str, topics: Iterable[str], now: float) -> list[str]:
        """Those of the topics that are to be called for now."""
        called = self._called
        found = [topic for topic in topics if now - called.get((shard, topic), -1e9) >= REST_SECONDS]
        for topic in found:
            called[shard, topic] = now
        return found
