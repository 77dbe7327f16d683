"""The log of slow statements: one line each, a JSON object, by Python's `logging` under `outgrow.slow`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from outgrow.events import Event, StatementEnded

_log = logging.getLogger("outgrow.slow")


class SlowStatements:
    """A subscriber: statements that took `limit_seconds` or longer are logged as warnings."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds

    def __call__(self, event: Event) -> None:
        if isinstance(event, StatementEnded) and event.seconds >= self._limit_seconds:
            line = told(event)
            # The values also as they are, for handlers that write records in a form of their own.
            _log.warning("%s", json.dumps(line, ensure_ascii=False), extra={"outgrow": line})


def told(event: StatementEnded) -> dict[str, Any]:
    """The event as a line says it; what is not there is left out."""
    line: dict[str, Any] = {
        "event": "slow statement",
        "seconds": round(event.seconds, 6),
        "fingerprint": event.fingerprint.id,
        "statement": event.fingerprint.text,
        "command": event.command,
        "domain": event.domain,
        "shards": list(event.shards),
        "nodes": list(event.nodes),
        "why": event.why,
        "level": event.level,
        "rows": event.rows,
    }
    if len(event.visits) > 1:
        line["seconds_by_shard"] = {visit.shard: round(visit.seconds, 6) for visit in event.visits}
    if event.error is not None:
        line["error"] = event.error.code
    if event.error is not None and event.error.message is not None:
        line["message"] = event.error.message
    if event.transaction is not None:
        line["transaction"] = event.transaction
    if event.batch:
        line["batch"] = event.batch
    if event.parameters is not None:
        line["parameters"] = _shown(event.parameters)
    return line


def _shown(parameters: Any) -> Any:
    if isinstance(parameters, Mapping):
        return {str(name): str(value) for name, value in parameters.items()}
    return [_shown(value) if isinstance(value, Mapping | list | tuple) else str(value) for value in parameters]
