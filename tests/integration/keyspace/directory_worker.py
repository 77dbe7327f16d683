"""Run as a program: counts up keys of a directory until told to stop, and notes whatever it should not have seen.

    python -m tests.integration.keyspace.directory_worker FLEET.YAML SEED LEVEL

Stops at the end of its standard input; prints one JSON object: acknowledged increments and log rows by key, unknown
outcomes, and what was wrong.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections import Counter
from typing import Any

import outgrow
from outgrow import Session

KEYS = range(1, 9)


class Worker:
    def __init__(self, session: Session, seed: int) -> None:
        self.session = session
        self.rng = random.Random(seed)
        self.seed = seed
        self.counted: Counter[int] = Counter()
        self.logged: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.seen: dict[int, int] = {}
        self.steps = 0

    def step(self) -> None:
        key = self.rng.choice(KEYS)
        act = self.rng.choice((self.count, self.count, self.read, self.read, self.log, self.together, self.sum))
        try:
            act(key)
            self.steps += 1
        except outgrow.Error as error:
            # What others do may fail a transaction, as in one PostgreSQL; then nothing of it has happened.
            if error.sqlstate not in ("40001", "40P01", "55P03"):
                self.wrong.append(f"{act.__name__} {key}: {error}")

    def count(self, key: int) -> None:
        rows = self.session.execute("UPDATE t SET v = v + 1 WHERE id = %s RETURNING v", [key]).fetchall()
        self._one(key, rows)
        self.counted[key] += 1

    def read(self, key: int) -> None:
        if self.rng.random() < 0.2:
            rows = list(self.session.stream("SELECT v FROM t WHERE id = %s", [key]))
        else:
            rows = self.session.execute("SELECT v FROM t WHERE id = %s", [key]).fetchall()
        self._one(key, rows)

    def log(self, key: int) -> None:
        self.session.execute("INSERT INTO logs VALUES (%s, '2025-05-05', %s)", [key, str(self.seed)])
        self.logged[key] += 1

    def together(self, key: int) -> None:
        """Two keys in one transaction."""
        other = self.rng.choice(KEYS)
        with self.session.transaction(self.rng.choice(("", "", "REPEATABLE READ"))):
            for each in sorted({key, other}):
                rows = self.session.execute("SELECT v FROM t WHERE id = %s FOR UPDATE", [each]).fetchall()
                self._one(each, rows)
                self.session.execute("INSERT INTO logs VALUES (%s, '2024-04-04', %s)", [each, str(self.seed)])
        for each in {key, other}:
            self.logged[each] += 1

    def sum(self, key: int) -> None:
        (row,) = self.session.execute("SELECT count(*), count(DISTINCT id) FROM t").fetchall()
        if row != (len(KEYS), len(KEYS)):
            self.wrong.append(f"all keys were {row}")

    def _one(self, key: int, rows: list[Any]) -> None:
        if len(rows) != 1:
            self.wrong.append(f"the key {key} has {len(rows)} rows")
            return
        (v,) = rows[0]
        if v < self.seen.get(key, 0):
            self.wrong.append(f"the key {key} went back from {self.seen[key]} to {v}")
        self.seen[key] = v


def main() -> None:
    file, seed, level = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    with outgrow.open(file) as fleet, fleet.session(level=level) as session:
        worker = Worker(session, seed)
        print("ready", flush=True)
        while not over.is_set():
            worker.step()
    told = {"counted": worker.counted, "logged": worker.logged, "wrong": worker.wrong, "steps": worker.steps}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
