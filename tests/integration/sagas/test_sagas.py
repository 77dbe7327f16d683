"""Sagas on real servers: what they do, answer and refuse, from threads and from asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import outgrow
from outgrow import Rejected, Retry, Saga, SagaContext, SagaFailed
from outgrow.errors import Error, InterfaceError, OperationalError
from tests.integration.sagas.conftest import Shop

QUICK = Retry(tries=3, first_seconds=0.02, longest_seconds=0.05)


def order_saga(shop: Shop, *, fail: str = "", asynchronous: bool = False) -> Saga:
    """Charge, reserve, ship."""
    order = Saga("create_order")

    def put_back(ctx: SagaContext, session: outgrow.Session) -> None:
        session.execute("UPDATE stock SET there = there + 1 WHERE product = %s", [ctx.input["product"]])

    def refund(ctx: SagaContext) -> None:
        shop.told.append(("refund", ctx.result, ctx.failure))

    def charge(ctx: SagaContext) -> Any:
        shop.told.append("charge")
        return {"payment": ctx.input["total"]}

    def reserve(ctx: SagaContext, session: outgrow.Session) -> int:
        update = "UPDATE stock SET there = there - 1 WHERE product = %s RETURNING there"
        row = session.execute(update, [ctx.input["product"]]).fetchone()
        assert row is not None
        return int(row[0])

    def ship(ctx: SagaContext) -> str:
        shop.told.append("ship")
        if fail:
            raise (Rejected if fail == "reject" else RuntimeError)("no ship today")
        return f"{ctx.results['reserve']} left"

    async def reserve_async(ctx: SagaContext, session: outgrow.AsyncSession) -> int:
        await asyncio.sleep(0)
        update = "UPDATE stock SET there = there - 1 WHERE product = %s RETURNING there"
        row = (await session.execute(update, [ctx.input["product"]])).fetchone()
        assert row is not None
        return int(row[0])

    async def ship_async(ctx: SagaContext) -> str:
        await asyncio.sleep(0)
        return ship(ctx)

    reserve_async.__name__, ship_async.__name__ = "reserve", "ship"
    order.step(compensate=refund)(charge)
    order.transaction(on="stock", key=lambda ctx: ctx.input["product"], compensate=put_back)(
        reserve_async if asynchronous else reserve
    )
    order.step(compensate=None, retry=QUICK)(ship_async if asynchronous else ship)
    return order


@pytest.mark.parametrize("asynchronous", [False, True])
def test_done(shop: Shop, asynchronous: bool) -> None:
    done = shop.fleet.sagas.run(order_saga(shop, asynchronous=asynchronous), {"product": 1, "total": 5}, key="o1")
    assert done.results == {"charge": {"payment": 5}, "reserve": 9, "ship": "9 left"}
    assert (done.key, done.value) == ("o1", "9 left")
    assert shop.told == ["charge", "ship"]
    assert shop.stock()[1] == 9
    record = shop.fleet.sagas.show(done.id)
    assert (record.state, record.step, record.holder, record.wake_at) == ("done", None, None, None)
    assert record.results == done.results
    assert record.ended_at is not None


@pytest.mark.parametrize("asynchronous", [False, True])
def test_done_from_asyncio(shop: Shop, asynchronous: bool) -> None:
    order = order_saga(shop, asynchronous=asynchronous)

    async def all_of_them() -> list[outgrow.SagaResult]:
        sagas = shop.fleet.async_sagas
        many = [sagas.run(order, {"product": product, "total": 1}, key=str(product)) for product in range(8)]
        return await asyncio.gather(*many)

    assert [done.value for done in asyncio.run(all_of_them())] == ["9 left"] * 8
    assert set(shop.stock().values()) == {9}


@pytest.mark.parametrize(("fail", "ships"), [("reject", 1), ("fail", 3)])
def test_compensated_in_reverse_order(shop: Shop, fail: str, ships: int) -> None:
    with pytest.raises(SagaFailed) as failed:
        shop.fleet.sagas.run(order_saga(shop, fail=fail), {"product": 1, "total": 5}, key="o1")
    assert failed.value.code == "OG-TX-044"
    assert "no ship today" in failed.value.failure
    assert shop.told == ["charge", *["ship"] * ships, ("refund", {"payment": 5}, failed.value.failure)]
    assert shop.stock()[1] == 10
    assert [mark[:3] for mark in shop.marks(failed.value.saga)] == [(1, "compensation", False), (1, "step", False)]
    # The answer stays.
    with pytest.raises(SagaFailed) as again:
        shop.fleet.sagas.run(order_saga(shop, fail=fail), {"product": 1, "total": 5}, key="o1")
    assert again.value.saga == failed.value.saga
    assert shop.told.count("charge") == 1


def test_a_key_means_one_saga(shop: Shop) -> None:
    order = order_saga(shop)
    first = shop.fleet.sagas.run(order, {"product": 1, "total": 5}, key="o1")
    again = shop.fleet.sagas.run(order, {"product": 1, "total": 5}, key="o1")
    assert (again.id, again.results) == (first.id, first.results)
    assert shop.fleet.sagas.start(order, {"product": 1, "total": 5}, key="o1") == first.id
    with pytest.raises(InterfaceError) as other:
        shop.fleet.sagas.run(order, {"product": 2, "total": 5}, key="o1")
    assert other.value.code == "OG-TX-043"
    assert shop.told == ["charge", "ship"]


def test_one_key_from_many_threads(shop: Shop) -> None:
    order = order_saga(shop)
    found = []

    def run() -> None:
        found.append(shop.fleet.sagas.run(order, {"product": 1, "total": 5}, key="o1").id)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert len(set(found)) == 1
    assert shop.told == ["charge", "ship"]


def test_workers(shop: Shop) -> None:
    order = order_saga(shop)
    with shop.fleet.sagas.working(order, concurrency=8) as worker:
        ids = [shop.fleet.sagas.start(order, {"product": n % 8, "total": n}) for n in range(40)]
        for id in ids:
            assert shop.fleet.sagas.result(id, timeout_seconds=20).results["charge"]["payment"] in range(40)
    assert worker.last_error is None
    assert set(shop.stock().values()) == {5}
    # Nothing is left to do.
    assert shop.fleet.sagas.work(order, until_idle=True) == 0


def test_a_worker_is_woken(shop: Shop) -> None:
    """Not by its slow look."""
    order = order_saga(shop)
    with shop.fleet.sagas.working(order):
        time.sleep(0.5)
        begun = time.monotonic()
        shop.fleet.sagas.result(shop.fleet.sagas.start(order, {"product": 1, "total": 1}), timeout_seconds=20)
        assert time.monotonic() - begun < 3


def test_workers_from_asyncio(shop: Shop) -> None:
    order = order_saga(shop, asynchronous=True)

    async def story() -> None:
        sagas = shop.fleet.async_sagas
        ids = [await sagas.start(order, {"product": n % 8, "total": n}) for n in range(16)]
        assert await sagas.work(order, until_idle=True) == 16
        for id in ids:
            await sagas.result(id, timeout_seconds=5)
        forever = asyncio.ensure_future(sagas.work(order))
        last = await sagas.start(order, {"product": 1, "total": 1})
        await sagas.result(last, timeout_seconds=20)
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever

    asyncio.run(story())


def test_a_step_that_takes_too_long(shop: Shop) -> None:
    slow = Saga("slow")
    released = threading.Event()

    @slow.transaction(compensate=None, timeout_seconds=0.2, retry=Retry(tries=1))
    def wait(ctx: SagaContext, session: outgrow.Session) -> None:
        session.execute("UPDATE stock SET there = 0 WHERE product = 1")
        released.wait(20)
        session.execute("UPDATE stock SET there = 0 WHERE product = 2")

    with pytest.raises(SagaFailed, match="OG-TX-050"):
        shop.fleet.sagas.run(slow)
    released.set()
    assert set(shop.stock().values()) == {10}


def test_a_coroutine_that_takes_too_long(shop: Shop) -> None:
    slow = Saga("slow")
    ended = []

    @slow.transaction(compensate=None, timeout_seconds=0.2, retry=Retry(tries=1))
    async def wait(ctx: SagaContext, session: outgrow.AsyncSession) -> None:
        await session.execute("UPDATE stock SET there = 0 WHERE product = 1")
        try:
            await asyncio.sleep(20)
        finally:
            ended.append(True)

    with pytest.raises(SagaFailed, match="OG-TX-050"):
        shop.fleet.sagas.run(slow)
    assert ended == [True]
    assert shop.stock()[1] == 10


def test_a_deadline(shop: Shop) -> None:
    late = Saga("late", deadline_seconds=0.5)

    @late.step(compensate=lambda ctx: shop.told.append("undone"))
    def first(ctx: SagaContext) -> None:
        shop.told.append("first")

    @late.step(compensate=None, retry=Retry(tries=1000, first_seconds=0.1, longest_seconds=0.1))
    def never(ctx: SagaContext) -> None:
        raise RuntimeError("not yet")

    begun = time.monotonic()
    with pytest.raises(SagaFailed):
        shop.fleet.sagas.run(late)
    assert 0.4 < time.monotonic() - begun < 5
    assert shop.told == ["first", "undone"]


def test_stuck_and_retried(shop: Shop) -> None:
    """A compensation that fails again and again is never dropped: it is called stuck, and goes on when told so."""
    doubtful = Saga("doubtful")
    broken = True

    def undo(ctx: SagaContext) -> None:
        shop.told.append("undo")
        if broken:
            raise RuntimeError("cannot")

    @doubtful.step(compensate=undo, compensate_retry=Retry(tries=2, first_seconds=0.01))
    def first(ctx: SagaContext) -> None: ...

    @doubtful.step(compensate=None)
    def second(ctx: SagaContext) -> None:
        raise Rejected("no")

    with pytest.raises(OperationalError) as stuck:
        shop.fleet.sagas.run(doubtful, key="d1")
    assert stuck.value.code == "OG-TX-046"
    (record,) = shop.fleet.sagas.list("stuck")
    assert (record.key, record.step, record.tries, record.holder) == ("d1", "first", 2, None)
    assert "cannot" in str(record.trouble)
    assert record.failure == "second: no"
    assert shop.fleet.sagas.work(doubtful, until_idle=True) == 0
    # It is due in an hour by itself.
    assert 3000 < shop.row(record.id, "extract(epoch FROM wake_at - now())::float8")[0] < 5500
    broken = False
    assert shop.fleet.sagas.retry(record.id).state == "compensating"
    assert shop.fleet.sagas.work(doubtful, until_idle=True) == 1
    assert shop.fleet.sagas.show(record.id).state == "compensated"
    with pytest.raises(OperationalError, match="cannot be retried"):
        shop.fleet.sagas.retry(record.id)


def test_aborted(shop: Shop) -> None:
    order = order_saga(shop, fail="fail")
    id = shop.fleet.sagas.start(order, {"product": 1, "total": 1})
    assert shop.fleet.sagas.abort(id, "wrong customer").state == "compensating"
    assert shop.fleet.sagas.work(order, until_idle=True) == 1
    record = shop.fleet.sagas.show(id)
    assert (record.state, record.failure) == ("compensated", "wrong customer")
    # The step that was next might have been at work.
    assert shop.told == [("refund", None, "wrong customer")]
    with pytest.raises(OperationalError, match="cannot be aborted"):
        shop.fleet.sagas.abort(id)
    for wrong in ("nothing", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(InterfaceError) as unknown:
            shop.fleet.sagas.show(wrong)
        assert unknown.value.code == "OG-TX-045"


def test_forgotten(shop: Shop) -> None:
    order = order_saga(shop)
    done = shop.fleet.sagas.run(order, {"product": 1, "total": 5}, key="o1")
    open = shop.fleet.sagas.start(order, {"product": 1, "total": 5}, key="o2")
    assert shop.fleet.sagas.forget(over_days=1) == 0
    assert shop.fleet.sagas.forget(over_days=0) == 1
    assert shop.marks(done.id) == []
    assert [record.id for record in shop.fleet.sagas.list()] == [open]
    assert shop.fleet.sagas.run(order, {"product": 1, "total": 5}, key="o1").id != done.id


def test_a_step_over_both_shards(shop: Shop) -> None:
    """The mark, on one of them, is committed with all of it."""
    saga = Saga("move")

    @saga.transaction(compensate=None, on="stock", key=lambda ctx: 1)
    def move(ctx: SagaContext, session: outgrow.Session) -> None:
        session.execute("UPDATE stock SET there = there - 1")

    done = shop.fleet.sagas.run(saga)
    assert set(shop.stock().values()) == {9}
    assert [mark[1] for mark in shop.marks(done.id)] == ["step"]


def test_waiting_has_an_end(shop: Shop) -> None:
    order = order_saga(shop)
    id = shop.fleet.sagas.start(order, {"product": 1, "total": 1})
    with pytest.raises(Error) as late:
        shop.fleet.sagas.result(id, timeout_seconds=0.1)
    assert late.value.code == "OG-TX-046"
