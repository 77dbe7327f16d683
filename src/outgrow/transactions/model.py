"""The names that a transaction over several shards goes by, and what can become of it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from outgrow.errors import InterfaceError
from outgrow.transactions.xid import Marker
from outgrow.waits import Steps

#: What every prepared transaction of ours is called first.
PREFIX = "outgrow/"

#: Versions of UUIDs.
_PLAIN, _REPLICATED = 7, 8

_PART = r"[A-Za-z_][A-Za-z0-9_-]*"
_ID = re.compile(rf"({_PART})/({_PART})/([0-9a-f]{{32}})")
_GID = re.compile(rf"{PREFIX}({_PART})/({_PART})/([0-9a-f]{{32}})\.(\d+)")


class Outcome(enum.StrEnum):
    COMMITTED = "committed"
    ABORTED = "aborted"
    #: Nobody has decided yet, or the decision is out of reach or forgotten.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TransactionId:
    """Which transaction, and where to ask what became of it."""

    domain: str
    #: The shard whose commit carries the decision.
    decider: str
    number: UUID

    def __str__(self) -> str:
        return f"{self.domain}/{self.decider}/{self.number.hex}"

    @classmethod
    def read(cls, text: str) -> TransactionId:
        match = _ID.fullmatch(text)
        if match is None:
            raise InterfaceError(
                "OG-TX-010",
                f"{text!r} is not the id of a transaction",
                cure="pass what `session.last_transaction` or the error said: domain/shard/32 hexadecimal digits",
            )
        return cls(match[1], match[2], UUID(match[3]))

    def gid(self, branch: int) -> str:
        """What the branch is called while it is prepared.  Two shards may be databases of one server, where the name
        must be unique: hence the branch's number.  At most 171 bytes of the 199 allowed."""
        return f"{PREFIX}{self}.{branch}"

    @property
    def begun_seconds(self) -> float:
        """When it was numbered, by the clock of the process that did (seconds since 1970)."""
        return (self.number.int >> 80) / 1000

    @property
    def presence(self) -> int:
        return presence_of(self.number)

    @property
    def replicated(self) -> bool:
        """What is prepared or decided of it counts only once a replica has it, too, of a shard that has any.

        Whoever finds a branch of it must know: so its number says it.
        """
        return self.number.version == _REPLICATED


def presence(chance: bytes) -> int:
    """The key of the lock that says, while it is held, that the coordinator is still there.

    It is known before the transaction has its id: `chance` is what `numbered` will be given.
    """
    return presence_of(numbered(0.0, chance))


def presence_of(number: UUID) -> int:
    """The same of a transaction that has its number."""
    return int.from_bytes(number.bytes[8:], "big", signed=True)


def owner_of(gid: str) -> TransactionId | None:
    """The transaction that a prepared branch belongs to; None for what is not ours."""
    match = _GID.fullmatch(gid)
    return None if match is None else TransactionId(match[1], match[2], UUID(match[3]))


def numbered(now_seconds: float, chance: bytes, *, replicated: bool = False) -> UUID:
    """A UUID of version 7: unique across processes by its ten random bytes, in order of time for the index's sake.

    Of version 8, which is laid out as its makers like (RFC 9562), where the transaction is `replicated`.
    """
    value = int(now_seconds * 1000) << 80 | int.from_bytes(chance[:10], "big")
    value = value & ~(0xF << 76) | (_REPLICATED if replicated else _PLAIN) << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A prepared branch as its server lists it."""

    shard: str
    gid: str
    id: TransactionId
    age_seconds: float
    #: It carries the decision, which the application's own coordinator has to take.
    marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What the kernel takes from the world, so that a test can be the world."""

    #: Runs many steps at once; the first error stops the rest.
    together: Callable[[Sequence[Steps[Any]]], Steps[list[Any]]]
    #: Seconds that never run backwards.
    clock: Callable[[], float]
    #: From 0 to 1.
    chance: Callable[[], float]
