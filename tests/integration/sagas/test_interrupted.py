"""A process dies at each wait of a saga's way, one after the other; somebody else finishes what it began."""

from __future__ import annotations

from typing import Any

import pytest

from outgrow import SagaFailed
from outgrow.nodes import drive
from outgrow.runtime.sagas.calling import Caller
from outgrow.waits import Steps
from tests.integration.sagas.conftest import Shop
from tests.integration.sagas.test_sagas import order_saga

#: One saga has fewer waits than that.
WAITS = 120


def dying_steps(steps: Steps[Any], waits: int) -> Steps[bool]:
    """Go so far; then everything that the process holds is gone.  True where it came to its end before."""
    try:
        wait = steps.send(None)
        for _ in range(waits):
            wait = steps.send((yield wait))
    except StopIteration:
        return True
    steps.close()
    return False


@pytest.mark.parametrize("fail", ["", "reject"])
def test_a_process_dies_at_every_wait(shop: Shop, fail: str) -> None:
    crew = shop.fleet._saga_crew()
    caller = Caller(crew.threads, None)
    order = order_saga(shop, fail=fail)
    states: set[Any] = set()
    shop.fleet.execute("UPDATE stock SET there = 1000")
    there = 1000

    def all_steps(key: str) -> Steps[Any]:
        _, work = yield from crew.begin_steps(order, key, {"product": 1, "total": 1}, None, caller)
        assert work is not None
        yield from crew.worked_steps(work)

    for waits in range(WAITS):
        shop.told.clear()
        key = f"k{waits}"
        whole = drive(dying_steps(all_steps(key), waits))
        records = [record for record in shop.fleet.sagas.list(limit=1) if record.key == key]
        for record in records:
            states.add((record.state, record.step))
            shop.set(record.id, "wake_at = CASE WHEN wake_at IS NULL THEN NULL ELSE now() END")
        assert shop.fleet.sagas.work(order, until_idle=True) <= 1
        # Whoever was never answered asks again, with the same key.
        try:
            shop.fleet.sagas.run(order, {"product": 1, "total": 1}, key=key)
        except SagaFailed:
            assert fail
            assert shop.told[-1][0] == "refund"
            assert 1 <= sum(told[0] == "refund" for told in shop.told) <= 2
        else:
            assert not fail
            there -= 1
        assert shop.stock()[1] == there, (waits, records)
        assert 1 <= shop.told.count("charge") <= 2
        assert 1 <= shop.told.count("ship") <= 2
        if whole:
            break
    else:
        pytest.fail("a saga does not wait so often")
    # (What a dead process had sent is worked off all the same, so that not every state is met.)
    assert len(states) >= 3, states
    assert {state for state, _ in states} == {"running", *(("compensating", "compensated") if fail else ("done",))}
