"""The slow log: what is slow enough, and what a line holds."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from outgrow.events import ErrorFacts, Fingerprint, StatementEnded, Visit
from outgrow.watch import SlowStatements

FINGERPRINT = Fingerprint("0123456789abcdef", "select ?", "SELECT")


def event(seconds: float = 0.5, **more: Any) -> StatementEnded:
    return StatementEnded(
        FINGERPRINT, "query", "SELECT", "sales", "session", ("s1",), ("sales/s1/primary",), "key", 1, 0, seconds, **more
    )


def logged(caplog: pytest.LogCaptureFixture, one: StatementEnded) -> dict[str, Any]:
    with caplog.at_level(logging.WARNING, "outgrow.slow"):
        SlowStatements(0.5)(one)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("outgrow.slow", "WARNING")
    line = record.getMessage()
    assert "\n" not in line
    told: dict[str, Any] = json.loads(line)
    assert record.outgrow == told  # type: ignore[attr-defined]
    return told


def test_only_what_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "outgrow.slow"):
        SlowStatements(0.5)(event(0.499))
    assert caplog.records == []
    assert logged(caplog, event()) == {
        "event": "slow statement",
        "seconds": 0.5,
        "fingerprint": "0123456789abcdef",
        "statement": "select ?",
        "command": "SELECT",
        "domain": "sales",
        "shards": ["s1"],
        "nodes": ["sales/s1/primary"],
        "why": "key",
        "level": "session",
        "rows": 1,
    }


def test_what_else_there_is(caplog: pytest.LogCaptureFixture) -> None:
    visits = tuple(
        Visit(shard, f"sales/{shard}/primary", "primary", "strong", 1, 0.0, seconds)
        for shard, seconds in (("s1", 0.1), ("s2", 0.4))
    )
    error = ErrorFacts("OG-NODE-120", "outgrow.errors.DataError", message="bad\nvalue")
    told = logged(caplog, event(visits=visits, error=error, transaction="ab", parameters={"a": 1}, batch=3))
    assert told["seconds_by_shard"] == {"s1": 0.1, "s2": 0.4}
    assert (told["error"], told["message"], told["transaction"]) == ("OG-NODE-120", "bad\nvalue", "ab")
    assert (told["parameters"], told["batch"]) == ({"a": "1"}, 3)


def test_parameters_of_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, event(parameters=[(1, "a"), {"b": 2}]))["parameters"] == [["1", "a"], {"b": "2"}]
