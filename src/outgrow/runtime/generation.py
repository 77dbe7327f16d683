"""The small statements that ask a server for its place, and how to read their answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from outgrow import ledger
from outgrow.errors import Error, InternalError
from outgrow.nodes import Link, Rows
from outgrow.route import Position, reachable
from outgrow.waits import Steps


class Questions(NamedTuple):
    """An engine's statements; their answers have the same columns for all."""

    #: On a replica, before a read: generation, bytes replayed, still in recovery.
    guard: str
    #: On a primary, behind a commit or a read: generation, bytes inserted, recorded and actual timeline.
    place: str
    #: On any node: what the heartbeat wants to know.
    beat: str
    #: The same, of what a replica has and would show if it were primary.
    got: str
    #: On any node: is it in recovery, and the timeline it writes (0 on a replica).
    role: str
    #: On any node: which run of which server it is.
    incarnation: str
    #: The place that an idle replica gets to when the primary's is this.
    reachable: Callable[[int], int]

    def place_of(self, rows: Rows) -> Place:
        generation, lsn, recorded, actual = _one(rows)
        return Place(Position(generation, self.reachable(lsn)), actual, recorded != actual)

    def beat_of(self, rows: Rows) -> Beat:
        generation, lsn, in_recovery = _one(rows)
        return Beat(bool(in_recovery), Position(generation, lsn if in_recovery else self.reachable(lsn)))


def _questions(engine: str, got: str, reachable: Callable[[int], int]) -> Questions:
    ours = ledger.queries(engine)
    return Questions(
        ours["guard"], ours["token"], ours["beat"], ours[got], ours["role"], ours["incarnation"], reachable
    )


POSTGRESQL = _questions("postgresql", "got", reachable)
# (What was received and not applied an ordinary user is not told there.)
MARIADB = _questions("mariadb", "beat", lambda number: number)


def incarnation_steps(link: Link, questions: Questions, until: float | None) -> Steps[str]:
    """Which run of which server is at the link's other end."""
    return sys.intern(str(_one((yield from link.run_steps(questions.incarnation, None, until=until)))[0]))


class Place(NamedTuple):
    """A primary's place; `promoted` when its timeline is not the recorded one: the generation must be raised."""

    position: Position
    timeline: int
    promoted: bool


class Beat(NamedTuple):
    in_recovery: bool
    position: Position


def without_ledger(answer: Rows | Error) -> bool:
    """A replica that has not replayed the ledger's installation yet: it can vouch for nothing."""
    return answer.sqlstate == "42P01" if isinstance(answer, Error) else not answer.rows


def guard_of(rows: Rows) -> tuple[Position, bool]:
    """(place, still in recovery); behind them there may be which server it is."""
    generation, lsn, in_recovery = _one(rows)[:3]
    return Position(generation, lsn or 0), in_recovery


def role_of(rows: Rows) -> tuple[bool, int]:
    """(in recovery, timeline)."""
    in_recovery, timeline = _one(rows)
    return in_recovery, timeline


def _one(rows: Rows) -> tuple[Any, ...]:
    if not rows.rows:
        raise InternalError("OG-RUN-041", "the server's ledger has no generation row", cure="run `outgrow init`")
    return rows.rows[0]
