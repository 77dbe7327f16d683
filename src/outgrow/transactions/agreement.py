"""Snapshots of several shards that agree: each transaction over these shards is seen by all of them, or by none.

`DESIGN.md` (Atomic reads) argues why comparing stamps proves that, without clocks and without reading them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from outgrow.errors import Error
from outgrow.transactions import failures
from outgrow.transactions.model import Means
from outgrow.waits import Steps, Until

#: How often a shard that lags is read again before commits are asked to wait.
TRIES_MAX = 12
#: How long all of it may take, and how long of it commits may be made to wait.
AGREE_SECONDS = 5.0
GATE_SECONDS = 1.0
#: Between two tries, once the first few have not helped: what is missing is not about to end.
PAUSE_SECONDS = 0.005
_PATIENT_TRIES = 6
#: How old a cut may be from which the next read starts, and how far apart a read's first mark and its last snapshot.
#: Stamps are kept for half a day after their commit at least, so that nothing between the two can have been forgotten.
CUT_SECONDS = 60.0
#: More new stamps than this on a shard are not compared: the read starts from a new mark.
STAMPS_MAX = 1000
_CUTS_MAX = 256


class Mark(NamedTuple):
    """What a server showed at a moment: its snapshot, and which run of which server said so."""

    snapshot: str
    incarnation: str


class Seen(NamedTuple):
    """What a snapshot shows: its own mark, and the transactions over shards that an earlier mark did not show."""

    mark: Mark
    #: Transaction → all shards that it wrote on.  Those that were asked for by name are among them.
    stamps: Mapping[UUID, Collection[str]]


@dataclass(frozen=True, slots=True)
class Cut:
    """Marks of several shards that agree, or that nobody has compared yet (`doubtful` is then not empty)."""

    marks: Mapping[str, Mark]
    taken_at: float
    #: Transactions that were prepared somewhere behind the marks: they may be older than what the marks tell apart.
    doubtful: frozenset[UUID] = frozenset()

    def of(self, shards: Collection[str]) -> Cut:
        return self if len(shards) == len(self.marks) else Cut({s: self.marks[s] for s in shards}, self.taken_at)


class Cuts:
    """The latest cut of each set of shards: where the next read of them begins.  Shared by threads."""

    def __init__(self) -> None:
        self._known: dict[frozenset[str], Cut] = {}

    def find(self, shards: Collection[str], now: float) -> Cut | None:
        known, wanted = self._known, frozenset(shards)
        found = known.get(wanted)
        if found is not None and now - found.taken_at <= CUT_SECONDS:
            return found
        for held, cut in list(known.items()):
            # What agrees on more shards agrees on these.
            if held > wanted and now - cut.taken_at <= CUT_SECONDS:
                return cut.of(shards)
        return None

    def keep(self, cut: Cut) -> None:
        if len(self._known) >= _CUTS_MAX:
            self._known = {}
        self._known[frozenset(cut.marks)] = cut


class View(Protocol):
    """One shard, on the connection whose snapshot is to be read."""

    @property
    def shard(self) -> str: ...

    def mark_steps(self) -> Steps[Mark]:
        """What the server shows now; in a statement of its own, outside of any snapshot."""

    def in_doubt_steps(self) -> Steps[Collection[UUID]]:
        """The transactions that have a prepared branch there now; in a statement of its own as well."""

    def open_steps(self, since: Mark, named: Collection[UUID], lacking: Collection[UUID]) -> Steps[Seen]:
        """Take a snapshot, a new one where there was one, and say what it shows that `since` did not.

        Where its end can be awaited, no earlier than what is `lacking` has ended there.
        """


class Gate(Protocol):
    """Makes commits wait: while it is closed, nothing is decided on these shards."""

    def close_steps(self, shards: Collection[str], until: float) -> Steps[None]: ...

    def open_steps(self) -> Steps[None]: ...

    def abandon(self) -> None:
        """The same, where nobody waits any more."""


def lagging(seen: Mapping[str, Seen]) -> dict[str, set[UUID]]:
    """The shards that do not show a transaction of theirs which another one shows, with what they lack."""
    lacking: dict[str, set[UUID]] = {}
    for each in seen.values():
        for number, shards in each.stamps.items():
            for shard in shards:
                other = seen.get(shard)
                if other is not None and number not in other.stamps:
                    lacking.setdefault(shard, set()).add(number)
    return lacking


@dataclass(slots=True)
class Agreement:
    """One read's snapshots, until they agree."""

    views: Mapping[str, View]
    means: Means
    gate: Gate
    until: float | None = None
    #: How often a shard was read again, and whether commits had to wait; they wait now.
    again: int = 0
    gated: bool = False
    closed: bool = False
    _named: set[UUID] = field(default_factory=set)
    #: When it is opened again, whether that has helped or not.
    _closed_until: float = 0.0

    def run_steps(self, known: Cut | None) -> Steps[Cut]:
        """Open every view; what they show is the next read's cut.  `known` is one that was agreed on before.

        Raises OG-TX-060 where they do not agree in time; what is open then is not to be read.
        """
        limit = self.means.clock() + AGREE_SECONDS
        limit = limit if self.until is None else min(limit, self.until)
        try:
            while True:
                cut = known or (yield from self._first_steps())
                seen = yield from self._agreed_steps(cut, limit)
                if seen is not None and self.means.clock() - cut.taken_at <= 2 * CUT_SECONDS:
                    return Cut({shard: each.mark for shard, each in seen.items()}, self.means.clock())
                known = None
                self._check(limit, {})
        except GeneratorExit:
            self.closed = False
            self.gate.abandon()
            raise
        finally:
            yield from self._open_gate_steps()

    def _first_steps(self) -> Steps[Cut]:
        """Marks of all, then what is prepared: a transaction that one mark shows is shown by all that follows, but
        where its branch is prepared still."""
        self._named.clear()
        taken_at = self.means.clock()
        marks = yield from self.means.together([view.mark_steps() for view in self.views.values()])
        prepared = yield from self.means.together([view.in_doubt_steps() for view in self.views.values()])
        doubtful = frozenset(number for numbers in prepared for number in numbers)
        return Cut(dict(zip(self.views, marks, strict=True)), taken_at, doubtful)

    def _agreed_steps(self, cut: Cut, limit: float) -> Steps[dict[str, Seen] | None]:
        """What all show, once they agree; None where the cut is of no use."""
        self._named |= cut.doubtful
        seen = yield from self._opened_steps(dict.fromkeys(self.views, ()), cut)
        tries = 0
        while self._comparable(cut, seen):
            lacking = lagging(seen)
            if not lacking:
                return seen
            self._check(limit, lacking)
            tries += 1
            self.again += len(lacking)
            if tries == TRIES_MAX and not self.gated:
                yield from self._close_gate_steps(limit)
            elif self.closed and self.means.clock() > self._closed_until:
                yield from self._open_gate_steps()
            elif tries >= _PATIENT_TRIES:
                yield Until(self.means.clock() + PAUSE_SECONDS * self.means.chance())
            # By name, because a mark that was not agreed on may show what others' marks did not.
            self._named.update(*lacking.values())
            seen |= yield from self._opened_steps(lacking, cut)
        return None

    def _opened_steps(self, lacking: Mapping[str, Collection[UUID]], cut: Cut) -> Steps[dict[str, Seen]]:
        """These shards' snapshots, which come after what they lack."""
        many = [self.views[shard].open_steps(cut.marks[shard], self._named, lacks) for shard, lacks in lacking.items()]
        return dict(zip(lacking, (yield from self.means.together(many)), strict=True))

    def _comparable(self, cut: Cut, seen: Mapping[str, Seen]) -> bool:
        return all(
            each.mark.incarnation == cut.marks[shard].incarnation and len(each.stamps) < STAMPS_MAX
            for shard, each in seen.items()
        )

    def _close_gate_steps(self, limit: float) -> Steps[None]:
        """Whatever was decided before comes to its end on every shard, and nothing new is decided meanwhile."""
        self.gated = self.closed = True
        self._closed_until = min(limit, self.means.clock() + GATE_SECONDS)
        try:
            yield from self.gate.close_steps(list(self.views), self._closed_until)
        except Error:
            # Somebody else holds it, or a server does not answer: go on without.
            yield from self._open_gate_steps()

    def _open_gate_steps(self) -> Steps[None]:
        if self.closed:
            self.closed = False
            yield from self.gate.open_steps()

    def _check(self, limit: float, lacking: Mapping[str, Collection[UUID]]) -> None:
        if self.means.clock() > limit:
            raise failures.torn({shard: sorted(numbers) for shard, numbers in lacking.items()})
