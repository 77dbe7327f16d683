"""Do sessions read their own writes, and never older than they have seen, from replicas that lag and pause?

Worker processes hold many sessions each over *shared* counters that only ever grow.  One operation in ten is a write,
followed at once by a read of what it wrote.  A read that returns less than its session has written or seen is a
violation.  Meanwhile the replicas run through phases: no lag, lags up to 10 s, replay paused and resumed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import random
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from bench import harness
from bench.fleet import BenchFleet, fleet, here

KEYS = 512
READ = "SELECT value FROM counters WHERE id = %s"
WRITE = "UPDATE counters SET value = value + 1 WHERE id = %s RETURNING value"
SETUP = (
    "CREATE TABLE counters (id int8 PRIMARY KEY, value int8 NOT NULL) WITH (fillfactor = 50)",
    f"INSERT INTO counters SELECT id, 0 FROM generate_series(1, {KEYS}) AS s(id) WHERE " + here(),
    "VACUUM (ANALYZE) counters",
)
#: A read counts for `replica_share` when its session wrote nothing on that shard for so long.
QUIET_SECONDS = 0.05
#: Sessions per worker: so many that one session's writes on a shard lie well further apart than that.
SESSIONS = 32
#: Each write brings a read of its own, so one operation in ten is a write.
WRITE_CHANCE = 1 / 9
#: A session is now and then continued by another one that was given its token.
HANDOVER = 1 / 200


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    seconds: float
    delay_ms: int = 0
    pausing: bool = False


#: Without lag most of the time; every kind of lag at least once, the longest long enough to be felt.
PHASES = (
    Phase("no lag", 12),
    Phase("lag 100 ms", 6, delay_ms=100),
    Phase("no lag", 8),
    Phase("replay pauses", 8, pausing=True),
    Phase("no lag", 8),
    Phase("lag 1 s", 8, delay_ms=1_000),
    Phase("no lag", 8),
    Phase("lag 10 s", 16, delay_ms=10_000),
    Phase("no lag", 8),
)


@dataclass(slots=True)
class Tally:
    """What one worker saw."""

    reads: int = 0
    writes: int = 0
    from_replicas: int = 0
    eligible: int = 0
    eligible_from_replicas: int = 0
    handovers: int = 0
    violations: list[str] = field(default_factory=list)
    #: Seconds from a write's return to the start of its read.
    gaps: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Holder:
    """One session, and what it must never see less of."""

    session: Any
    seen: dict[int, int] = field(default_factory=dict)
    #: shard → when this session last wrote there
    wrote: dict[int, float] = field(default_factory=dict)


class Worker:
    def __init__(self, opened: Any, place: dict[int, int], write: str, steady: Synchronized[int], seed: int) -> None:
        self.fleet = opened
        self.place = place
        self.sql = write
        self.steady = steady
        self.random = random.Random(seed)
        self.tally = Tally()
        self.holders = [Holder(opened.session(level="session")) for _ in range(SESSIONS)]

    def step(self) -> None:
        holder = self.random.choice(self.holders)
        key = self.random.randint(1, KEYS)
        written = self.write(holder, key) if self.random.random() < WRITE_CHANCE else None
        self.read(holder, key, written)
        if self.random.random() < HANDOVER:
            token = holder.session.token()
            holder.session.close()
            holder.session = self.fleet.session(level="session", token=token)
            self.tally.handovers += 1

    def write(self, holder: Holder, key: int) -> float:
        """Returns when it was done."""
        result = holder.session.execute(self.sql, (key,))
        # Where the write does not say, it made at least one more of what the session knew.
        value = result.fetchone()[0] if result.columns else holder.seen.get(key, 0) + 1
        done = time.monotonic()
        holder.seen[key] = value
        holder.wrote[self.place[key]] = done
        self.tally.writes += 1
        return done

    def read(self, holder: Holder, key: int, written: float | None) -> None:
        shard, tally = self.place[key], self.tally
        steady = self.steady.value
        started = time.monotonic()
        if written is not None:
            tally.gaps.append(started - written)
        result = holder.session.execute(READ, (key,))
        row = result.fetchone()
        value = row[0] if row else -1
        quiet = started - holder.wrote.get(shard, 0.0)
        replica = "replica" in str(result.node)
        tally.reads += 1
        tally.from_replicas += replica
        least = holder.seen.get(key, 0)
        if value < least:
            tally.violations.append(
                f"key {key}: read {value} from {result.node}, the session knew {least}; its last write on that shard"
                f" was {quiet * 1e3:.1f} ms earlier"
            )
        holder.seen[key] = max(value, least)
        if quiet > QUIET_SECONDS and steady and self.steady.value:
            tally.eligible += 1
            tally.eligible_from_replicas += replica


def work(
    path: Path, place: dict[int, int], write: str, steady: Any, stop: Any, counts: Any, seed: int, answers: Any
) -> None:
    """One worker process: until it is told to stop.  `counts[seed]` says how often it has read."""
    try:
        import outgrow

        with outgrow.open(path) as opened:
            worker = Worker(opened, place, write, steady, seed)
            while not stop.is_set():
                worker.step()
                counts[seed] = worker.tally.reads
            answers.put(worker.tally)
    except BaseException:
        answers.put(traceback.format_exc())


# -- the replicas' phases -----------------------------------------------------------------------------------------


class Replicas(Protocol):
    """The fleet under test, whichever engine it has."""

    path: Path
    #: Adds one to a counter; returns the new value where the engine can.
    write: str

    def await_replicas(self) -> None: ...

    def delay(self, milliseconds: int) -> None:
        """All replicas replay what comes so much later."""

    def paused(self, number: int) -> contextlib.AbstractContextManager[None]:
        """One of the replicas replays nothing."""

    def place(self) -> dict[int, int]:
        """key → number of its shard."""


class PostgresqlReplicas:
    write = WRITE

    def __init__(self, running: BenchFleet) -> None:
        self.path = running.path
        self.running = running
        self.replicas = [replica for _, *replicas in running.shards for replica in replicas]

    def await_replicas(self) -> None:
        self.running.await_replicas()

    def delay(self, milliseconds: int) -> None:
        for replica in self.replicas:
            with replica.administer() as connection:
                connection.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}".encode())
                connection.execute("SELECT pg_reload_conf()")

    @contextlib.contextmanager
    def paused(self, number: int) -> Iterator[None]:
        with self.replicas[number % len(self.replicas)].administer() as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
            try:
                yield
            finally:
                connection.execute("SELECT pg_wal_replay_resume()")

    def place(self) -> dict[int, int]:
        place: dict[int, int] = {}
        for number, primary in enumerate(self.running.primaries):
            with primary.connect() as connection:
                place |= {row[0]: number for row in connection.execute("SELECT id FROM counters")}
        return place


@contextlib.contextmanager
def postgresql(pg: str | None) -> Iterator[Replicas]:
    with fleet(2, 1, {"counters": {"shard_by": "id"}}, pg) as running:
        running.everywhere(*SETUP)
        running.await_replicas()
        yield PostgresqlReplicas(running)


def direct(running: Replicas, steady: Any, scale: float, enough: Callable[[], bool]) -> None:
    """Take the replicas through all phases, and round again until the workers have read enough.

    `steady` is 1 only while nothing holds the replicas' replay back.
    """
    for number, phase in enumerate(itertools.cycle(PHASES)):
        if number >= len(PHASES) and enough():
            return
        until = time.monotonic() + phase.seconds * scale
        if phase.delay_ms:
            running.delay(phase.delay_ms)
            time.sleep(max(0.0, until - time.monotonic()))
            running.delay(0)
        elif phase.pausing:
            while time.monotonic() < until:
                with running.paused(int(time.monotonic())):
                    time.sleep(1.0)
                time.sleep(0.5)
        else:
            running.await_replicas()
            steady.value = 1
            time.sleep(max(0.0, until - time.monotonic()))
            steady.value = 0


# -- the whole ----------------------------------------------------------------------------------------------------


def run(reads: int, processes: int, scale: float, opened: contextlib.AbstractContextManager[Replicas]) -> list[Tally]:
    with opened as running:
        install(running.path)
        place = running.place()
        context = multiprocessing.get_context("spawn")
        steady, stop, answers = context.Value("i", 0), context.Event(), context.Queue()
        counts = context.RawArray("q", processes)
        workers = [
            context.Process(target=work, args=(running.path, place, running.write, steady, stop, counts, seed, answers))
            for seed in range(processes)
        ]
        for worker in workers:
            worker.start()
        try:
            time.sleep(1.0)  # everyone at work before the first phase counts
            direct(running, steady, scale, lambda: sum(counts) >= reads or not all(map(alive, workers)))
            stop.set()
            tallies = [answers.get(timeout=900) for _ in workers]
        finally:
            for worker in workers:
                worker.join(10)
                worker.kill()
    for tally in tallies:
        if isinstance(tally, str):
            raise SystemExit(f"a worker failed:\n{tally}")
    return tallies


def alive(worker: Any) -> bool:
    return bool(worker.is_alive())


def install(path: Path) -> None:
    import outgrow

    outgrow.open(path, install=True, rows_in_place=True).close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reads", type=int, default=300_000, help="session reads, at least")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="stretch every phase by this")
    harness.add_pg(parser)
    harness.add_engine(parser)
    options = parser.parse_args()
    print(harness.conditions())
    try:
        import outgrow

        outgrow.open  # noqa: B018
    except (ImportError, AttributeError):
        harness.finish({"violations": None, "reads": None, "replica_share": None})
        return
    opened = postgresql(options.pg)
    if options.engine == "mariadb":
        from bench.mariadb_ryw import mariadb

        opened = mariadb()
    try:
        tell(run(options.reads, options.processes, options.scale, opened))
    except harness.Missing as missing:
        print(missing)
        harness.finish({"violations": None, "reads": None, "replica_share": None})


def tell(tallies: list[Tally]) -> None:
    def total(name: str) -> int:
        return sum(getattr(tally, name) for tally in tallies)

    violations = [line for tally in tallies for line in tally.violations]
    gaps = sorted(gap for tally in tallies for gap in tally.gaps)
    table = Table(title="sessions over lagging and pausing replicas", title_justify="left", show_header=False)
    for what, figure in (
        ("session reads", f"{total('reads'):,}"),
        ("writes", f"{total('writes'):,}"),
        ("reads from replicas, all phases", f"{total('from_replicas') / total('reads'):.1%}"),
        ("reads with no own write on the shard for 50 ms, nothing held back", f"{total('eligible'):,}"),
        ("sessions continued by token", f"{total('handovers'):,}"),
        ("write to its read, median", f"{statistics.median(gaps) * 1e6:.1f} µs"),
        ("write to its read, over 1 ms", f"{sum(gap > 0.001 for gap in gaps):,}"),
        ("violations", f"{len(violations):,}"),
    ):
        table.add_row(what, figure)
    Console(width=110).print(table)
    for line in violations[:10]:
        print(line)
    harness.finish(
        {
            "violations": len(violations),
            "reads": total("reads"),
            "replica_share": round(total("eligible_from_replicas") / max(1, total("eligible")), 4),
            "writes": total("writes"),
            "eligible": total("eligible"),
            "late_reads": sum(gap > 0.001 for gap in gaps),
            "handovers": total("handovers"),
        }
    )


if __name__ == "__main__":
    main()
