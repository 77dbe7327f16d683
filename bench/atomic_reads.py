"""A bank over two shards whose sum never changes: four writers transfer, a reader sums, with atomic_reads and without.

`torn` counts sums that were wrong, `errors` the share of atomic reads that were refused (OG-TX-060).  A naive read is
the same statement in a session without atomic_reads.  Blocks of both take turns, so that both meet the same writers;
what an atomic read costs where nobody writes is measured before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import outgrow
from bench import harness
from bench.fleet import BenchFleet, fleet, here
from bench.transfers import UPDATE

WRITERS = 4
ACCOUNTS = 1000
SETUP = (
    "CREATE TABLE accounts (id int8 PRIMARY KEY, balance int8 NOT NULL) WITH (fillfactor = 50)",
    f"INSERT INTO accounts SELECT id, 1000 FROM generate_series(1, {ACCOUNTS}) AS s(id) WHERE " + here(),
    "VACUUM (ANALYZE, FREEZE) accounts",
)
SUM = "SELECT sum(balance) FROM accounts"
BLOCK = 250


def write(path: Path, places: tuple[list[int], list[int]], seed: int, stop: Any, answers: Any) -> None:
    """Transfers between the shards until told to stop; always in the order of the shards, so that nobody deadlocks."""
    chosen = random.Random(seed)
    transfers = 0
    with outgrow.open(path) as opened, opened.session() as session:
        while not stop.is_set():
            amount = chosen.randint(-9, 9)
            with session.transaction():
                session.execute(UPDATE, (amount, chosen.choice(places[0])))
                session.execute(UPDATE, (-amount, chosen.choice(places[1])))
            transfers += 1
    answers.put(transfers)


@dataclass
class Reader:
    """Reads of one kind: how long each took, and what came of it."""

    session: outgrow.Session
    micros: list[float] = field(default_factory=list)
    torn: int = 0
    errors: int = 0

    def block(self, reads: int) -> None:
        for _ in range(reads):
            start = time.perf_counter()
            try:
                ((total,),) = self.session.execute(SUM).fetchall()
            except outgrow.OperationalError as error:
                if error.code != "OG-TX-060":
                    raise
                self.errors += 1
                continue
            finally:
                self.micros.append((time.perf_counter() - start) * 1e6)
            self.torn += total != ACCOUNTS * 1000


def read(running: BenchFleet, reads: int) -> tuple[Reader, Reader, Reader, Reader, float]:
    """Atomic and naive reads, quiet and under writers; and transfers a second."""
    places = tuple(accounts(running, number) for number in range(2))
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    with outgrow.open(running.path) as opened, opened.session() as plain, opened.session(atomic_reads=True) as whole:
        quiet = Reader(whole), Reader(plain)
        alternate(quiet, 1000)
        writers = [
            context.Process(target=write, args=(running.path, places, seed, stop, answers)) for seed in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        try:
            time.sleep(2.0)
            began = time.monotonic()
            busy = Reader(whole), Reader(plain)
            alternate(busy, reads)
            seconds = time.monotonic() - began + 2.0
            stop.set()
            transfers = sum(answers.get(timeout=60) for _ in writers)
        finally:
            for writer in writers:
                writer.join(10)
                writer.kill()
    return *busy, *quiet, transfers / seconds


def alternate(readers: tuple[Reader, Reader], reads: int) -> None:
    for number in range(0, reads, BLOCK):
        for reader in readers if number % (2 * BLOCK) else readers[::-1]:
            reader.block(min(BLOCK, reads - number))


def accounts(running: BenchFleet, number: int) -> list[int]:
    with running.primaries[number].connect() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM accounts ORDER BY id")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reads", type=int, default=20_000, help="reads of each kind")
    harness.add_pg(parser)
    options = parser.parse_args()
    print(harness.conditions())
    with fleet(2, 0, {"accounts": {"shard_by": "id"}}, options.pg) as running:
        outgrow.open(running.path, install=True, rows_in_place=True).close()
        running.everywhere(*SETUP)
        whole, plain, quiet_whole, quiet_plain, transfers = read(running, options.reads)
    show(whole, plain, quiet_whole, quiet_plain, transfers)


def show(whole: Reader, plain: Reader, quiet_whole: Reader, quiet_plain: Reader, transfers: float) -> None:
    table = Table(title=f"sums over two shards, {WRITERS} writers, {transfers:,.0f} transfers/s", title_justify="left")
    table.add_column("reads")
    for heading in ("reads", "torn", "refused", "median µs", "p99 µs", "median µs, nobody writes"):
        table.add_column(heading, justify="right")
    for name, reader, quiet in (("atomic_reads", whole, quiet_whole), ("naive", plain, quiet_plain)):
        p99 = statistics.quantiles(reader.micros, n=100)[98]
        figures = f"{len(reader.micros):,}", f"{reader.torn:,}", f"{reader.errors:,}", f"{median(reader):,.0f}"
        table.add_row(name, *figures, f"{p99:,.0f}", f"{median(quiet):,.0f}")
    Console(width=110).print(table)
    harness.finish(
        {
            "torn": whole.torn,
            "naive_torn": plain.torn,
            "reads": len(whole.micros),
            "naive_reads": len(plain.micros),
            "errors": round(whole.errors / len(whole.micros), 5),
            "vs_naive": round(median(plain) / median(whole), 3),
            "cost": round(median(whole) / median(plain), 2),
            "cost_quiet": round(median(quiet_whole) / median(quiet_plain), 2),
            "median_us": round(median(whole), 1),
            "naive_median_us": round(median(plain), 1),
            "transfers_per_second": round(transfers, 1),
        }
    )


def median(reader: Reader) -> float:
    return statistics.median(reader.micros)


if __name__ == "__main__":
    main()
