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


def simple() -> Saga:
    saga = Saga("simple")

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
        while not shop.fleet._saga_crew().writer._led:
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
    while not (crew.writer._led and isinstance(wait, Socket)):
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
    assert not crew.writer._led


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
