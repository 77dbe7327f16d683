"""Sagas in the ledger: rows at home, marks on every shard, as steps.  What they mean `transactions` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from outgrow.ledger.steps import Answer, Runner, ask_steps
from outgrow.waits import Steps


class SagaBegin(NamedTuple):
    """One row to be.  `wake` and `deadline` are seconds from now on."""

    id: UUID
    name: str
    version: int
    key: str
    input: str
    place: str | None
    epoch: int
    holder: str | None
    wake: float
    deadline: float | None


class SagaCheckpoint(NamedTuple):
    """What becomes of one row, if it is still as `was_…` say."""

    id: UUID
    epoch: int
    was_state: str
    was_step: int
    state: str
    step: int
    tries: int
    result: str | None
    place: str | None
    stuck: bool
    failure: str | None
    trouble: str | None
    rest: float | None


class SagaRow(NamedTuple):
    """One that was claimed."""

    id: UUID
    name: str
    version: int
    key: str
    input: str
    state: str
    step: int
    results: Sequence[str]
    places: Sequence[str]
    tries: int
    stuck: bool
    failure: str | None
    trouble: str | None
    epoch: int
    #: Seconds until the deadline.
    deadline: float | None


@dataclass(frozen=True, slots=True)
class SagaNote:
    """One as anybody may see it."""

    id: UUID
    name: str
    version: int
    key: str
    state: str
    stuck: bool
    step: int
    results: Sequence[str]
    tries: int
    failure: str | None
    trouble: str | None
    holder: str | None
    epoch: int
    input: str
    begun_at: str
    ended_at: str | None
    deadline_at: str | None
    #: The end of its holder's lease, or of its rest; the same in seconds from now.
    wake_at: str | None
    wake: float | None
    #: Its definition's steps.
    shape: str | None


def columns(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Rows as the parameters of an `unnest`: arrays as the server reads them.

    (Written here, because the driver looks at each value of a list for a quarter of all the time a saga takes.)
    """
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(values: Sequence[Any]) -> str:
    if not any(isinstance(value, str) for value in values):
        # Numbers, truths and UUIDs have nothing that would want quotes.
        return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"
    if None not in values:
        # The server's texts have no zero bytes, so that one may stand for what lies between two of them.
        together = "\0".join(values)
        if together.count("\0") == len(values) - 1:
            return "{" + _quoted(together).replace("\0", '","') + "}"
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def define_saga_steps(home: Runner, name: str, version: int, shape: str) -> Steps[str]:
    """The steps that this version was first used with: `shape`, where this is the first time."""
    answer = yield from ask_steps(home, "saga_shape", [name, version])
    if not answer.rows:
        yield from ask_steps(home, "saga_define", [name, version, shape])
        answer = yield from ask_steps(home, "saga_shape", [name, version])
    known: str = answer.rows[0][0]
    return known


def claim_sagas_steps(
    home: Runner, known: Sequence[tuple[str, int, float]], holder: str, limit: int
) -> Steps[list[SagaRow]]:
    """Take at most `limit` that are due, of these (name, version, lease)."""
    answer = yield from ask_steps(home, "saga_claim", [*columns(known), holder, limit])
    return [SagaRow(*row) for row in answer.rows]


def take_saga_steps(home: Runner, id: UUID, holder: str, lease: float) -> Steps[SagaRow | None]:
    """Take this one, if nobody holds it."""
    answer = yield from ask_steps(home, "saga_take", [id, holder, lease])
    return SagaRow(*answer.rows[0]) if answer.rows else None


def keep_sagas_steps(home: Runner, held: Sequence[tuple[UUID, int, float]], holder: str) -> Steps[dict[UUID, bool]]:
    """Extend its leases of these (id, epoch, lease); those that it holds, and whether at that epoch still."""
    answer = yield from ask_steps(home, "saga_keep", [*columns(held), holder])
    return {row[0]: row[1] for row in answer.rows}


def next_due_steps(home: Runner, known: Sequence[tuple[str, int]]) -> Steps[float | None]:
    """Seconds until the next of these (name, version) is due; None where none will be."""
    answer: Answer = yield from ask_steps(home, "saga_next_due", columns(known))
    due: float | None = answer.rows[0][0]
    return due


def saga_by_key_steps(home: Runner, name: str, key: str) -> Steps[tuple[UUID, int, str] | None]:
    """Id, version and input of the saga that the key belongs to."""
    answer = yield from ask_steps(home, "saga_by_key", [name, key])
    return (answer.rows[0][0], answer.rows[0][1], answer.rows[0][2]) if answer.rows else None


def look_saga_steps(home: Runner, id: UUID) -> Steps[SagaNote | None]:
    answer = yield from ask_steps(home, "saga_look", [id])
    return SagaNote(*answer.rows[0]) if answer.rows else None


def list_sagas_steps(
    home: Runner, states: Sequence[str], name: str | None, before: UUID | None, limit: int
) -> Steps[list[SagaNote]]:
    """The latest first."""
    answer = yield from ask_steps(home, "saga_list", [list(states), name, before, limit])
    return [SagaNote(*row) for row in answer.rows]


def retry_saga_steps(home: Runner, id: UUID) -> Steps[bool]:
    """Due now, whatever rest it has; False where it is over, or held by somebody alive."""
    answer = yield from ask_steps(home, "saga_retry", [id])
    if answer.rows:
        yield from ask_steps(home, "saga_notify")
    return bool(answer.rows)


def abort_saga_steps(home: Runner, id: UUID, why: str) -> Steps[bool]:
    """Compensate it from where it is; False where it is not on its way forward."""
    answer = yield from ask_steps(home, "saga_abort", [id, why])
    if answer.rows:
        yield from ask_steps(home, "saga_notify")
    return bool(answer.rows)


def forget_sagas_steps(home: Runner, over_seconds: float) -> Steps[list[UUID]]:
    """Those that have been over for so long; at most a thousand, which are returned."""
    answer = yield from ask_steps(home, "saga_forget", [over_seconds])
    return [row[0] for row in answer.rows]


def forget_marks_steps(shard: Runner, sagas: Sequence[UUID]) -> Steps[None]:
    """The marks of sagas that are forgotten."""
    yield from ask_steps(shard, "saga_marks_forget", [list(sagas)])
