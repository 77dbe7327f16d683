"""Parts of committed transactions that a server no longer has: its shard was given to a replica that had not got all.

Every branch of a transaction over shards leaves a stamp with the names of all, so that what one shard has and another
one lacks tells.  A branch that is still prepared is not lost: its stamp comes with its commit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from outgrow.nodes import Link
from outgrow.runtime.doctor.examination import Check, Examination, Row, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Node
from outgrow.transactions import KEPT_SECONDS, numbered
from outgrow.waits import Steps

#: Stamps may be forgotten from some age on, on one shard before the other: none that old is missed.
_MARGIN_SECONDS = 3600.0
#: How many of the newest transactions are compared on each shard: digests of slices of time, made by the server.
_NEWEST = 1_000_000
#: How many of them at most, from the newest slice on that differs, are then compared one by one: here, in memory.
_ONE_BY_ONE = 200_000
#: How many are named in one finding: an operator has to look each of them up.
_NAMED = 100


def lost_steps(examination: Examination) -> Steps[dict[Node, list[str]]]:
    """Node → the transactions (their ids) of which it lacks its part."""
    domain = examination.domain.name
    slices = yield from _differing_steps(examination)
    if not slices:
        return {}
    rows = yield from examination.each_steps(examination.primaries, "stamps_within", [json.dumps(slices)])
    shards = {number: json.loads(names) for answer in rows.values() for number, names in answer}
    have = {node.shard: {number for number, _ in answer} for node, answer in rows.items()}
    missing = {
        node: [number for number, names in shards.items() if node.shard in names and number not in have[node.shard]]
        for node in rows
    }
    there = yield from examination.ask_steps(_questions(examination, missing))
    return {
        node: [f"{domain}/{shards[number][-1]}/{number}" for number in missing[node] if number not in present]
        for node, present in there.items()
    }


def _differing_steps(examination: Examination) -> Steps[list[str]]:
    """The slices of time in which two shards do not have the same of what has a part on both, the newest first.

    (The oldest of whoever had to leave some out differ too: they come last, and no part of theirs is found missing.)
    """
    since = numbered(time.time() - KEPT_SECONDS + _MARGIN_SECONDS, bytes(10)).hex
    answers = yield from examination.each_steps(examination.primaries, "stamps_summed", [since, _NEWEST])
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for node, answer in answers.items():
        sums |= {(node.shard, other, slice): (count, digest) for slice, other, count, digest in answer}
    asked = {node.shard for node in answers}
    differing = {
        slice
        for (here, there, slice), found in sums.items()
        if there in asked and sums.get((there, here, slice)) != found
    }
    chosen: list[str] = []
    total = 0
    for slice in sorted(differing, reverse=True):
        total += max(sums.get((shard, shard, slice), (0, 0))[0] for shard in asked)
        if chosen and total > _ONE_BY_ONE:
            break
        chosen.append(slice)
    return chosen


def _findings_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every part of a committed transaction over shards is there."""
    found = []
    for node, ids in (yield from lost_steps(examination)).items():
        if ids:
            count = f"{len(ids)} transaction{'s' if len(ids) > 1 else ''} committed on other shards"
            what = (
                f"it lacks its part of {count}: it took over from a server without having received all of its log "
                f"({several(ids, _NAMED)})"
            )
            cure = "write the rows that are missing again; replicate synchronously"
            found.append(examination.find(Severity.ERROR, node.name, what, cure))
    return found


def _questions(
    examination: Examination, missing: Mapping[Node, list[str]]
) -> dict[Node, Callable[[Link], Steps[set[str]]]]:
    """Of what was missing: which is only prepared, or has been committed meanwhile."""

    def asking(numbers: list[str]) -> Callable[[Link], Steps[set[str]]]:
        def ask_steps(link: Link) -> Steps[set[str]]:
            # What is prepared first: from there a branch goes to the stamps, and never back.
            prepared: list[Row] = list((yield from link.run_steps(examination.queries["branches_prepared"], None)).rows)
            asked = examination.queries["stamps_there"]
            stamped = (yield from link.run_steps(asked, [json.dumps(numbers)])).rows
            names = " ".join(str(name) for row in prepared for name in row)
            return {number for (number,) in stamped} | {number for number in numbers if number in names}

        return ask_steps

    return {node: asking(numbers) for node, numbers in missing.items() if numbers}


LOST_BRANCHES = Check("lost branches", _findings_steps)
