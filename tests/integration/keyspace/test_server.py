"""Every kind of key against a real server: the SQL formula, and `PARTITION BY HASH` as the oracle of both."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from bench import key_oracle
from outgrow.keyspace import KINDS, Hash, coerce, stored
from tests.servers import Servers

SLOTS = 64


@pytest.fixture(scope="module")
def connection(fleet_servers: Servers) -> Iterator[psycopg.Connection[Any]]:
    topology = fleet_servers.fresh()
    with psycopg.connect(topology.domains[0].home.primary.dsn, autocommit=True) as opened:
        yield opened
    fleet_servers.drop(topology)


@pytest.mark.parametrize("type", KINDS)
def test_each_type_hashes_as_the_server(connection: psycopg.Connection[Any], type: str) -> None:
    texts: list[str | None] = [*key_oracle.values(type), None]
    key_oracle.partitioned(connection, f"k {type}", "k", SLOTS)
    key_oracle.filled(connection, [(text,) for text in texts])
    assert key_oracle.wrong(connection, Hash((type,), SLOTS), ["k"], [(coerce(type, text),) for text in texts]) == []


@pytest.mark.parametrize(
    "types", [("int8", "text"), ("date", "uuid", "numeric"), ("bool", "int2", "timestamptz", "varchar")]
)
def test_compound_keys_with_nulls(connection: psycopg.Connection[Any], types: tuple[str, ...]) -> None:
    rng = random.Random(7)
    pools = [[None, *key_oracle.values(type)[:5000]] for type in types]
    chosen = [tuple(rng.choice(pool) if rng.random() < 0.8 else None for pool in pools) for _ in range(20_000)]
    names = [f"k{number}" for number in range(len(types))]
    columns = ", ".join(f"{name} {type}" for name, type in zip(names, types, strict=True))
    key_oracle.partitioned(connection, columns, ", ".join(names), SLOTS)
    key_oracle.filled(connection, chosen)
    keys = [tuple(coerce(type, text) for type, text in zip(types, key, strict=True)) for key in chosen]
    assert key_oracle.wrong(connection, Hash(types, SLOTS), names, keys) == []


def test_the_oracle_can_say_wrong(connection: psycopg.Connection[Any]) -> None:
    key_oracle.partitioned(connection, "k int8", "k", SLOTS)
    key_oracle.filled(connection, [("5",), ("6",)])
    assert key_oracle.wrong(connection, Hash(("int8",), SLOTS), ["k"], [(5,), (7,)]) == [(7,)]


@pytest.mark.parametrize("slots", [1, 2, 1024, 65536])
def test_the_formula_at_other_slot_counts(connection: psycopg.Connection[Any], slots: int) -> None:
    hash = Hash(("int8", "text"), slots)
    rows = connection.execute(f"SELECT k, k::text, {hash.sql(['k', 'k::text'])} FROM generate_series(-500, 500) k")
    assert all(hash.slot((number, text)) == slot for number, text, slot in rows)


@pytest.mark.parametrize(
    ("declared", "type", "values"),
    [
        ("numeric(10,2)", "numeric", ["1.005", "-1.005", "1.004", "99999999.994", "NaN", "0.005", "0.0049"]),
        ("numeric(3,5)", "numeric", ["0.001234", "-0.000005"]),
        ("numeric(3,-2)", "numeric", ["12345", "150", "-150", "49"]),
        ("varchar(5)", "varchar", ["abcde   ", "é", "ab", ""]),
        ("timestamp(0)", "timestamp", ["2020-01-01 00:00:00.5", "1999-12-31 23:59:59.5", "1980-05-05 01:02:03.4999"]),
        ("timestamptz(3)", "timestamptz", ["1990-01-01 00:00:00.0005Z", "2020-01-01 00:00:00.0005+01", "infinity"]),
    ],
)
def test_what_a_column_with_a_modifier_stores(
    connection: psycopg.Connection[Any], declared: str, type: str, values: list[str]
) -> None:
    key_oracle.partitioned(connection, f"k {declared}", "k", SLOTS)
    (typmod,) = connection.execute(
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'k'"
    ).fetchone()  # type: ignore[misc]
    key_oracle.filled(connection, [(value,) for value in values])
    keys = [(stored(type, typmod, value),) for value in values]
    assert key_oracle.wrong(connection, Hash((type,), SLOTS), ["k"], keys) == []


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("int8", 42.5), ("int8", 43.5), ("int4", -2.5), ("text", 42), ("text", True), ("numeric", 0.1),
        ("numeric", 1e22), ("numeric", 1 / 3), ("text", uuid.UUID(int=5)),
    ],
)  # fmt: skip
def test_assignment_casts(connection: psycopg.Connection[Any], declared: str, value: Any) -> None:
    key_oracle.partitioned(connection, f"k {declared}", "k", SLOTS)
    connection.execute("INSERT INTO t VALUES (0, %s)", [value])
    assert key_oracle.wrong(connection, Hash((declared,), SLOTS), ["k"], [(stored(declared, -1, value),)]) == []
