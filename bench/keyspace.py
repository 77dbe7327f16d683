"""What a slot costs: one key in Python, columns of a million in numpy, and whether the server agrees.

`hash_ns` is the slower of one int8 and one 12-character ASCII text, every key a new one, the loop around it included.
`bulk_text_ns` is for pieces of a buffer of bytes, which is what loading has; a list of Python strings is reported
beside it.  `wrong` counts the keys of any type whose slot differs from the server's, by formula or by partition.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
from rich.console import Console
from rich.table import Table

from bench import harness, key_oracle
from bench.fleet import fleet
from outgrow.keyspace import KINDS, Hash, Keyspace, coerce
from outgrow.keyspace.columns import Integers, texts
from outgrow.topology import ShardMap

SLOTS = 1024
COLUMN = 1_000_000
COMPOUND = (("int8", "text"), ("date", "uuid", "numeric"))


def timed(rounds: int, count: int, blocks: dict[str, Callable[[], object]]) -> harness.Figures:
    """Nanoseconds a value, every block once in each round."""
    figures: dict[str, list[float]] = {name: [] for name in blocks}
    for block in blocks.values():
        block()
    for _ in range(rounds):
        for name, block in blocks.items():
            start = time.perf_counter()
            block()
            figures[name].append((time.perf_counter() - start) / count * 1e9)
    return harness.Figures(figures)


def single(rounds: int, calls: int) -> harness.Figures:
    rng = random.Random(1)
    placed = Keyspace(SLOTS, ShardMap("bench", 1, ("a", "b"), tuple(slot % 2 for slot in range(SLOTS))))
    numbers = [(rng.getrandbits(63),) for _ in range(calls)]
    words = [(f"{rng.getrandbits(48):012x}",) for _ in range(calls)]
    both = [(number[0], word[0]) for number, word in zip(numbers, words, strict=True)]

    def each(slot: Callable[[tuple[Any, ...]], int], keys: list[Any]) -> Callable[[], None]:
        def block() -> None:
            for key in keys:
                slot(key)

        return block

    return timed(
        rounds,
        calls,
        {
            "int8": each(Hash(("int8",), SLOTS).slot, numbers),
            "text of 12": each(Hash(("text",), SLOTS).slot, words),
            "int8 and text": each(Hash(("int8", "text"), SLOTS).slot, both),
            "int8 to shard": each(lambda key: len(placed.shard(("int8",), key)), numbers),
        },
    )


def bulk(rounds: int) -> harness.Figures:
    rng = random.Random(2)
    numbers = np.random.default_rng(3).integers(-(2**63), 2**63 - 1, COLUMN)
    words = [f"{rng.getrandbits(96):024x}"[: rng.randint(12, 24)] for _ in range(COLUMN)]
    pieces = texts(words)
    of_number, of_text = Hash(("int8",), SLOTS), Hash(("text",), SLOTS)
    return timed(
        rounds,
        COLUMN,
        {
            "int8, array": lambda: of_number.slot_column([Integers(numbers)]),
            "text of 12 to 24, pieces of a buffer": lambda: of_text.slot_column([pieces]),
            "text of 12 to 24, list of str": lambda: of_text.slot_column([words]),
        },
    )


def checked(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """How many keys were compared with the server, and how many differed."""
    seen = wrong = 0
    for type in KINDS:
        values: list[str | None] = [*key_oracle.values(type), None]
        key_oracle.partitioned(connection, f"k {type}", "k", 64)
        key_oracle.filled(connection, [(value,) for value in values])
        keys = [(coerce(type, value),) for value in values]
        wrong += len(key_oracle.wrong(connection, Hash((type,), 64), ["k"], keys))
        seen += len(keys)
    rng = random.Random(4)
    for types in COMPOUND:
        columns = [[None, *key_oracle.values(type)[:5000]] for type in types]
        rows = [tuple(rng.choice(column) for column in columns) for _ in range(20_000)]
        names = [f"k{number}" for number in range(len(types))]
        declared = ", ".join(f"{name} {type}" for name, type in zip(names, types, strict=True))
        key_oracle.partitioned(connection, declared, ", ".join(names), 64)
        key_oracle.filled(connection, rows)
        compound = [tuple(coerce(type, value) for type, value in zip(types, row, strict=True)) for row in rows]
        wrong += len(key_oracle.wrong(connection, Hash(types, 64), names, compound))
        seen += len(rows)
    return seen, wrong


def main() -> None:
    options = harness.arguments(__doc__, rounds=15, calls=20_000).parse_args()
    print(harness.conditions())
    core, _ = harness.two_cores()
    with harness.pinned([], client=core, server=core):
        one, many = single(options.rounds, options.calls), bulk(options.rounds)
    with fleet(1, 0, {}, options.pg) as running, running.primaries[0].administer() as connection:
        seen, wrong = checked(connection)
        version = running.version
    table = Table(title="nanoseconds a value", title_justify="left")
    for heading in ("key", "median", "lowest", "highest"):
        table.add_column(heading, justify="left" if heading == "key" else "right")
    for figures in (one, many):
        for name, rounds in figures.rounds.items():
            table.add_row(name, *(f"{value:,.0f}" for value in (statistics.median(rounds), min(rounds), max(rounds))))
    Console(width=110).print(table)
    print(
        f"{seen:,} keys of {len(KINDS)} types and {len(COMPOUND)} compounds against PostgreSQL {version}: {wrong} wrong"
    )
    single_ns, bulk_ns = one.medians(), many.medians()
    harness.finish(
        {
            "hash_ns": max(single_ns["int8"] or 0, single_ns["text of 12"] or 0),
            "bulk_int8_ns": bulk_ns["int8, array"],
            "bulk_text_ns": bulk_ns["text of 12 to 24, pieces of a buffer"],
            "wrong": wrong,
            "checked": seen,
            "hash_int8_ns": single_ns["int8"],
            "hash_text_ns": single_ns["text of 12"],
            "hash_compound_ns": single_ns["int8 and text"],
            "shard_int8_ns": single_ns["int8 to shard"],
            "bulk_text_list_ns": bulk_ns["text of 12 to 24, list of str"],
        }
    )


if __name__ == "__main__":
    main()
