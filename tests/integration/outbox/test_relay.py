"""Relays with functions as targets: everything is delivered, each key in order, whatever fails in between."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from outgrow import Fleet
from outgrow.transactions.outbox import Message
from tests.integration.outbox.conftest import eventually, relaying
from tests.servers import Servers


def left(fleet: Fleet) -> int:
    return sum(lag.waiting for lag in fleet.outbox().lag())


def test_run_once_delivers_what_waits(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[Message] = []
    with fleet.session() as session:
        ids = [session.emit("orders", {"n": n}, key=keys[n % 2], headers={"n": str(n)}) for n in range(20)]
        other = session.emit("others", b"\x00")
    done = fleet.relay({"orders": got.append}, batch=7).run_once()
    assert done.delivered == {"orders": 20} and not done.waiting
    assert {message.id for message in got} == set(ids)
    for key in keys:
        assert [m.payload["n"] for m in got if m.key == key] == list(range(key == keys[1], 20, 2))
    first = min(got, key=lambda message: message.payload["n"])
    assert first.headers == {"n": "0"} and first.topic == "orders" and first.emitted_at is not None
    (lag,) = fleet.outbox().lag()
    assert (lag.topic, lag.waiting, lag.blocked_keys) == ("others", 1, 0) and lag.oldest_seconds > 0
    assert fleet.relay({"others": got.append}).run_once().delivered == {"others": 1}
    assert got[-1].id == other and got[-1].payload == b"\x00" and got[-1].key is None
    assert fleet.outbox().lag() == ()


def test_a_running_relay_is_woken(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: dict[int, float] = {}

    def take(message: Message) -> None:
        got[message.payload] = time.monotonic()

    sent: dict[int, float] = {}
    with relaying(fleet, {"orders": take}, poll_seconds=30.0) as relay, fleet.session() as session:
        eventually(lambda: len(relay.now.serving) == 2)
        # Long enough for it to sleep.
        time.sleep(1.0)
        for n in range(10):
            session.emit("orders", n, key=keys[n % 2])
            sent[n] = time.monotonic()
            time.sleep(0.2)
        with session.transaction():
            session.emit("orders", 10, key=keys[0])
            session.emit("orders", 11, key=keys[1])
        sent[10] = sent[11] = time.monotonic()
        eventually(lambda: len(got) == 12)
    late = sorted(got[n] - sent[n] for n in sent)
    assert late[-1] < 5.0, late


def test_a_refused_message_holds_up_its_own_key_alone(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[int] = []
    bad = {3}

    def take(message: Message) -> None:
        if message.payload in bad:
            raise ValueError(f"no {message.payload}")
        got.append(message.payload)

    with fleet.session() as session:
        for n in range(12):
            session.emit("orders", n, key=[keys[0], 10**6, 10**7][n % 3])
    relay = fleet.relay({"orders": take})
    done = relay.run_once()
    # 3, 6 and 9 are of one key.
    assert sorted(got) == [0, 1, 2, 4, 5, 7, 8, 10, 11] and done.refused == {"orders": 1}
    (blocked,) = fleet.outbox().blocked("orders")
    assert blocked.key == str(keys[0]) and blocked.attempts == 1 and "no 3" in blocked.last_error
    assert blocked.next_seconds > 0.2
    assert sum(lag.blocked_keys for lag in fleet.outbox().lag()) == 1 and left(fleet) == 3
    # Its others come behind it, and others go on meanwhile.
    with fleet.session() as session:
        session.emit("orders", 12, key=keys[0])
        session.emit("orders", 13, key=10**6)
    fleet.relay({"orders": take}).run_once()
    assert got[-1] == 13
    bad.clear()
    assert fleet.outbox().retry("orders") == 1
    fleet.relay({"orders": take}).run_once()
    assert got[-4:] == [3, 6, 9, 12] and fleet.outbox().lag() == ()


def test_a_running_relay_takes_a_key_up_again(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[int] = []
    bad = {0}

    def take(message: Message) -> None:
        if message.payload in bad:
            raise ValueError
        got.append(message.payload)

    with relaying(fleet, {"orders": take}, batch=3), fleet.session() as session:
        for n in range(10):
            session.emit("orders", n, key=keys[0])
        eventually(lambda: fleet.outbox().blocked())
        for n in range(10, 13):
            session.emit("orders", n, key=keys[1])
        eventually(lambda: got == [10, 11, 12])
        time.sleep(0.5)
        bad.clear()
        for n in range(13, 20):
            session.emit("orders", n, key=keys[0])
        eventually(lambda: left(fleet) == 0)
        assert [n for n in got if n < 10 or n > 12] == [*range(10), *range(13, 20)]
        # And the key is one like all others again.
        session.emit("orders", 20, key=keys[0])
        eventually(lambda: got[-1] == 20)
        eventually(lambda: not fleet.outbox().blocked())


def test_dropping_goes_on_with_the_rest(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[int] = []

    def take(message: Message) -> None:
        if message.payload == 0:
            raise ValueError
        got.append(message.payload)

    with relaying(fleet, {"orders": take}), fleet.session() as session:
        ids = [session.emit("orders", n, key=keys[0]) for n in range(3)]
        eventually(lambda: fleet.outbox().blocked())
        assert fleet.outbox().blocked()[0].id == ids[0]
        assert fleet.outbox().drop(ids[0]) == "orders" and fleet.outbox().drop(ids[0]) is None
        eventually(lambda: got == [1, 2])
        session.emit("orders", 3, key=keys[0])
        eventually(lambda: got == [1, 2, 3])


def test_a_target_that_is_down_is_left_alone_and_catches_up(fleet: Fleet) -> None:
    got: list[int] = []
    calls: list[float] = []
    up = threading.Event()

    def take(message: Message) -> None:
        calls.append(time.monotonic())
        if not up.is_set():
            raise ConnectionError("down")
        got.append(message.payload)

    with relaying(fleet, {"orders": take}) as relay, fleet.session() as session:
        for n in range(200):
            session.emit("orders", n, key=n % 50)
        eventually(lambda: len(calls) >= 10)
        before, began = len(calls), time.monotonic()
        for n in range(200, 300):
            session.emit("orders", n, key=n % 50)
        time.sleep(3.0)
        # Whatever waits and comes, the target is asked less and less often.
        assert len(calls) - before <= 2 * (time.monotonic() - began) + 10, (before, len(calls))
        assert got == []
        up.set()
        eventually(lambda: len(got) == 300, 30)
        eventually(lambda: not relay.now.waiting)
    for key in range(50):
        assert [n for n in got if n % 50 == key] == list(range(key, 300, 50))


def test_two_relays_deliver_once_and_the_second_takes_over(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[tuple[str, int]] = []
    with fleet.session() as session, relaying(fleet, {"orders": lambda m: got.append(("first", m.payload))}) as first:
        eventually(lambda: len(first.now.serving) == 2)
        with relaying(fleet, {"orders": lambda m: got.append(("second", m.payload))}) as second:
            eventually(lambda: len(second.now.waiting) == 2)
            for n in range(20):
                session.emit("orders", n, key=keys[n % 2])
            eventually(lambda: len(got) == 20)
            assert {who for who, _ in got} == {"first"}
            first.stop()
            eventually(lambda: len(second.now.serving) == 2)
            for n in range(20, 40):
                session.emit("orders", n, key=keys[n % 2])
            eventually(lambda: len(got) == 40)
    assert {who for who, n in got if n >= 20} == {"second"}
    assert sorted(n for _, n in got) == list(range(40))


def test_asyncio_and_coroutine_functions(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[int] = []

    async def take(message: Message) -> None:
        await asyncio.sleep(0)
        got.append(message.payload)

    async def run() -> Any:
        relay = fleet.relay({"orders": take}, workers=4)
        async with fleet.async_session() as session:
            for n in range(10):
                await session.emit("orders", n, key=keys[n % 2])
        assert (await relay.run_once_async()).delivered == {"orders": 10}
        task = asyncio.create_task(relay.run_async())
        async with fleet.async_session() as session:
            await session.emit("orders", 10, key=keys[0])
        for _ in range(500):
            if len(got) == 11:
                break
            await asyncio.sleep(0.01)
        relay.stop()
        return await asyncio.wait_for(task, 10)

    assert asyncio.run(run()).delivered == {"orders": 11}
    # And from a thread without a loop.
    with fleet.session() as session:
        session.emit("orders", 11)
    fleet.relay({"orders": take}).run_once()
    assert sorted(got) == list(range(12))


@pytest.mark.parametrize("workers", [1, 4])
def test_order_of_each_key_with_many_writers(fleet: Fleet, fleet_servers: Servers, workers: int) -> None:
    """Each writer reads a counter's row under its lock, so that the order of commits is known."""
    with fleet.session() as session:
        session.execute("INSERT INTO orders SELECT k, 0 FROM generate_series(1, 6) AS k")
    got: dict[Any, list[int]] = {}
    lock = threading.Lock()

    def take(message: Message) -> None:
        with lock:
            got.setdefault(message.key, []).append(message.payload)

    def write(number: int) -> None:
        with fleet.session() as session:
            for n in range(25):
                key = (number + n) % 6 + 1
                with session.transaction():
                    sql = "UPDATE orders SET id = id + 1 WHERE customer = %s RETURNING id"
                    ((count,),) = session.execute(sql, [key]).fetchall()
                    session.emit("orders", count, key=key)

    with relaying(fleet, {"orders": take}, batch=5, workers=workers):
        writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        eventually(lambda: left(fleet) == 0)
    assert got == {key: list(range(1, 26)) for key in range(1, 7)}


def test_reads_begin_behind_what_is_deleted(fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]) -> None:
    """Also where somebody's snapshot keeps the dead rows; and what a slow transaction commits late is found."""
    got: list[int] = []
    primary = fleet.topology.domains[0].shards[0].primary
    slow = fleet.session()
    with relaying(fleet, {"orders": lambda m: got.append(m.payload)}, poll_seconds=0.1) as relay, slow:
        (lane,) = (lane for keeper, lane in eventually_lanes(relay) if keeper.shard == "s1")
        slow.execute("BEGIN")
        slow.emit("orders", -1, key=keys[0])
        with fleet.session() as session:
            for n in range(50):
                session.emit("orders", n)
        eventually(lambda: len(got) == 50)
        time.sleep(0.5)
        ((slow_one,),) = fleet_servers.sql(primary, "SELECT min(number) FROM outgrow.outbox") or [(None,)]
        assert slow_one is None and lane._floor.number == 0
        slow.execute("COMMIT")
        eventually(lambda: got[-1] == -1)
        ((drawn,),) = fleet_servers.sql(primary, "SELECT last_value FROM outgrow.outbox_number")
        eventually(lambda: lane._floor.number == drawn)


def eventually_lanes(relay: Any) -> Any:
    eventually(lambda: len(relay.now.serving) == 2)
    return relay._lanes
