"""What this process knows about the nodes: who answers, who is primary, how far replicas have got.

Everything here is learnt from answers that had to be waited for anyway (guards, errors) and from the heartbeat; a
dictionary look-up tells it to routing.  Single values are replaced whole, so that threads need no lock to read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from outgrow.clock import monotonic
from outgrow.route import Position, Seats
from outgrow.topology import Domain, Node

#: After a failed guard, how long the next one waits (seconds): doubling from the first to the last.
_GUARD_PAUSE_FIRST = 0.002
_GUARD_PAUSE_LAST = 0.1
#: After a failure, how long a node stays out of rotation before it is tried again (seconds), doubling.
_RETRY_FIRST = 0.1
_RETRY_LAST = 2.0
#: The newest answer's share in a node's mean latency.
_LATENCY_SHARE = 0.2
#: Primary samples kept per shard, for `bounded`.
_SAMPLES = 256


class NodeHealth:
    """One node, as last seen."""

    __slots__ = (
        *("failures", "guard_at", "guard_pause", "last_error", "latency_seconds", "lost_at", "replayed", "retry_at"),
        "usable",
    )

    def __init__(self) -> None:
        self.usable = True
        self.failures = 0
        self.retry_at = 0.0
        #: When it was last found to be lost, after it had answered.
        self.lost_at = 0.0
        self.last_error = ""
        #: A place that it has passed, and in which run of the server: after a crash it may be behind it.
        self.replayed: tuple[Position, str] | None = None
        self.guard_at = 0.0
        self.guard_pause = _GUARD_PAUSE_FIRST
        #: Of the heartbeat's questions, as a moving mean.
        self.latency_seconds = 0.0


class Health:
    """The table of a fleet's nodes; it is routing's `HealthView`."""

    def __init__(
        self,
        domains: Iterable[Domain],
        clock: Callable[[], float] = monotonic,
        connections_used: Callable[[Node], int] = lambda node: 0,
    ) -> None:
        self._clock = clock
        self.connections_used = connections_used
        self._nodes: dict[str, NodeHealth] = {}
        self._seats: dict[tuple[str, str], Seats] = {}
        self._samples: dict[tuple[str, str], deque[tuple[float, Position]]] = {}
        #: Raised by every read that would like fresher bounds; the heartbeat rests while it stands still.
        self.interest = 0
        for domain in domains:
            for shard in domain.shards:
                self._seats[domain.name, shard.name] = Seats(shard.primary, shard.replicas)
                self._samples[domain.name, shard.name] = deque(maxlen=_SAMPLES)
                for node in shard.nodes:
                    self._nodes[node.name] = NodeHealth()

    # -- what routing asks ---------------------------------------------------------------------------------------

    def usable(self, node: Node) -> bool:
        return self._nodes[node.name].usable

    def replayed(self, node: Node) -> Position | None:
        known = self._nodes[node.name].replayed
        return None if known is None else known[0]

    def replayed_by(self, node: Node, incarnation: str) -> Position | None:
        """The same, where it is known of this run of the server."""
        known = self._nodes[node.name].replayed
        return known[0] if known is not None and known[1] == incarnation else None

    def guard_now(self, node: Node) -> bool:
        return self._clock() >= self._nodes[node.name].guard_at

    def staleness_seconds(self, node: Node) -> float:
        """Now minus the newest moment whose primary position this replica is known to have passed.

        Only this process's clock is used: if the primary stood at L at local time T, and the replica has replayed L
        by now, its data is at most now - T old.
        """
        replayed = self.replayed(node)
        return float("inf") if replayed is None else self.staleness_at(node, replayed)

    def staleness_at(self, node: Node, replayed: Position) -> float:
        """The same of a server that stands at `replayed` and answers for the node."""
        for at, position in reversed(self._samples[node.domain, node.shard]):
            if position.generation == replayed.generation and position.lsn <= replayed.lsn:
                return self._clock() - at
        return float("inf")

    def behind_bytes(self, node: Node) -> float:
        """How far the primary's newest known place is ahead of what this replica is known to have replayed."""
        replayed = self.replayed(node)
        samples = self._samples[node.domain, node.shard]
        if replayed is None or not samples or samples[-1][1].generation != replayed.generation:
            return float("inf")
        return max(0, samples[-1][1].lsn - replayed.lsn)

    def latency_seconds(self, node: Node) -> float:
        return self._nodes[node.name].latency_seconds

    # -- who sits where ------------------------------------------------------------------------------------------

    def seats(self, domain: str, shard: str) -> Seats:
        return self._seats[domain, shard]

    def seat(self, domain: str, shard: str, seats: Seats) -> bool:
        """Record who is primary and who is replica; True when that changed."""
        changed = self._seats[domain, shard] != seats
        if changed:
            self._seats[domain, shard] = seats
            self._samples[domain, shard].clear()
            for node in (seats.primary, *seats.replicas):
                self._nodes[node.name].replayed = None
        return changed

    # -- what executions report ----------------------------------------------------------------------------------

    def note_replayed(self, node: Node, position: Position, incarnation: str) -> None:
        """A replica was seen at `position`; bounds only rise within a generation, and a run of the server."""
        state = self._nodes[node.name]
        known = state.replayed
        if known is None or known[1] != incarnation or position > known[0]:
            state.replayed = (position, incarnation)

    def note_guard(self, node: Node, fresh: bool) -> None:
        state = self._nodes[node.name]
        if fresh:
            state.guard_pause = _GUARD_PAUSE_FIRST
            state.guard_at = 0.0
        else:
            state.guard_at = self._clock() + state.guard_pause
            state.guard_pause = min(state.guard_pause * 2, _GUARD_PAUSE_LAST)

    def note_primary(self, node: Node, sampled_at: float, position: Position) -> None:
        """The primary stood at `position` at local time `sampled_at` (taken *before* asking)."""
        samples = self._samples[node.domain, node.shard]
        if samples and samples[-1][1] == position:
            samples[-1] = (sampled_at, position)
        else:
            samples.append((sampled_at, position))

    def note_lost(self, node: Node, error: BaseException) -> None:
        """The node did not answer: out of rotation until the heartbeat has seen it again."""
        state = self._nodes[node.name]
        if state.usable:
            state.lost_at = self._clock()
        state.usable = False
        state.last_error = str(error).splitlines()[0] if str(error) else type(error).__name__
        state.retry_at = self._clock() + min(_RETRY_FIRST * 2**state.failures, _RETRY_LAST)
        state.failures = min(state.failures + 1, 10)

    def note_latency(self, node: Node, seconds: float) -> None:
        """The heartbeat's question was answered after so long."""
        state = self._nodes[node.name]
        known = state.latency_seconds
        state.latency_seconds = seconds if not known else known + (seconds - known) * _LATENCY_SHARE

    def note_alive(self, node: Node) -> None:
        state = self._nodes[node.name]
        if not state.usable:
            state.usable = True
            state.last_error = ""
        state.failures = 0

    def due(self, node: Node) -> bool:
        """The heartbeat should ask this node now."""
        state = self._nodes[node.name]
        return state.usable or self._clock() >= state.retry_at

    def lost_at(self, node: Node) -> float:
        return self._nodes[node.name].lost_at

    def last_error(self, node: Node) -> str:
        return self._nodes[node.name].last_error
