"""In which order a read tries a shard's replicas: the ways of sharing them out, and which lag too far to be read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from outgrow.topology import Node, Reads

#: Replicas whose answers take at most this factor and this many seconds longer than the quickest's count as quick.
_NEARLY, _NEARLY_SECONDS = 1.25, 0.0002


class LoadView(Protocol):
    """What sharing reads out wants to know of nodes."""

    def connections_used(self, node: Node) -> int:
        """How many of this process's connections to the node are in use now."""
        ...

    def latency_seconds(self, node: Node) -> float:
        """How long its answers took lately; 0 where nobody has asked it yet."""
        ...

    def staleness_seconds(self, node: Node) -> float:
        """At most how old this replica's data is; infinite where unknown."""
        ...

    def behind_bytes(self, node: Node) -> float:
        """How much log the primary was known to be ahead; infinite where unknown."""
        ...


def in_order(replicas: tuple[Node, ...], reads: Reads, last: Node | None, load: LoadView, turn: int) -> Sequence[Node]:
    """The replicas, the one to be tried first in front; `turn` rises by one with each read."""
    count = len(replicas)
    if count < 2:
        return replicas
    at = turn % count
    tried: Sequence[Node] = (*replicas[at:], *replicas[:at])
    match reads.balance:
        case "weighted":
            schedule = _schedule(tuple(node.weight for node in replicas))
            first = replicas[schedule[turn % len(schedule)]] if schedule else tried[0]
            tried = sorted(tried, key=lambda node: (node is not first, not node.weight))
        case "least_connections":
            tried = sorted(tried, key=load.connections_used)
        case "lowest_latency":
            tried = _quickest_first(tried, load)
        case "sticky":
            tried = sorted(tried, key=lambda node: node is not last)
    if reads.zone:
        # Sorting keeps the order among equals.
        tried = sorted(tried, key=lambda node: node.zone != reads.zone)
    return tried


def lags(node: Node, reads: Reads, load: LoadView) -> bool:
    """The replica is further behind than reads may be, or nobody knows that it is not."""
    if reads.lag_max_seconds is not None and load.staleness_seconds(node) > reads.lag_max_seconds:
        return True
    return reads.lag_max_bytes is not None and load.behind_bytes(node) > reads.lag_max_bytes


def _quickest_first(tried: Sequence[Node], load: LoadView) -> list[Node]:
    """Those that are nearly as quick as the quickest share the reads, the others wait until these are gone."""
    latency = {node.name: load.latency_seconds(node) for node in tried}
    quick = min(latency.values()) * _NEARLY + _NEARLY_SECONDS
    return sorted(tried, key=lambda node: 0.0 if latency[node.name] <= quick else latency[node.name])


@lru_cache(maxsize=1024)
def _schedule(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Every place as often as its weight says, spread evenly: the smooth weighted round robin of nginx.

    (Each turn everyone gains its weight, the richest is chosen and pays the sum of all.)
    """
    total = sum(weights)
    riches = [0] * len(weights)
    chosen = []
    for _ in range(total):
        riches = [rich + weight for rich, weight in zip(riches, weights, strict=True)]
        richest = riches.index(max(riches))
        riches[richest] -= total
        chosen.append(richest)
    return tuple(chosen)
