"""What the product itself says was lost by the promotion of a replica that had not got all."""

from __future__ import annotations

import re

import outgrow
from outgrow.nodes import drive
from outgrow.runtime.doctor import Examination, lost_branches
from tests.crash.journal import Told
from tests.crash.world import World

_ID = re.compile(r"\w+/[\w-]+/([0-9a-f]{32})")


def named_lost(world: World, told: Told) -> set[str]:
    """Transactions (their numbers) that a coordinator was told of, or that the doctor finds."""
    named = {
        match[1]
        for attempt in told.attempts.values()
        if attempt.said.startswith("OG-TX-006") and (match := _ID.search(attempt.said))
    }
    with outgrow.open(world.topology) as fleet:
        examination = Examination(fleet._states[world.topology.domains[0].name])
        for ids in drive(lost_branches.lost_steps(examination)).values():
            named.update(id.rpartition("/")[2] for id in ids)
    return named
