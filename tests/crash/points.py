"""The sixteen points of atomic commit at which everything must be able to break, and how each is recognised.

A point is reached when certain messages, or the answers to them, are held in the proxy.  The numbers are those of
`transactions/DESIGN.md`, whose table says what each leads to.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tests.crash.wire import Kind


class Held(enum.Enum):
    """Which of the messages are held."""

    #: The first one, whatever the others do.
    ONE = "one"
    #: The first one, once another has been answered.
    REST = "rest"
    #: All of them: as many as there are branches to prepare.
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Point:
    number: int
    name: str
    kind: Kind | None = None
    #: It is held by its answer: the server has done it.
    answer: bool = False
    held: Held = Held.ONE
    #: At most so many such messages go by before.
    spared: int = 0

    @property
    def quick(self) -> bool:
        """It comes with the next transfer."""
        return self.number < 12

    def __str__(self) -> str:
        return f"{self.number:2} {self.name}"


BEFORE_BEGIN = Point(1, "before BEGIN on a shard", Kind.BEGIN, spared=2)
AFTER_DML = Point(2, "after DML", Kind.DML, answer=True, spared=3)
PREPARE_SENT = Point(3, "PREPARE sent, not run", Kind.PREPARE)
PREPARE_RUN = Point(4, "PREPARE run, answer on its way", Kind.PREPARE, answer=True)
SOME_PREPARED = Point(5, "some prepared", Kind.PREPARE, held=Held.REST)
UNDECIDED = Point(6, "all prepared, decision unsent", Kind.PREPARE, answer=True, held=Held.ALL)
DECIDED = Point(7, "decision run, answer on its way", Kind.DECIDE, answer=True)
NONE_COMMITTED = Point(8, "decided, none committed", Kind.FINISH, held=Held.ALL)
SOME_COMMITTED = Point(9, "decided, some committed", Kind.FINISH, held=Held.REST)
COMMIT_RUN = Point(10, "COMMIT PREPARED run, answer on its way", Kind.FINISH, answer=True)
UNCLEANED = Point(11, "all committed, nothing forgotten yet", Kind.FINISH, answer=True, held=Held.ALL)
RECOVERING = Point(12, "during recovery")
RACE = Point(13, "two recoverers and the revived coordinator")
LATE = Point(14, "late PREPARE of a coordinator that is gone")
FORGETTING = Point(15, "while decisions are forgotten", Kind.FORGET)
MAP_CHANGE = Point(16, "while the map changes")

POINTS = (
    *(BEFORE_BEGIN, AFTER_DML, PREPARE_SENT, PREPARE_RUN, SOME_PREPARED, UNDECIDED, DECIDED, NONE_COMMITTED),
    *(SOME_COMMITTED, COMMIT_RUN, UNCLEANED, RECOVERING, RACE, LATE, FORGETTING, MAP_CHANGE),
)
