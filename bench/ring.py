"""What the ring does to keys: how evenly they lie, how many move when a shard joins, and what finding one costs.

For every number of shards from 2 to 64 and ten sets of names, a shard joins.  Keys are counted, not slots:
`moved_share_max_error` is the worst |moved share ÷ 1/(N+1) − 1|, `skew_max_over_mean` the worst of the largest
shard's keys ÷ the mean, before and after the join.  A key that moves between two old shards, or whose shard is another
one when the names come in another order, stops the run.  `lookup_ns` is one int8 key to its shard's name.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from bench import harness
from outgrow.keyspace import VIRTUAL_NODES, Hash, Keyspace, grown, ring_owners
from outgrow.keyspace.columns import Integers
from outgrow.topology import ShardMap

SLOTS = 1024
SHARDS = range(2, 65)
RINGS = 10
KEYS = 1_000_000
SHOWN = (2, 3, 4, 8, 16, 32, 48, 64)

Counts = npt.NDArray[np.int64]


class Joined(NamedTuple):
    """One join: how far the share of keys that moved is from the fair one, and the skew before and after."""

    error: float
    before: float
    after: float


def keys_by_slot(rng: random.Random) -> Counts:
    """How many keys each slot has: half of them in sequence, as serials are, half of them anywhere."""
    serials = np.arange(KEYS // 2)
    anywhere = np.random.default_rng(rng.getrandbits(32)).integers(-(2**63), 2**63 - 1, KEYS // 2)
    slots = Hash(("int8",), SLOTS).slot_column([Integers(np.concatenate([serials, anywhere]))])
    return np.bincount(slots, minlength=SLOTS)


def skew(shard_map: ShardMap, keys: Counts) -> float:
    held = np.bincount(np.array(shard_map.owners), weights=keys, minlength=len(shard_map.shards))
    return float(held.max() / held.mean())


def joined(names: list[str], keys: Counts, rng: random.Random) -> Joined:
    *old, new = names
    before = ShardMap("bench", 1, tuple(old), ring_owners(old, SLOTS))
    shuffled = rng.sample(old, len(old))
    again = ring_owners(shuffled, SLOTS)
    if [shuffled[owner] for owner in again] != [old[owner] for owner in before.owners]:
        raise SystemExit(f"the order of {len(old)} names counts")
    after = grown(before, new)
    moved = 0
    for slot, (one, other) in enumerate(zip(before.owners, after.owners, strict=True)):
        if one != other:
            if after.shards[other] != new:
                raise SystemExit(f"slot {slot} moved between old shards")
            moved += int(keys[slot])
    return Joined(abs(moved / KEYS * len(names) - 1), skew(before, keys), skew(after, keys))


def lookup(rounds: int, calls: int) -> float:
    rng = random.Random(1)
    names = tuple(f"s{number}" for number in range(64))
    placed = Keyspace(SLOTS, ShardMap("bench", 1, names, ring_owners(names, SLOTS)))
    keys = [(rng.getrandbits(63),) for _ in range(calls)]
    types = ("int8",)
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for key in keys:
            placed.shard(types, key)
        taken.append((time.perf_counter() - start) / calls * 1e9)
    # The first round fills the caches.
    return statistics.median(taken[1:])


def main() -> None:
    options = harness.arguments(__doc__, rounds=15, calls=20_000).parse_args()
    print(harness.conditions())
    core, _ = harness.two_cores()
    with harness.pinned([], client=core, server=core):
        lookup_ns = lookup(options.rounds, options.calls)
    worst = {count: Joined(0, 0, 0) for count in SHARDS}
    for ring in range(RINGS):
        rng = random.Random(ring)
        keys = keys_by_slot(rng)
        names = [f"{rng.getrandbits(32):08x}-{number}" for number in range(max(SHARDS) + 1)]
        for count in SHARDS:
            found = joined(names[: count + 1], keys, rng)
            worst[count] = Joined(*map(max, zip(worst[count], found, strict=True)))
    title = f"worst of {RINGS} rings, {KEYS:,} keys, {SLOTS:,} slots, {VIRTUAL_NODES} virtual nodes a shard"
    table = Table(title=title, title_justify="left")
    for heading in ("shards", "error of the share moved", "largest ÷ mean before", "and after a shard joined"):
        table.add_column(heading, justify="right")
    for count in SHOWN:
        table.add_row(str(count), *(f"{value:.3f}" for value in worst[count]))
    Console(width=110).print(table)
    harness.finish(
        {
            "moved_share_max_error": max(each.error for each in worst.values()),
            "skew_max_over_mean": max(max(each.before, each.after) for each in worst.values()),
            "lookup_ns": lookup_ns,
        }
    )


if __name__ == "__main__":
    main()
