"""How steps and processes end: by themselves, by an operator, by a close; and what goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import outgrow
from outgrow import Retry, Saga, SagaContext, SagaFailed
from outgrow.clock import monotonic
from outgrow.nodes import drive
from outgrow.runtime.sagas.calling import Caller
from outgrow.runtime.sagas.crew import SagaCrew
from outgrow.transactions.saga import RUNNING, Change
from tests.integration.sagas.conftest import Shop

QUICK = Retry(tries=2, first_seconds=0.01)


def test_exit_in_a_worker_is_a_failure(shop: Shop) -> None:
    """Not a saga that is taken up for ever, each time its lease is over."""
    saga = Saga("leaving", lease_seconds=0.5)

    @saga.step(compensate=None, retry=QUICK)
    def leave(ctx: SagaContext) -> None:
        shop.told.append("leave")
        raise SystemExit(3)

    id = shop.fleet.sagas.start(saga)
    assert shop.fleet.sagas.work(saga, until_idle=True, concurrency=70) == 1
    # One thread for each that it may work on.
    assert shop.fleet._saga_crew().threads._size == 70
    record = shop.fleet.sagas.show(id)
    assert record.state == "compensated" and "exit(3)" in str(record.failure)
    assert shop.told == ["leave"] * 2


def test_what_ends_the_work_on_a_saga_is_noted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    saga = Saga("noted")
    saga.step(compensate=None)(lambda ctx: None)

    def broken_steps(*_: Any) -> Any:
        raise RuntimeError("broken")
        yield

    monkeypatch.setattr(SagaCrew, "worked_steps", broken_steps)
    with shop.fleet.sagas.working(saga) as worker:
        shop.fleet.sagas.start(saga)
        until = time.monotonic() + 10
        while worker.last_error is None and time.monotonic() < until:
            time.sleep(0.02)
    assert "broken" in str(worker.last_error)


def test_a_step_that_is_cancelled_by_itself_is_tried_again(shop: Shop) -> None:
    saga = Saga("cancelled")

    @saga.step(compensate=None, retry=QUICK)
    async def ask(ctx: SagaContext) -> str:
        if ctx.attempt == 1:
            raise asyncio.CancelledError
        return "answer"

    assert asyncio.run(shop.fleet.async_sagas.run(saga)).value == "answer"


def test_a_worker_that_is_cancelled_leaves_nothing_running(shop: Shop) -> None:
    saga = Saga("endless")
    ended: list[bool] = []

    @saga.step(compensate=None)
    async def wait(ctx: SagaContext) -> None:
        shop.told.append("began")
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append(True)

    async def story() -> None:
        await shop.fleet.async_sagas.start(saga)
        worker = asyncio.ensure_future(shop.fleet.async_sagas.work(saga))
        while not shop.told:
            await asyncio.sleep(0.01)
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
        assert ended == [True]
        # The saga is as it was: nobody has said that its step has failed.
        (record,) = await shop.fleet.async_sagas.list()
        assert (record.state, record.tries) == ("running", 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_a_close_ends_whoever_runs_a_saga(shop: Shop) -> None:
    saga = Saga("endless")
    began = threading.Event()
    errors: list[BaseException] = []

    @saga.step(compensate=None)
    async def wait(ctx: SagaContext) -> None:
        began.set()
        await asyncio.sleep(60)

    fleet = outgrow.open(shop.topology)

    def run() -> None:
        try:
            fleet.sagas.run(saga)
        except BaseException as error:
            errors.append(error)

    runner = threading.Thread(target=run, daemon=True)
    runner.start()
    assert began.wait(10)
    fleet.close()
    runner.join(15)
    assert not runner.is_alive() and isinstance(errors[0], outgrow.Error)
    (record,) = shop.fleet.sagas.list()
    assert (record.state, record.tries) == ("running", 0)


def test_an_abort_waits_for_the_step_of_a_process_that_lives(shop: Shop) -> None:
    """Which takes longer than a lease: its compensation must not overtake it."""
    saga = Saga("long", lease_seconds=0.6)
    began = threading.Event()
    ends: list[str] = []

    @saga.step(compensate=lambda ctx: shop.told.append("undone"))
    def outside(ctx: SagaContext) -> None:
        began.set()
        time.sleep(2.5)
        shop.told.append("done")

    @saga.step(compensate=None)
    def last(ctx: SagaContext) -> None:
        shop.told.append("last")

    def run() -> None:
        try:
            shop.fleet.sagas.run(saga)
        except SagaFailed as failed:
            ends.append(failed.failure)

    runner = threading.Thread(target=run)
    runner.start()
    assert began.wait(10)
    with outgrow.open(shop.topology) as other:
        (record,) = other.sagas.list()
        other.sagas.abort(record.id, "stop")
        with other.sagas.working(saga):
            runner.join(20)
    assert shop.told == ["done", "undone"] and ends == ["stop"]


def test_an_abort_does_not_wait_for_a_rest(shop: Shop) -> None:
    saga = Saga("patient", lease_seconds=0.6)

    @saga.step(compensate=lambda ctx: shop.told.append("undone"), retry=Retry(first_seconds=30, longest_seconds=60))
    async def outside(ctx: SagaContext) -> None:
        shop.told.append("tried")
        raise RuntimeError("not now")

    async def story() -> None:
        run = asyncio.ensure_future(shop.fleet.async_sagas.run(saga))
        while not (found := await shop.fleet.async_sagas.list()) or not found[0].tries:
            await asyncio.sleep(0.02)
        with outgrow.open(shop.topology) as other:
            await other.async_sagas.abort(found[0].id, "stop")
            worker = asyncio.ensure_future(other.async_sagas.work(saga))
            try:
                with pytest.raises(SagaFailed, match="stop"):
                    await other.async_sagas.result(found[0].id, timeout_seconds=8)
            finally:
                worker.cancel()
                await asyncio.wait([worker])
        run.cancel()
        await asyncio.wait([run])

    asyncio.run(story())
    assert shop.told == ["tried", "undone"]


def test_a_renewal_behind_a_rest_leaves_it(shop: Shop) -> None:
    """It was under way when the saga was let go: the saga is due when its rest is over, not when a lease would be."""
    saga = Saga("resting", lease_seconds=600)

    @saga.step(compensate=None)
    def first(ctx: SagaContext) -> None: ...

    crew = shop.fleet._saga_crew()
    id, work = drive(crew.begin_steps(saga, "r1", None, None, Caller(crew.threads, None)))
    assert work is not None
    journal: Any = work.journal
    drive(journal.change_steps(work.progress, Change(RUNNING, 0, tries=1, rest_seconds=50.0)))
    drive(crew.leases._keep_steps([journal.hold], monotonic() + 5.0))
    (left,) = shop.row(id, "extract(epoch FROM wake_at - now())::float8")
    assert 30 < left <= 50
    assert journal.hold.gone
    crew.leases.drop(journal.hold)
