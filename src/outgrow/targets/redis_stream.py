"""Redis Streams: each batch is one MULTI … EXEC of XADDs, so that it is appended whole and in order.

An entry has the message's headers as fields (`outgrow-id`, `outgrow-topic`, …), and its payload as `body`.  Redis
answers for what it has: how much a crash of it loses is its own setting (`appendfsync always`, `WAIT`, …).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.errors import ConfigurationError
from outgrow.transactions.outbox import UNTRIED, Message, Refused, Unavailable, Verdict, carried, received

if TYPE_CHECKING:
    import redis

_BODY = "body"


class RedisStream:
    """`url` as redis-py takes it; the stream is called like the topic, unless it is named.

    `maxlen`: the stream keeps about so many entries, the latest; without it, all.
    """

    def __init__(
        self, url: str, stream: str | None = None, *, maxlen: int | None = None, timeout_seconds: float = 10.0
    ) -> None:
        _library()
        self._url = url
        self._stream = stream
        self._maxlen = maxlen
        self._timeout_seconds = timeout_seconds
        self._connecting = threading.Lock()
        self._client: redis.Redis | None = None

    def deliver(self, messages: Sequence[Message]) -> Sequence[Verdict]:
        library = _library()
        try:
            client = self._connected(library)
            try:
                self._append(client, messages)
                return [None] * len(messages)
            except library.exceptions.ResponseError as error:
                if not _of_one_message(error):
                    raise
            # One of them is refused, and with it all: find out which.
            return self._one_by_one(client, messages, library)
        except library.exceptions.RedisError as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    def _one_by_one(self, client: redis.Redis, messages: Sequence[Message], library: Any) -> list[Verdict]:
        verdicts: list[Verdict] = []
        refused: set[tuple[str, str]] = set()
        for message in messages:
            if message.lane in refused:
                verdicts.append(UNTRIED)
                continue
            try:
                self._append(client, [message])
                verdicts.append(None)
            except library.exceptions.ResponseError as error:
                if not _of_one_message(error):
                    raise Unavailable(str(error), [*verdicts, *[UNTRIED] * (len(messages) - len(verdicts))]) from error
                refused.add(message.lane)
                verdicts.append(Refused(str(error)))
        return verdicts

    def _append(self, client: redis.Redis, messages: Sequence[Message]) -> None:
        pipeline = client.pipeline(transaction=True)
        for message in messages:
            fields: dict[Any, Any] = {**carried(message), _BODY: message.body}
            pipeline.xadd(self._stream or message.topic, fields, maxlen=self._maxlen, approximate=True)
        pipeline.execute()

    def _connected(self, library: Any) -> redis.Redis:
        with self._connecting:
            if self._client is None:
                limit = self._timeout_seconds
                self._client = library.Redis.from_url(self._url, socket_timeout=limit, socket_connect_timeout=limit)
            found: redis.Redis = self._client
            return found

    def close(self) -> None:
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None

    @staticmethod
    def read(fields: Mapping[Any, Any]) -> Message:
        """The message of a stream's entry, for whoever consumes it; fields as bytes or text."""
        said = {_text(name): value for name, value in fields.items()}
        body = said.pop(_BODY, b"")
        headers = {name: _text(value) for name, value in said.items()}
        return received(headers, body.encode() if isinstance(body, str) else bytes(body))


def _of_one_message(error: Exception) -> bool:
    """Whether the server found fault with what it was given, and not with itself (no memory, read-only, no rights)."""
    word = str(error).rpartition("caused error: ")[2].partition(" ")[0]
    # redis-py has classes for some codes, leaves others standing, and takes ERR off.
    return type(error).__name__ == "ResponseError" and (word == "ERR" or not word.isupper())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _library() -> Any:
    try:
        import redis
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "OG-TARGET-001", "delivering to Redis needs redis-py, which is missing", cure="pip install 'outgrow[redis]'"
        ) from error
    return redis
