"""What a target adds to a message's headers is not overridden by them, also where they are older than their refusal."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import nats

from outgrow.targets import JetStream, RedisStream
from outgrow.transactions.outbox import Message

MESSAGE = Message(
    uuid.UUID(int=7), "orders", None, "bytes", b"right", {"Nats-Msg-Id": "always the same", "body": "wrong"}
)


def test_the_id_that_a_stream_drops_doubles_by() -> None:
    published: list[Any] = []

    class Stream:
        async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
            published.append(headers)

    target = JetStream("nats://localhost:1")
    assert asyncio.run(target._published(nats, Stream(), MESSAGE, [])) is None
    assert published[0]["Nats-Msg-Id"] == str(MESSAGE.id)


def test_the_payload_of_an_entry() -> None:
    added: list[dict[Any, Any]] = []

    class Pipeline:
        def xadd(self, name: str, fields: dict[Any, Any], **_: Any) -> None:
            added.append(fields)

        def execute(self) -> None: ...

    class Client:
        def pipeline(self, transaction: bool) -> Pipeline:
            return Pipeline()

    client: Any = Client()
    RedisStream("redis://localhost:1")._append(client, [MESSAGE])
    assert RedisStream.read(added[0]).body == b"right"
