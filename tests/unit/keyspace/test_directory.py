"""The directory strategy: what is known, what must be looked up, and how new keys are assigned."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import DataError
from outgrow.keyspace import Keyspace, Lookup, assigned, first_map, key_text, key_value
from outgrow.keyspace.columns import Integers, pieces, texts
from outgrow.keyspace.directory import KNOWN_MAX, Known
from outgrow.topology import parse

FILE = """\
fleet: f
domains:
  d:
    engine: postgresql
    strategy: directory
    slots: 16
    directory: {int8: {assign: hash}, text: {assign: hash}, uuid: {assign: hash}}
    shards: {s1: {primary: host=a}, s2: {primary: host=b}, s3: {primary: host=c}}
"""
FIRST = 16


def placed(**known: dict[Any, int]) -> Keyspace:
    domain = parse(FILE).domains[0]
    made = Keyspace(domain.slots, first_map(domain))
    for family, slots in known.items():
        made.book.page.known[family].add(slots)
    return made


def test_behind_the_hash_slots_each_shard_has_one() -> None:
    keyspace = placed()
    assert keyspace.map.hashed == keyspace.map.listed == FIRST
    assert [keyspace.owners[slot] for slot in range(FIRST, FIRST + 3)] == ["s1", "s2", "s3"]
    assert [keyspace.listed_slot(shard) for shard in ("s1", "s2", "s3")] == [16, 17, 18]


def test_an_entry_says_where_a_key_lies_whatever_its_type() -> None:
    keyspace = placed(integer={5: 18}, text={"a": 17})
    for type in ("int2", "int4", "int8"):
        assert keyspace.shard((type,), (5,)) == "s3"
    assert keyspace.shard(("varchar",), ("a",)) == "s2"
    assert keyspace.shard(("int4", "date"), (5, None)) == keyspace.shard(("int8", "text"), (5, "x")) == "s3"
    assert keyspace.shard(("date", "int8"), (1, 5)) in ("s1", "s2", "s3")  # by its hash


def test_what_is_not_known_must_be_looked_up_but_for_null() -> None:
    keyspace = placed(integer={5: 18})
    with pytest.raises(Lookup) as info:
        keyspace.shard(("int4",), (6,))
    assert info.value.keys == {("integer", 6)}
    assert keyspace.shard(("int4",), (None,)) == "s1"
    with pytest.raises(Lookup) as info:
        keyspace.strategy(("int8",)).slot_column([[5, 6, None, 7, 6]])
    assert info.value.keys == {("integer", 6), ("integer", 7)}


def test_columns_of_every_shape() -> None:
    one, two = uuid.UUID(int=1), uuid.UUID(int=2)
    keyspace = placed(integer={5: 18, -1: 16, 0: 17}, text={"é": 17, "": 16}, uuid={one: 17, two: 18})
    nulls = np.array([False, True, False, False])
    column = Integers(np.array([5, 99, -1, 5]), nulls)
    assert keyspace.strategy(("int8",)).slot_column([column]).tolist() == [18, 16, 16, 18]
    # What stands where a NULL is may be a key elsewhere.
    column = Integers(np.array([5, 5]), np.array([True, False]))
    assert keyspace.strategy(("int8",)).slot_column([column]).tolist() == [16, 18]
    assert keyspace.strategy(("text",)).slot_column([texts(["é", None, ""])]).tolist() == [17, 16, 16]
    assert keyspace.strategy(("uuid",)).slot_column([pieces([two.bytes, one.bytes, None])]).tolist() == [18, 17, 16]
    with pytest.raises(Lookup) as info:
        keyspace.strategy(("text",)).slot_column([texts(["x", "é", "y"])])
    assert info.value.keys == {("text", "x"), ("text", "y")}


def test_order_says_nothing_but_that_no_hash_slot_has_it() -> None:
    keyspace = placed()
    assert keyspace.slots_between(("int8",), 3, 4, False) == range(16, 19)
    assert keyspace.slots_between(("date",), 3, 4, False) is None
    assert keyspace.strategy(("int8",)).sql(["k"]) is None


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=200), st.uuids()))
def test_a_keys_text_is_its_own(value: Any) -> None:
    family = {int: "integer", str: "text", uuid.UUID: "uuid"}[type(value)]
    assert key_value(family, key_text(family, value)) == value


def test_a_key_too_long_for_an_index_is_refused() -> None:
    assert key_text("text", "é" * 1000)
    with pytest.raises(DataError, match="OG-KEY-011"):
        key_text("text", "é" * 1001)


def policy(name: str, keys: list[int], counts: dict[str, int] | None = None) -> list[str]:
    keyspace = placed()
    counted = {"integer": Counter(counts or {})}
    found = assigned([("integer", key) for key in keys], {"integer": name}, counted, keyspace.shards, keyspace.hashed)
    return [found["integer", key] for key in keys]


def test_policies() -> None:
    assert policy("least_keys", [1, 2, 3, 4, 5], {"s1": 3, "s2": 1}) == ["s3", "s2", "s3", "s2", "s3"]
    assert policy("round_robin", [1, 2, 3, 4], {"s1": 3, "s2": 1}) == ["s2", "s3", "s1", "s2"]
    assert policy("s2", [1, 2]) == ["s2", "s2"]
    hashed = placed()
    assert policy("hash", [1, 2, 3]) == [hashed.hashed(("integer", key)) for key in (1, 2, 3)]
    domain = parse(FILE.replace("strategy: directory", "strategy: hash").replace("    directory:", "    # ")).domains[0]
    plain = Keyspace(domain.slots, first_map(domain))
    assert policy("hash", [7, 8, 9]) == [plain.shard(("int8",), (key,)) for key in (7, 8, 9)]
    with pytest.raises(DataError, match="OG-KEY-010") as info:
        policy("refuse", [4711])
    assert "4711" in info.value.message
    with pytest.raises(DataError, match="OG-KEY-010"):
        assigned([("text", "x")], {"integer": "hash"}, {}, ("s1",), lambda entry: "s1")


def test_what_is_remembered_is_bounded_and_what_is_used_stays() -> None:
    known = Known()
    known.add({"often": 1})
    for at in range(0, 4 * KNOWN_MAX, KNOWN_MAX // 4):
        known.add(dict.fromkeys(range(at, at + KNOWN_MAX // 4), 2))
        assert known.get("often") == 1
    assert known.get(0) is None
    assert len(known._young) + len(known._old) <= 2 * KNOWN_MAX
    copy = known.without(["often"])
    assert (copy.get("often"), known.get("often")) == (None, 1)
