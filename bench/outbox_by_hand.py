"""The outbox as it is written by hand: a table, and a relay that polls it with SKIP LOCKED, one thread for each shard.

It is what most descriptions show, with what makes it quick: an index for the relay's query, deletions that do not wait
for the disk (as ours do not), and, as a second way, LISTEN instead of short sleeps.  It has no order of keys and no
claims; a message that fails fails its batch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

SETUP = """
CREATE TABLE IF NOT EXISTS outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
    topic text NOT NULL, key text NOT NULL, body bytea NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())
"""
INDEX = "CREATE INDEX IF NOT EXISTS outbox_next ON outbox (topic, number)"
EMIT = "INSERT INTO outbox (topic, key, body) VALUES (%s, %s, %s)"
TAKE = "SELECT number, id, key, body FROM outbox WHERE topic = %s ORDER BY number LIMIT %s FOR UPDATE SKIP LOCKED"
GONE = "DELETE FROM outbox WHERE number = ANY (%s)"
#: Behind the commit, as ours: in it, all commits would wait for each other.
CALL = "NOTIFY outbox"
#: A relay that listens looks by itself so often.
LOOK_SECONDS = 1.0

#: What is delivered: (key, body) of a batch.
Deliver = Callable[[Sequence[tuple[str, bytes]]], None]


def drain(connection: psycopg.Connection[Any], topic: str, batch: int, deliver: Deliver) -> bool:
    """One batch, in the transaction that keeps others from it; False where there was none."""
    with connection.transaction():
        rows = connection.execute(TAKE, [topic, batch]).fetchall()
        if not rows:
            return False
        deliver([(row[2], bytes(row[3])) for row in rows])
        connection.execute(GONE, [[row[0] for row in rows]])
    return True


class Relay:
    """Threads that look after `rest_seconds`, or (None) when they are called; `stop` ends them when nothing is left."""

    def __init__(
        self, addresses: Sequence[str], topic: str, batch: int, rest_seconds: float | None, deliver: Deliver
    ) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(address, topic, batch, rest_seconds, deliver))
            for address in addresses
        ]

    def _run(self, address: str, topic: str, batch: int, rest_seconds: float | None, deliver: Deliver) -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            if rest_seconds is None:
                connection.execute("LISTEN outbox")
            while True:
                stopping = self._stopping.is_set()
                if not drain(connection, topic, batch, deliver):
                    if stopping:
                        return
                    if rest_seconds is None:
                        list(connection.notifies(timeout=LOOK_SECONDS, stop_after=1))
                    else:
                        time.sleep(rest_seconds)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
