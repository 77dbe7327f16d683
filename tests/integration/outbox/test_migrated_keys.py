"""A key of a directory migrates, and takes along what waits of it and what was seen of it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from outgrow import Fleet
from outgrow.runtime.directories import migrating
from outgrow.transactions.outbox import Message
from tests.integration.keyspace.directory_world import made, opened, topology_of
from tests.integration.outbox.conftest import eventually, relaying
from tests.servers import Servers


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    with topology_of(fleet_servers) as topology, opened(topology, install=True) as found:
        made(found, ("CREATE TABLE t (id int8 PRIMARY KEY, v int8)",))
        with found.session() as session:
            session.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
        yield found


def left(fleet: Fleet) -> dict[str, int]:
    return {lag.shard: lag.waiting for lag in fleet.outbox().lag()}


def test_messages_and_what_was_seen_go_along(fleet: Fleet) -> None:
    seen = Message(uuid.UUID(int=1), "in", 1, "json", b"1")
    got: list[int] = []
    with fleet.session() as session:
        for n in range(5):
            session.emit("t", n, key=1)
        session.emit("t", 100, key=2)
        with session.transaction():
            assert session.once(seen)
        assert left(fleet) == {"s1": 6}
        migrated = fleet.directory().migrate(1, "s2", type="int8")
        assert migrated.rows == {"t": 1, "outgrow.outbox": 5, "outgrow.inbox": 1}
        assert left(fleet) == {"s1": 1, "s2": 5}
        session.emit("t", 5, key=1)
        with session.transaction():
            assert not session.once(seen)
    fleet.relay({"t": lambda message: got.append(message.payload)}).run_once()
    assert [n for n in got if n < 100] == [0, 1, 2, 3, 4, 5]
    assert fleet.directory().migrate(1, "s1", type="int8").rows == {"t": 1, "outgrow.inbox": 1}


def test_order_holds_while_a_key_goes_to_and_fro(fleet: Fleet) -> None:
    """Nothing is lost, and each message comes behind those of its key that were committed before it."""
    got: list[tuple[uuid.UUID, int]] = []
    stop = threading.Event()
    counts = [0]

    def take(message: Message) -> None:
        time.sleep(0.001)
        got.append((message.id, message.payload))

    def write() -> None:
        with fleet.session() as session:
            while not stop.is_set():
                with session.transaction():
                    sql = "UPDATE t SET v = v + 1 WHERE id = 1 RETURNING v"
                    ((count,),) = session.execute(sql).fetchall()
                    session.emit("t", count, key=1)
                counts[0] = count

    with relaying(fleet, {"t": take}, batch=3):
        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        for turn in range(8):
            fleet.directory().migrate(1, "s2" if turn % 2 == 0 else "s1", type="int8")
            time.sleep(0.15)
        stop.set()
        for writer in writers:
            writer.join()
        eventually(lambda: left(fleet) == {})
    first: dict[uuid.UUID, int] = {}
    for id, payload in got:
        first.setdefault(id, payload)
    assert list(first.values()) == list(range(1, len(first) + 1)) and len(first) >= counts[0] > 20


def test_without_taking_them_along_the_order_breaks(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The protection switched off: what was emitted before comes behind what was emitted after."""
    monkeypatch.setattr(migrating, "messages", lambda *_: [])
    got: list[int] = []
    with fleet.session() as session:
        session.emit("t", 0, key=1)
        fleet.directory().migrate(1, "s2", type="int8")
        session.emit("t", 1, key=1)
    with relaying(
        fleet, {"t": lambda message: (time.sleep(0.2 * (message.shard == "s1")), got.append(message.payload))}
    ):
        eventually(lambda: len(got) == 2)
    assert got == [1, 0]
