"""Who writes saga rows for others is interrupted anywhere: somebody else writes, and the interrupt is what is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from outgrow.ledger import SagaBegin, SagaCheckpoint
from outgrow.nodes import drive
from outgrow.runtime.sagas import writer as module
from outgrow.runtime.sagas.writer import Writer


def made(active: int = 1) -> Any:
    return Writer(SimpleNamespace(file=SimpleNamespace(engine="postgresql")), lambda: active)  # type: ignore[arg-type]


def begin(number: int) -> SagaBegin:
    return SagaBegin(UUID(int=number), "s", 1, f"k{number}", "null", "", 1, "me", 60.0, None)


def checkpoint(number: int) -> SagaCheckpoint:
    return SagaCheckpoint(UUID(int=number), 1, "running", 0, "running", 1, 0, None, None, False, None, None, None)


def test_rows_are_written_in_one_order() -> None:
    asked = made()._asked([checkpoint(2), begin(5), checkpoint(1), begin(4), checkpoint(3)])
    (_, begun), (_, checked) = asked
    assert begun[3] == '{"k4","k5"}'
    assert checked[0] == "{" + ",".join(str(UUID(int=number)) for number in (1, 2, 3)) + "}"


class Interrupting(list[Any]):
    """Ctrl-C where those who wait have been taken along, and nothing else is known of it yet."""

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        raise KeyboardInterrupt


def test_an_interrupt_where_others_are_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = made(3)
    waiting = [module._Waiting(begin(number)) for number in (1, 2)]
    steps = writer.write_steps(begin(0))
    steps.send(None)
    writer._waiting = Interrupting(waiting)
    with pytest.raises(KeyboardInterrupt):
        while True:
            steps.send(None)
    assert [one.answer.result(0) for one in waiting] == [module._Turn.AGAIN] * 2
    assert not writer._leaders


def test_an_interrupt_at_the_first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes next leads, at once."""
    writer = made()

    def interrupted(self: Writer, mine: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_lead_steps", interrupted)
        with pytest.raises(KeyboardInterrupt):
            drive(writer.write_steps(begin(0)))
    assert not writer._leaders

    def answered(self: Writer, rows: Any) -> Any:
        return [True] * len(rows)
        yield

    monkeypatch.setattr(Writer, "_answers_steps", answered)
    assert drive(writer.write_steps(begin(1))) is True


def test_the_turn_goes_to_one_who_still_waits() -> None:
    writer = made()
    gone, there = module._Waiting(begin(1)), module._Waiting(begin(2))
    gone.tell(module._Turn.AGAIN)
    leading = module._Waiting(begin(0))
    writer._leaders, writer._waiting = {leading}, [gone, there]
    writer._leave(leading)
    assert writer._leaders == {there} and there.answer.result(0) is module._Turn.LEAD
    writer._leave(there)
    assert not writer._leaders and not writer._waiting
