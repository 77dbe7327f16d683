"""The index of what is unique in the whole domain against the rows: sums first, and what differs one by one.

Rows and entries are read on several servers, so at several moments.  What differs is therefore read again, and counts
only if it differs each time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.nodes import Link, together
from outgrow.runtime import snapshot
from outgrow.runtime.uniqueness import settling, triggers
from outgrow.schema import FleetUnique, Table
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: How often what differs is read, and how long writers that were between their rows and entries have in between.
_READINGS = 3
_PAUSE_SECONDS = 0.5
#: Bytes of values that are shown.
_SHOWN = 5

#: A value and the shard key of the row that has it.
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Compared:
    """One index: how many rows have a value, and which values rows and entries disagree on (some of them)."""

    unique: FleetUnique
    table: Table
    rows: int
    #: Rows without an entry: their values could be given again.  More than one row may have such a value already.
    unindexed: tuple[str, ...] = ()
    #: Entries without a row: their values cannot be given.
    stale: tuple[str, ...] = ()
    #: Entries on another shard than the one where they are looked for.
    misplaced: int = 0
    #: Columns that it names and the table has not: writes of the table fail, and nothing could be compared.
    gone: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return not (self.unindexed or self.stale or self.misplaced or self.gone)


def compare_steps(state: DomainState, unique: FleetUnique, table: Table) -> Steps[Compared]:
    """Read all rows and all entries."""
    if gone := triggers.gone_columns(unique, table):
        return Compared(unique, table, 0, gone=gone)
    rows, entries = yield from _sums_steps(state, unique, table)
    total = sum(count for count, _ in rows.values())
    misplaced = yield from _misplaced_steps(state, unique)
    parts = [part for part in sorted(rows.keys() | entries.keys()) if rows.get(part) != entries.get(part)]
    unindexed: Counter[_Pair] = Counter()
    stale: Counter[_Pair] = Counter()
    for reading in range(_READINGS if parts else 0):
        if reading:
            yield Until(monotonic() + _PAUSE_SECONDS)
        there, known = yield from _pairs_steps(state, unique, table, parts)
        unindexed = there - known if not reading else unindexed & (there - known)
        stale = known - there if not reading else stale & (known - there)
    return Compared(unique, table, total, _shown(unindexed), _shown(stale), misplaced)


def _shown(pairs: Counter[_Pair]) -> tuple[str, ...]:
    return tuple(sorted({value for value, _ in pairs})[:_SHOWN])


def _each_steps(
    state: DomainState, sql: str, params: Sequence[Sequence[Any]]
) -> Steps[list[Sequence[tuple[Any, ...]]]]:
    """The rows of a query on every shard's primary, in the order of the shards; each with its own parameters."""

    def one_steps(shard: str, given: Sequence[Any]) -> Steps[Sequence[tuple[Any, ...]]]:
        def ask_steps(link: Link) -> Steps[Sequence[tuple[Any, ...]]]:
            return (yield from link.run_steps(sql, given or None, prepare=False)).rows

        node = state.health.seats(state.name, shard).primary
        return (yield from snapshot.on_node_steps(state.nodes, node, None, ask_steps))

    shards = [shard.name for shard in state.picture.domain.shards]
    return (yield from together([one_steps(*each) for each in zip(shards, params, strict=True)]))


def _sums_steps(
    state: DomainState, unique: FleetUnique, table: Table
) -> Steps[tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]]]:
    """Part → how many, and their sum; of the rows and of the entries."""
    shards = len(state.picture.domain.shards)
    rows = yield from _each_steps(state, triggers.sums_of_rows(unique, table), [()] * shards)
    entries = yield from _each_steps(state, settling.QUERIES["unique_sums"], [[unique.number]] * shards)
    return _added(rows), _added(entries)


def _added(answers: list[Sequence[tuple[Any, ...]]]) -> dict[int, tuple[int, int]]:
    sums: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for answer in answers:
        for part, count, total in answer:
            sums[part] = (sums[part][0] + count, sums[part][1] + int(total))
    return dict(sums)


def _misplaced_steps(state: DomainState, unique: FleetUnique) -> Steps[int]:
    places = {shard: place for place, shard in enumerate(unique.shards)}
    given = [[unique.number, len(places), places.get(shard.name, -1)] for shard in state.picture.domain.shards]
    answers = yield from _each_steps(state, settling.QUERIES["unique_misplaced"], given)
    return sum(answer[0][0] for answer in answers)


def _pairs_steps(
    state: DomainState, unique: FleetUnique, table: Table, parts: Sequence[int]
) -> Steps[tuple[Counter[_Pair], Counter[_Pair]]]:
    shards = len(state.picture.domain.shards)
    rows = yield from _each_steps(state, triggers.part_of_rows(unique, table), [[list(parts)]] * shards)
    known = yield from _each_steps(state, settling.QUERIES["unique_part"], [[unique.number, list(parts)]] * shards)
    return Counter(pair for answer in rows for pair in answer), Counter(pair for answer in known for pair in answer)
