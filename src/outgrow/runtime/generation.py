"""The small statements that ask a server for its place, and how to read their answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from outgrow import ledger
from outgrow.errors import InternalError
from outgrow.nodes import Rows
from outgrow.route import Position, reachable

#: On a replica, before a read: generation, bytes replayed, still in recovery.
GUARD_SQL = ledger.queries()["guard"]
#: On a primary, behind a commit or a read: generation, bytes inserted, recorded and actual timeline.
PLACE_SQL = ledger.queries()["token"]
#: On any node: what the heartbeat wants to know.
BEAT_SQL = ledger.queries()["beat"]
#: On any node: is it in recovery, and the timeline it writes (0 on a replica).
ROLE_SQL = ledger.queries()["role"]


class Place(NamedTuple):
    """A primary's place; `promoted` when its timeline is not the recorded one: the generation must be raised."""

    position: Position
    timeline: int
    promoted: bool


class Beat(NamedTuple):
    in_recovery: bool
    position: Position


def place_of(rows: Rows) -> Place:
    generation, lsn, recorded, actual = _one(rows)
    return Place(Position(generation, reachable(lsn)), actual, recorded != actual)


def guard_of(rows: Rows) -> tuple[Position, bool]:
    """(place, still in recovery)."""
    generation, lsn, in_recovery = _one(rows)
    return Position(generation, lsn or 0), in_recovery


def role_of(rows: Rows) -> tuple[bool, int]:
    """(in recovery, timeline)."""
    in_recovery, timeline = _one(rows)
    return in_recovery, timeline


def beat_of(rows: Rows) -> Beat:
    generation, lsn, in_recovery = _one(rows)
    return Beat(in_recovery, Position(generation, lsn if in_recovery else reachable(lsn)))


def _one(rows: Rows) -> tuple[Any, ...]:
    if not rows.rows:
        raise InternalError("OG-RUN-041", "the server's ledger has no generation row", cure="run `outgrow init`")
    return rows.rows[0]
