"""Keys of every type, edge values first, and the server as the oracle of their slots."""

from __future__ import annotations

import random
import uuid
from typing import Any

import psycopg

from outgrow.keyspace import Hash

ROWS = 100_000
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 éßж日本😀\u0301\t\n'\"\\,"


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


def values(type: str) -> list[str]:
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


def partitioned(connection: psycopg.Connection[Any], columns: str, key: str, slots: int) -> None:
    """Table t with these columns after `id`, which the server itself cuts into as many hash partitions as slots."""
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (id int, {columns}) PARTITION BY HASH ({key})".encode())
    for slot in range(slots):
        bounds = f"MODULUS {slots}, REMAINDER {slot}"
        connection.execute(f"CREATE TABLE t{slot} PARTITION OF t FOR VALUES WITH ({bounds})".encode())


def filled(connection: psycopg.Connection[Any], rows: list[tuple[Any, ...]]) -> None:
    """Numbered rows into t."""
    with connection.cursor().copy("COPY t FROM STDIN") as copy:
        for number, row in enumerate(rows):
            copy.write_row((number, *row))


def wrong(
    connection: psycopg.Connection[Any], hash: Hash, columns: list[str], keys: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """The keys of t's rows whose slot is not the same four times: partition, SQL formula, value, column."""
    query = f"SELECT id, substr(tableoid::regclass::text, 2)::int, {hash.sql(columns)} FROM t"
    rows = connection.execute(query.encode()).fetchall()
    assert len(rows) == len(keys)
    vectorised = hash.slot_column(list(zip(*keys, strict=True))).tolist()
    return [
        keys[number]
        for number, partition, formula in rows
        if not partition == formula == hash.slot(keys[number]) == vectorised[number]
    ]
