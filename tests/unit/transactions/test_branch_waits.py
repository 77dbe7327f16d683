"""A branch's statement that is interrupted in its wait, or loses its connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from outgrow.errors import NodeLost, OperationalError
from outgrow.nodes import drive
from outgrow.runtime.transaction import waiting
from outgrow.runtime.transaction.branches import Transaction
from outgrow.waits import READ, Socket, Steps


def test_who_gives_up_waits_for_its_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look is overdue by then; it must not break the wait off once more."""

    def look_steps() -> Steps[bool]:
        yield from ()
        raise OperationalError("OG-TX-063", "a deadlock", cure="again", sqlstate="40P01")

    def statement_steps() -> Steps[str]:
        try:
            yield Socket(7, READ, None)
        except OperationalError:
            answer = yield Socket(7, READ, None)
            assert answer == "cancelled", "the wait for the cancellation was broken off"
            raise
        return "done"

    monkeypatch.setattr(waiting, "LOOK_SECONDS", -1.0)
    steps = waiting._looking_steps(statement_steps(), look_steps)
    assert steps.send(None).until is not None
    # Nothing came before the look was due: the look says who gives up, and the statement waits for its end.
    wait = steps.send({})
    assert wait == Socket(7, READ, None)
    with pytest.raises(OperationalError) as caught:
        # The first answer to that is none yet, as it is where the server takes its time.
        steps.send("cancelled")
    assert caught.value.code == "OG-TX-063"


def test_a_link_lost_before_anything_ran_is_replaced_wherever_the_edition_is_asked() -> None:
    """What a reader of snapshots has put ahead of the first branch is not ahead of the second."""
    lost, sent = NodeLost("OG-NODE-003", "gone", cure="wait"), []

    def link(works: bool) -> Any:
        def run_many_steps(asked: Any, **_: Any) -> Any:
            yield from ()
            if not works:
                raise lost
            sent.extend(sql for sql, _ in asked)
            raise KeyboardInterrupt

        return SimpleNamespace(run_many_steps=run_many_steps, node=None, pooled=False, broken=False)

    def branch(works: bool, ahead: list[Any], at: int) -> Any:
        return SimpleNamespace(
            shard="s1", link=link(works), ahead=ahead, edition_at=at, fresh=True, attended=True, node=None
        )

    pool = SimpleNamespace(give=lambda link: None)
    state: Any = SimpleNamespace(nodes=SimpleNamespace(pool=lambda node: pool), survey_steps=lambda *_: iter(()))
    transaction = Transaction(state, "BEGIN", (), {})
    expected = ("check", [7])
    before = [("BEGIN", None), ("await", None), ("COMMIT", None)]
    transaction.branches["s1"] = branch(False, [*before, ("BEGIN", None), ("hold", None), expected], 5)

    def open_steps(shard: str, until: float | None) -> Steps[None]:
        yield from ()
        transaction.branches[shard] = branch(True, [("BEGIN", None), ("hold", None), ("ask", None)], 2)

    transaction._open_steps = open_steps  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        drive(transaction.ask_steps("s1", [("SELECT 1", None)], None))
    assert sent == ["BEGIN", "hold", "check", "SELECT 1"]
