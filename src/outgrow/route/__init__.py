"""fragment → node, given health and the session's token.  Pure; owns the token."""

from outgrow.route.balance import LoadView
from outgrow.route.choice import WHY, Check, Choice, HealthView, Seats, choose, instead
from outgrow.route.level import Level, bounded, level_of
from outgrow.route.position import Position, format_lsn, parse_lsn, reachable
from outgrow.route.showing import Snapshot, hidden, shows, snapshot_of
from outgrow.route.token import Token

__all__ = [
    "WHY",
    "Check",
    "Choice",
    "HealthView",
    "Level",
    "LoadView",
    "Position",
    "Seats",
    "Snapshot",
    "Token",
    "bounded",
    "choose",
    "format_lsn",
    "hidden",
    "instead",
    "level_of",
    "parse_lsn",
    "reachable",
    "shows",
    "snapshot_of",
]
