"""Processes that write and read, are paused and go on, while keys migrate and migrators are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from outgrow.topology import write
from tests.integration.keyspace.directory_worker import KEYS
from tests.integration.keyspace.directory_world import editions, made, opened, rows_by_shard, topology_of
from tests.servers import serving

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
SECONDS = 25.0

#: Migrates keys at random until it is killed.
MIGRATOR = """
import random, sys, outgrow
rng = random.Random(int(sys.argv[2]))
with outgrow.open(sys.argv[1]) as fleet:
    print("ready", flush=True)
    while True:
        key, shard = rng.randint(1, 8), rng.choice(("s1", "s2", "s3"))
        try:
            fleet.directory().migrate(key, shard, type="int8", patience_seconds=5)
        except outgrow.OperationalError as error:
            if error.code != "OG-RUN-112":
                raise
"""


@contextmanager
def started(*many: tuple[str, ...]) -> Iterator[list[subprocess.Popen[str]]]:
    processes = [
        subprocess.Popen([sys.executable, *each], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for each in many
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def paused(process: subprocess.Popen[str], rng: random.Random, most_seconds: float) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(rng.uniform(0.05, most_seconds))
    os.kill(process.pid, signal.SIGCONT)


def test_paused_processes_and_killed_migrators(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with serving(3, 1) as servers, topology_of(servers) as topology, opened(topology, install=True) as fleet:
        made(fleet)
        with fleet.session() as session:
            session.execute("INSERT INTO t VALUES " + ", ".join(f"({key}, 0)" for key in KEYS))
            session.execute("INSERT INTO logs VALUES " + ", ".join(f"({key}, '2020-01-01', '')" for key in KEYS))
        file = tmp_path / "fleet.yaml"
        file.write_text(write(topology), encoding="utf-8")
        module = "tests.integration.keyspace.directory_worker"
        levels = ("session", "strong", "session")
        killed = 0
        with started(*[("-m", module, str(file), str(n), level) for n, level in enumerate(levels)]) as workers:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                with started(("-c", MIGRATOR, str(file), str(rng.randrange(10**6)))) as (migrator,):
                    for _ in range(rng.randint(1, 3)):
                        paused(rng.choice(workers), rng, 1.0)
                        time.sleep(rng.uniform(0.0, 0.4))
                    if rng.random() < 0.3:
                        # A lock may be held, or a commit be half way; then it dies.
                        paused(migrator, rng, 1.0)
                    killed += 1
            told = [_ended(worker) for worker in workers]
        fleet.recover()
        assert [each["wrong"] for each in told] == [[], [], []]
        migrations = sum(
            len(rows) for rows in rows_by_shard(topology, "SELECT number FROM outgrow.migrations").values()
        )
        print(
            f"seed {seed}: {[each['steps'] for each in told]} steps, {migrations} migrations, {killed} migrators killed"
        )
        assert migrations > 10
        assert min(each["steps"] for each in told) > 20
        counted = sum((Counter({int(k): n for k, n in each["counted"].items()}) for each in told), Counter())
        logged = sum((Counter({int(k): n for k, n in each["logged"].items()}) for each in told), Counter())
        held = [row for rows in rows_by_shard(topology, "SELECT id, v FROM t").values() for row in rows]
        assert sorted(held) == [(key, counted[key]) for key in KEYS]
        logs: Counter[int] = Counter()
        for shard, rows in rows_by_shard(topology, "SELECT owner, count(*) FROM logs GROUP BY owner").items():
            for owner, count in rows:
                assert (owner, shard) == (owner, fleet.directory().show(owner, type="int8")[0].shard)
                logs[owner] += count - 1
        assert {key: logs[key] for key in KEYS} == {key: logged[key] for key in KEYS}
        ledger, seen = editions(topology)
        assert all(ledger.get(shard, 0) == edition for shard, edition in seen.items())


def _ended(worker: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = worker.communicate("", timeout=60)
    found: dict[str, Any] = json.loads(out)
    return found
