"""Messages as the ledger's tables have them: statements for one flush, and what their answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from outgrow import ledger
from outgrow.transactions.outbox.batch import Lane, Settlement
from outgrow.transactions.outbox.model import Message, MessageKey, read_key, stored_key
from outgrow.transactions.outbox.pace import key_wait
from outgrow.transactions.wire import Asked

_SQL = ledger.queries()

#: So many blocked keys are taken up again in one round.
DUE_KEYS = 20


class Emitted(NamedTuple):
    """A message that is to be written."""

    id: UUID
    topic: str
    key: MessageKey
    headers: str
    form: str
    body: bytes


def emitting(emitted: Emitted) -> Asked:
    id, topic, key, headers, form, body = emitted
    if key is None:
        return _SQL["outbox_emit_free"], [id, topic, body, headers, form]
    return _SQL["outbox_emit"], [id, topic, body, *stored_key(key), headers, form]


def waking(topics: Sequence[str]) -> Asked:
    return _SQL["outbox_wake"], [list(topics)]


def settling(topic: str, settlement: Settlement, chance: Callable[[], float]) -> list[Asked]:
    """What has become of a batch, to be written."""
    asked: list[Asked] = []
    if settlement.delivered:
        asked.append((_SQL["outbox_delivered"], [topic, list(settlement.delivered), list(settlement.ids)]))
    if blocked := settlement.blocked:
        waits = [key_wait(block.attempts, chance()) for block in blocked]
        columns: list[Any] = [
            [block.lane[0] for block in blocked],
            [block.lane[1] for block in blocked],
            [block.number for block in blocked],
            [block.attempts for block in blocked],
            # Whatever an exception says: what the server cannot store would bring the whole batch back for ever.
            [block.error.replace("\0", "").encode(errors="replace").decode() for block in blocked],
            waits,
        ]
        asked.append((_SQL["outbox_block"], [topic, *columns]))
    if settlement.freed:
        lanes = [lane for lane, _ in settlement.freed]
        asked.append((_SQL["outbox_unblock"], [topic, [family for family, _ in lanes], [key for _, key in lanes]]))
    return asked


def reading(topic: str, floor: int, limit: int) -> Asked:
    return _SQL["outbox_read"], [topic, floor, limit]


def reading_due(topic: str, keys: int, limit: int) -> Asked:
    return _SQL["outbox_due"], [topic, keys, limit]


def looking(topic: str, bounds: bool) -> Asked:
    """See `Floor.look`, and `Floor.bounds`."""
    return _SQL["outbox_look"], [topic, bounds]


def retrying(topic: str | None, key: str | None) -> Asked:
    """Blocked keys are due from now on; of families nobody asks."""
    return _SQL["outbox_retry"], [topic, key]


def messages_of(shard: str, topic: str, rows: Sequence[tuple[Any, ...]]) -> tuple[Message, ...]:
    return tuple(_message(shard, topic, row) for row in rows)


def due_of(
    shard: str, topic: str, rows: Sequence[tuple[Any, ...]], limit: int
) -> tuple[tuple[Message, ...], dict[Lane, bool]]:
    """The messages of keys that are due, and of each key whether those are all that wait."""
    messages: list[Message] = []
    counts: dict[Lane, int] = {}
    for row in rows:
        lane = (row[2], row[3])
        counts.setdefault(lane, 0)
        if row[0] is not None:
            counts[lane] += 1
            messages.append(_message(shard, topic, row))
    return tuple(messages), {lane: count < limit for lane, count in counts.items()}


def _message(shard: str, topic: str, row: tuple[Any, ...]) -> Message:
    number, id, family, key, headers, form, body, emitted_at, attempts = row
    return Message(
        id=id,
        topic=topic,
        key=read_key(family, key),
        form=form,
        body=bytes(body),
        headers=json.loads(headers) if headers != "{}" else {},
        shard=shard,
        number=number,
        emitted_at=emitted_at,
        attempts=attempts,
        stored=(family, key),
    )
