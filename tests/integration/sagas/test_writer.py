"""Checkpoints written together: who is interrupted, held up or fails harms nobody who waits with him."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from outgrow import Saga, SagaContext
from outgrow.nodes import drive
from outgrow.runtime.sagas import writer as module
from outgrow.runtime.sagas.writer import Writer
from outgrow.waits import Socket
from tests.integration.sagas.conftest import Shop


def simple(lease_seconds: float = 15.0) -> Saga:
    saga = Saga("simple", lease_seconds=lease_seconds)

    @saga.step(compensate=None)
    async def first(ctx: SagaContext) -> Any:
        return ctx.input

    return saga


def test_a_loop_that_is_held_up_by_the_very_call(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of the loop is writing when another one blocks the loop with a call that must write, too."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    saga = simple()
    shop.fleet.sagas.run(saga, 0)

    async def careless() -> Any:
        writing = asyncio.ensure_future(shop.fleet.async_sagas.run(saga, 1, key="1"))
        while not shop.fleet._saga_crew().writer._leaders:
            await asyncio.sleep(0)
        id = shop.fleet.sagas.start(saga, 2, key="2")
        assert (await writing).value == 1
        return id

    id = asyncio.run(careless())
    assert shop.fleet.sagas.show(id).state == "running"
    assert shop.fleet.sagas.run(saga, 3).value == 3


def test_who_leads_is_interrupted(shop: Shop) -> None:
    """Those who wait with him write again, and find what was written already."""
    saga = simple()
    shop.fleet.sagas.run(saga, 0)
    crew = shop.fleet._saga_crew()
    leading = crew.begin_steps(saga, "led", 1, None, None)
    wait = leading.send(None)
    while not (crew.writer._leaders and isinstance(wait, Socket)):
        wait = leading.send({wait.fd: 1} if isinstance(wait, Socket) else None)
    ends: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: ends.append(shop.fleet.sagas.run(saga, n, key=str(n)).value))
        for n in range(5)
    ]
    for thread in threads:
        thread.start()
    while len(crew.writer._waiting) < 5:
        pass

    def interrupted_steps() -> Any:
        wait = leading.throw(KeyboardInterrupt())
        while True:
            wait = leading.send((yield wait))

    with pytest.raises(KeyboardInterrupt):
        drive(interrupted_steps())
    for thread in threads:
        thread.join(20)
    assert sorted(ends) == [0, 1, 2, 3, 4]
    assert not crew.writer._leaders


def test_many_go_in_two_halves(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server commits the one, the other is worked on: two transactions at once, never three."""
    saga = Saga("three")
    for name in ("one", "two", "three"):

        async def function(ctx: SagaContext) -> Any:
            return ctx.input

        function.__name__ = name
        saga.step(compensate=None)(function)
    under_way, most, sizes = [0], [0], []
    write_all = Writer._write_all_steps

    def counting(self: Writer, rows: Any) -> Any:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        sizes.append(len(rows))
        try:
            return (yield from write_all(self, rows))
        finally:
            under_way[0] -= 1

    monkeypatch.setattr(Writer, "_write_all_steps", counting)

    async def many() -> list[Any]:
        running = (shop.fleet.async_sagas.run(saga, n, key=str(n)) for n in range(64))
        return [result.value for result in await asyncio.gather(*running)]

    assert asyncio.run(many()) == list(range(64))
    assert most[0] == 2
    assert sum(sizes) == 4 * 64 and len(sizes) < 40
    assert not shop.fleet._saga_crew().writer._leaders


def test_many_of_whom_some_are_interrupted(shop: Shop) -> None:
    """Whoever led, or was about to, another one leads: nobody waits for ever, and every row is written once."""
    # (Whoever is interrupted keeps the lease: for so long the ones below wait.)
    saga = simple(lease_seconds=4.0)
    shop.fleet.sagas.run(saga, 0)

    async def many() -> list[Any]:
        tasks = [asyncio.ensure_future(shop.fleet.async_sagas.run(saga, n, key=f"many {n}")) for n in range(64)]
        for turn in range(40):
            await asyncio.sleep(0.001 * (turn % 3))
            tasks[turn].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ends = asyncio.run(many())
    assert [end.value for end in ends[40:]] == list(range(40, 64))
    assert not shop.fleet._saga_crew().writer._leaders
    for n in range(40):
        assert shop.fleet.sagas.run(saga, n, key=f"many {n}").value == n


def test_a_row_that_the_server_refuses_fails_alone(shop: Shop) -> None:
    saga = simple()
    crew = shop.fleet._saga_crew()
    drive(crew.known_steps(saga))
    written: dict[str, Any] = {}

    def begin(key: str, input: str) -> None:
        row = module.SagaBegin(module.UUID(int=len(key)), "simple", 1, key, input, "", 1, "me", 60.0, None)
        try:
            written[key] = drive(crew.writer.write_steps(row))
        except Exception as error:
            written[key] = type(error).__name__

    held, go = threading.Event(), threading.Event()
    write_all = Writer._write_all_steps

    def slow(self: Writer, rows: Any) -> Any:
        if not held.is_set():
            held.set()
            go.wait(20)
        return write_all(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "_write_all_steps", slow)
        threads = [threading.Thread(target=begin, args=("a", "1"))]
        threads[0].start()
        assert held.wait(20)
        threads += [threading.Thread(target=begin, args=(k, i)) for k, i in (("bb", "2"), ("ccc", "\0"), ("dddd", "4"))]
        for thread in threads[1:]:
            thread.start()
        while len(crew.writer._waiting) < 3:
            pass
        go.set()
        for thread in threads:
            thread.join(20)
    assert written["a"] is written["bb"] is written["dddd"] is True
    assert written["ccc"] not in (True, False)
