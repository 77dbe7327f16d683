"""One SELECT over four shards: one after another, threads, asyncpg with uvloop, outgrow.

Once trivial (an index look-up, one row a shard) and once with 5 ms of server time on each shard.  The finish alone
is timed too: four grouped partial results of 25 rows each, and of 100.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg

from bench import finishing as finish
from bench import harness
from bench.fleet import BenchFleet, fleet, here
from bench.harness import Block, Figures, Peer, calling
from outgrow import open as open_fleet

KINDS = 2_000
ROWS = 4 * KINDS

TRIVIAL = "SELECT id, label FROM points WHERE kind = %s"
# A domain whose CHECK sleeps: server time that uses no processor, and nothing that a scatter could not repeat.
WAITING = "SELECT id, label FROM points WHERE kind = %s AND wait_ms::pause IS NOT NULL"

SETUP = (
    "CREATE TABLE points (id int8 PRIMARY KEY, kind int8 NOT NULL, label text NOT NULL, wait_ms int4 NOT NULL,"
    " bucket int4 NOT NULL)",
    # about one row of each kind on each shard
    "INSERT INTO points SELECT id, row_number() OVER (ORDER BY id), 'point ' || id, 5, id % 25"
    f" FROM generate_series(1, {ROWS}) AS s(id) WHERE " + here(),
    "CREATE INDEX ON points (kind)",
    "CREATE FUNCTION bench_wait(ms int4) RETURNS bool LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE"
    " AS $$ BEGIN PERFORM pg_sleep(ms / 1000.0); RETURN true; END $$",
    "CREATE DOMAIN pause AS int4 CHECK (bench_wait(VALUE))",
    "VACUUM (ANALYZE, FREEZE) points",
)

SEQUENTIAL = "psycopg, one after another"
THREADS = "psycopg in threads"
ASYNCPG = "asyncpg with uvloop"
OURS = "outgrow"


def sequential(stack: ExitStack, dsns: Sequence[str], query: str) -> Block:
    connections = connect(stack, dsns)

    def scatter(kind: int) -> list[Any]:
        rows: list[Any] = []
        for connection in connections:
            rows += connection.execute(query, (kind,)).fetchall()
        return rows

    return checked(scatter)


def threads(stack: ExitStack, dsns: Sequence[str], query: str) -> Block:
    connections = connect(stack, dsns)
    executor = stack.enter_context(ThreadPoolExecutor(len(dsns)))

    def scatter(kind: int) -> list[Any]:
        def one(connection: psycopg.Connection[tuple[Any, ...]]) -> list[Any]:
            return connection.execute(query, (kind,)).fetchall()

        return [row for rows in executor.map(one, connections) for row in rows]

    return checked(scatter)


def connect(stack: ExitStack, dsns: Sequence[str]) -> list[psycopg.Connection[tuple[Any, ...]]]:
    connections = [psycopg.connect(dsn, autocommit=True) for dsn in dsns]
    for connection in connections:
        stack.callback(connection.close)
    return connections


def asyncpg_uvloop(stack: ExitStack, dsns: Sequence[str], query: str) -> Block:
    import asyncpg
    import uvloop

    loop = uvloop.new_event_loop()
    stack.callback(loop.close)

    async def prepare() -> tuple[list[Any], list[Any]]:
        connections = [await asyncpg.connect(dsn) for dsn in dsns]
        return connections, [await connection.prepare(query.replace("%s", "$1")) for connection in connections]

    connections, statements = loop.run_until_complete(prepare())
    for connection in connections:
        stack.callback(connection.terminate)

    async def scatter(kind: int) -> list[Any]:
        parts = await asyncio.gather(*(statement.fetch(kind) for statement in statements))
        return [row for rows in parts for row in rows]

    async def timed(kinds: Sequence[int]) -> float:
        start = time.perf_counter()
        for kind in kinds:
            await scatter(kind)
        return time.perf_counter() - start

    expect(loop.run_until_complete(scatter(1)))
    return lambda kinds: float(loop.run_until_complete(timed(kinds)))


def outgrow(stack: ExitStack, running: BenchFleet, query: str) -> Block:
    opened = stack.enter_context(open_fleet(running.path, install=True, rows_in_place=True))
    session = stack.enter_context(opened.session(level="strong"))
    return checked(lambda kind: session.execute(query, (kind,)).fetchall())


def checked(scatter: Any) -> Block:
    expect(scatter(1))
    return calling(scatter)


def expect(rows: Sequence[Any]) -> None:
    if len(rows) != 4:
        raise SystemExit(f"expected one row from each of four shards, not {rows}")


def scattering(stack: ExitStack, running: BenchFleet, query: str) -> harness.Opened:
    dsns = [primary.dsn for primary in running.primaries]
    peers = [
        Peer(SEQUENTIAL, lambda stack: sequential(stack, dsns, query)),
        Peer(THREADS, lambda stack: threads(stack, dsns, query)),
        Peer(ASYNCPG, lambda stack: asyncpg_uvloop(stack, dsns, query)),
        Peer(OURS, lambda stack: outgrow(stack, running, query)),
    ]
    return harness.open_peers(peers, stack)


def run(rounds: int, calls: int, pg: str | None) -> tuple[Figures, Figures, Figures, dict[int, float]]:
    """Trivial on one core, trivial on separate cores, and with server time on separate cores; and the finish."""
    client, server = harness.two_cores()
    kinds = list(range(1, KINDS - 200))
    with ExitStack() as stack:
        running = stack.enter_context(fleet(4, 0, {"points": {"shard_by": "id"}}, pg))
        running.everywhere(*SETUP)
        trivial = scattering(stack, running, TRIVIAL)
        with harness.awake(), harness.pinned(running.pids, client=client, server=client):
            single = harness.measure(trivial, kinds, rounds=rounds, calls=calls, warm=2 * calls)
        with harness.awake(), harness.pinned(running.pids, client=client, server=server):
            quick = harness.measure(trivial, kinds, rounds=rounds, calls=calls, warm=2 * calls)
            waiting = scattering(stack, running, WAITING)
            slow = harness.measure(waiting, kinds, rounds=max(5, rounds // 3), calls=max(5, calls // 20), warm=8)
            finish_us = finishing(running, rounds)
    return single, quick, slow, finish_us


def finishing(running: BenchFleet, rounds: int) -> dict[int, float]:
    """Microseconds to finish four grouped partial results, by their number of rows."""
    with open_fleet(running.path) as opened:
        return {groups: finish.timed(finish.partials(opened, running, groups), rounds) for groups in finish.QUERIES}


def main() -> None:
    options = harness.arguments(__doc__, rounds=21, calls=200).parse_args()
    print(harness.conditions())
    single, quick, slow, finish_us = run(options.rounds, options.calls, options.pg)
    harness.show("trivial select over four shards, client and servers on one core", single, [OURS])
    harness.show("trivial select over four shards, client and servers on separate cores", quick, [OURS])
    harness.show("5 ms of server time on each of four shards", slow, [OURS])
    harness.finish(
        {
            "vs_threads": quick.times(THREADS, OURS),
            "vs_sequential_5ms": slow.times(SEQUENTIAL, OURS),
            "vs_asyncpg": quick.times(ASYNCPG, OURS),
            "vs_sequential": quick.times(SEQUENTIAL, OURS),
            "vs_threads_one_core": single.times(THREADS, OURS),
            "vs_asyncpg_one_core": single.times(ASYNCPG, OURS),
            "vs_threads_5ms": slow.times(THREADS, OURS),
            "vs_asyncpg_5ms": slow.times(ASYNCPG, OURS),
            "finish_us": finish_us[25],
            "finish_100_us": finish_us[100],
            "median_us_trivial_one_core": single.medians(),
            "median_us_trivial": quick.medians(),
            "median_us_5ms": slow.medians(),
        }
    )


if __name__ == "__main__":
    main()
