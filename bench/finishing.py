"""The finish alone: four grouped partial results, as four shards really return them, into one result."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import outgrow
from bench.fleet import BenchFleet, Server
from outgrow.finish import Finisher
from outgrow.nodes import Field

#: Groups → the query that has so many on each shard.
QUERIES = {
    25: "SELECT bucket, count(*), sum(wait_ms), avg(wait_ms) FROM points GROUP BY bucket",
    100: "SELECT id % 100, count(*), sum(wait_ms), avg(wait_ms) FROM points GROUP BY 1",
}


def partials(opened: outgrow.Fleet, running: BenchFleet, groups: int) -> Callable[[], list[tuple[Any, ...]]]:
    """One call finishes once, from the fragments' rows to the result's."""
    query = QUERIES[groups]
    plan = opened._state(None).prepare(query, False).plan
    spec, sql = plan.finish, plan.fragment_sql
    if spec is None or sql is None:
        raise SystemExit(f"{query} should need a finish")
    answers = [fragment(primary, sql) for primary in running.primaries]
    fields = [answer[0] for answer in answers]
    rows = [answer[1] for answer in answers]
    if any(len(part) != groups for part in rows):
        raise SystemExit(f"expected {groups} groups from each shard")

    def once() -> list[tuple[Any, ...]]:
        finisher = Finisher(spec, ())
        finisher.begin(fields)
        out: list[tuple[Any, ...]] = []
        for number, part in enumerate(rows):
            finisher.feed(number, part)
            finisher.end(number)
            out += finisher.ready()
        return out

    if len(once()) != groups:
        raise SystemExit(f"expected {groups} groups in all, not {once()}")
    return once


def fragment(primary: Server, sql: str) -> tuple[tuple[Field, ...], list[tuple[Any, ...]]]:
    with primary.connect() as connection:
        cursor = connection.execute(sql.encode())
        rows = cursor.fetchall()
        fields = []
        for column in cursor.description or ():
            found = connection.execute("SELECT typname FROM pg_type WHERE oid = %s", (column.type_code,)).fetchone()
            assert found is not None
            fields.append(Field(column.name, found[0], -1, column.type_code))
    return tuple(fields), rows


def timed(once: Callable[[], object], rounds: int) -> float:
    """Microseconds, the median of the rounds."""
    figures = []
    for _ in range(max(5, rounds)):
        start = time.perf_counter()
        for _ in range(200):
            once()
        figures.append((time.perf_counter() - start) / 200 * 1e6)
    return round(statistics.median(figures), 1)
