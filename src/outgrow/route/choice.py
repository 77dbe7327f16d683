"""fragment → node: which server of a shard answers, given its health and what the session must see."""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

from outgrow.route.balance import LoadView, in_order, lags
from outgrow.route.level import Level
from outgrow.route.position import Position
from outgrow.topology import Node, Reads


class Seats(NamedTuple):
    """Who plays which role on a shard *now*: what the servers say wins over the file."""

    primary: Node
    replicas: tuple[Node, ...]

    @property
    def all(self) -> tuple[Node, ...]:
        return (self.primary, *self.replicas)


class HealthView(LoadView, Protocol):
    """What routing wants to know of nodes; whoever watches them answers."""

    def usable(self, node: Node) -> bool:
        """It answered lately, or nobody has asked it yet."""
        ...

    def replayed(self, node: Node) -> Position | None:
        """A place this replica is known to have passed (it may be further)."""
        ...

    def guard_now(self, node: Node) -> bool:
        """Asking this replica for its place is worth a try (a guard has not just failed on it)."""
        ...


class Check(enum.Enum):
    """What the execution must ask the chosen node together with the read."""

    NOTHING = "nothing"
    #: Ask for the replica's place in an *earlier statement* of the same flush; not fresh: read elsewhere.
    GUARD = "guard"
    #: Ask the primary for its place *behind* the read: what was seen becomes the session's floor.
    PLACE = "place"


class Choice(NamedTuple):
    node: Node
    check: Check
    reason: str


_WRITE = "writes go to the primary"
_STRONG = "level strong reads the primary"
_NO_REPLICA = "the shard has no usable replica"
_STICKY = "the replica this session has read before, known to be fresh enough"
_FIRST = "this session has no floor on the shard: the next replica in turn"
_COVERED = "a replica known to have replayed past the session's floor"
_GUARDED = "a replica that may be fresh enough: it is asked in the same flush"
_POOLED = "a replica behind a pooler: which server answers, and how far it has got, is asked in the same message"
_BEHIND = "no replica has reached the session's floor yet"
_GENERATION = "the session's floor is of another generation than the replicas"
_BOUNDED = "a replica known to be fresh within the bound"
_BOUNDED_GUARD = "a replica that may be fresh within the bound: it is asked in the same flush"
_TOO_OLD = "no replica is known to be fresh within the bound"
_EVENTUAL = "level eventual: the next replica in turn"
_LAGS = "the replica this session has read before lags further behind than reads may be"
_GUARD_FAILED = "the replica that was asked had not got far enough"
_UNPLACED = "this session has read the primary since its floor was set"

#: The sentences' codes, for programs; and what sessions do without a choice.
WHY = {
    _WRITE: "write",
    _STRONG: "strong",
    _NO_REPLICA: "no-replica",
    _STICKY: "sticky",
    _FIRST: "first",
    _COVERED: "covered",
    _GUARDED: "guarded",
    _POOLED: "pooled",
    _BEHIND: "behind",
    _GENERATION: "generation",
    _BOUNDED: "bounded",
    _BOUNDED_GUARD: "bounded-guarded",
    _TOO_OLD: "too-old",
    _EVENTUAL: "eventual",
    _LAGS: "lags",
    _GUARD_FAILED: "guard-failed",
    _UNPLACED: "unplaced",
}

IN_TURN = Reads()


def instead(primary: Node, guard_failed: bool) -> Choice:
    """The primary, where the chosen replica's guard failed, or its place is not known to be past the session's."""
    return Choice(primary, Check.PLACE, _GUARD_FAILED if guard_failed else _UNPLACED)


def choose(
    seats: Seats,
    level: Level,
    floor: Position | None,
    last: Node | None,
    health: HealthView,
    turn: int,
    reads: Reads = IN_TURN,
) -> Choice:
    """The node for a read at `level`.

    `floor` is what the session must see on this shard; `last` the replica it has read from since that floor was set
    (its own log only moves forward, so staying there keeps reads monotonic for nothing; leaving it needs the primary,
    whose place then becomes the floor).  `turn` rises with each read, `reads` says how replicas share them.
    """
    name = level.name
    if name == "strong":
        return Choice(seats.primary, Check.NOTHING, _STRONG)
    if name == "session":
        if last is not None:
            return _stay(seats, floor, last, health, reads)
        return _fresh(seats, floor, health, turn, reads)
    tried = in_order(seats.replicas, reads, last, health, turn)
    usable = [node for node in tried if health.usable(node) and not lags(node, reads, health)]
    if not usable:
        return Choice(seats.primary, Check.NOTHING, _NO_REPLICA)
    if name == "eventual":
        return Choice(usable[0], Check.NOTHING, _EVENTUAL)
    for node in usable:
        if health.staleness_seconds(node) <= level.staleness_seconds and not node.pooled:
            return Choice(node, Check.NOTHING, _BOUNDED)
    for node in usable:
        if health.guard_now(node):
            return Choice(node, Check.GUARD, _BOUNDED_GUARD)
    return Choice(seats.primary, Check.NOTHING, _TOO_OLD)


def _stay(seats: Seats, floor: Position | None, last: Node, health: HealthView, reads: Reads) -> Choice:
    if last in seats.replicas and health.usable(last):
        if lags(last, reads, health):
            return Choice(seats.primary, Check.PLACE, _LAGS)
        if last.pooled:
            return _pooled(seats, last, health)
        if floor is None:
            return Choice(last, Check.NOTHING, _STICKY)
        replayed = health.replayed(last)
        if replayed is not None and replayed.generation == floor.generation:
            if replayed.lsn >= floor.lsn:
                return Choice(last, Check.NOTHING, _STICKY)
            if health.guard_now(last):
                return Choice(last, Check.GUARD, _GUARDED)
        elif replayed is None:
            return Choice(last, Check.GUARD, _GUARDED)
        else:
            return Choice(seats.primary, Check.PLACE, _GENERATION)
        return Choice(seats.primary, Check.PLACE, _BEHIND)
    return Choice(seats.primary, Check.NOTHING, _NO_REPLICA)


def _pooled(seats: Seats, node: Node, health: HealthView) -> Choice:
    """What is known of a pooled node was said by whatever server the pooler led to then: each read asks anew."""
    if health.guard_now(node):
        return Choice(node, Check.GUARD, _POOLED)
    return Choice(seats.primary, Check.PLACE, _BEHIND)


def _fresh(seats: Seats, floor: Position | None, health: HealthView, turn: int, reads: Reads) -> Choice:
    guardable: Node | None = None
    behind = ""
    for node in in_order(seats.replicas, reads, None, health, turn):
        if not health.usable(node) or lags(node, reads, health):
            continue
        if node.pooled:
            guardable = guardable or (node if health.guard_now(node) else None)
            behind = behind or _BEHIND
            continue
        if floor is None:
            return Choice(node, Check.NOTHING, _FIRST)
        replayed = health.replayed(node)
        if replayed is not None and replayed.generation != floor.generation:
            behind = _GENERATION
            continue
        if replayed is not None and replayed.lsn >= floor.lsn:
            return Choice(node, Check.NOTHING, _COVERED)
        behind = _BEHIND
        if guardable is None and health.guard_now(node):
            guardable = node
    if guardable is not None:
        return Choice(guardable, Check.GUARD, _POOLED if guardable.pooled else _GUARDED)
    if behind:
        return Choice(seats.primary, Check.PLACE, behind)
    # Nobody to go back to soon: the place can be asked for when there is.
    return Choice(seats.primary, Check.NOTHING, _NO_REPLICA)
