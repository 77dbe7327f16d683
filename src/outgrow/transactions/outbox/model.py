"""A message: what an application emits with what its transaction does, and what a target is given."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from outgrow.errors import DataError

MessageKey = int | str | UUID | None

#: Of an index entry; and of a name that brokers take too.
_KEY_BYTES_MAX = 2000
_TOPIC_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Message:
    """One message.  Equal ids: the same message, delivered again."""

    id: UUID
    topic: str
    #: What is in order: messages of one topic with equal keys.
    key: MessageKey
    #: `json` or `bytes`, and the payload so.
    form: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The shard that it was written on, and its number there: greater ones of one key were committed later.
    shard: str = ""
    number: int = 0
    emitted_at: datetime | None = None
    #: How often it could not be delivered so far.
    attempts: int = 0
    #: See `lane`, where it is known already.
    stored: tuple[str, str] | None = field(default=None, repr=False, compare=False)

    @property
    def payload(self) -> Any:
        """As it was emitted: what JSON makes of it, or bytes."""
        return json.loads(self.body) if self.form == "json" else self.body

    @property
    def lane(self) -> tuple[str, str]:
        """What it is in order with: a message without a key stands for itself."""
        if self.stored is not None:
            return self.stored
        return stored_key(self.key) if self.key is not None else ("", str(self.id))


def stored_key(key: MessageKey) -> tuple[str, str]:
    """A key's family, as keyspace has it, and its text: one for keys that are equal, and for no others.

    Raises DataError OG-TX-081 for what cannot be one.
    """
    match key:
        case bool():
            pass
        case int() if -(2**63) <= key < 2**63:
            return "integer", str(int(key))
        case UUID():
            return "uuid", str(key)
        case str() if "\0" not in key and len(key.encode(errors="surrogatepass")) <= _KEY_BYTES_MAX and _utf8(key):
            # What an enumeration of texts is, not what it says of itself.
            return "text", str.__str__(key)
        case _:
            pass
    shown = repr(key)
    raise DataError(
        "OG-TX-081",
        f"{shown if len(shown) <= 60 else shown[:57] + '...'} ({type(key).__name__}) cannot be a message's key",
        cure="give an integer of 64 bits, a text of at most 2,000 bytes, or a uuid.UUID: what its rows are sharded by",
    )


def read_key(family: str, text: str) -> MessageKey:
    """The key that `stored_key` has written; None for a message without one."""
    match family:
        case "integer":
            return int(text)
        case "uuid":
            return UUID(text)
        case "text":
            return text
    return None


def encoded(payload: object) -> tuple[str, bytes]:
    """The payload's form and bytes.  Raises DataError OG-TX-082 for what JSON does not say exactly."""
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return "bytes", bytes(payload)
    try:
        _check_exact(payload)
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return "json", text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            "OG-TX-082",
            f"the payload of a message cannot be written as JSON: {error}",
            cure="pass what JSON has (None, bool, numbers, text, lists, dictionaries with text as keys), or bytes",
        ) from error


def _check_exact(payload: object) -> None:
    """JSON would make text of other keys, unasked."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            if not isinstance(key, str):
                raise TypeError(f"{key!r} is a key of a dictionary, and no text")
            _check_exact(value)
    elif isinstance(payload, (list, tuple)):
        for value in payload:
            _check_exact(value)
    elif isinstance(payload, float) and not math.isfinite(payload):
        raise ValueError(f"{payload} is no number of JSON's")


def checked_topic(topic: object) -> str:
    """Raises DataError OG-TX-080 for what cannot be a topic."""
    if isinstance(topic, str) and 0 < len(topic) <= _TOPIC_CHARACTERS_MAX and topic.isprintable() and _utf8(topic):
        return topic
    raise DataError(
        "OG-TX-080",
        f"{topic!r} is not a topic",
        cure=f"name it with 1 to {_TOPIC_CHARACTERS_MAX} printable characters, such as `orders` or `orders.paid`",
    )


def checked_headers(headers: Mapping[str, str] | None) -> str:
    """As JSON.  Raises DataError OG-TX-083 for what cannot travel as headers everywhere."""
    for name, value in (headers or {}).items():
        plain = isinstance(name, str) and isinstance(value, str) and _plain_header(name, value)
        if not plain or name.lower().startswith(("outgrow-", "nats-")) or name.lower() == "body":
            raise DataError(
                "OG-TX-083",
                f"{name!r}: {value!r} is not a header of a message",
                cure="give text by names of letters, digits, - and _; `body` and names that begin with outgrow- or "
                "nats- are taken, and a value has no line breaks",
            )
    return json.dumps(dict(headers or {}), ensure_ascii=False)


def _plain_header(name: str, value: str) -> bool:
    named = bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return named and _utf8(value) and not set(value) & {"\r", "\n", "\0"} and value == value.strip()


def _utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
