"""How the fleet's side places keys: the strategy that a run asks for, with ranges for every kind of key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from outgrow.topology import Domain, Placement, Ranges, Splits, TableName
from tests.differential.world import TOKENS

SLOTS = 64
STRATEGIES = ("hash", "ring", "range")

#: Split points that are values of rows, stand between them, and beyond them; shards have more than one range.
_POINTS = {
    "int8": ("3", "7", "21", "35", "1000"),
    "text": ("doc-11", "doc-19", "doc-3", "e", "Ä"),
    "date": ("2024-01-10", "2024-03-30", "2024-06-01", "2024-08-01"),
    "uuid": tuple(sorted(str(token) for token in TOKENS[::7])),
}


def placed(domain: Domain, strategy: str, tables: Mapping[TableName, Placement]) -> Domain:
    """The domain with these tables under that strategy."""
    names = [shard.name for shard in domain.shards]
    ranges = tuple(
        Ranges(Splits(type, points), tuple(names[at % len(names)] for at in range(len(points) + 1)))
        for type, points in _POINTS.items()
    )
    return replace(domain, slots=SLOTS, tables=tables, strategy=strategy, ranges=ranges if strategy == "range" else ())
