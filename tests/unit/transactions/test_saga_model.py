"""What follows from each outcome of a step, and which definitions are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from outgrow.errors import NotSupportedError, ProgrammingError
from outgrow.runtime.sagas.crew import _home
from outgrow.transactions.saga import (
    COMPENSATED,
    COMPENSATING,
    DONE,
    RUNNING,
    STUCK_REST_SECONDS,
    Change,
    Progress,
    Retry,
    Saga,
    changed,
    encoded,
    model,
)


def saga(*compensated: bool, tries: int = 3) -> Saga:
    made = Saga("s")
    for number, undone in enumerate(compensated):

        def function(ctx: Any) -> None: ...

        function.__name__ = f"step{number}"
        retry = Retry(tries=tries, first_seconds=1.0, longest_seconds=3.0)
        made.step(compensate=function if undone else None, retry=retry, compensate_retry=retry)(function)
    return made


def at(step: int, state: str = RUNNING, tries: int = 0) -> Progress:
    return Progress(UUID(int=1), "s", 1, "k", "null", results=("1",) * step, state=state, step=step, tries=tries)


def test_forward() -> None:
    steps = saga(True, True).settled()
    assert model.succeeded(at(0), steps, "7") == Change(RUNNING, 1, result="7")
    assert model.succeeded(at(1), steps, "7") == Change(DONE, 2, result="7")
    assert changed(at(1), Change(DONE, 2, result="7")).results == ("1", "7")


def test_a_place_is_the_steps_own() -> None:
    """Written twice, because an answer was lost, it stands there once."""
    progress = changed(at(0), Change(RUNNING, 0, place="s1"))
    assert progress.places == ("s1",)
    assert changed(progress, Change(RUNNING, 0, place="s1")).places == ("s1",)
    assert changed(progress, Change(RUNNING, 1, result="1", place="s2")).places == ("s1", "s2")


def test_failed_again_and_again() -> None:
    steps = saga(True, True).settled()
    assert model.failed(at(1), steps, "no", 0.5) == Change(RUNNING, 1, 1, trouble="step1: no", rest_seconds=1.0)
    assert model.failed(at(1, tries=1), steps, "no", 0.5).rest_seconds == 2.0
    # The third try was the last one; the step may have done its work in any.
    assert model.failed(at(1, tries=2), steps, "no", 0.5) == Change(COMPENSATING, 2, failure="step1: no")
    assert model.failed(at(1), steps, "no", 0.5, final=True) == Change(COMPENSATING, 2, failure="step1: no")


def test_backwards_over_what_leaves_nothing() -> None:
    steps = saga(False, True, False, False).settled()
    assert model.undoing(4, steps, "why") == Change(COMPENSATING, 2, failure="why")
    assert model.undoing(1, steps) == Change(COMPENSATED, 0)
    assert model.undoing(0, steps) == Change(COMPENSATED, 0)


def test_a_compensation_is_never_given_up() -> None:
    steps = saga(True).settled()
    progress = at(1, COMPENSATING)
    for tries in (1, 2):
        change = model.still_there(progress, steps, "no", 0.5)
        assert (change.state, change.step, change.tries, change.stuck) == (COMPENSATING, 1, tries, False)
        progress = changed(progress, change)
    for _ in range(3):
        change = model.still_there(progress, steps, "no", 0.5)
        assert (change.state, change.step, change.stuck) == (COMPENSATING, 1, True)
        assert change.rest_seconds == STUCK_REST_SECONDS
        progress = changed(progress, change)


def test_rests_double_up_to_the_longest() -> None:
    retry = Retry(first_seconds=0.1, longest_seconds=60.0)
    assert [round(retry.rest_seconds(failed, 0.5), 1) for failed in (1, 2, 3, 4, 10, 11, 10_000)] == [
        *(0.1, 0.2, 0.4, 0.8, 51.2, 60.0, 60.0)
    ]
    assert retry.rest_seconds(1, 0.0) == pytest.approx(0.05)


def test_json_and_nothing_else() -> None:
    assert encoded({"a": (1, None, "é")}, "it") == '{"a":[1,null,"\\u00e9"]}'
    circle: list[Any] = []
    circle.append(circle)
    for wrong in (float("inf"), {1, 2}, b"x", UUID(int=1), circle):
        with pytest.raises(ProgrammingError, match="OG-TX-047"):
            encoded(wrong, "it")


def test_a_definition_is_settled_once_used() -> None:
    made = saga(True)
    assert made.shape == "step0 (step)"
    made.settled()
    with pytest.raises(ProgrammingError, match="OG-TX-041"):
        made.step(compensate=None)(lambda ctx: None)
    with pytest.raises(ProgrammingError, match="two steps are called"):
        twice = saga(True)
        twice.step(compensate=None)(twice.steps[0].function)
    with pytest.raises(ProgrammingError, match="a key and names no table"):
        saga(True).transaction(compensate=None, key=lambda ctx: 1)(lambda ctx, session: None)
    with pytest.raises(ProgrammingError, match="OG-TX-041"):
        Saga("")


def test_a_fleet_without_postgresql() -> None:
    def domain(name: str, engine: str) -> Any:
        return SimpleNamespace(name=name, file=SimpleNamespace(engine=engine))

    both = {"m": domain("m", "mariadb"), "p": domain("p", "postgresql")}
    assert _home(both).name == "p"
    with pytest.raises(NotSupportedError, match="OG-TX-048"):
        _home({"m": domain("m", "mariadb")})


@pytest.mark.parametrize(
    "given",
    [
        {"lease_seconds": 0},
        {"lease_seconds": -1.0},
        {"lease_seconds": float("nan")},
        {"version": "1"},
        {"version": True},
    ],
)
def test_definitions_that_cannot_work(given: Any) -> None:
    with pytest.raises(ProgrammingError, match="OG-TX-041"):
        Saga("s", **given)


@pytest.mark.parametrize("given", [{"retry": Retry(tries=0)}, {"compensate_retry": Retry(tries=0)}])
def test_what_is_never_tried(given: Any) -> None:
    saga = Saga("s")
    for declare in (saga.step, saga.transaction):
        with pytest.raises(ProgrammingError, match="OG-TX-041"):
            declare(compensate=lambda *_: None, **given)(lambda *_: None)
