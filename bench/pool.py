"""Thirty-two threads on eight connections: keyed SELECTs through outgrow's pool and through psycopg_pool.

Both have exactly eight connections open before the clock runs.  A figure is the time from start to last answer ÷ all
calls of the block.  Nobody may starve: `share_min` is the calls of the thread that got the fewest in a fixed time ÷ the
mean of all threads, and `wait_max_ms` the longest that any call took then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench import harness
from bench.fleet import BenchFleet, Server, fleet
from bench.harness import Figures, Missing, Peer

THREADS, CONNECTIONS = 32, 8
#: How long the threads run for the fairness figures.
FAIR_SECONDS = 2.0

QUERY = "SELECT id, label, amount FROM items WHERE id = %s"
SETUP = (
    "CREATE TABLE items (id int8 PRIMARY KEY, label text NOT NULL, amount numeric(10, 2) NOT NULL)",
    "INSERT INTO items SELECT id, 'item ' || id, id % 1000 FROM generate_series(1, 20000) AS s(id)",
    "VACUUM (ANALYZE, FREEZE) items",
)
POOL = "psycopg_pool"
OURS = "outgrow"

#: Makes one call in a thread of its own, which opened it.
Call = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Fairness:
    """Of one peer's threads in a fixed time."""

    share_min: float
    wait_max_ms: float
    calls: int


@contextmanager
def psycopg_pool(primary: Server) -> Iterator[Callable[[ExitStack], Call]]:
    try:
        from psycopg_pool import ConnectionPool
    except ImportError as error:
        raise Missing("psycopg-pool is not installed") from error
    with ConnectionPool(
        primary.dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}, open=True
    ) as pool:
        pool.wait()

        def opener(_: ExitStack) -> Call:
            def call(key: int) -> object:
                with pool.connection() as connection:
                    return connection.execute(QUERY, (key,), prepare=True).fetchall()

            return call

        yield opener


@contextmanager
def outgrow(running: BenchFleet) -> Iterator[Callable[[ExitStack], Call]]:
    from outgrow import open as open_fleet
    from outgrow.topology import PoolLimits, read

    topology = read(running.path)
    limits = PoolLimits(size_min=CONNECTIONS, size_max=CONNECTIONS)
    domains = tuple(replace(domain, pool=limits) for domain in topology.domains)
    with open_fleet(replace(topology, domains=domains), install=True, rows_in_place=True) as opened:

        def opener(stack: ExitStack) -> Call:
            session = stack.enter_context(opened.session(level="strong"))
            return lambda key: session.execute(QUERY, (key,)).fetchall()

        yield opener


class Crew:
    """The threads of one peer; each has opened its own way of calling."""

    def __init__(self, opener: Callable[[ExitStack], Call], stack: ExitStack) -> None:
        self._calls = [opener(stack) for _ in range(THREADS)]

    def block(self, keys: Sequence[Any]) -> float:
        """Seconds for these keys, dealt out among the threads."""

        def work(number: int) -> None:
            call = self._calls[number]
            for key in keys[number::THREADS]:
                call(key)

        return self._run(work)

    def fairness(self, keys: Sequence[int]) -> Fairness:
        counts, waits = [0] * THREADS, [0.0] * THREADS
        until = time.perf_counter() + FAIR_SECONDS

        def work(number: int) -> None:
            call, at = self._calls[number], number
            while (began := time.perf_counter()) < until:
                call(keys[at % len(keys)])
                waits[number] = max(waits[number], time.perf_counter() - began)
                counts[number] += 1
                at += THREADS

        self._run(work)
        share = min(counts) * THREADS / max(1, sum(counts))
        return Fairness(round(share, 3), round(max(waits) * 1000, 1), sum(counts))

    def _run(self, work: Callable[[int], None]) -> float:
        failed: list[BaseException] = []

        def guarded(number: int) -> None:
            try:
                work(number)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=guarded, args=(number,)) for number in range(THREADS)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = time.perf_counter() - start
        if failed:
            raise failed[0]
        return spent


def run(rounds: int, calls: int, pg: str | None) -> tuple[Figures, dict[str, Fairness]]:
    with ExitStack() as stack:
        running = stack.enter_context(fleet(1, 0, {"items": {"copy": "everywhere"}}, pg))
        running.everywhere(*SETUP)
        keys = [1 + n * 7919 % 20_000 for n in range(20_000)]
        crews: dict[str, Crew] = {}

        def peer(name: str, opener: Any) -> Peer:
            def opened(stack: ExitStack) -> harness.Block:
                crew = crews[name] = Crew(stack.enter_context(opener), stack)
                return crew.block

            return Peer(name, opened)

        peers = [peer(POOL, psycopg_pool(running.primaries[0])), peer(OURS, outgrow(running))]
        opened = harness.open_peers(peers, stack)
        figures = harness.measure(opened, keys, rounds=rounds, calls=calls, warm=calls)
        return figures, {name: crew.fairness(keys) for name, crew in crews.items()}


def main() -> None:
    options = harness.arguments(__doc__, rounds=15, calls=3200).parse_args()
    print(harness.conditions())
    figures, fair = run(options.rounds, options.calls, options.pg)
    harness.show(f"{THREADS} threads on {CONNECTIONS} connections, a keyed SELECT", figures, [OURS])
    for name, found in fair.items():
        print(f"{name}: the thread with the fewest calls had {found.share_min:.2f} of the mean, ", end="")
        print(f"the longest call took {found.wait_max_ms} ms, {found.calls:,} calls in {FAIR_SECONDS:g} s")
    harness.finish(
        {
            "vs_psycopg_pool": figures.times(POOL, OURS),
            "share_min": fair[OURS].share_min,
            "wait_max_ms": fair[OURS].wait_max_ms,
            "share_min_psycopg_pool": fair[POOL].share_min if POOL in fair else None,
            "wait_max_ms_psycopg_pool": fair[POOL].wait_max_ms if POOL in fair else None,
            "median_us": figures.medians(),
        }
    )


if __name__ == "__main__":
    main()
