"""Coordinators that can be stopped in the middle: a process of its own that says when it has got somewhere."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection
from typing import Any

import outgrow
from outgrow.nodes import drive
from outgrow.topology import Topology
from outgrow.waits import Steps

UPDATE = "UPDATE accounts SET amount = amount + %s WHERE account = %s"


def held_steps(steps: Steps[Any], here: Callable[[], bool], hold: Callable[[], None]) -> Steps[Any]:
    """`steps`, but before the first wait at which it is `here` (what it waits for has been sent) `hold` is called."""
    wait = steps.send(None)
    held = False
    while True:
        if not held and here():
            held = True
            hold()
        ready = yield wait
        try:
            wait = steps.send(ready)
        except StopIteration as stop:
            return stop.value


def _transfer(topology: Topology, keys: tuple[int, int], waits: int, pause_seconds: float, end: Connection) -> None:
    """In the child: one transfer; stops before the given wait of its commit, tells how it ended, and stays."""
    with outgrow.open(topology) as fleet, fleet.session() as session:
        session.execute("BEGIN")
        session.execute(UPDATE, [-1, keys[0]])
        session.execute(UPDATE, [1, keys[1]])

        def hold() -> None:
            time.sleep(pause_seconds)
            end.send("held")
            os.kill(os.getpid(), signal.SIGSTOP)

        try:
            past = itertools.count().__next__
            drive(held_steps(session._conversation.commit_steps(), lambda: past() == waits, hold))
            end.send(f"committed {session.last_transaction}")
        except outgrow.Error as error:
            end.send(error.code)
        signal.pause()


@contextmanager
def child(work: Callable[..., None], *told: Any) -> Iterator[tuple[int, Connection]]:
    """(pid, what it says) of a process that does `work(*told, its end of a pipe)`; killed at the end."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(*told, theirs), daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        yield process.pid, ours
    finally:
        process.kill()
        process.join()


def transfer(
    topology: Topology, keys: tuple[int, int], waits: int, *, pause_seconds: float = 0.0
) -> AbstractContextManager[tuple[int, Connection]]:
    """(pid, what it says): "held" once it stands still, or how its commit ended; killed at the end.

    A link with a thread of its own has sent nothing yet when it begins to wait: `pause_seconds` lets it.
    """
    return child(_transfer, topology, keys, waits, pause_seconds)
