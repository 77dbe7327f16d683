"""`fleet.sagas` and `fleet.async_sagas`: two thin shells over the same steps, as `Session` and `AsyncSession` are."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import InterfaceError
from outgrow.nodes import drive, drive_async
from outgrow.runtime.sagas.calling import Caller
from outgrow.runtime.sagas.crew import SagaCrew
from outgrow.runtime.sagas.records import STATES, SagaRecord, SagaResult, record_of
from outgrow.runtime.sagas.working import Working
from outgrow.transactions import saga as kernel
from outgrow.transactions.saga import Saga
from outgrow.waits import Steps

#: Sagas that one worker works on at once.
CONCURRENCY = 50


class FleetSagas:
    """Sagas from threads."""

    def __init__(self, crew: SagaCrew) -> None:
        self._crew = crew
        self._caller = Caller(crew.threads, None)

    def run(
        self,
        saga: Saga,
        input: Any = None,
        *,
        key: str | None = None,
        deadline_seconds: float | None = None,
        timeout_seconds: float | None = None,
    ) -> SagaResult:
        """Begin a saga, work on it here, and return when it is done.

        The same `key` again means the same saga: its end is waited for, not its work done again.  Raises SagaFailed
        OG-TX-044 where it was compensated.  Where this process dies, workers go on with it; where it takes longer than
        `timeout_seconds` while others have it, or is stuck: OG-TX-046.
        """
        return drive(_run_steps(self._crew, saga, input, key, deadline_seconds, timeout_seconds, self._caller))

    def start(
        self, saga: Saga, input: Any = None, *, key: str | None = None, deadline_seconds: float | None = None
    ) -> UUID:
        """Begin a saga and leave it to workers; its id.  It is durable when this returns."""
        return drive(self._crew.begin_steps(saga, key, input, deadline_seconds, None))[0]

    def result(self, id: UUID | str, *, timeout_seconds: float | None = None) -> SagaResult:
        """Wait for the end of a saga; raises what `run` raises."""
        return drive(self._crew.await_steps(id_of(id), _until(timeout_seconds)))

    def work(self, *sagas: Saga, concurrency: int = CONCURRENCY, until_idle: bool = False) -> int:
        """Work on sagas of these definitions, in this thread and `concurrency` others; how many it has worked on.

        For ever, or with `until_idle` until none is due and none at work.
        """
        with self._pool(concurrency) as pool:
            worker = self._working(sagas, pool, concurrency)
            try:
                return drive(worker.run_steps(until_idle))
            finally:
                worker.stop()

    @contextmanager
    def working(self, *sagas: Saga, concurrency: int = CONCURRENCY) -> Iterator[Working]:
        """The same aside, for the length of a `with`; at its end what is at work is finished, or comes to a rest."""
        with self._pool(concurrency + 1) as pool:
            worker = self._working(sagas, pool, concurrency)
            future = pool.submit(drive, worker.run_steps())
            try:
                yield worker
            finally:
                worker.stop()
                future.result()

    def list(
        self, *states: str, name: str | None = None, before: UUID | str | None = None, limit: int = 100
    ) -> tuple[SagaRecord, ...]:
        """The latest sagas in these states (running, compensating, stuck, done, compensated; without any, all)."""
        return drive(_list_steps(self._crew, states, name, before, limit))

    def show(self, id: UUID | str) -> SagaRecord:
        """One saga."""
        return drive(_show_steps(self._crew, id))

    def retry(self, id: UUID | str) -> SagaRecord:
        """Have workers try it again now, stuck or at rest, its tries counted anew."""
        return drive(_retry_steps(self._crew, id))

    def abort(self, id: UUID | str, why: str = "aborted by an operator") -> SagaRecord:
        """Stop it on its way, wherever it is, and have workers undo what it has done, the step at work included."""
        return drive(_abort_steps(self._crew, id, why))

    def forget(self, *, over_days: float = 30.0) -> int:
        """Delete sagas that were over so long ago, with their marks; how many.  Their keys are free again."""
        return drive(_forget_steps(self._crew, over_days))

    def _working(self, sagas: Sequence[Saga], pool: concurrent.futures.ThreadPoolExecutor, concurrency: int) -> Working:
        return Working(self._crew, sagas, self._caller, lambda steps: pool.submit(drive, steps), concurrency)

    @staticmethod
    def _pool(concurrency: int) -> concurrent.futures.ThreadPoolExecutor:
        return concurrent.futures.ThreadPoolExecutor(concurrency + 1, "outgrow-saga-worker")


class AsyncFleetSagas:
    """`FleetSagas` for asyncio; steps may be coroutines, and run in the loop."""

    def __init__(self, crew: SagaCrew) -> None:
        self._crew = crew

    async def run(
        self,
        saga: Saga,
        input: Any = None,
        *,
        key: str | None = None,
        deadline_seconds: float | None = None,
        timeout_seconds: float | None = None,
    ) -> SagaResult:
        caller = self._caller()
        return await drive_async(_run_steps(self._crew, saga, input, key, deadline_seconds, timeout_seconds, caller))

    async def start(
        self, saga: Saga, input: Any = None, *, key: str | None = None, deadline_seconds: float | None = None
    ) -> UUID:
        return (await drive_async(self._crew.begin_steps(saga, key, input, deadline_seconds, None)))[0]

    async def result(self, id: UUID | str, *, timeout_seconds: float | None = None) -> SagaResult:
        return await drive_async(self._crew.await_steps(id_of(id), _until(timeout_seconds)))

    async def work(self, *sagas: Saga, concurrency: int = CONCURRENCY, until_idle: bool = False) -> int:
        """For ever, until its task is cancelled; or until idle."""
        tasks = _Tasks()
        worker = Working(self._crew, sagas, self._caller(), tasks.spawn, concurrency)
        try:
            return await drive_async(worker.run_steps(until_idle))
        finally:
            worker.stop()
            await tasks.end()

    async def list(
        self, *states: str, name: str | None = None, before: UUID | str | None = None, limit: int = 100
    ) -> tuple[SagaRecord, ...]:
        return await drive_async(_list_steps(self._crew, states, name, before, limit))

    async def show(self, id: UUID | str) -> SagaRecord:
        return await drive_async(_show_steps(self._crew, id))

    async def retry(self, id: UUID | str) -> SagaRecord:
        return await drive_async(_retry_steps(self._crew, id))

    async def abort(self, id: UUID | str, why: str = "aborted by an operator") -> SagaRecord:
        return await drive_async(_abort_steps(self._crew, id, why))

    async def forget(self, *, over_days: float = 30.0) -> int:
        return await drive_async(_forget_steps(self._crew, over_days))

    def _caller(self) -> Caller:
        return Caller(self._crew.threads, asyncio.get_running_loop())


class _Tasks:
    """What a worker has begun beside itself: it ends with the worker."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, steps: Steps[Any]) -> concurrent.futures.Future[None]:
        ended: concurrent.futures.Future[None] = concurrent.futures.Future()

        def end(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled():
                # Asked for, so that the loop does not report it: the worker notes it by itself.
                task.exception()
            ended.set_result(None)

        task = asyncio.ensure_future(drive_async(steps))
        self._tasks.add(task)
        task.add_done_callback(end)
        return ended

    async def end(self) -> None:
        """Nothing of it goes on: what was at work is left to other workers, when its lease is over."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


# -- steps -----------------------------------------------------------------------------------------------------------


def _run_steps(
    crew: SagaCrew,
    saga: Saga,
    input: Any,
    key: str | None,
    deadline_seconds: float | None,
    timeout_seconds: float | None,
    caller: Caller,
) -> Steps[SagaResult]:
    until = _until(timeout_seconds)
    id, work = yield from crew.begin_steps(saga, key, input, deadline_seconds, caller)
    return (yield from crew.finish_steps(saga, id, work, caller, until))


def _list_steps(
    crew: SagaCrew, states: Sequence[str], name: str | None, before: UUID | str | None, limit: int
) -> Steps[tuple[SagaRecord, ...]]:
    if wrong := sorted(set(states) - set(STATES)):
        raise InterfaceError("OG-TX-057", f"no saga is ever {wrong[0]!r}", cure=f"one of: {', '.join(STATES)}")
    behind = None if before is None else id_of(before)
    notes = yield from crew.on_home_steps(
        lambda link: ledger.list_sagas_steps(link, states or STATES, name, behind, limit)
    )
    return tuple(record_of(note) for note in notes)


def _show_steps(crew: SagaCrew, id: UUID | str) -> Steps[SagaRecord]:
    return record_of((yield from crew.look_steps(id_of(id))))


def _retry_steps(crew: SagaCrew, id: UUID | str) -> Steps[SagaRecord]:
    wanted = id_of(id)
    note = yield from crew.look_steps(wanted)
    if not (yield from crew.on_home_steps(lambda link: ledger.retry_saga_steps(link, wanted))):
        over = note.state in kernel.OVER
        raise kernel.not_for_operators(
            wanted, "retried", f"it is {note.state}" if over else f"{note.holder} is at work"
        )
    return (yield from _show_steps(crew, wanted))


def _abort_steps(crew: SagaCrew, id: UUID | str, why: str) -> Steps[SagaRecord]:
    wanted = id_of(id)
    note = yield from crew.look_steps(wanted)
    if not (yield from crew.on_home_steps(lambda link: ledger.abort_saga_steps(link, wanted, why))):
        raise kernel.not_for_operators(wanted, "aborted", f"it is {note.state}")
    return (yield from _show_steps(crew, wanted))


def _forget_steps(crew: SagaCrew, over_days: float) -> Steps[int]:
    """Marks go after the rows: what is left of a process that dies in between harms nobody."""
    count = 0
    while True:
        ids = yield from crew.on_home_steps(lambda link: ledger.forget_sagas_steps(link, over_days * 86400.0))
        if not ids:
            return count
        count += len(ids)
        for state in crew.states.values():
            if state.file.engine != "postgresql":
                continue
            for shard in state.picture.domain.shards:
                forget_steps = partial(ledger.forget_marks_steps, sagas=ids)
                yield from state.sequences.on_primary_steps(shard.name, forget_steps, None)


def id_of(id: UUID | str) -> UUID:
    if isinstance(id, UUID):
        return id
    try:
        return UUID(id)
    except ValueError:
        raise kernel.unknown_saga(id) from None


def _until(timeout_seconds: float | None) -> float | None:
    return None if timeout_seconds is None else monotonic() + timeout_seconds
