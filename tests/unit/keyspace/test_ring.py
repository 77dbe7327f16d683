"""The ring: fair, still where it was when a shard joins, and the same in every process."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.errors import ConfigurationError
from outgrow.keyspace import Keyspace, first_map, grown, ring_owners
from outgrow.keyspace.ring import VIRTUAL_NODES, _nearest, _place
from outgrow.topology import ShardMap, parse

names = st.lists(st.text("abcdefgh0123456789_-é", min_size=1, max_size=8), min_size=1, max_size=20, unique=True)
slots = st.sampled_from((32, 64, 1024))


@given(names, slots, st.randoms(use_true_random=False))
def test_the_names_decide_and_not_their_order(shards: list[str], slots: int, rng: object) -> None:
    shuffled = list(shards)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = ring_owners(shards, slots), ring_owners(shuffled, slots)
    assert [shards[owner] for owner in one] == [shuffled[owner] for owner in other]


@given(names, slots)
def test_every_shard_has_its_fair_share(shards: list[str], slots: int) -> None:
    held = Counter(ring_owners(shards, slots))
    assert set(held) == set(range(len(shards)))
    assert max(held.values()) - min(held.values()) <= 1


@given(names.filter(lambda found: len(found) > 1), st.data())
def test_only_the_newcomer_gains(shards: list[str], data: st.DataObject) -> None:
    """Whatever map there was, balanced or not."""
    *old, new = shards
    owners = data.draw(st.lists(st.integers(0, len(old) - 1), min_size=64, max_size=64))
    before = ShardMap("d", 3, tuple(old), tuple(owners))
    after = grown(before, new)
    assert after.shards == tuple(shards)
    assert after.epoch == 4
    assert {theirs for ours, theirs in zip(owners, after.owners, strict=True) if ours != theirs} == {len(old)}
    owning = len(set(owners))
    moved, fair = after.owners.count(len(old)), 64 / (owning + 1)
    assert abs(moved - fair) <= 0.5


@settings(max_examples=20)
@given(names.filter(lambda found: len(found) > 1), slots)
def test_growing_keeps_the_balance(shards: list[str], slots: int) -> None:
    shard_map = ShardMap("d", 1, (shards[0],), (0,) * slots)
    for name in shards[1:]:
        shard_map = grown(shard_map, name)
        held = Counter(shard_map.owners)
        assert max(held.values()) - min(held.values()) <= 1


@pytest.mark.parametrize("slots", [1, 64, 1024, 4096])
def test_slots_come_by_their_way_to_the_next_virtual_node(slots: int) -> None:
    """Against the definition: each slot by itself, every one once, round the end of the circle too."""
    places = sorted(_place("s1", number) for number in range(VIRTUAL_NODES))
    places.append(places[0] + 2**64)
    step = 2**64 // slots
    ways = [places[bisect_left(places, slot * step)] - slot * step for slot in range(slots)]
    found = list(_nearest("s1", slots))
    assert sorted(found) == list(range(slots))
    assert [ways[slot] for slot in found] == sorted(ways)


def test_a_shard_of_the_map_that_holds_nothing_joins_under_its_old_number() -> None:
    after = grown(ShardMap("d", 1, ("a", "idle", "b"), (0, 2, 0, 2, 0, 2)), "idle")
    assert after.shards == ("a", "idle", "b")
    assert Counter(after.owners) == {0: 2, 1: 2, 2: 2}


@pytest.mark.parametrize("shards, owners, new", [(("a", "b"), (0, 1, 0), "b"), (("a", "b"), (0, 1), "c")])
def test_who_cannot_join(shards: tuple[str, ...], owners: tuple[int, ...], new: str) -> None:
    with pytest.raises(ConfigurationError) as info:
        grown(ShardMap("d", 1, shards, owners), new)
    assert info.value.code == "OG-KEY-007"


def test_the_ring_is_what_it_was() -> None:
    """Frozen: a map computed differently once is a row that nobody finds again."""
    assert "".join(map(str, ring_owners(("s1", "s2", "s3"), 32))) == "00212212012002101022121110201102"
    shards = "{s1: {primary: host=a}, s2: {primary: host=b}, s3: {primary: host=c}}"
    text = f"fleet: f\ndomains: {{d: {{engine: postgresql, strategy: ring, slots: 32, shards: {shards}}}}}"
    domain = parse(text).domain("d")
    shard_map = first_map(domain)
    assert shard_map == ShardMap("d", 1, ("s1", "s2", "s3"), ring_owners(("s1", "s2", "s3"), 32))
    assert shard_map != ShardMap.first(domain)
    placed = Keyspace(32, shard_map)
    assert placed.shard(("int8",), (42,)) == shard_map.shard_of(placed.slot(("int8",), (42,)))
