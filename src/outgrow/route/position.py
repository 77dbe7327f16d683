"""Where a server's log stands, and how to compare two such places."""

from __future__ import annotations

from typing import NamedTuple

#: A PostgreSQL WAL page and segment (bytes); their headers are 24 and 40 bytes.
_PAGE = 8192
_SEGMENT = 16 * 1024 * 1024


class Position(NamedTuple):
    """`lsn` bytes into the log of one `generation` of a shard.

    The generation rises whenever another server becomes primary: log positions of two generations say nothing about
    each other.
    """

    generation: int
    lsn: int


def parse_lsn(text: str) -> int:
    """`"16/B374D848"` → bytes."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def format_lsn(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def reachable(lsn: int) -> int:
    """The place an idle replica really gets to when the primary's *insert* position is `lsn`.

    Right behind a page header the insert position lies past what has been written: no replica ever replays the header
    alone, so waiting for it never ends.  Round down to the page's beginning.
    """
    offset = lsn % _PAGE
    if offset == 24 or (offset == 40 and lsn % _SEGMENT == 40):
        return lsn - offset
    return lsn
