"""Connections to servers: links, pools, the drivers of steps.  The only room that imports the SQL driver."""

from __future__ import annotations

from outgrow.nodes.arrays import elements
from outgrow.nodes.connect import link_steps
from outgrow.nodes.copying import CopyIn, CopyOut
from outgrow.nodes.enclosed import enclosed_steps, rolled_back_steps
from outgrow.nodes.link import Link
from outgrow.nodes.nodes import Nodes
from outgrow.nodes.notified import notified_steps
from outgrow.nodes.pair import Asked, Outcome, checked_steps
from outgrow.nodes.pool import Pool, PoolStats
from outgrow.nodes.rows import Field, Identity, Inserted, Rows
from outgrow.nodes.settings import LinkSettings, PoolAges
from outgrow.nodes.stream import Stream
from outgrow.nodes.translate import LOST_BEFORE, LOST_DURING, TIME_LIMIT, late
from outgrow.nodes.values import Values, known_types, literal
from outgrow.nodes.waiting import drive, drive_async, together

__all__ = [
    "LOST_BEFORE",
    "LOST_DURING",
    "TIME_LIMIT",
    "Asked",
    "CopyIn",
    "CopyOut",
    "Field",
    "Identity",
    "Inserted",
    "Link",
    "LinkSettings",
    "Nodes",
    "Outcome",
    "Pool",
    "PoolAges",
    "PoolStats",
    "Rows",
    "Stream",
    "Values",
    "checked_steps",
    "drive",
    "drive_async",
    "elements",
    "enclosed_steps",
    "known_types",
    "late",
    "link_steps",
    "literal",
    "notified_steps",
    "rolled_back_steps",
    "together",
]
