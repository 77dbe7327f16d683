"""Slots: golden ones from a PostgreSQL 15 server, and the vectorised form against the scalar one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.errors import ConfigurationError, NotSupportedError
from outgrow.keyspace import KINDS, Hash, Keyspace, coerce, family
from outgrow.keyspace.columns import Integers, Slices
from outgrow.topology import ShardMap

GOLDEN: dict[str, list[list[Any]]] = json.loads((Path(__file__).parent / "golden.json").read_text())
SINGLE = [(type, text, slot) for type in KINDS for text, slot in GOLDEN[type]]


@pytest.mark.parametrize(("type", "text", "slot"), SINGLE)
def test_golden_slots_of_single_keys(type: str, text: str, slot: int) -> None:
    value = coerce(type, text)
    for slots in (65536, 1024, 2, 1):
        hash = Hash((type,), slots)
        assert hash.slot((value,)) == slot % slots
        assert hash.slot_column([[value, None]]).tolist() == [slot % slots, 0]


def test_golden_slots_of_compound_keys() -> None:
    rows = GOLDEN["int8 text"]
    hash = Hash(("int8", "text"), 65536)
    wanted = [row[2] for row in rows]
    assert [hash.slot((row[0], row[1])) for row in rows] == wanted
    assert hash.slot_column([[row[0] for row in rows], [row[1] for row in rows]]).tolist() == wanted


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**33), 2**33),
    "text": st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60),
    "varchar": st.text(st.sampled_from("abcdé"), max_size=600),
    "uuid": st.uuids(),
    "bool": st.booleans(),
    "date": st.integers(-800_000, 3_000_000),
    "timestamp": st.integers(-(2**63), 2**63 - 1),
    "timestamptz": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(),
}


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(list(KINDS)), st.sampled_from([1, 64, 65536]))
def test_columns_hash_as_values_do(data: st.DataObject, type: str, slots: int) -> None:
    values = data.draw(st.lists(st.none() | VALUES[type], max_size=40))
    hash = Hash((type,), slots)
    assert hash.slot_column([values]).tolist() == [hash.slot((value,)) for value in values]


@settings(deadline=None, max_examples=60)
@given(st.data(), st.lists(st.sampled_from(list(KINDS)), min_size=2, max_size=4))
def test_compound_columns_hash_as_keys_do(data: st.DataObject, types: list[str]) -> None:
    keys = data.draw(st.lists(st.tuples(*(st.none() | VALUES[type] for type in types)), min_size=1, max_size=20))
    hash = Hash(tuple(types), 1024)
    assert hash.slot_column(list(zip(*keys, strict=True))).tolist() == [hash.slot(key) for key in keys]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint32])
def test_arrays_of_short_integers(dtype: Any) -> None:
    values = [0, 1, 77, 32767, *([-1, -32768] if np.dtype(dtype).kind == "i" else [2**32 - 1])]
    hash = Hash(("int8",), 1024)
    column = Integers(np.array(values, dtype=dtype), np.array([False] * (len(values) - 1) + [True]))
    assert hash.slot_column([column]).tolist() == [hash.slot((value,)) for value in values[:-1]] + [0]


def test_slices_of_a_buffer_without_slack() -> None:
    buffer = np.frombuffer("abcdefghijklmnopqrstuvwxyzé".encode(), dtype=np.uint8)
    starts, lengths = np.array([0, 26, 3, 13]), np.array([26, 2, 0, 13])
    hash = Hash(("text",), 1024)
    wanted = [hash.slot((text,)) for text in ("abcdefghijklmnopqrstuvwxyz", "é", "", "nopqrstuvwxyz")]
    assert hash.slot_column([Slices(buffer, starts, lengths)]).tolist() == wanted


def test_columns_longer_than_a_block() -> None:
    values = list(range(-20_000, 20_000))
    hash = Hash(("int4",), 64)
    assert hash.slot_column([values]).tolist() == [hash.slot((value,)) for value in values]
    texts = [f"key-{value}" * (value % 5) for value in values]
    hash = Hash(("text",), 64)
    assert hash.slot_column([texts]).tolist() == [hash.slot((text,)) for text in texts]


def test_equal_values_of_a_family_share_a_slot() -> None:
    for value in (0, -1, 32767, -32768):
        assert len({Hash((type,), 1024).slot((value,)) for type in ("int2", "int4", "int8")}) == 1
    assert family("int2") == family("int8") != family("date")
    assert Hash(("numeric",), 1024).slot((Decimal("1.50"),)) == Hash(("numeric",), 1024).slot((Decimal("1.5"),))


def test_the_same_in_every_process() -> None:
    """Nothing may depend on Python's salted hash(): another process with another salt says the same."""
    key = (5, "é-key", uuid.UUID(int=99), Decimal("1.5"))
    types = ("int8", "text", "uuid", "numeric")
    program = (
        "import uuid; from decimal import Decimal; from outgrow.keyspace import Hash\n"
        f"print(Hash({types!r}, 1024).slot((5, 'é-key', uuid.UUID(int=99), Decimal('1.5'))))"
    )
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == str(Hash(types, 1024).slot(key)), done.stderr


@pytest.mark.parametrize("type", ["bytea", "bpchar", "float8", "citext", "public.mood", "_int4", "jsonb"])
def test_types_that_cannot_be_keys(type: str) -> None:
    with pytest.raises(NotSupportedError, match=type) as caught:
        Hash((type,), 64)
    assert caught.value.code == "OG-KEY-001"
    assert caught.value.cure


@pytest.mark.parametrize("slots", [0, -8, 3, 1000, 131072])
def test_slots_are_a_power_of_two(slots: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Hash(("int8",), slots)
    assert caught.value.code == "OG-KEY-003"


def test_keys_too_wide_for_sql() -> None:
    Hash(("int8",) * 6, 65536)
    with pytest.raises(NotSupportedError) as caught:
        Hash(("int8",) * 7, 65536)
    assert caught.value.code == "OG-KEY-002"
    assert "at most 6" in caught.value.cure
    with pytest.raises(NotSupportedError):
        Hash((), 64)


def test_a_wrong_number_of_columns() -> None:
    hash = Hash(("int8", "text"), 64)
    with pytest.raises(ValueError, match="2 key columns"):
        hash.sql(["a"])
    with pytest.raises(ValueError, match="2 key columns"):
        hash.slot_column([[1]])


def test_keyspace_places_keys() -> None:
    owners = tuple(slot % 3 for slot in range(64))
    placed = Keyspace(64, ShardMap("sales", 1, ("s1", "s2", "s3"), owners))
    assert placed.shards == ("s1", "s2", "s3")
    for value in range(100):
        slot = placed.slot(("int8",), (value,))
        assert slot == Hash(("int8",), 64).slot((value,))
        assert placed.shard(("int8",), (value,)) == f"s{slot % 3 + 1}" == placed.shards_for(("int4",), (value,))
    assert placed.shard(("text",), (None,)) == "s1"
    with pytest.raises(ConfigurationError) as caught:
        Keyspace(128, placed.map)
    assert caught.value.code == "OG-KEY-004"


def test_scalar_hashing_does_not_import_numpy() -> None:
    program = (
        "import sys; from outgrow.keyspace import Hash; Hash(('text',), 8).slot(('a',)); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
