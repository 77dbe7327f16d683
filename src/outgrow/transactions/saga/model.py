"""How far a saga has come, and what follows from each outcome.  Pure values: no clock, no chance, no servers.

running       step n is next                      results has n entries
compensating  step n-1 is the next to be undone   (step n and later were never begun, or are undone)
done, compensated                                 nothing is left to do
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from outgrow.transactions.saga import failures
from outgrow.transactions.saga.definition import SagaContext, Step

RUNNING, COMPENSATING, DONE, COMPENSATED = "running", "compensating", "done", "compensated"
OVER = (DONE, COMPENSATED)

#: A stuck saga is tried again so often.
STUCK_REST_SECONDS = 3600.0

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Progress:
    """A saga's row, as whoever holds it knows it."""

    id: UUID
    name: str
    version: int
    key: str
    #: JSON texts.
    input: str
    results: tuple[str, ...] = ()
    #: For each step that may have begun: the shard that has its mark, "" for steps outside.
    places: tuple[str, ...] = ()
    state: str = RUNNING
    step: int = 0
    #: Failures of the step, or of the compensation, that is at work.
    tries: int = 0
    stuck: bool = False
    #: Why it is compensated; and what the last try of the step or compensation that is at work has met.
    failure: str | None = None
    trouble: str | None = None
    #: Raised by whoever takes the saga: writes of an older one are refused.
    epoch: int = 1

    @property
    def over(self) -> bool:
        return self.state in OVER


class Change(NamedTuple):
    """What one checkpoint makes of a row."""

    state: str
    step: int
    tries: int = 0
    #: Appended.
    result: str | None = None
    #: Of the step that is next.
    place: str | None = None
    stuck: bool = False
    #: None: as it was.
    failure: str | None = None
    #: None: none.
    trouble: str | None = None
    #: Not to be worked on for so long; None: it goes on at once.
    rest_seconds: float | None = None


def changed(progress: Progress, change: Change) -> Progress:
    """What the row is after the checkpoint."""
    return replace(
        progress,
        state=change.state,
        step=change.step,
        tries=change.tries,
        stuck=change.stuck,
        results=progress.results if change.result is None else (*progress.results, change.result),
        places=progress.places if change.place is None else (*progress.places[: change.step], change.place),
        failure=progress.failure if change.failure is None else change.failure,
        trouble=change.trouble,
    )


def succeeded(progress: Progress, steps: Sequence[Step], result: str) -> Change:
    """The step that was at work is done."""
    step = progress.step + 1
    return Change(DONE if step == len(steps) else RUNNING, step, result=result)


def failed(progress: Progress, steps: Sequence[Step], failure: str, chance: float, final: bool = False) -> Change:
    """The step that was at work has failed, and may have done its work all the same; `final`: it is not tried again."""
    step = steps[progress.step]
    tries = progress.tries + 1
    told = f"{step.name}: {failure}"
    if final or tries >= step.retry.tries:
        return undoing(progress.step + 1, steps, told)
    rest = step.retry.rest_seconds(tries, chance)
    return Change(RUNNING, progress.step, tries, trouble=told, rest_seconds=rest)


def undoing(count: int, steps: Sequence[Step], failure: str | None = None) -> Change:
    """The first `count` steps are to be undone, the last one first; those that leave nothing behind are skipped."""
    while count and steps[count - 1].compensate is None:
        count -= 1
    return Change(COMPENSATING if count else COMPENSATED, count, failure=failure)


def still_there(progress: Progress, steps: Sequence[Step], failure: str, chance: float) -> Change:
    """A compensation has failed.  It is tried again for ever; from some time on the saga is called stuck."""
    step = steps[progress.step - 1]
    tries = progress.tries + 1
    stuck = progress.stuck or tries >= step.compensate_retry.tries
    rest = STUCK_REST_SECONDS if stuck else step.compensate_retry.rest_seconds(tries, chance)
    told = f"undoing {step.name}: {failure}"
    return Change(COMPENSATING, progress.step, tries, stuck=stuck, trouble=told, rest_seconds=rest)


def context(progress: Progress, steps: Sequence[Step], index: int, undo: bool = False) -> SagaContext:
    """What the step `index`, or its compensation, is told."""
    results = {step.name: json.loads(text) for step, text in zip(steps, progress.results, strict=False)}
    name = steps[index].name
    return SagaContext(
        saga=progress.id,
        key=progress.key,
        input=json.loads(progress.input),
        results=results,
        step=name,
        attempt=progress.tries + 1,
        idempotency_key=f"{progress.id}/{name}" + "/compensation" * undo,
        result=results.get(name) if undo else None,
        failure=progress.failure if undo else None,
    )


def encoded(value: Any, what: str) -> str:
    """As JSON text.  Raises ProgrammingError OG-TX-047 for what JSON cannot hold."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise failures.not_json(what, str(error)) from error
