"""What a relay delivers to.  `outgrow.targets` has some; anything with these two methods is one."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from outgrow.transactions.outbox.model import Message


@dataclass(frozen=True, slots=True)
class Refused:
    """The target is there, and did not take this message: the others of its key wait."""

    reason: str


@dataclass(frozen=True, slots=True)
class Untried:
    """It was not given to the target: because of another one of its key, or of the target as a whole."""


UNTRIED = Untried()

#: What became of a message; None: it is delivered, for good.
Verdict = Refused | Untried | None


def wrong_answer(answer: object, count: int) -> str | None:
    """What is wrong with a target's answer for so many messages; None where it is one."""
    if not isinstance(answer, Sequence) or isinstance(answer, (str, bytes)):
        return f"the target has answered {type(answer).__name__}, not one verdict for each of {count} messages"
    if len(answer) != count:
        return f"the target has answered {len(answer)} of {count} messages"
    strange = [one for one in answer if one is not None and not isinstance(one, (Refused, Untried))]
    return f"the target has answered {strange[0]!r}, which is no verdict" if strange else None


class Unavailable(Exception):
    """The target takes nothing now.  No message is to blame: all of them wait, and it is tried again by and by.

    `verdicts` says what became of those messages that it was given all the same; without it, of none anything is known.
    """

    def __init__(self, reason: str, verdicts: Sequence[Verdict] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.verdicts = verdicts


class Target(Protocol):
    """Takes messages.  Shards are at it at once, each in a thread (or task) of its own; a key comes from one."""

    def deliver(self, messages: Sequence[Message]) -> Sequence[Verdict] | Awaitable[Sequence[Verdict]]:
        """Deliver these, those of one key in their order and none behind one that was not; what became of each.

        May be a coroutine function.  Any exception counts as `Unavailable`.  Whoever says None answers for it: the
        message is deleted.
        """

    def close(self) -> object:
        """Let go of connections; may be a coroutine function."""
