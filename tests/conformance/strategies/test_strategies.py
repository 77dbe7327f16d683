"""What every strategy of `fleet.yaml` promises, whichever it is: one suite, run for each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from outgrow.errors import ConfigurationError
from outgrow.keyspace import KINDS, Keyspace, bounds, coerce, family, first_map, key_text
from outgrow.topology import parse
from outgrow.topology.reader import STRATEGIES
from tests.conformance.strategies.worlds import SHARDS, TYPES, domain_of, file_of, keys_of, placed_by, texts_of
from tests.servers import Servers


@pytest.fixture(params=STRATEGIES, scope="module")
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def placed(strategy: str) -> Keyspace:
    return placed_by(strategy)


@pytest.fixture(scope="module")
def connection(fleet_servers: Servers) -> Iterator[psycopg.Connection[Any]]:
    topology = fleet_servers.fresh()
    with psycopg.connect(topology.domains[0].home.primary.dsn, autocommit=True) as opened:
        yield opened
    fleet_servers.drop(topology)


def filled(connection: psycopg.Connection[Any], type: str, texts: list[str]) -> None:
    """Table t with these keys, numbered from 1, and NULL as the last."""
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (id int, k {type})".encode())
    with connection.cursor().copy("COPY t FROM STDIN") as copy:
        for number, text in enumerate([*texts, None], 1):
            copy.write_row((number, text))


def test_another_process_places_alike(strategy: str, placed: Keyspace, tmp_path: Path) -> None:
    """With another salt of Python's own hash, and from the file alone: the first map too."""
    file = tmp_path / "fleet.yaml"
    file.write_text(file_of(strategy), encoding="utf-8")
    asked = [(type, text) for type in TYPES for text in texts_of(type, 100)]
    listed = [(family(type), coerce(type, text)) for type, text in asked if placed.lists((type,))]
    known = {entry: placed.book.page.known[entry[0]].get(entry[1]) for entry in listed}
    entries = [(of, key_text(of, value), slot) for (of, value), slot in known.items()]
    script = Path(__file__).with_name("other_process.py")
    for salt in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, script, file],
            input=json.dumps([asked, entries]),
            env={**os.environ, "PYTHONHASHSEED": salt},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        owners, shards = json.loads(ran.stdout)
        assert owners == list(placed.map.owners)
        assert shards == [placed.shard((type,), (coerce(type, text),)) for type, text in asked]


def test_the_first_map_covers_every_slot_and_every_shard(strategy: str) -> None:
    domain = domain_of(strategy)
    first = first_map(domain)
    assert first == first_map(parse(file_of(strategy)).domains[0])
    assert (first.epoch, first.shards, first.hashed) == (1, SHARDS, 256)
    assert set(first.owners) == set(range(len(SHARDS)))


@pytest.mark.parametrize("type", TYPES)
def test_one_key_a_column_and_the_server_agree(
    connection: psycopg.Connection[Any], strategy: str, placed: Keyspace, type: str
) -> None:
    keys = keys_of(type)
    how = placed.strategy((type,))
    one_by_one = [how.slot((key,)) for key in keys]
    assert how.slot_column([keys]).tolist() == one_by_one
    formula = how.sql(["k"])
    assert (formula is None) == placed.lists((type,))
    if formula is not None:
        filled(connection, type, texts_of(type))
        said = connection.execute(f"SELECT {formula} FROM t ORDER BY id".encode()).fetchall()
        assert [slot for (slot,) in said] == one_by_one
    if type not in ("bool", "int2"):
        assert {placed.owners[slot] for slot in one_by_one} == set(SHARDS)


@pytest.mark.parametrize("types", [("int8", "text"), ("uuid", "int4"), ("text", "date", "numeric"), ("bool", "int8")])
def test_compound_keys_too(connection: psycopg.Connection[Any], placed: Keyspace, types: tuple[str, ...]) -> None:
    columns = [texts_of(type, 400)[:400] for type in types]
    rows: list[tuple[str | None, ...]] = [*zip(*columns, strict=True)]
    for at in range(len(types)):
        rows.append((*rows[at][:at], None, *rows[at][at + 1 :]))
    rows.append((None,) * len(types))
    keys = [tuple(coerce(type, text) for type, text in zip(types, row, strict=True)) for row in rows]
    how = placed.strategy(types)
    one_by_one = [how.slot(key) for key in keys]
    assert how.slot_column([list(column) for column in zip(*keys, strict=True)]).tolist() == one_by_one
    if placed.lists(types):
        assert one_by_one == [placed.slot(types[:1], key[:1]) for key in keys]
        return
    names = [f"k{number}" for number in range(len(types))]
    connection.execute("DROP TABLE IF EXISTS t")
    spelled = ", ".join(f"{name} {type}" for name, type in zip(names, types, strict=True))
    connection.execute(f"CREATE TABLE t (id int, {spelled})".encode())
    with connection.cursor().copy("COPY t FROM STDIN") as copy:
        for number, row in enumerate(rows):
            copy.write_row((number, *row))
    said = connection.execute(f"SELECT {how.sql(names)} FROM t ORDER BY id".encode()).fetchall()
    assert [slot for (slot,) in said] == one_by_one


@pytest.mark.parametrize("type", TYPES)
def test_the_formula_may_stand_in_a_check_an_index_and_a_row_filter(
    connection: psycopg.Connection[Any], placed: Keyspace, type: str
) -> None:
    formula = placed.strategy((type,)).sql(["k"])
    if placed.lists((type,)):
        assert formula is None
        return
    connection.execute("DROP TABLE IF EXISTS t; DROP PUBLICATION IF EXISTS p")
    connection.execute(f"CREATE TABLE t (id int, k {type}, CHECK ({formula} >= 0))".encode())
    connection.execute(f"CREATE INDEX ON t (({formula}))".encode())
    connection.execute(f"CREATE PUBLICATION p FOR TABLE t WHERE ({formula} = 3)".encode())
    connection.execute("DROP PUBLICATION p")


@pytest.mark.parametrize("type", [type for type in TYPES if type != "bool"])
def test_between_leaves_out_no_key_that_the_server_finds(
    connection: psycopg.Connection[Any], placed: Keyspace, type: str
) -> None:
    texts = texts_of(type, 300)
    if placed.lists((type,)):
        slots = placed.slots_between((type,), None, None, False)
        assert slots is not None
        assert {placed.slot((type,), (coerce(type, text),)) for text in texts} <= set(slots)
        return
    filled(connection, type, texts)
    formula = placed.strategy((type,)).sql(["k"])
    ends = texts[::11][:30]
    narrowed = 0
    for low, high in zip(ends, reversed(ends), strict=True):
        for operator, is_open in (("<", True), ("<=", False)):
            slots = placed.slots_between((type,), bounds(type, low)[0], bounds(type, high)[1], is_open)
            query = f"SELECT DISTINCT {formula} FROM t WHERE k >= %s::{type} AND k {operator} %s::{type}"
            found = {slot for (slot,) in connection.execute(query.encode(), [low, high])}
            assert slots is None or found <= set(slots), (low, operator, high)
            narrowed += slots is not None and len(slots) < 6
    assert narrowed or not placed.map.splits


@pytest.mark.parametrize("type", TYPES)
def test_null_has_one_place(strategy: str, placed: Keyspace, type: str) -> None:
    """Slot 0's, whatever the type, as in PARTITION BY HASH; by range the first one's."""
    slot = placed.slot((type,), (None,))
    first = placed.slots_between((type,), None, None, False)
    assert slot == (0 if first is None else first[0])
    assert placed.shard((type,), (None,)) == placed.owners[slot]


def test_values_that_are_equal_in_sql_share_a_shard(placed: Keyspace) -> None:
    for key in keys_of("int4", 50):
        assert placed.shard(("int8",), (key,)) == placed.shard(("int4",), (key,))
    for key in keys_of("text", 50):
        assert placed.shard(("text",), (key,)) == placed.shard(("varchar",), (key,))
    assert placed.slot(("numeric",), (Decimal("0.000120"),)) == placed.slot(("numeric",), (Decimal("0.00012"),))


def test_a_map_of_another_size_is_refused(strategy: str) -> None:
    domain = domain_of(strategy)
    with pytest.raises(ConfigurationError) as info:
        Keyspace(domain.slots * 2, first_map(domain))
    assert info.value.code == "OG-KEY-004"


def test_types_that_cannot_be_keys_are_refused(placed: Keyspace) -> None:
    with pytest.raises(Exception, match="OG-KEY-001"):
        placed.shard(("float8",), (1.5,))
    with pytest.raises(Exception, match="OG-KEY-001"):
        placed.shard(("int8", "float8"), (1, 1.5))


def test_every_kind_of_key_is_tried() -> None:
    assert set(TYPES) == set(KINDS)
