"""Everything that a fleet's sagas share in one process, and what is done with one saga, as steps."""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import InterfaceError, OperationalError
from outgrow.ledger import SagaBegin, SagaCheckpoint, SagaNote, SagaRow
from outgrow.runtime.numbers.ids import uuid7
from outgrow.runtime.sagas.calling import Caller, Threads
from outgrow.runtime.sagas.hands import FleetHands
from outgrow.runtime.sagas.leases import Hold, Leases
from outgrow.runtime.sagas.records import SagaResult, result_at, result_of
from outgrow.runtime.sagas.writer import Writer
from outgrow.runtime.timed import Timed
from outgrow.transactions import saga as kernel
from outgrow.transactions.saga import Change, Fenced, Progress, Saga, SagaMeans, Step, Work
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

T = TypeVar("T")

#: A rest that whoever started a saga waits for himself; then it is left to workers.
_PATIENCE_SECONDS = 100.0
#: Between two looks at a saga that another process works on.
_LOOK_SECONDS, _LOOK_LONGEST_SECONDS = 0.02, 1.0
#: How long the ledger may take to answer.
_ASK_SECONDS = 10.0
#: Between two tries to write a checkpoint.
_AGAIN_SECONDS = 0.2

_MEANS = SagaMeans(monotonic, random.random)


class SagaCrew:
    """Shared by threads and tasks."""

    def __init__(self, states: Mapping[str, DomainState], secret: bytes | None) -> None:
        self.pid = os.getpid()
        self.states = states
        self.secret = secret
        self.home = _home(states)
        self.holder = f"{socket.gethostname()}/{self.pid}/{secrets.token_hex(4)}"
        self.leases = Leases(self.home, self.holder)
        self.writer = Writer(self.home, self.leases.count)
        self.threads = Threads()
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], str] = {}

    def on_home_steps(self, ask: Callable[[Timed], Steps[T]], until: float | None = None) -> Steps[T]:
        state = self.home
        limit = monotonic() + _ASK_SECONDS if until is None else until
        answer, _ = yield from state.sequences.on_primary_steps(state.picture.domain.home.name, ask, limit)
        return answer

    def known_steps(self, saga: Saga) -> Steps[tuple[Step, ...]]:
        """The definition's steps, once the ledger has agreed that they are those of its version."""
        steps, shape, named = saga.settled(), saga.shape, (saga.name, saga.version)
        known = self._known.get(named)
        if known is None:
            known = yield from self.on_home_steps(lambda link: ledger.define_saga_steps(link, *named, shape))
            self._known[named] = known
        if known != shape:
            raise kernel.changed_definition(saga.name, saga.version, shape, known)
        return steps

    # -- beginning ---------------------------------------------------------------------------------------------------

    def begin_steps(
        self, saga: Saga, key: str | None, input: Any, deadline_seconds: float | None, caller: Caller | None
    ) -> Steps[tuple[UUID, Work | None]]:
        """The saga's id, and the work on it: None where it is there already, or (no `caller`) is left to workers."""
        steps = yield from self.known_steps(saga)
        id = uuid7()
        progress = Progress(id, saga.name, saga.version, _checked_key(key, id), kernel.encoded(input, "the input"))
        deadline = saga.deadline_seconds if deadline_seconds is None else deadline_seconds
        hands = self._hands(caller or Caller(self.threads, None))
        place = yield from kernel.place_steps(hands, steps, progress)
        asked_at = monotonic()
        row = SagaBegin(
            id=id,
            name=saga.name,
            version=saga.version,
            key=progress.key,
            input=progress.input,
            place=place,
            epoch=0 if caller is None else 1,
            holder=None if caller is None else self.holder,
            wake=0.0 if caller is None else saga.lease_seconds,
            deadline=deadline,
        )
        if not (yield from self.writer.write_steps(row)):
            return (yield from self._known_key_steps(progress)), None
        if caller is None:
            return id, None
        progress = kernel.changed(progress, Change(kernel.RUNNING, 0, place=place))
        hold = self.leases.hold(id, 1, saga.lease_seconds, asked_at)
        until = None if deadline is None else asked_at + deadline
        return id, self._work(progress, steps, hold, hands, until, _PATIENCE_SECONDS, fresh=True)

    def _known_key_steps(self, progress: Progress) -> Steps[UUID]:
        name, key = progress.name, progress.key
        known = yield from self.on_home_steps(lambda link: ledger.saga_by_key_steps(link, name, key))
        if known is None:
            raise OperationalError(
                "OG-TX-054",
                f"the saga {name} {key!r} was forgotten just now",
                cure="start it again, if its work is to be done again",
            )
        id, _, input = known
        if input != progress.input:
            raise kernel.other_input(name, key, id)
        return id

    # -- working -----------------------------------------------------------------------------------------------------

    def _hands(self, caller: Caller) -> FleetHands:
        return FleetHands(self.states, self.home, caller, self.secret)

    def _work(
        self,
        progress: Progress,
        steps: tuple[Step, ...],
        hold: Hold,
        hands: FleetHands,
        deadline: float | None,
        patience: float,
        *,
        fresh: bool = False,
    ) -> Work:
        return Work(
            progress,
            steps,
            LedgerJournal(self, hold),
            hands,
            _MEANS,
            deadline=deadline,
            patience_seconds=patience,
            fresh=fresh,
        )

    def resumed(self, saga: Saga, row: SagaRow, caller: Caller, asked_at: float, patience: float) -> Work:
        """The work on a saga that was claimed, asked for at `asked_at`."""
        progress = Progress(
            row.id,
            row.name,
            row.version,
            row.key,
            row.input,
            tuple(row.results),
            tuple(row.places),
            row.state,
            row.step,
            row.tries,
            row.stuck,
            row.failure,
            row.trouble,
            row.epoch,
        )
        hold = self.leases.hold(row.id, row.epoch, saga.lease_seconds, asked_at)
        until = None if row.deadline is None else monotonic() + row.deadline
        return self._work(progress, saga.settled(), hold, self._hands(caller), until, patience)

    def finish_steps(
        self, saga: Saga, id: UUID, work: Work | None, caller: Caller, until: float | None
    ) -> Steps[SagaResult]:
        """Bring it to its end, or wait until others have.

        Raises SagaFailed OG-TX-044 where it was compensated, OG-TX-046 where it is stuck, or `until` has passed.
        """
        rest = _LOOK_SECONDS
        while True:
            if work is not None:
                try:
                    progress = yield from self.worked_steps(work)
                except Fenced:
                    progress = work.progress
                if progress.over:
                    return result_at(progress, work.steps)
                work = None
            note = yield from self.look_steps(id)
            if note.state in kernel.OVER:
                return result_of(note)
            if note.stuck:
                raise kernel.under_way(id, f"it is stuck: {note.trouble}")
            now = monotonic()
            if until is not None and now >= until:
                raise kernel.under_way(id, "others are at work on it, or it rests")
            if note.wake is not None and note.wake <= 0 and note.version == saga.version:
                row = yield from self.on_home_steps(
                    lambda link: ledger.take_saga_steps(link, id, self.holder, saga.lease_seconds)
                )
                if row is not None:
                    work = self.resumed(saga, row, caller, now, _PATIENCE_SECONDS)
                    continue
            yield Until(now + rest if until is None else min(until, now + rest))
            rest = min(rest * 2, _LOOK_LONGEST_SECONDS)

    def worked_steps(self, work: Work) -> Steps[Progress]:
        """What this process can do for a saga that it holds; then it holds it no more."""
        journal = work.journal
        assert isinstance(journal, LedgerJournal)
        try:
            return (yield from work.run_steps())
        finally:
            self.leases.drop(journal.hold)

    def await_steps(self, id: UUID, until: float | None) -> Steps[SagaResult]:
        """The end of a saga that others work on."""
        rest = _LOOK_SECONDS
        while True:
            note = yield from self.look_steps(id)
            if note.state in kernel.OVER:
                return result_of(note)
            if note.stuck:
                raise kernel.under_way(id, f"it is stuck: {note.trouble}")
            now = monotonic()
            if until is not None and now >= until:
                raise kernel.under_way(id, "others are at work on it, or it rests")
            yield Until(now + rest if until is None else min(until, now + rest))
            rest = min(rest * 2, _LOOK_LONGEST_SECONDS)

    def look_steps(self, id: UUID) -> Steps[SagaNote]:
        note = yield from self.on_home_steps(lambda link: ledger.look_saga_steps(link, id))
        if note is None:
            raise kernel.unknown_saga(id)
        return note

    def close(self) -> None:
        self.leases.stop()
        self.threads.close()


class LedgerJournal:
    """See `transactions.saga.Journal`: one row, as long as it is held."""

    def __init__(self, crew: SagaCrew, hold: Hold) -> None:
        self._crew = crew
        self.hold = hold

    def change_steps(self, progress: Progress, change: Change) -> Steps[None]:
        self.hold.at_work = False
        row = SagaCheckpoint(
            progress.id,
            progress.epoch,
            progress.state,
            progress.step,
            change.state,
            change.step,
            change.tries,
            change.result,
            change.place,
            change.stuck,
            change.failure,
            change.trouble,
            change.rest_seconds,
        )
        while True:
            try:
                written = yield from self._crew.writer.write_steps(row)
                break
            except OperationalError:
                # What was done is not to be done again only because the ledger was away for a moment.
                if not self.hold.sure:
                    raise
            yield Until(monotonic() + _AGAIN_SECONDS)
        if not written:
            self.hold.lost = True
            raise Fenced

    def sure_steps(self, progress: Progress) -> Steps[None]:
        yield from self._crew.leases.sure_steps(self.hold)
        self.hold.at_work = True


def _home(states: Mapping[str, DomainState]) -> DomainState:
    """The domain whose ledger has the sagas: the first one that can."""
    for state in states.values():
        if state.file.engine == "postgresql":
            return state
    first = next(iter(states.values()))
    raise kernel.engine_refused(first.name, first.file.engine)


def _checked_key(key: str | None, id: UUID) -> str:
    if key is None:
        return str(id)
    try:
        if isinstance(key, str) and key and "\0" not in key and len(key.encode()) <= 1000:
            return key
    except UnicodeEncodeError:
        pass
    raise InterfaceError(
        "OG-TX-055", f"{key!r} is no idempotency key", cure="give a text of at most 1000 bytes, without zero bytes"
    )
