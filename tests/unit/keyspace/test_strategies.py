"""What every strategy of `fleet.yaml` promises, whichever it is: one suite, run for each of them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from outgrow.errors import ConfigurationError
from outgrow.keyspace import Keyspace, coerce, first_map
from outgrow.topology import Domain, parse
from outgrow.topology.reader import STRATEGIES

SHARDS = ("s1", "s2", "s3", "s4", "s5")
FILE = """\
fleet: f
domains:
  d:
    engine: postgresql
    strategy: {strategy}
    slots: 256
    shards:
      s1: {{primary: host=a}}
      s2: {{primary: host=b}}
      s3: {{primary: host=c}}
      s4: {{primary: host=d}}
      s5: {{primary: host=e}}
"""


@pytest.fixture(params=STRATEGIES)
def text(request: pytest.FixtureRequest) -> str:
    return FILE.format(strategy=request.param)


@pytest.fixture
def domain(text: str) -> Domain:
    return parse(text).domains[0]


@pytest.fixture
def placed(domain: Domain) -> Keyspace:
    return Keyspace(domain.slots, first_map(domain))


def keys_of(type: str, count: int = 300) -> list[Any]:
    rng = random.Random(type)
    made = {
        "int8": lambda: rng.getrandbits(60),
        "text": lambda: f"k{rng.getrandbits(40):x}é",
        "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128))),
        "date": lambda: f"20{rng.randint(10, 99)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}",
    }[type]
    return [made() for _ in range(count)]


TYPES = ("int8", "text", "uuid", "date")


def test_another_process_places_alike(text: str, placed: Keyspace, tmp_path: Path) -> None:
    """With another salt of Python's own hash, and from the file alone."""
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    asked = [(type, key) for type in TYPES for key in keys_of(type)]
    script = Path(__file__).with_name("other_process.py")
    for salt in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, script, file],
            input=json.dumps(asked),
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(ran.stdout) == [placed.shard((type,), (coerce(type, key),)) for type, key in asked]


@pytest.mark.parametrize("type", TYPES)
def test_every_shard_gets_keys_and_a_column_is_placed_as_its_keys(placed: Keyspace, type: str) -> None:
    keys = [coerce(type, key) for key in keys_of(type)] + [None]
    one_by_one = [placed.shard((type,), (key,)) for key in keys]
    column = placed.strategy((type,)).slot_column([keys])
    assert [placed.owners[slot] for slot in column.tolist()] == one_by_one
    assert set(one_by_one) == set(SHARDS)


def test_compound_keys(placed: Keyspace) -> None:
    types = ("int8", "text")
    numbers, words = keys_of("int8"), keys_of("text")
    rows = [*zip(numbers, words, strict=True), (None, "a"), (5, None), (None, None)]
    one_by_one = [placed.shard(types, row) for row in rows]
    column = placed.strategy(types).slot_column([[row[0] for row in rows], [row[1] for row in rows]])
    assert [placed.owners[slot] for slot in column.tolist()] == one_by_one
    assert one_by_one != [placed.shard(("int8",), (row[0],)) for row in rows]


@pytest.mark.parametrize("type", TYPES)
def test_null_has_one_place(placed: Keyspace, type: str) -> None:
    """Slot 0's, whatever the type, as in PARTITION BY HASH."""
    assert placed.shard((type,), (None,)) == placed.owners[0]


def test_values_that_are_equal_in_sql_share_a_shard(placed: Keyspace) -> None:
    for key in keys_of("int8", 50):
        assert placed.shard(("int8",), (key,)) == placed.shard(("int4",), (key,))
    for key in keys_of("text", 50):
        assert placed.shard(("text",), (key,)) == placed.shard(("varchar",), (key,))


def test_a_map_of_another_size_is_refused(domain: Domain) -> None:
    with pytest.raises(ConfigurationError) as info:
        Keyspace(domain.slots * 2, first_map(domain))
    assert info.value.code == "OG-KEY-004"


def test_types_that_cannot_be_keys_are_refused(placed: Keyspace) -> None:
    with pytest.raises(Exception, match="OG-KEY-001"):
        placed.shard(("float8",), (1.5,))
