"""NATS JetStream: published with `Nats-Msg-Id`, a message counts as delivered when the stream has acknowledged it.

Keys go at once, each key's messages one behind the other's acknowledgement.  The stream must be there; within its
duplicate window it drops what is delivered again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from outgrow.errors import ConfigurationError
from outgrow.transactions.outbox import Message, Refused, Unavailable, Verdict, carried, chains, none_of, received

#: Acknowledgements that are waited for at once.
_UNDER_WAY = 256


class JetStream:
    """`url` as nats-py takes it, or several; the subject is the topic's name, behind `prefix`."""

    def __init__(self, url: str | Sequence[str], *, prefix: str = "", timeout_seconds: float = 10.0) -> None:
        _library()
        self._servers = [url] if isinstance(url, str) else list(url)
        self._prefix = prefix
        self._timeout_seconds = timeout_seconds
        self._client: Any = None
        self._connecting: asyncio.Lock | None = None

    async def deliver(self, messages: Sequence[Message]) -> Sequence[Verdict]:
        library = _library()
        verdicts = none_of(messages)
        try:
            stream = (await self._connected(library)).jetstream(timeout=self._timeout_seconds)
        except (OSError, TimeoutError, library.errors.Error) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        few = asyncio.Semaphore(_UNDER_WAY)
        gone: list[str] = []

        async def go_through(chain: Sequence[int]) -> None:
            for at in chain:
                async with few:
                    if gone:
                        return
                    verdict = await self._published(library, stream, messages[at], gone)
                if gone:
                    return
                verdicts[at] = verdict
                if verdict is not None:
                    return

        await asyncio.gather(*(go_through(chain) for chain in chains(messages)))
        if gone:
            raise Unavailable(gone[0], verdicts)
        return verdicts

    async def _published(self, library: Any, stream: Any, message: Message, gone: list[str]) -> Verdict:
        headers = {**carried(message), "Nats-Msg-Id": str(message.id)}
        try:
            await stream.publish(self._prefix + message.topic, message.body, headers=headers)
        except library.js.errors.NoStreamResponseError:
            gone.append(f"no stream takes the subject {self._prefix}{message.topic}")
        except library.js.errors.APIError as error:
            if _of_one_message(error):
                return Refused(str(error))
            gone.append(str(error))
        except library.errors.MaxPayloadError as error:
            return Refused(f"{type(error).__name__}: {error}")
        except (OSError, TimeoutError, library.errors.Error) as error:
            gone.append(f"{type(error).__name__}: {error}")
        return None

    async def _connected(self, library: Any) -> Any:
        # Lanes of several shards come at once; a loop that has ended takes its connection along.
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._client is None or not self._client.is_connected:
                await self._leave()
                self._client = await asyncio.wait_for(
                    library.connect(servers=self._servers, allow_reconnect=False, error_cb=_nothing),
                    self._timeout_seconds,
                )
            return self._client

    async def close(self) -> None:
        self._connecting = None
        await self._leave()

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None and not client.is_closed:
            with contextlib.suppress(Exception):
                await client.close()

    @staticmethod
    def read(headers: Mapping[str, str] | None, data: bytes) -> Message:
        """The message that a subscriber was given: `JetStream.read(msg.headers, msg.data)`."""
        others = {name: value for name, value in (headers or {}).items() if not name.lower().startswith("nats-")}
        return received(others, data)


def _of_one_message(error: Any) -> bool:
    """Too large for the stream; everything else concerns all."""
    return getattr(error, "err_code", None) == 10054


async def _nothing(error: Exception) -> None:
    """What nats-py would log; whoever publishes is told by exceptions."""


def _library() -> Any:
    try:
        import nats
        import nats.errors
        import nats.js.errors
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "OG-TARGET-002", "delivering to NATS needs nats-py, which is missing", cure="pip install 'outgrow[nats]'"
        ) from error
    return nats
