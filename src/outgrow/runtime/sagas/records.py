"""What the application and operators are told of sagas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from outgrow.ledger import SagaNote
from outgrow.transactions import saga as kernel

STUCK = "stuck"
STATES = (kernel.RUNNING, kernel.COMPENSATING, STUCK, kernel.DONE, kernel.COMPENSATED)
UNFINISHED = STATES[:3]

_NAMES = re.compile(r"(\S+) \((?:step|transaction)(?:, final)?\)")


@dataclass(frozen=True, slots=True)
class SagaResult:
    """A saga that has come to its end."""

    id: UUID
    name: str
    key: str
    #: What each step returned, by its name, as JSON has it.
    results: Mapping[str, Any]

    @property
    def value(self) -> Any:
        """What the last step returned."""
        return list(self.results.values())[-1] if self.results else None


@dataclass(frozen=True, slots=True)
class SagaRecord:
    """A saga as the ledger has it.  Times are as the server prints them."""

    id: UUID
    name: str
    version: int
    key: str
    #: running, compensating, stuck, done, compensated.
    state: str
    #: The step, or the step whose compensation, is at work or next; None where the saga is over.
    step: str | None
    input: Any
    results: Mapping[str, Any]
    #: Failures of that step or compensation so far, and the last of them.
    tries: int
    trouble: str | None
    #: Why it is, or was, compensated.
    failure: str | None
    #: Who works on it, and until when; where nobody does, when it is due.
    holder: str | None
    wake_at: str | None
    begun_at: str
    ended_at: str | None
    deadline_at: str | None


def record_of(note: SagaNote) -> SagaRecord:
    names = _NAMES.findall(note.shape or "")
    at = note.step - (note.state == kernel.COMPENSATING)
    step = None if note.state in kernel.OVER else names[at] if 0 <= at < len(names) else str(at + 1)
    return SagaRecord(
        id=note.id,
        name=note.name,
        version=note.version,
        key=note.key,
        state=STUCK if note.stuck else note.state,
        step=step,
        input=json.loads(note.input),
        results=_results(names, note.results),
        tries=note.tries,
        trouble=note.trouble,
        failure=note.failure,
        holder=note.holder,
        wake_at=note.wake_at,
        begun_at=note.begun_at,
        ended_at=note.ended_at,
        deadline_at=note.deadline_at,
    )


def result_of(note: SagaNote) -> SagaResult:
    """Of one that is over.  Raises SagaFailed OG-TX-044 where it was compensated."""
    if note.state != kernel.DONE:
        raise kernel.compensated(note.id, note.name, note.key, note.failure or "")
    return SagaResult(note.id, note.name, note.key, _results(_NAMES.findall(note.shape or ""), note.results))


def result_at(progress: kernel.Progress, steps: Sequence[kernel.Step]) -> SagaResult:
    """The same, of one that this process has brought to its end."""
    if progress.state != kernel.DONE:
        raise kernel.compensated(progress.id, progress.name, progress.key, progress.failure or "")
    names = [step.name for step in steps]
    return SagaResult(progress.id, progress.name, progress.key, _results(names, progress.results))


def _results(names: list[str], texts: Sequence[str]) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in zip(names, texts, strict=False)}
