"""Subscribing what a fleet's settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from outgrow.errors import ConfigurationError
from outgrow.events import Source
from outgrow.topology import Topology
from outgrow.watch.slow import SlowStatements


class Watched(Source, Protocol):
    """A fleet, as far as watching it goes."""

    @property
    def topology(self) -> Topology: ...

    def stats(self) -> Mapping[str, Any]: ...


def attach(fleet: Watched) -> None:
    """Subscribe what the `observe:` of its topology names; until the fleet is closed."""
    chosen = fleet.topology.observe
    if chosen.slow_statement_seconds is not None:
        fleet.subscribe(SlowStatements(chosen.slow_statement_seconds))
    if chosen.opentelemetry:
        instrument(fleet)


def instrument(fleet: Watched, *, tracer_provider: Any = None, meter_provider: Any = None) -> Callable[[], None]:
    """Spans and durations of a fleet's statements, and its pools' measures, go to OpenTelemetry.

    By these providers or the global ones.  What it returns ends that.
    """
    try:
        from opentelemetry import metrics

        from outgrow.watch.connections import Connections
        from outgrow.watch.telemetry import SCOPE, Telemetry
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise ConfigurationError(
            "OG-WATCH-001",
            "OpenTelemetry is asked for, and opentelemetry-api is not installed",
            cure="pip install 'outgrow[otel]'",
        ) from error
    meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
    connections = Connections(fleet, meter)
    leave = fleet.subscribe(Telemetry(fleet.topology, connections, meter, tracer_provider), connections=True)

    def end() -> None:
        connections.ended = True
        leave()

    return end
