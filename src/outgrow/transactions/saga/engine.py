"""One saga at work: step after step, each outcome durable before the next begins; backwards where it has failed.

    look at the row       forward: run step n        checkpoint: n+1 and its result    …    done
                                   failed for good   checkpoint: compensating
                          backward: undo step n-1    checkpoint: n-1                   …    compensated

Whoever stops anywhere, in whichever way, leaves a row that says all; another process takes it with a higher epoch, and
does again at most what was at work.  A process that was only slow is refused at its next checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from outgrow.errors import Error
from outgrow.transactions.saga import model
from outgrow.transactions.saga.definition import Rejected, SagaContext, Step
from outgrow.transactions.saga.failures import Fenced
from outgrow.transactions.saga.model import RUNNING, Change, Progress, changed
from outgrow.waits import Steps, Until

_NOT_JSON = "OG-TX-047"


class Journal(Protocol):
    """The saga's row."""

    def change_steps(self, progress: Progress, change: Change) -> Steps[None]:
        """Durable when it returns.  Raises Fenced where the row is not as `progress` says, or another one's."""

    def sure_steps(self, progress: Progress) -> Steps[None]:
        """Nobody else takes the saga within the next moments.  Raises Fenced where somebody has."""


class Hands(Protocol):
    """What runs the application's functions.  They raise what the functions raise."""

    def place_steps(self, step: Step, context: SagaContext) -> Steps[str]:
        """The shard for the mark of a transaction."""

    def act_steps(self, step: Step, context: SagaContext, undo: bool, limit: Limit) -> Steps[str]:
        """A step outside, or its compensation; the result as JSON text."""

    def transact_steps(
        self, step: Step, context: SagaContext, index: int, place: str, undo: bool, limit: Limit
    ) -> Steps[str]:
        """A transaction with its mark (`marks`), or its compensation."""


class Limit(NamedTuple):
    """How long a function may take from its own beginning, and when it must have ended, however late it began."""

    seconds: float | None
    deadline: float | None

    def until(self, now: float) -> float | None:
        if self.seconds is None or self.deadline is None:
            return self.deadline if self.seconds is None else now + self.seconds
        return min(self.deadline, now + self.seconds)


UNLIMITED = Limit(None, None)


class SagaMeans(NamedTuple):
    clock: Callable[[], float]
    chance: Callable[[], float]


class Work:
    """One process at work on one saga that it holds."""

    def __init__(
        self,
        progress: Progress,
        steps: Sequence[Step],
        journal: Journal,
        hands: Hands,
        means: SagaMeans,
        *,
        deadline: float | None = None,
        patience_seconds: float = float("inf"),
        fresh: bool = False,
    ) -> None:
        self.progress = progress
        self.steps = steps
        self.journal = journal
        self.hands = hands
        self.means = means
        self.deadline = deadline
        #: A longer rest than this is not waited for: the saga is let go, and is due again afterwards.
        self.patience_seconds = patience_seconds
        #: Nobody can have begun the step that is next.
        self.fresh = fresh

    def run_steps(self) -> Steps[Progress]:
        """Until the saga is over, or rests.  Raises Fenced where another process has it."""
        while not self.progress.over:
            forward = self.progress.state == RUNNING
            change = yield from self._forward_steps() if forward else self._back_steps()
            rest = change.rest_seconds
            waits = rest is not None and rest <= self.patience_seconds
            if waits:
                change = change._replace(rest_seconds=None)
            yield from self.journal.change_steps(self.progress, change)
            self.progress = changed(self.progress, change)
            if rest is not None:
                if not waits:
                    break
                yield Until(self.means.clock() + rest)
        return self.progress

    def _forward_steps(self) -> Steps[Change]:
        progress, steps = self.progress, self.steps
        index = progress.step
        step = steps[index]
        if self._late():
            begun = 0 if self.fresh else 1
            return model.undoing(index + begun, steps, f"{step.name}: the deadline has passed")
        try:
            if len(progress.places) <= index:
                place = yield from self.hands.place_steps(step, model.context(progress, steps, index))
                return Change(RUNNING, index, progress.tries, place=place, trouble=progress.trouble)
            yield from self.journal.sure_steps(progress)
            self.fresh = False
            result = yield from self._do_steps(index, False)
        except Fenced:
            raise
        except Rejected as error:
            return model.undoing(index, steps, f"{step.name}: {line(str(error))}")
        except Exception as error:
            return self._bounded(
                model.failed(progress, steps, told(error), self.means.chance(), self._late() or _hopeless(error))
            )
        change = model.succeeded(progress, steps, result)
        self.fresh = True
        if change.state == RUNNING:
            change = change._replace(place=(yield from self._next_place_steps(changed(progress, change))))
        return change

    def _back_steps(self) -> Steps[Change]:
        progress, steps = self.progress, self.steps
        index = progress.step - 1
        if steps[index].compensate is None:
            return model.undoing(index, steps)
        try:
            yield from self.journal.sure_steps(progress)
            if index < len(progress.places):
                yield from self._do_steps(index, True)
        except Fenced:
            raise
        except Exception as error:
            return model.still_there(progress, steps, told(error), self.means.chance())
        return model.undoing(index, steps)

    def _do_steps(self, index: int, undo: bool) -> Steps[str]:
        step = self.steps[index]
        context = model.context(self.progress, self.steps, index, undo)
        limit = Limit(step.timeout_seconds, None if undo else self.deadline)
        if step.transaction:
            place = self.progress.places[index]
            return (yield from self.hands.transact_steps(step, context, index, place, undo, limit))
        return (yield from self.hands.act_steps(step, context, undo, limit))

    def _next_place_steps(self, after: Progress) -> Steps[str | None]:
        """With the checkpoint of the step before, which saves one of its own."""
        return (yield from place_steps(self.hands, self.steps, after))

    def _late(self) -> bool:
        return self.deadline is not None and self.means.clock() >= self.deadline

    def _bounded(self, change: Change) -> Change:
        """No rest beyond the deadline."""
        if self.deadline is None or change.rest_seconds is None:
            return change
        return change._replace(rest_seconds=max(0.0, min(change.rest_seconds, self.deadline - self.means.clock())))


def place_steps(hands: Hands, steps: Sequence[Step], progress: Progress) -> Steps[str | None]:
    """Where the next step's mark will lie; None where that cannot be told now, which the step then says itself."""
    step = steps[progress.step]
    if not step.transaction:
        return ""
    try:
        return (yield from hands.place_steps(step, model.context(progress, steps, progress.step)))
    except Exception:
        return None


def told(error: BaseException) -> str:
    """An error in one line."""
    text = error.message if isinstance(error, Error) else str(error)
    kind = error.code if isinstance(error, Error) else type(error).__name__
    return line(f"{kind}: {text}")


def line(text: str) -> str:
    """What a database takes as text, and people read in a table."""
    return " ".join(text.replace("\0", " ").encode(errors="replace").decode().split())[:2000]


def _hopeless(error: Exception) -> bool:
    """Trying again would do the work once more, and fail again."""
    return isinstance(error, Error) and error.code == _NOT_JSON
