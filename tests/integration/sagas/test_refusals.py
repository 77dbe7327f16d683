"""What sagas may be given and may return, and which definitions, keys and places are refused."""

from __future__ import annotations

from typing import Any

import pytest

import outgrow
from outgrow import Rejected, Retry, Saga, SagaContext, SagaFailed
from outgrow.errors import ConfigurationError, InterfaceError, ProgrammingError
from tests.integration.sagas.conftest import Shop


def test_results_are_what_json_has(shop: Shop) -> None:
    """So that a saga that is resumed sees nothing else than one that is not."""
    saga = Saga("json")
    seen = []

    @saga.step(compensate=None)
    def first(ctx: SagaContext) -> Any:
        return (1, {2: "zwei\0\ud800"})

    @saga.transaction(compensate=None)
    def second(ctx: SagaContext, session: outgrow.Session) -> Any:
        seen.append(ctx.results["first"])
        return {"big": 2**70}

    done = shop.fleet.sagas.run(saga, key="j")
    assert seen == [[1, {"2": "zwei\0\ud800"}]]
    assert done.value == {"big": 2**70}
    assert shop.fleet.sagas.run(saga, key="j").results == done.results
    with pytest.raises(ProgrammingError, match="OG-TX-047"):
        shop.fleet.sagas.run(saga, object())


@pytest.mark.parametrize("error", [Rejected("a\0b\ud800"), ValueError("a\0b\ud800")])
def test_an_error_that_a_database_has_not(shop: Shop, error: Exception) -> None:
    saga = Saga("odd")

    @saga.step(compensate=None, retry=Retry(tries=2, first_seconds=0.01))
    def first(ctx: SagaContext) -> Any:
        raise error

    with pytest.raises(SagaFailed, match=r"a b\?"):
        shop.fleet.sagas.run(saga)


def test_a_result_that_json_has_not(shop: Shop) -> None:
    saga = Saga("json")
    undone = []

    @saga.step(compensate=lambda ctx: undone.append(ctx.attempt))
    def first(ctx: SagaContext) -> Any:
        return {float("nan")}

    with pytest.raises(SagaFailed, match="OG-TX-047"):
        shop.fleet.sagas.run(saga)
    assert undone == [1]


def test_a_definition_that_changed(shop: Shop) -> None:
    def definition(*names: str, version: int = 1) -> Saga:
        saga = Saga("changing", version=version)
        for name in names:

            def function(ctx: SagaContext) -> None: ...

            function.__name__ = name
            saga.step(compensate=None)(function)
        return saga

    old = shop.fleet.sagas.start(definition("a", "b"))
    for use in (shop.fleet.sagas.run, shop.fleet.sagas.start, shop.fleet.sagas.work):
        with pytest.raises(ConfigurationError) as changed:
            use(definition("a", "c", "b"))
        assert changed.value.code == "OG-TX-042"
    # A new version stands beside the old one, whose sagas wait for those who know it.
    new = definition("a", "c", "b", version=2)
    assert shop.fleet.sagas.run(new).results == {"a": None, "c": None, "b": None}
    assert shop.fleet.sagas.work(new, until_idle=True) == 0
    assert shop.fleet.sagas.show(old).state == "running"
    assert shop.fleet.sagas.work(new, definition("a", "b"), until_idle=True) == 1
    assert shop.fleet.sagas.show(old).state == "done"


def test_refused(shop: Shop) -> None:
    saga = Saga("s")
    for declare in (saga.step(), saga.transaction()):
        with pytest.raises(ProgrammingError, match="OG-TX-040"):
            declare(lambda ctx: None)
    with pytest.raises(ProgrammingError, match="OG-TX-041"):
        saga.step(compensate=None)(lambda: None)
    with pytest.raises(ProgrammingError, match="OG-TX-041"):
        saga.transaction(compensate=lambda ctx: None)(lambda ctx, session: None)
    with pytest.raises(ProgrammingError, match="OG-TX-041"):
        shop.fleet.sagas.run(saga)
    saga.step(compensate=None)(lambda ctx: None)
    for wrong in ("", "a\0b", "\ud800", 5):
        with pytest.raises(InterfaceError, match="OG-TX-055"):
            shop.fleet.sagas.run(saga, key=wrong)  # type: ignore[arg-type]
    with pytest.raises(ProgrammingError, match="OG-TX-056"):
        shop.fleet.sagas.work()
    with pytest.raises(InterfaceError, match="OG-TX-057"):
        shop.fleet.sagas.list("lost")


@pytest.mark.parametrize(
    "where", [{"on": "stock"}, {"on": "nowhere"}, {"domain": "nowhere"}, {"on": "stock", "key": lambda ctx: (1, 2)}]
)
def test_a_step_that_has_no_place(shop: Shop, where: dict[str, Any]) -> None:
    saga = Saga("lost")

    @saga.transaction(compensate=None, retry=Retry(tries=1), **where)
    def first(ctx: SagaContext, session: outgrow.Session) -> None:
        raise AssertionError

    with pytest.raises(SagaFailed, match="OG-TX-051"):
        shop.fleet.sagas.run(saga)


def test_a_step_that_ends_its_transaction(shop: Shop) -> None:
    saga = Saga("wilful")

    @saga.transaction(compensate=None, retry=Retry(tries=1))
    def first(ctx: SagaContext, session: outgrow.Session) -> None:
        session.execute("ROLLBACK")

    with pytest.raises(SagaFailed, match="OG-TX-053"):
        shop.fleet.sagas.run(saga)


def test_the_doctor_sees_who_needs_help(shop: Shop) -> None:
    saga = Saga("order", version=3)

    @saga.step(compensate=None)
    def first(ctx: SagaContext) -> None: ...

    def findings() -> list[str]:
        return [finding.what for finding in shop.fleet.doctor() if finding.check == "sagas"]

    ids = [shop.fleet.sagas.start(saga, number) for number in range(3)]
    assert findings() == []
    shop.set(ids[0], "stuck = true, trouble = 'no answer', wake_at = now() + interval '1 hour'")
    shop.set(ids[1], "wake_at = now() - interval '10 minutes'")
    assert findings() == [
        "1 of the saga order, version 3, cannot be undone and are tried once an hour; the last said: no answer",
        "1 of the saga order, version 3, have been due for 5 minutes, and nobody works on them",
    ]
