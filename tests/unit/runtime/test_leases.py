"""Nothing is begun on a lease that was over when its renewal was answered."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from outgrow.clock import monotonic
from outgrow.errors import OperationalError
from outgrow.nodes import drive
from outgrow.runtime.sagas import leases as module
from outgrow.runtime.sagas.leases import Hold, Leases
from outgrow.transactions.saga import Fenced


class Ledger:
    """Answers late, and says who has which saga."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.kept: dict[UUID, bool] = {UUID(int=1): True}
        self.sequences = self
        self.picture = SimpleNamespace(domain=SimpleNamespace(home=SimpleNamespace(name="s1")))

    def on_primary_steps(self, shard: str, ask: Any, until: float) -> Any:
        time.sleep(self.seconds.pop(0))
        return self.kept, None
        yield


def sure(ledger: Any) -> Hold:
    hold = Hold(UUID(int=1), 1, 0.2, monotonic() - 1)
    drive(Leases(ledger, "me").sure_steps(hold))
    return hold


def test_an_answer_in_time() -> None:
    assert sure(Ledger(0.0)).sure
    assert sure(Ledger(0.3, 0.0)).sure


def test_answers_that_are_all_late() -> None:
    with pytest.raises(OperationalError) as late:
        sure(Ledger(0.3, 0.3))
    assert late.value.code == "OG-TX-058"


@pytest.mark.parametrize("kept", [{}, {UUID(int=1): False}])
def test_what_was_taken_or_aborted(kept: dict[UUID, bool]) -> None:
    ledger = Ledger(0.0)
    ledger.kept = kept
    hold = Hold(UUID(int=1), 1, 0.2, monotonic() - 1)
    with pytest.raises(Fenced):
        drive(Leases(ledger, "me").sure_steps(hold))  # type: ignore[arg-type]
    assert hold.lost and hold.gone == (not kept)
    # What was aborted is kept while its step is under way, and no longer.
    assert not hold.renewed
    hold.at_work = True
    assert hold.renewed == bool(kept)


def test_many_are_renewed_in_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """With whoever writes checkpoints of many: they would wait for each other crosswise."""
    asked: list[Any] = []
    monkeypatch.setattr(module.ledger, "keep_sagas_steps", lambda link, held, holder: asked.extend(held))

    class Asked(Ledger):
        def on_primary_steps(self, shard: str, ask: Any, until: float) -> Any:
            ask(None)
            return (yield from super().on_primary_steps(shard, ask, until))

    held = [Hold(UUID(int=number), 1, 0.2, monotonic()) for number in (3, 1, 2)]
    ledger: Any = Asked(0.0)
    drive(Leases(ledger, "me")._keep_steps(held, monotonic() + 1.0))
    assert [id.int for id, _, _ in asked] == [1, 2, 3]
    assert [hold.lost for hold in held] == [True, False, True]
