"""The pools' measures by OpenTelemetry's conventions: how many connections, who waits for one, and how long that takes.

Counts are read when a reader collects them, and cost nothing in between.  Durations come with events.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from outgrow.events import ConnectionEvent, ConnectionOpened, ConnectionWaited
from outgrow.nodes import PoolStats

#: As the conventions advise (seconds), for statements too.
BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
_POOL, _STATE = "db.client.connection.pool.name", "db.client.connection.state"

#: Counts of one pool, each with what else tells it from others.
_Counted = Callable[[PoolStats], Iterable[tuple[int, Mapping[str, str]]]]


def _count(stats: PoolStats) -> Iterable[tuple[int, Mapping[str, str]]]:
    yield stats.idle, {_STATE: "idle"}
    yield stats.size - stats.idle, {_STATE: "used"}


class Connections:
    """What `Telemetry` hands the events of connections to.  The fleet ends when its owner lets go of it."""

    def __init__(self, fleet: Any, meter: Meter) -> None:
        self._fleet = weakref.ref(fleet)
        self.ended = False
        for name, unit, says, counted in (
            ("count", "{connection}", "Connections of the pool, idle and in use.", _count),
            ("max", "{connection}", "How many connections the pool may have.", lambda stats: [(stats.size_max, {})]),
            ("pending_requests", "{request}", "Who waits for a connection.", lambda stats: [(stats.waiting, {})]),
        ):
            meter.create_observable_up_down_counter(
                f"db.client.connection.{name}", [self._observer(counted)], unit, says
            )
        meter.create_observable_counter(
            "db.client.connection.timeouts",
            [self._observer(lambda stats: [(stats.timeouts, {})])],
            "{timeout}",
            "Who has waited for a connection in vain.",
        )
        self._created = _durations(meter, "create_time", "How long it took to open a connection.")
        self._waited = _durations(meter, "wait_time", "How long those waited who found no connection free.")

    def tell(self, event: ConnectionEvent) -> None:
        if isinstance(event, ConnectionOpened):
            self._created.record(event.seconds, {_POOL: event.node})
        elif isinstance(event, ConnectionWaited) and event.outcome == "served":
            self._waited.record(event.seconds, {_POOL: event.node})

    def _observer(self, counted: _Counted) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            fleet = self._fleet()
            if fleet is None or self.ended:
                return
            for node, stats in fleet.stats().items():
                for count, more in counted(stats):
                    yield Observation(count, {_POOL: node, **more})

        return observe


def _durations(meter: Meter, name: str, says: str) -> Any:
    return meter.create_histogram(
        f"db.client.connection.{name}",
        unit="s",
        description=says,
        explicit_bucket_boundaries_advisory=BUCKETS_SECONDS,
    )
