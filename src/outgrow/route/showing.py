"""Which commits a PostgreSQL primary does not show yet, though a replica may."""

from __future__ import annotations

from typing import NamedTuple


class Snapshot(NamedTuple):
    """Which transactions a reader sees: all below `xmax` that are not `running`."""

    xmax: int
    running: frozenset[int]


def snapshot_of(text: str) -> Snapshot:
    """What `pg_current_snapshot()` says: `xmin:xmax:running,…`."""
    _, xmax, running = text.split(":")
    return Snapshot(int(xmax), frozenset(int(xid) for xid in running.split(",") if xid))


def hidden(snapshot: Snapshot, below: int) -> list[int]:
    """The transactions below this one that the snapshot does not show, in order."""
    return [*sorted(xid for xid in snapshot.running if xid < below), *range(snapshot.xmax, below)]


def shows(snapshot: Snapshot, xids: list[int]) -> bool:
    """Whether it sees all of these as over."""
    return all(xid < snapshot.xmax and xid not in snapshot.running for xid in xids)
