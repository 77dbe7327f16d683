"""Consistency levels: what a session is promised about freshness."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outgrow.errors import InterfaceError


@dataclass(frozen=True, slots=True)
class Level:
    """`name` is one of strong, session, bounded, eventual; `staleness_seconds` belongs to bounded."""

    name: str
    staleness_seconds: float = 0.0

    def __str__(self) -> str:
        return f"bounded({self.staleness_seconds:g})" if self.name == "bounded" else self.name


STRONG = Level("strong")
SESSION = Level("session")
EVENTUAL = Level("eventual")
_PLAIN = {"strong": STRONG, "session": SESSION, "eventual": EVENTUAL}
_BOUNDED = re.compile(r"bounded\(\s*(\d+(?:\.\d+)?)\s*s?\s*\)\Z")


def bounded(staleness_seconds: float) -> Level:
    """Reads may be at most `staleness_seconds` old."""
    if not staleness_seconds > 0:
        raise InterfaceError(
            "OG-ROUTE-002",
            f"bounded({staleness_seconds!r}) promises nothing",
            cure="give a positive number of seconds, or use the level 'strong'",
        )
    return Level("bounded", float(staleness_seconds))


def level_of(value: str | Level) -> Level:
    """`"session"`, `"bounded(2.5)"` or a `Level`."""
    if isinstance(value, Level):
        return value
    plain = _PLAIN.get(value)
    if plain is not None:
        return plain
    match = _BOUNDED.match(value)
    if match:
        return bounded(float(match[1]))
    raise InterfaceError(
        "OG-ROUTE-001",
        f"there is no consistency level {value!r}",
        cure="use 'strong', 'session', 'eventual' or 'bounded(SECONDS)'",
    )
