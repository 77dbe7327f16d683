"""What it costs a keyed SELECT that somebody could listen to it, and that somebody does.

Each peer is a process of its own with one session at level strong; `--against SRC` adds the package of another working
copy, which may know nothing of events.  Besides the time per call, its processor time, which a busy machine disturbs
less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import outgrow
from bench import harness
from bench.fleet import BenchFleet, fleet
from bench.point import QUERY, SETUP, first_keys

NOBODY = "nobody listens"
AGAINST = "the other working copy"
LISTENERS = ("a function that does nothing", "the slow log, nothing being slow", "OpenTelemetry, spans thrown away")


def listen(opened: Any, peer: str) -> None:
    """Subscribe as the peer's name says."""
    if peer == LISTENERS[0]:
        opened.subscribe(lambda event: None)
    elif peer == LISTENERS[1]:
        from outgrow.watch import SlowStatements

        opened.subscribe(SlowStatements(60.0))
    elif peer == LISTENERS[2]:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.trace import TracerProvider

        from outgrow.watch import instrument

        instrument(opened, tracer_provider=TracerProvider(), meter_provider=MeterProvider())


def work(peer: str, path: str, keys: list[int]) -> None:
    """A peer's process: a line with a place and a count comes in, seconds and processor seconds go out."""
    with outgrow.open(path) as opened, opened.session(level="strong") as session:
        listen(opened, peer)
        execute: Callable[..., Any] = session.execute
        execute(QUERY, (keys[0],)).fetchall()
        print("ready", flush=True)
        for line in sys.stdin:
            start, count = map(int, line.split())
            asked = harness.taken(keys, start, count)
            wall, cpu = time.perf_counter(), time.process_time()
            for key in asked:
                execute(QUERY, (key,)).fetchall()
            print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]), flush=True)


class Worker:
    """A peer's process, from outside."""

    def __init__(self, peer: str, running: BenchFleet, source: str) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((source, *filter(None, [os.getenv("PYTHONPATH")])))}
        command = [sys.executable, "-m", "bench.observing", "--work", peer, str(running.path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.failed = self._line() != "ready"

    def run(self, start: int, count: int) -> tuple[float, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{start} {count}\n")
        self.process.stdin.flush()
        wall, cpu = json.loads(self._line())
        return wall, cpu

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def measure(workers: dict[str, Worker], rounds: int, calls: int) -> tuple[harness.Figures, harness.Figures]:
    walls: dict[str, list[float]] = {name: [] for name in workers}
    cpus: dict[str, list[float]] = {name: [] for name in workers}
    for worker in workers.values():
        worker.run(0, 4 * calls)
    names = list(workers)
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            wall, cpu = workers[name].run(turn * calls, calls)
            walls[name].append(wall / calls * 1e6)
            cpus[name].append(cpu / calls * 1e6)
    return harness.Figures(walls), harness.Figures(cpus)


def paired(figures: harness.Figures, name: str, ours: str) -> float | None:
    """The median over rounds of one's time ÷ the other's in the same round."""
    if name not in figures.rounds:
        return None
    both = zip(figures.rounds[name], figures.rounds[ours], strict=True)
    return round(statistics.median(one / other for one, other in both), 4)


def main() -> None:
    parser = harness.arguments(__doc__, rounds=61, calls=400)
    parser.add_argument("--against", help="the `src` of another working copy")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        keys = json.loads(os.environ["BENCH_KEYS"])
        work(options.work[0], options.work[1], keys)
        return
    print(harness.conditions())
    core_client, core_server = harness.two_cores()
    here = str(Path(__file__).parents[1] / "src")
    with ExitStack() as stack:
        running = stack.enter_context(fleet(2, 0, {"items": {"shard_by": "id"}}, options.pg))
        running.everywhere(*SETUP)
        os.environ["BENCH_KEYS"] = json.dumps(first_keys(running.primaries[0], 5000))
        outgrow.open(running.path, install=True, rows_in_place=True).close()
        workers: dict[str, Worker] = {}
        for name, source in [(NOBODY, here), *((AGAINST, one) for one in filter(None, [options.against]))]:
            workers[name] = Worker(name, running, source)
        workers |= {name: Worker(name, running, here) for name in LISTENERS}
        for name, worker in list(workers.items()):
            stack.callback(worker.close)
            if worker.failed:
                del workers[name]
        pids = [worker.process.pid for worker in workers.values()]
        with harness.awake(), harness.pinned(running.pids, client=core_client, server=core_server):
            harness.pin(pids, {core_client})
            walls, cpus = measure(workers, options.rounds, options.calls)
    harness.show("a keyed SELECT, client and servers on separate cores", walls, [NOBODY])
    harness.show("processor time of the client", cpus, [NOBODY])
    harness.finish(
        {
            "vs_against": paired(walls, AGAINST, NOBODY),
            "vs_against_cpu": paired(cpus, AGAINST, NOBODY),
            "listening_added_us": [walls.added(name, NOBODY) for name in LISTENERS],
            "listening_added_cpu_us": [cpus.added(name, NOBODY) for name in LISTENERS],
            "median_us": walls.medians(),
            "median_cpu_us": cpus.medians(),
        }
    )


if __name__ == "__main__":
    main()
