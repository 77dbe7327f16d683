"""The thread that recovers: what breaks one look does not end the looks, and nobody is left without it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from outgrow.runtime.background import Background
from outgrow.runtime.transaction import atomic, recovery
from outgrow.waits import Steps


def test_a_look_that_breaks_down_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    many = threading.Event()

    def recover_steps(state: Any) -> Steps[None]:
        yield from ()
        looks.append(state.name)
        if len(looks) >= 4:
            many.set()
        if state.name == "broken":
            raise OSError(24, "too many open files")

    monkeypatch.setattr(recovery, "_PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(atomic, "recover_steps", recover_steps)
    states: Any = [SimpleNamespace(name=name) for name in ("broken", "whole")]
    looking = recovery.Recovery(states)
    looking.ensure()
    try:
        assert many.wait(10)
    finally:
        looking.stop()
    assert looks[:4] == ["broken", "whole"] * 2


def test_a_thread_that_has_ended_is_started_again() -> None:
    started: list[int] = []

    def run(stop: threading.Event) -> None:
        started.append(1)

    background = Background("test", run)
    for times in (1, 2):
        background.ensure()
        assert background._thread is not None
        background._thread.join(10)
        assert len(started) == times
    background.stop()
    background.ensure()
    assert len(started) == 2
