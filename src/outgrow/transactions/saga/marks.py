"""A step inside a shard happens exactly once, and never behind its compensation: marks, written with its rows.

    step          inserts (saga, step, 'step').         Refused: it is done, or a tombstone stands there
    compensation  inserts the same as a tombstone.      Accepted: there is nothing to undo, and now there never will be
                  then (saga, step, 'compensation').    Refused: it is undone

The primary key decides; who comes second waits for the end of the first.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol
from uuid import UUID

from outgrow.transactions.saga.failures import Overtaken
from outgrow.waits import Steps

STEP, COMPENSATION = "step", "compensation"


class Mark(NamedTuple):
    tombstone: bool
    result: str


class Marks(Protocol):
    """The table of one shard, within the transaction that has the step's rows."""

    def insert_steps(self, saga: UUID, step: int, kind: str, tombstone: bool) -> Steps[bool]:
        """False: there is one already."""

    def read_steps(self, saga: UUID, step: int) -> Steps[Mark]:
        """The mark of the step."""

    def keep_steps(self, saga: UUID, step: int, result: str) -> Steps[None]:
        """What the step has returned, into its mark."""


def do_steps(marks: Marks, saga: UUID, step: int, work: Steps[str]) -> Steps[str]:
    """The step's result, from its work or from when it was done.  Raises Overtaken where it was compensated before."""
    if (yield from marks.insert_steps(saga, step, STEP, False)):
        result = yield from work
        yield from marks.keep_steps(saga, step, result)
        return result
    work.close()
    known = yield from marks.read_steps(saga, step)
    if known.tombstone:
        raise Overtaken
    return known.result


def undo_steps(marks: Marks, saga: UUID, step: int, work: Steps[str]) -> Steps[None]:
    """Undo the step if it was done and is not undone; if it was not done, it can never be from now on."""
    if not (yield from marks.insert_steps(saga, step, STEP, True)):
        known = yield from marks.read_steps(saga, step)
        if not known.tombstone and (yield from marks.insert_steps(saga, step, COMPENSATION, False)):
            yield from work
            return
    work.close()
