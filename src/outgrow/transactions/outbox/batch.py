"""What is to be done about messages that were given to a target: delete, set aside, take up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from outgrow.transactions.outbox.model import Message
from outgrow.transactions.outbox.port import UNTRIED, Refused, Untried, Verdict

#: A key: its family and text.
Lane = tuple[str, str]

_ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Block:
    """A key whose first message failed, for the `attempts`th time."""

    lane: Lane
    number: int
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What has become of a batch."""

    #: Numbers to delete, and the ids that they had.
    delivered: tuple[int, ...] = ()
    ids: tuple[UUID, ...] = ()
    blocked: tuple[Block, ...] = ()
    #: Keys that were blocked, and of which nothing waits any more, with the last number that was delivered (0: none).
    freed: tuple[tuple[Lane, int], ...] = ()
    #: Nothing of the batch is left to be given to the target.
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read: messages of keys whose time has come, and those that are next."""

    messages: tuple[Message, ...]
    #: Keys that are blocked now, of which messages were read again: whether those are all that wait.
    due: dict[Lane, bool] = field(default_factory=dict)


def chains(messages: Sequence[Message]) -> list[list[int]]:
    """Positions of the messages by key, each key's in order."""
    found: dict[Lane, list[int]] = {}
    for at, message in enumerate(messages):
        found.setdefault(message.lane, []).append(at)
    return list(found.values())


def settled(batch: Batch, verdicts: Sequence[Verdict]) -> Settlement:
    """`verdicts` are the target's, one for each message."""
    delivered: list[int] = []
    ids: list[UUID] = []
    blocked: dict[Lane, Block] = {}
    last: dict[Lane, int] = {}
    waiting: set[Lane] = set()
    for message, verdict in zip(batch.messages, verdicts, strict=True):
        lane = message.lane
        if verdict is None:
            delivered.append(message.number)
            ids.append(message.id)
            last[lane] = message.number
        elif isinstance(verdict, Refused) and lane not in waiting:
            error = verdict.reason[:_ERROR_CHARACTERS]
            blocked[lane] = Block(lane, message.number, message.attempts + 1, error)
            waiting.add(lane)
        else:
            waiting.add(lane)
    freed = tuple((lane, last.get(lane, 0)) for lane, whole in batch.due.items() if whole and lane not in waiting)
    untried = any(isinstance(verdict, Untried) and message.lane not in blocked
                  for message, verdict in zip(batch.messages, verdicts, strict=True))  # fmt: skip
    return Settlement(tuple(delivered), tuple(ids), tuple(blocked.values()), freed, not untried)


def none_of(messages: Sequence[Message]) -> list[Verdict]:
    return [UNTRIED] * len(messages)
