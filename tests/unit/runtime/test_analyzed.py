"""What is told of parts that were measured."""

from __future__ import annotations

from typing import Any

from outgrow.nodes import Rows
from outgrow.runtime import analyzed
from outgrow.runtime.measuring import BRING, DESCRIBE, FINISH, Came, Finish, Measuring, size_of


def answer(*rows: tuple[Any, ...]) -> Rows:
    return Rows((), list(rows), "SELECT", len(rows))


def test_bytes_are_those_of_the_text() -> None:
    assert size_of([None, "ab", "é", b"abc", 12, True, 1.5]) == 2 + 2 + 3 + 2 + 4 + 3


def test_stages_follow_each_other_and_arrays_count_their_values() -> None:
    measuring = Measuring()
    measuring.phase(BRING, "b1")
    measuring.answered("d/s1/primary", [answer((True, 3, "{1,2,3}"))], 0.001)
    measuring.answered("d/s2/primary", [answer((True, 0, None))], 0.002)
    measuring.phase(BRING, "b2, b3")
    measuring.answered("d/s1/primary", [answer((True, 2, "{1,2}", 1, '{"x"}', "{3}"))], 0.001, ["{1,2,3}"])
    told = [(part.stage, part.what, part.rows, part.bytes_sent) for part in measuring.parts]
    assert told == [(1, "b1", 3, 0), (1, "b1", 0, 0), (2, "b2, b3", 3, 7)]
    measuring.begin()
    assert not measuring.parts


def test_a_phase_without_answers_is_no_stage() -> None:
    measuring = Measuring()
    measuring.phase(BRING)
    measuring.phase(BRING, "again")
    measuring.answered("d/s1/primary", [answer((True, 1, "{1}"))], 0.001)
    assert [part.stage for part in measuring.parts] == [1]


def finished(measuring: Measuring) -> tuple[dict[str, Any], list[str]]:
    facts = analyzed.facts_of(measuring, {}, 0.01, 1)
    return facts["finish"], analyzed.lines(facts)


def test_who_finishes() -> None:
    measuring = Measuring()
    measuring.answered("d/s1/primary", [answer((1,), (2,))], 0.001)
    assert finished(measuring)[1] == [
        "1 rows in 10.0 ms",
        "1. fragment of d/s1/primary: 2 rows, 2 bytes, 1.0 ms",
        "finished by nobody: one shard answered",
    ]
    measuring.finish = Finish("stream", 1, 0.002)
    assert finished(measuring)[1][-1] == "finished by stream at this process: 2 rows, 2 bytes → 1 rows, 2.0 ms"
    measuring = Measuring()
    measuring.phase(BRING)
    measuring.answered("d/s1/primary", [answer((True, 20_000, "x" * 20_000))], 0.001)
    measuring.came = [Came("b1", 20_000, 20_000, 19_000.4)]
    measuring.phase(FINISH)
    measuring.answered("d/s2/replica", [answer((5,))], 0.004, ["x" * 20_000])
    facts, lines = finished(measuring)
    assert facts == {
        "by": "PostgreSQL",
        "at": "d/s2/replica",
        "rows_in": 20_000,
        "bytes_in": 20_000,
        "rows": 1,
        "seconds": 0.004,
    }
    assert lines[-2] == "b1: 20,000 rows (some 19,000 expected), 20 kB"
    # DuckDB gave up: the server that was asked then has finished.
    measuring.phase(DESCRIBE)
    assert finished(measuring)[0]["by"] == "PostgreSQL"
