"""Every kind of key against a real server: the SQL formula, and `PARTITION BY HASH` as the oracle of both."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.servers import Servers

from outgrow.keyspace import Hash, coerce, stored

SLOTS = 64
ROWS = 100_000
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 éßж日本😀\u0301\t\n'\"\\,"


@pytest.fixture(scope="module")
def connection(fleet_servers: Servers) -> Iterator[psycopg.Connection[Any]]:
    topology = fleet_servers.fresh()
    with psycopg.connect(topology.domains[0].home.primary.dsn, autocommit=True) as opened:
        yield opened
    fleet_servers.drop(topology)


def _integers(bits: int, rng: random.Random) -> list[str]:
    edge = [0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), 10, -10]
    return [str(n) for n in edge] + [
        str(rng.getrandbits(rng.randint(1, bits - 1)) * rng.choice((1, -1))) for _ in range(ROWS - len(edge))
    ]


def _texts(rng: random.Random) -> list[str]:
    edge = ["", " ", "a", "a" * 11, "a" * 12, "a" * 13, "a" * 24, "a" * 255, "a" * 256, "é" * 300, "\u00e9", "e\u0301"]
    return edge + ["".join(rng.choices(ALPHABET, k=rng.randint(0, 40))) for _ in range(ROWS - len(edge))]


def _numerics(rng: random.Random) -> list[str]:
    edge = [
        "0",
        "0.000",
        "-0",
        "1",
        "-1",
        "1.0",
        "1.00000",
        "10000",
        "9999",
        "10000.0001",
        "0.0001",
        "0.00012",
        "NaN",
        "Infinity",
        "-Infinity",
    ]
    edge += ["1e100", "-1e-100", "12345678901234567890123456789.123456789", "1e1000", "1e-1000", "1.50", "000123.4500"]
    more = []
    for _ in range(ROWS - len(edge)):
        digits = str(rng.getrandbits(rng.randint(1, 120)))
        at = rng.randint(0, len(digits))
        exponent = f"e{rng.randint(-30, 30)}" if rng.random() < 0.3 else ""
        more.append(f"{rng.choice(('', '-'))}{digits[:at] or '0'}.{digits[at:]}{exponent}")
    return edge + more


def _moments(rng: random.Random, zone: bool) -> list[str]:
    zones = ["Z", "+00", "+05:30", "-0330", "-12"] if zone else [""]
    made = ["infinity", "-infinity"]
    for _ in range(ROWS - 2):
        day = f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        made.append(
            f"{day} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
            f"{rng.choice(('', '.5', '.000001', '.999999'))}{rng.choice(zones)}"
        )
    return made


def _values(type: str) -> list[str]:
    rng = random.Random(type)
    if type.startswith("int"):
        return _integers(int(type[3:]) * 8, rng)
    if type in ("text", "varchar"):
        return _texts(rng)
    if type == "uuid":
        edge = [str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1)), "{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}"]
        return edge + [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(ROWS - 3)]
    if type == "bool":
        return [
            rng.choice(["t", "f", "true", "false", "yes", "no", "on", "off", "1", "0", "TRUE", "Of", "ye"])
            for _ in range(ROWS)
        ]
    if type == "date":
        return ["0001-01-01", "9999-12-31", "2000-02-29"] + [
            f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" for _ in range(ROWS - 3)
        ]
    return _numerics(rng) if type == "numeric" else _moments(rng, type == "timestamptz")


TYPES = ["int2", "int4", "int8", "text", "varchar", "uuid", "bool", "date", "timestamp", "timestamptz", "numeric"]


def _partitioned(connection: psycopg.Connection[Any], columns: str, key: str) -> None:
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (id int, {columns}) PARTITION BY HASH ({key})")
    for slot in range(SLOTS):
        connection.execute(f"CREATE TABLE t{slot} PARTITION OF t FOR VALUES WITH (MODULUS {SLOTS}, REMAINDER {slot})")


def _compare(connection: psycopg.Connection[Any], hash: Hash, columns: list[str], keys: list[tuple[Any, ...]]) -> None:
    rows = connection.execute(f"SELECT id, substr(tableoid::regclass::text, 2)::int, {hash.sql(columns)} FROM t")
    vectorised = hash.slot_column(list(zip(*keys, strict=True))).tolist()
    seen = 0
    for number, partition, formula in rows:
        seen += 1
        slot = hash.slot(keys[number])
        assert slot == partition == formula == vectorised[number], (hash.types, keys[number])
    assert seen == len(keys)


@pytest.mark.parametrize("type", TYPES)
def test_each_type_hashes_as_the_server(connection: psycopg.Connection[Any], type: str) -> None:
    values: list[str | None] = [*_values(type), None]
    _partitioned(connection, f"k {type}", "k")
    with connection.cursor().copy("COPY t FROM STDIN") as copy:
        for number, value in enumerate(values):
            copy.write_row((number, value))
    _compare(connection, Hash((type,), SLOTS), ["k"], [(coerce(type, value),) for value in values])


@pytest.mark.parametrize(
    "types", [("int8", "text"), ("date", "uuid", "numeric"), ("bool", "int2", "timestamptz", "varchar")]
)
def test_compound_keys_with_nulls(connection: psycopg.Connection[Any], types: tuple[str, ...]) -> None:
    rng = random.Random(7)
    pools = [[None, *_values(type)[:5000]] for type in types]
    chosen = [tuple(rng.choice(pool) if rng.random() < 0.8 else None for pool in pools) for _ in range(20_000)]
    names = [f"k{number}" for number in range(len(types))]
    _partitioned(connection, ", ".join(f"{n} {t}" for n, t in zip(names, types, strict=True)), ", ".join(names))
    with connection.cursor().copy("COPY t FROM STDIN") as copy:
        for number, key in enumerate(chosen):
            copy.write_row((number, *key))
    keys = [tuple(coerce(t, value) for t, value in zip(types, key, strict=True)) for key in chosen]
    _compare(connection, Hash(types, SLOTS), names, keys)


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
    _partitioned(connection, f"k {declared}", "k")
    (typmod,) = connection.execute(
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'k'"
    ).fetchone()  # type: ignore[misc]
    with connection.cursor().copy("COPY t FROM STDIN") as copy:
        for number, value in enumerate(values):
            copy.write_row((number, value))
    _compare(connection, Hash((type,), SLOTS), ["k"], [(stored(type, typmod, value),) for value in values])


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("int8", 42.5), ("int8", 43.5), ("int4", -2.5), ("text", 42), ("text", True), ("numeric", 0.1),
        ("numeric", 1e22), ("numeric", 1 / 3), ("text", uuid.UUID(int=5)),
    ],
)  # fmt: skip
def test_assignment_casts(connection: psycopg.Connection[Any], declared: str, value: Any) -> None:
    _partitioned(connection, f"k {declared}", "k")
    connection.execute("INSERT INTO t VALUES (0, %s)", [value])
    _compare(connection, Hash((declared,), SLOTS), ["k"], [(stored(declared, -1, value),)])
