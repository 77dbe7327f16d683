"""Redis Streams and NATS JetStream as targets: real servers, killed, stopped and started again."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from outgrow import Fleet
from outgrow.targets import JetStream, RedisStream, target_at
from outgrow.transactions.outbox import Message
from tests import brokers
from tests.brokers import Broker
from tests.integration.outbox.conftest import eventually, relaying

KEYS = 6


class Redis:
    """What tests do with a Redis."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def target(self) -> RedisStream:
        return RedisStream(self.broker.url, timeout_seconds=2.0)

    def messages(self) -> list[Message]:
        import redis

        with redis.Redis.from_url(self.broker.url) as client:
            entries: Any = client.xrange("orders")
            return [RedisStream.read(fields) for _, fields in entries]


class Nats:
    """What tests do with a NATS: its stream drops what it has already."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        asyncio.run(self._made())

    async def _made(self) -> None:
        import nats

        client = await nats.connect(self.broker.url)
        await client.jetstream().add_stream(name="all", subjects=["orders"])
        await client.close()

    def target(self) -> JetStream:
        return JetStream(self.broker.url, timeout_seconds=2.0)

    def messages(self) -> list[Message]:
        return asyncio.run(self._messages())

    async def _messages(self) -> list[Message]:
        import nats

        client = await nats.connect(self.broker.url)
        try:
            stream = client.jetstream()
            count = (await stream.stream_info("all")).state.messages
            subscription = await stream.subscribe("orders", ordered_consumer=True)
            found = [await subscription.next_msg(timeout=5) for _ in range(count)]
            return [JetStream.read(each.headers, each.data) for each in found]
        finally:
            await client.close()


@contextmanager
def _brokers(kind: str) -> Iterator[Redis | Nats]:
    with brokers.redis_server() if kind == "redis" else brokers.nats_server() as broker:
        yield Redis(broker) if kind == "redis" else Nats(broker)


@pytest.fixture(params=["redis", "nats"])
def broker(request: pytest.FixtureRequest) -> Iterator[Redis | Nats]:
    with _brokers(request.param) as found:
        yield found


def first_ones(messages: list[Message]) -> dict[Any, list[Any]]:
    """Key → payloads in order, each message's first delivery."""
    seen: set[Any] = set()
    found: dict[Any, list[Any]] = {}
    for message in messages:
        if message.id not in seen:
            seen.add(message.id)
            found.setdefault(message.key, []).append(message.payload)
    return found


def write(fleet: Fleet, count: int, start: int = 0) -> None:
    with fleet.session() as session:
        for n in range(start, start + count):
            session.emit("orders", n, key=n % KEYS)


def expected(count: int) -> dict[Any, list[Any]]:
    return {key: list(range(key, count, KEYS)) for key in range(KEYS)}


def left(fleet: Fleet) -> int:
    return sum(lag.waiting for lag in fleet.outbox().lag())


def test_what_is_emitted_arrives_in_order_and_whole(fleet: Fleet, broker: Redis | Nats) -> None:
    write(fleet, 120)
    with fleet.session() as session:
        raw = session.emit("orders", b"\x00\xff", key="ä\u2028b", headers={"Trace-Id": "ü 1"})
    done = fleet.relay({"orders": broker.target()}, batch=50).run_once()
    assert done.delivered == {"orders": 121} and not done.waiting and left(fleet) == 0
    messages = broker.messages()
    assert len(messages) == 121
    (found,) = (message for message in messages if message.id == raw)
    assert (found.key, found.payload, dict(found.headers)) == ("ä\u2028b", b"\x00\xff", {"Trace-Id": "ü 1"})
    assert found.emitted_at is not None and found.number > 0 and found.shard in ("s1", "s2")
    assert first_ones([message for message in messages if message.id != raw]) == expected(120)


def test_many_writers_over_every_target(fleet: Fleet, broker: Redis | Nats) -> None:
    with fleet.session() as session:
        session.execute("INSERT INTO orders SELECT k, 0 FROM generate_series(1, 4) AS k")

    def one(number: int) -> None:
        with fleet.session() as session:
            for n in range(20):
                key = (number + n) % 4 + 1
                with session.transaction():
                    sql = "UPDATE orders SET id = id + 1 WHERE customer = %s RETURNING id"
                    ((count,),) = session.execute(sql, [key]).fetchall()
                    session.emit("orders", count, key=key)

    with relaying(fleet, {"orders": broker.target()}, batch=7):
        writers = [threading.Thread(target=one, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        eventually(lambda: left(fleet) == 0)
    messages = broker.messages()
    assert len(messages) == 80
    assert first_ones(messages) == {key: list(range(1, 21)) for key in range(1, 5)}


def test_a_broker_that_dies_and_comes_back_loses_nothing(fleet: Fleet, broker: Redis | Nats) -> None:
    with relaying(fleet, {"orders": broker.target()}, batch=10) as relay:
        write(fleet, 60)
        eventually(lambda: left(fleet) == 0)
        broker.broker.kill()
        write(fleet, 120, 60)
        eventually(lambda: relay.now.waiting)
        assert left(fleet) >= 120 and not fleet.outbox().blocked()
        broker.broker.start()
        eventually(lambda: left(fleet) == 0, 30)
        # Silent instead of gone.
        broker.broker.signal(signal.SIGSTOP)
        try:
            write(fleet, 60, 180)
            time.sleep(3.0)
            assert left(fleet) == 60
        finally:
            broker.broker.signal(signal.SIGCONT)
        eventually(lambda: left(fleet) == 0, 40)
    assert first_ones(broker.messages()) == expected(240)


def test_redis_without_memory_takes_nothing_and_then_everything(fleet: Fleet) -> None:
    redis = pytest.importorskip("redis")
    with _brokers("redis") as broker, redis.Redis.from_url(broker.broker.url) as client:
        client.config_set("maxmemory", 1)
        write(fleet, 30)
        with relaying(fleet, {"orders": broker.target()}) as relay:
            eventually(lambda: any("memory" in why for why in relay.now.waiting.values()))
            assert left(fleet) == 30 and not fleet.outbox().blocked()
            client.config_set("maxmemory", 0)
            eventually(lambda: left(fleet) == 0)
        assert first_ones(broker.messages()) == expected(30)


def test_a_message_that_is_too_large_holds_up_its_key(fleet: Fleet) -> None:
    with _brokers("nats") as broker, fleet.session() as session:
        session.emit("orders", "x" * 2_000_000, key=1)
        session.emit("orders", 1, key=1)
        session.emit("orders", 2, key=2)
        done = fleet.relay({"orders": broker.target()}).run_once()
        assert done.delivered == {"orders": 1} and done.refused == {"orders": 1}
        assert [message.payload for message in broker.messages()] == [2]
        (blocked,) = fleet.outbox().blocked()
        assert "payload" in blocked.last_error.lower() and blocked.id is not None
        fleet.outbox().drop(blocked.id)
        fleet.relay({"orders": broker.target()}).run_once()
        assert [message.payload for message in broker.messages()] == [2, 1]


def test_targets_by_address() -> None:
    pytest.importorskip("redis")
    pytest.importorskip("nats")
    assert isinstance(target_at("redis://localhost"), RedisStream)
    assert isinstance(target_at("nats://localhost"), JetStream)
