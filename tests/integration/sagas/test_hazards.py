"""The three hazards of sagas, a compensation with nothing to undo, one that overtakes its step, and duplicates."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import outgrow
from outgrow import Saga, SagaContext, SagaFailed
from outgrow.errors import OperationalError
from outgrow.runtime.sagas.crew import LedgerJournal
from outgrow.runtime.sagas.hands import ShardMarks
from outgrow.transactions.saga import Fenced
from tests.integration.sagas.conftest import Shop


def taking(shop: Shop, meanwhile: Any = lambda: None) -> Saga:
    """One transaction that takes one of product 1."""
    saga = Saga("taking", lease_seconds=600)

    def put_back(ctx: SagaContext, session: outgrow.Session) -> None:
        shop.told.append("put back")
        session.execute("UPDATE stock SET there = there + 1 WHERE product = 1")

    @saga.transaction(on="stock", key=lambda ctx: 1, compensate=put_back)
    def take(ctx: SagaContext, session: outgrow.Session) -> str:
        shop.told.append("take")
        session.execute("UPDATE stock SET there = there - 1 WHERE product = 1")
        meanwhile()
        return "taken"

    @saga.step(compensate=None)
    def last(ctx: SagaContext) -> Any:
        return ctx.results["take"]

    return saga


def due(shop: Shop, id: object) -> None:
    """As if its holder had been silent for long."""
    shop.set(id, "wake_at = now(), holder = NULL")


def test_nothing_to_undo(shop: Shop) -> None:
    """The step was aborted before it began: its compensation does not run, and it can never run itself."""
    saga = taking(shop)
    id = shop.fleet.sagas.start(saga)
    shop.fleet.sagas.abort(id)
    assert shop.fleet.sagas.work(saga, until_idle=True) == 1
    assert shop.fleet.sagas.show(id).state == "compensated"
    assert shop.told == []
    assert shop.stock()[1] == 10
    assert shop.marks(id) == [(0, "step", True, None)]


def test_a_compensation_overtakes_its_step(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is paused on its way into the step; others give it up and undo everything; then it goes on."""
    saga = taking(shop)
    asleep, awake = threading.Event(), threading.Event()
    insert_steps = ShardMarks.insert_steps

    def sleeping(self: ShardMarks, *arguments: Any) -> Any:
        if not asleep.is_set():
            asleep.set()
            awake.wait(20)
        return insert_steps(self, *arguments)

    monkeypatch.setattr(ShardMarks, "insert_steps", sleeping)
    ends = []

    def run() -> None:
        try:
            shop.fleet.sagas.run(saga, key="t1")
        except SagaFailed as failed:
            ends.append(failed.failure)

    slow = threading.Thread(target=run)
    slow.start()
    assert asleep.wait(20)
    (record,) = shop.fleet.sagas.list("running")
    shop.fleet.sagas.abort(record.id, "given up")
    due(shop, record.id)
    assert shop.fleet.sagas.work(saga, until_idle=True) == 1
    assert shop.fleet.sagas.show(record.id).state == "compensated"
    awake.set()
    slow.join(20)
    assert ends == ["given up"]
    assert shop.told == []
    assert shop.stock()[1] == 10


def test_a_step_is_done_once_although_its_checkpoint_was_lost(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed behind the commit on the shard and before the checkpoint: whoever resumes takes the result it had."""
    saga = taking(shop)
    monkeypatch.setattr(LedgerJournal, "change_steps", dying)
    with pytest.raises(OperationalError, match="died"):
        shop.fleet.sagas.run(saga, key="t1")
    monkeypatch.undo()
    assert shop.stock()[1] == 9
    (record,) = shop.fleet.sagas.list("running")
    assert record.results == {}
    due(shop, record.id)
    assert shop.fleet.sagas.run(saga, key="t1").results == {"take": "taken", "last": "taken"}
    assert shop.told == ["take"]
    assert shop.stock()[1] == 9


def test_a_compensation_is_done_once_although_its_checkpoint_was_lost(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    saga = taking(shop)
    shop.fleet.sagas.run(saga, key="t1")
    (record,) = shop.fleet.sagas.list("done")
    shop.set(record.id, "state = 'compensating', step = 1, wake_at = now()")
    monkeypatch.setattr(LedgerJournal, "change_steps", dying)
    with pytest.raises(OperationalError, match="died"):
        shop.fleet.sagas.run(saga, key="t1")
    monkeypatch.undo()
    assert shop.stock()[1] == 10
    due(shop, record.id)
    assert shop.fleet.sagas.work(saga, until_idle=True) == 1
    assert shop.fleet.sagas.show(record.id).state == "compensated"
    assert shop.told == ["take", "put back"]
    assert shop.stock()[1] == 10


def dying(self: LedgerJournal, *_: Any) -> Any:
    raise OperationalError("OG-TEST", "died")
    yield


def test_two_processes_in_one_step(shop: Shop) -> None:
    """The second waits for the first, on the mark; the first, which was taken for dead, is refused its checkpoint."""
    others: list[threading.Thread] = []

    def meanwhile() -> None:
        if not others:
            (record,) = shop.fleet.sagas.list("running")
            due(shop, record.id)
            others.append(threading.Thread(target=shop.fleet.sagas.work, args=(saga,), kwargs={"until_idle": True}))
            others[0].start()
            others[0].join(1)
            assert others[0].is_alive()

    saga = taking(shop, meanwhile)
    assert shop.fleet.sagas.run(saga, key="t1").results == {"take": "taken", "last": "taken"}
    others[0].join(20)
    assert shop.told == ["take"]
    assert shop.stock()[1] == 9
    (record,) = shop.fleet.sagas.list("done")
    assert shop.row(record.id, "epoch") == (2,)


def test_a_process_that_was_taken_for_dead_writes_nothing(shop: Shop) -> None:
    """Its checkpoint would put the saga back to where it was."""
    saga = Saga("slow", lease_seconds=600)
    fleet = shop.fleet

    @saga.step(compensate=None)
    def first(ctx: SagaContext) -> str:
        if shop.told:
            return "second try"
        shop.told.append("first try")
        (record,) = fleet.sagas.list("running")
        due(shop, record.id)
        assert fleet.sagas.work(saga, until_idle=True) == 1
        return "first try"

    @saga.step(compensate=None)
    def last(ctx: SagaContext) -> Any:
        return ctx.results["first"]

    assert fleet.sagas.run(saga).results == {"first": "second try", "last": "second try"}


def test_nothing_is_begun_on_an_old_lease(shop: Shop) -> None:
    """A process that was paused looks whether it still holds the saga before it calls the world outside."""
    saga = Saga("paused", lease_seconds=600)
    fleet = shop.fleet

    @saga.step(compensate=None)
    def first(ctx: SagaContext) -> None:
        # The lease has run out while it did this, and another process has the saga now.
        leases = fleet._saga_crew().leases
        for hold in leases._held.values():
            hold.until = 0.0

    @saga.step(compensate=None)
    def last(ctx: SagaContext) -> None:
        shop.told.append("last")

    crew = fleet._saga_crew()
    from outgrow.nodes import drive
    from outgrow.runtime.sagas.calling import Caller

    caller = Caller(crew.threads, None)
    id, work = drive(crew.begin_steps(saga, "p1", None, None, caller))
    assert work is not None
    steps = work.run_steps()
    sure_steps = LedgerJournal.sure_steps
    taken = []

    def taking_over(self: LedgerJournal, progress: Any) -> Any:
        if progress.step == 1 and not taken:
            taken.append(True)
            shop.set(id, "epoch = epoch + 1, wake_at = now()")
        return sure_steps(self, progress)

    journal: Any = work.journal
    journal.sure_steps = taking_over.__get__(journal)
    with pytest.raises(Fenced):
        drive(steps)
    assert shop.told == []
