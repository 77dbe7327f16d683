"""What every strategy of `fleet.yaml` promises, on every engine: one suite, run for each pair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from outgrow.errors import ConfigurationError
from outgrow.keyspace import KINDS, Keyspace, bounds, coerce, family, first_map, key_text
from outgrow.topology import parse
from outgrow.topology.reader import ENGINES, STRATEGIES
from tests.conformance.strategies.oracles import Oracle, asked
from tests.conformance.strategies.worlds import (
    ENGINE_STRATEGIES,
    SHARDS,
    TYPES,
    domain_of,
    file_of,
    keys_of,
    placed_by,
    texts_of,
)
from tests.servers import Servers


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def oracle(engine: str, fleet_servers: Servers) -> Iterator[Oracle]:
    with asked(engine, fleet_servers) as found:
        yield found


@pytest.fixture(params=STRATEGIES, scope="module")
def strategy(engine: str, request: pytest.FixtureRequest) -> str:
    if request.param not in ENGINE_STRATEGIES[engine]:
        pytest.skip(f"no strategy of {engine}")
    return str(request.param)


@pytest.fixture(scope="module")
def placed(engine: str, strategy: str) -> Keyspace:
    return placed_by(engine, strategy)


def filled(oracle: Oracle, engine: str, type: str, texts: list[str]) -> None:
    """Table t with these keys, and NULL as the last."""
    oracle.fill([type], [(text,) for text in texts] + [(None,)])


def test_another_process_places_alike(engine: str, strategy: str, placed: Keyspace, tmp_path: Path) -> None:
    """With another salt of Python's own hash, and from the file alone: the first map too."""
    file = tmp_path / "fleet.yaml"
    file.write_text(file_of(engine, strategy), encoding="utf-8")
    asked = [(type, text) for type in TYPES[engine] for text in texts_of(engine, type, 100)]
    listed = [(family(type), coerce(type, text)) for type, text in asked if placed.lists((type,))]
    known = {entry: placed.book.page.known[entry[0]].get(entry[1]) for entry in listed}
    entries = [(of, key_text(of, value), slot) for (of, value), slot in known.items()]
    script = Path(__file__).with_name("other_process.py")
    for salt in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, script, file],
            input=json.dumps([asked, entries]),
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(Path(__file__).parents[3])},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        owners, shards = json.loads(ran.stdout)
        assert owners == list(placed.map.owners)
        assert shards == [placed.shard((type,), (coerce(type, text),)) for type, text in asked]


def test_the_first_map_covers_every_slot_and_every_shard(engine: str, strategy: str) -> None:
    domain = domain_of(engine, strategy)
    first = first_map(domain)
    assert first == first_map(parse(file_of(engine, strategy)).domains[0])
    assert (first.epoch, first.shards, first.hashed) == (1, SHARDS, 256)
    assert set(first.owners) == set(range(len(SHARDS)))


def test_one_key_a_column_and_the_server_agree(oracle: Oracle, engine: str, placed: Keyspace) -> None:
    for type in TYPES[engine]:
        keys = keys_of(engine, type)
        how = placed.strategy((type,))
        one_by_one = [how.slot((key,)) for key in keys]
        assert how.slot_column([keys]).tolist() == one_by_one, type
        formula = how.sql(["k0"])
        assert (formula is None) == placed.lists((type,))
        if formula is not None:
            filled(oracle, engine, type, texts_of(engine, type))
            said = oracle.ask(f"SELECT {formula} FROM t ORDER BY id")
            assert [slot for (slot,) in said] == one_by_one, type
        if type not in ("bool", "int2"):
            assert {placed.owners[slot] for slot in one_by_one} == set(SHARDS), type


@pytest.mark.parametrize("types", [("int8", "text"), ("uuid", "int4"), ("text", "date", "numeric"), ("bool", "int8"),
                                   ("text", "date", "int8")])  # fmt: skip
def test_compound_keys_too(oracle: Oracle, engine: str, placed: Keyspace, types: tuple[str, ...]) -> None:
    if not set(types) <= set(TYPES[engine]):
        pytest.skip(f"no key of {types} in {engine}")
    columns = [texts_of(engine, type)[:400] for type in types]
    rows: list[tuple[str | None, ...]] = [*zip(*columns, strict=False)]
    assert len(rows) > 100
    for at in range(len(types)):
        rows.append((*rows[at][:at], None, *rows[at][at + 1 :]))
    rows.append((None,) * len(types))
    keys = [tuple(coerce(type, text) for type, text in zip(types, row, strict=True)) for row in rows]
    how = placed.strategy(types)
    one_by_one = [how.slot(key) for key in keys]
    assert how.slot_column([list(column) for column in zip(*keys, strict=True)]).tolist() == one_by_one
    formula = how.sql([f"k{number}" for number in range(len(types))])
    if formula is None:
        assert one_by_one == [placed.slot(types[:1], key[:1]) for key in keys]
        return
    oracle.fill(types, rows)
    said = oracle.ask(f"SELECT {formula} FROM t ORDER BY id")
    assert [slot for (slot,) in said] == one_by_one


def test_the_formula_may_stand_where_nothing_may_change(oracle: Oracle, engine: str, placed: Keyspace) -> None:
    """In a CHECK, an index, and what the engine filters rows by."""
    for type in TYPES[engine]:
        formula = placed.strategy((type,)).sql(["k0"])
        if formula is not None:
            oracle.use(type, formula)


def test_between_leaves_out_no_key_that_the_server_finds(oracle: Oracle, engine: str, placed: Keyspace) -> None:
    for type in TYPES[engine]:
        if type == "bool":
            continue
        texts = texts_of(engine, type, 300)
        formula = placed.strategy((type,)).sql(["k0"])
        by_range = placed.slots_between((type,), None, None, False)
        if formula is None:
            assert by_range is not None
            assert {placed.slot((type,), (coerce(type, text),)) for text in texts} <= set(by_range)
            continue
        filled(oracle, engine, type, texts)
        cast = f"::{type}" if engine == "postgresql" else ""
        ends = texts[::11][:30]
        narrowed = 0
        for low, high in zip(ends, reversed(ends), strict=True):
            for operator, is_open in (("<", True), ("<=", False)):
                slots = placed.slots_between((type,), bounds(type, low)[0], bounds(type, high)[1], is_open)
                query = f"SELECT DISTINCT {formula} FROM t WHERE k0 >= %s{cast} AND k0 {operator} %s{cast}"
                found = {slot for (slot,) in oracle.ask(query, [low, high])}
                assert slots is None or found <= set(slots), (type, low, operator, high)
                narrowed += slots is not None and len(slots) < 6
        assert narrowed or by_range is None, type


def test_null_has_one_place(engine: str, placed: Keyspace) -> None:
    """Slot 0's, whatever the type, as in PARTITION BY HASH; by range the first one's."""
    for type in TYPES[engine]:
        slot = placed.slot((type,), (None,))
        first = placed.slots_between((type,), None, None, False)
        assert slot == (0 if first is None else first[0])
        assert placed.shard((type,), (None,)) == placed.owners[slot]


def test_values_that_are_equal_in_sql_share_a_shard(engine: str, placed: Keyspace) -> None:
    for key in keys_of(engine, "int4", 50):
        assert placed.shard(("int8",), (key,)) == placed.shard(("int4",), (key,))
    for key in keys_of(engine, "text", 50):
        assert placed.shard(("text",), (key,)) == placed.shard(("varchar",), (key,))
    if "numeric" in TYPES[engine]:
        assert placed.slot(("numeric",), (Decimal("0.000120"),)) == placed.slot(("numeric",), (Decimal("0.00012"),))


def test_a_map_of_another_size_is_refused(engine: str, strategy: str) -> None:
    domain = domain_of(engine, strategy)
    with pytest.raises(ConfigurationError) as info:
        Keyspace(domain.slots * 2, first_map(domain), engine)
    assert info.value.code == "OG-KEY-004"


def test_types_that_cannot_be_keys_are_refused(placed: Keyspace) -> None:
    with pytest.raises(Exception, match=r"OG-KEY-00[18]"):
        placed.shard(("float8",), (1.5,))
    with pytest.raises(Exception, match=r"OG-KEY-00[18]"):
        placed.shard(("int8", "float8"), (1, 1.5))


def test_every_kind_of_key_is_tried() -> None:
    assert set(TYPES["postgresql"]) == set(KINDS)
    assert set(TYPES["mariadb"]) < set(KINDS)
