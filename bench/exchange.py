"""Client cost of one prepared keyed SELECT: psycopg's two ways beside outgrow's link.

Interleaved blocks in one process; medians of at least 5 rounds.  `cpu` is the client's CPU time a statement, `wall`
what a caller waits.  Run with the address of a server it may create a table in:

    python -m bench.exchange "host=127.0.0.1 dbname=postgres user=postgres" [--cores one|two|free] [--backend]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import psycopg

from outgrow.nodes import LinkSettings, drive, link_steps
from outgrow.topology import Node, Role

SQL = "SELECT id, name, amount FROM bench_exchange WHERE id = "
ROUNDS, BLOCK = 9, 2000


def pin(pid: int, core: int) -> None:
    os.sched_setaffinity(pid, {core})


def measure(peers: dict[str, Callable[[int], object]]) -> dict[str, dict[str, float]]:
    wall: dict[str, list[float]] = {name: [] for name in peers}
    cpu: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(ROUNDS):
        for name, run in peers.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            for i in range(BLOCK):
                run(i % 1000)
            wall[name].append((time.perf_counter() - began) / BLOCK * 1e6)
            cpu[name].append((time.process_time() - began_cpu) / BLOCK * 1e6)
    return {
        name: {"wall_us": round(statistics.median(wall[name]), 2), "cpu_us": round(statistics.median(cpu[name]), 2)}
        for name in peers
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--cores", choices=("one", "two", "free"), default="free")
    arguments = parser.parse_args()
    connection = psycopg.connect(arguments.dsn, autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS bench_exchange (id int8 PRIMARY KEY, name text, amount numeric)")
    connection.execute(
        "INSERT INTO bench_exchange SELECT i, 'name ' || i, i * 1.5 FROM generate_series(0, 999) i "
        "ON CONFLICT DO NOTHING"
    )
    connection.execute("ANALYZE bench_exchange")
    cursor = connection.cursor()
    node = Node("bench", "bench", "bench", Role.PRIMARY, arguments.dsn)
    link = drive(link_steps(node, LinkSettings()))
    if arguments.cores != "free":
        pin(0, 0)
        for pid in (connection.info.backend_pid, link.backend_pid):
            pin(pid, 0 if arguments.cores == "one" else 1)
    theirs, ours = SQL + "%s", SQL + "$1"
    peers: dict[str, Callable[[int], object]] = {
        "connection_execute": lambda i: connection.execute(theirs, [i]).fetchall(),
        "reused_cursor": lambda i: cursor.execute(theirs, [i]).fetchall(),
        "link": lambda i: drive(link.run_steps(ours, [i])).rows,
    }
    figures = measure(peers)
    for name, figure in figures.items():
        print(f"{name:20} {figure['wall_us']:8.2f} µs wall {figure['cpu_us']:8.2f} µs CPU")
    print(json.dumps(figures))
    link.close()
    connection.close()


if __name__ == "__main__":
    main()
