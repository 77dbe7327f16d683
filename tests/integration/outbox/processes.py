"""Relays and writers in processes of their own, which are killed in the middle."""

from __future__ import annotations

import itertools
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import outgrow
from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.topology import Topology
from outgrow.transactions.outbox import Message
from tests.integration.transactions.coordinators import held_steps

#: What a consumer does about a message: exactly once, it says.
DONE = "INSERT INTO done VALUES (%s, %s)"


def consume(fleet: Fleet, message: Message) -> None:
    """With what was seen in the transaction."""
    with fleet.session() as session, session.transaction():
        if session.once(message):
            session.execute(DONE, [message.key, message.payload])


def killed_relay(topology: Topology, log: Path, at: int, end: Connection) -> None:
    """In the child: write down each message that comes, and do something about it; at message `at` it is killed."""
    count = itertools.count(1)
    with outgrow.open(topology) as fleet, log.open("a") as said:

        def take(message: Message) -> None:
            number = next(count)
            consume(fleet, message)
            said.write(f"{message.id} {message.key} {message.payload}\n")
            said.flush()
            if number == at:
                os.kill(os.getpid(), signal.SIGKILL)

        fleet.relay({"orders": take}, batch=8).run_once()
    end.send("done")


def killed_writer(topology: Topology, keys: tuple[int, int], number: int, waits: int, end: Connection) -> None:
    """In the child: a row and a message on each shard; killed before the given wait of the commit."""
    with outgrow.open(topology) as fleet, fleet.session() as session:
        session.execute("BEGIN")
        for key in keys:
            session.execute("INSERT INTO orders VALUES (%s, %s)", [key, number])
            session.emit("orders", number, key=key)

        def kill() -> None:
            # What it waits for has been sent.
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)

        past = itertools.count().__next__
        drive(held_steps(session._conversation.commit_steps(), lambda: past() == waits, kill))
    end.send("committed")
