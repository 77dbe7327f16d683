"""How far a transfer had come when a fault struck it, read off what the servers hold.

Nothing in the product reports it: whether the transfer's rows are visible on a shard, which transactions are prepared
there, and what the worker's own connections last said (they are told apart by their application name).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.crash.world import World

NOTHING = "nothing written"
WRITING = "writing"
SOME_PREPARED = "some prepared"
UNDECIDED = "all prepared, undecided"
DECIDED = "decided, none finished"
SOME_FINISHED = "decided, some finished"
FINISHED = "all finished, unanswered"
RECOVERING = "recovering"

#: In the order of the protocol.
POINTS = (NOTHING, WRITING, SOME_PREPARED, UNDECIDED, DECIDED, SOME_FINISHED, FINISHED, RECOVERING)

#: What a worker's connections to a primary are at: last statement, in a transaction that has written.
BACKENDS = """
    SELECT query, backend_xid IS NOT NULL FROM pg_stat_activity
    WHERE application_name = %s AND datname = current_database() AND backend_type = 'client backend'
"""
GID = re.compile(r"PREPARE(?:D| TRANSACTION) '([^']+)'", re.I)


@dataclass(slots=True)
class Seen:
    """One shard's part of a transfer."""

    shard: str
    #: Its rows are there for everyone to see.
    visible: bool = False
    #: A connection of the worker holds a transaction that has written.
    open: bool = False
    #: What a connection of the worker was asked to prepare or to finish is prepared now.
    prepared: bool = False


def look(world: World, transfer: str, shards: Sequence[str], application: str) -> list[Seen]:
    """Ask every shard of the transfer; one that does not answer tells nothing."""
    seen = []
    for shard in shards:
        primary = world.primary(shard)
        one = Seen(shard)
        with contextlib.suppress(psycopg.Error):
            rows = world.servers.sql(primary, "SELECT 1 FROM transfers WHERE transfer = %s", [transfer])
            one.visible = bool(rows)
            prepared = world.prepared(primary)
            for query, wrote in world.servers.sql(primary, BACKENDS, [application]):
                one.open |= wrote
                gid = GID.search(query)
                one.prepared |= gid is not None and gid[1] in prepared
        seen.append(one)
    return seen


def point(seen: Sequence[Seen]) -> str:
    """The point of the protocol.  A transfer's last shard in order decides; the others are prepared."""
    prepared = sum(one.prepared for one in seen)
    visible = sum(one.visible for one in seen)
    if visible == len(seen):
        return FINISHED
    if visible:
        return SOME_FINISHED if visible > 1 else DECIDED
    if not prepared:
        return WRITING if any(one.open for one in seen) else NOTHING
    return SOME_PREPARED if prepared < len(seen) - 1 else UNDECIDED
