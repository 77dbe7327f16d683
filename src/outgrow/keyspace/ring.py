"""The ring strategy: consistent hashing over slots, with virtual nodes and a bound on what a shard holds.

Source: Karger et al., "Consistent Hashing and Random Trees", STOC 1997; the bound is that of Mirrokni, Thorup and
Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018, held exactly.  Slot i stands at i / slots of the
circle, a shard at `VIRTUAL_NODES` places that SHA-256 gives it, and a newcomer takes its fair share of the slots:
from whoever holds most, and of those the slots that come first before one of its places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from heapq import heapify, heapreplace

from outgrow.errors import ConfigurationError
from outgrow.topology import ShardMap

#: Places of one shard on the circle: as many as spread what it takes over the circle, and no more.
VIRTUAL_NODES = 128

_BITS = 64
_CIRCLE = 1 << _BITS


def ring_owners(shards: Sequence[str], slots: int) -> tuple[int, ...]:
    """The first owner of each slot, as an index into `shards`.  A function of the set of names, not of their order.

    The shards join one after another in the order of their names' bytes.  Each holds ⌊slots/n⌋ or ⌈slots/n⌉.
    """
    number = {name: index for index, name in enumerate(shards)}
    order = sorted(shards, key=str.encode)
    owners = [order[0]] * slots
    for name in order[1:]:
        _join(owners, name)
    return tuple(number[name] for name in owners)


def grown(before: ShardMap, shard: str) -> ShardMap:
    """The map of the next epoch, with a new shard that took its fair share: slots ÷ shards, to the nearest.

    Only the new shard gains slots, so nothing moves between old ones; whatever map there was, those that held most
    give.  Equal in every process and on every platform.  Raises ConfigurationError OG-KEY-007 when the shard holds
    slots already, or when there is no slot for it.
    """
    shards = before.shards if shard in before.shards else (*before.shards, shard)
    owners = [before.shards[owner] for owner in before.owners]
    if shard in owners:
        raise ConfigurationError(
            "OG-KEY-007",
            f"the shard {shard} of domain {before.domain} holds {owners.count(shard)} slots already",
            cure="name a shard that holds none",
        )
    if len(set(owners)) >= len(owners):
        raise ConfigurationError(
            "OG-KEY-007",
            f"each of the {len(owners)} slots of domain {before.domain} has a shard of its own: none is left",
            cure="choose more slots before a domain is installed; afterwards their number is fixed",
        )
    _join(owners, shard)
    number = {name: index for index, name in enumerate(shards)}
    return replace(before, epoch=before.epoch + 1, shards=shards, owners=tuple(number[name] for name in owners))


def _join(owners: list[str], newcomer: str) -> None:
    """Give the newcomer its fair share of the slots, in place."""
    give = _levelled(Counter(owners), len(owners))
    left = give.total()
    for slot in _nearest(newcomer, len(owners)):
        if give[owners[slot]]:
            give[owners[slot]] -= 1
            owners[slot] = newcomer
            left -= 1
            if not left:
                return


def _levelled(held: Counter[str], slots: int) -> Counter[str]:
    """How many slots each owner gives: one by one from whoever holds most, of equals the first by name."""
    heap = [(-count, name.encode(), name) for name, count in held.items()]
    heapify(heap)
    give: Counter[str] = Counter()
    share = (2 * slots + len(held) + 1) // (2 * (len(held) + 1))
    for _ in range(share):
        count, text, name = heap[0]
        heapreplace(heap, (count + 1, text, name))
        give[name] += 1
    return give


def _nearest(shard: str, slots: int) -> Iterator[int]:
    """All slots by how far it is from them clockwise to the shard's next virtual node."""
    step = _CIRCLE // slots
    places = sorted(_place(shard, number) for number in range(VIRTUAL_NODES))
    before = places[-1] // step - slots
    arcs = []
    for place in places:
        # The nearest slot of the arc that ends here, how far it is, and how many slots the arc has.
        arcs.append((place % step, place // step, place // step - before))
        before = place // step
    arcs.sort()
    for back in range(max(length for _, _, length in arcs)):
        for _, slot, length in arcs:
            if back < length:
                yield (slot - back) % slots


def _place(shard: str, number: int) -> int:
    """Where a virtual node stands.  Never Python's own hash, which differs from process to process."""
    return int.from_bytes(sha256(f"{shard}/{number}".encode()).digest()[: _BITS // 8], "big")
