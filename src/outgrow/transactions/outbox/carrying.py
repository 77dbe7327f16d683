"""A message as brokers carry it: headers and a body, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from outgrow.errors import DataError
from outgrow.transactions.outbox.model import Message, read_key, stored_key

_PREFIX = "outgrow-"


def carried(message: Message) -> dict[str, str]:
    """Its headers and what else there is to say of it; the body goes by itself."""
    said = {
        **message.headers,
        f"{_PREFIX}id": str(message.id),
        f"{_PREFIX}topic": message.topic,
        f"{_PREFIX}form": message.form,
        f"{_PREFIX}shard": message.shard,
        f"{_PREFIX}number": str(message.number),
    }
    if message.key is not None:
        family, text = stored_key(message.key)
        said[f"{_PREFIX}family"] = family
        # Whatever is in it: brokers' headers are plain text.
        said[f"{_PREFIX}key"] = text.encode().hex() if family == "text" else text
    if message.emitted_at is not None:
        said[f"{_PREFIX}emitted-at"] = message.emitted_at.isoformat()
    return said


def received(headers: Mapping[str, str], body: bytes) -> Message:
    """The message that `carried` has said.  Raises DataError OG-TX-084 where it is none of ours."""
    own, others = {}, {}
    for name, value in headers.items():
        lower = name.lower()
        if lower.startswith(_PREFIX):
            own[lower.removeprefix(_PREFIX)] = value
        else:
            others[name] = value
    try:
        family = own.get("family", "")
        key = own.get("key", "")
        text = bytes.fromhex(key).decode() if family == "text" else key
        at = own.get("emitted-at")
        return Message(
            id=UUID(own["id"]),
            topic=own["topic"],
            key=read_key(family, text),
            form=own["form"],
            body=body,
            headers=others,
            shard=own.get("shard", ""),
            number=int(own.get("number", "0")),
            emitted_at=None if at is None else datetime.fromisoformat(at),
        )
    except (KeyError, ValueError) as error:
        raise DataError(
            "OG-TX-084",
            f"this is not a message that an outgrow relay has delivered: {error!r}",
            cure="read the streams and subjects that a relay delivers to, and pass all of the message's headers",
        ) from error
