"""Queries off the shard key, finished by PostgreSQL and by DuckDB, by the number of rows that are brought.

The same rows come from the same two shards either way; `rows_from` is the least size from which on DuckDB is not slower
over the queries together, which is what `runtime.reading.columnar.ROWS_MIN` is to be.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import outgrow
from bench import harness
from bench.fleet import BenchFleet, fleet
from outgrow.finish import duckdb_missing
from outgrow.topology import Topology, reader

ENGINES = ("postgresql", "duckdb")
SIZES = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000, 800_000)
#: So many rows of two tables together, `size` being both.
SETUP = (
    "TRUNCATE visits, sites",
    "INSERT INTO sites SELECT x, x * 7 % {half}, x % 100, 'site ' || x % 1000"
    " FROM generate_series({{shard}}, {half} - 1, 2) AS s(x)",
    "INSERT INTO visits SELECT x, x, (x % 100000) / 100.0, x % 50, date '2024-01-01' + (x % 365)::int"
    " FROM generate_series({{shard}}, {half} - 1, 2) AS s(x)",
    "ANALYZE sites, visits",
)
#: Nothing of them can be counted beforehand, nor left behind.
QUERIES = {
    "join and group": "SELECT s.kind, sum(v.paid), count(*), avg(v.pages) FROM sites s JOIN visits v ON v.id = s.ref"
    " AND v.pages + s.kind >= 0 GROUP BY s.kind ORDER BY 1",
    "count distinct": "SELECT s.name, count(DISTINCT v.pages) FROM sites s JOIN visits v ON v.id = s.ref"
    " AND v.pages + s.kind >= 0 GROUP BY s.name ORDER BY 2 DESC, 1 LIMIT 10",
    "not exists": "SELECT count(*) FROM sites s WHERE NOT EXISTS (SELECT FROM visits v WHERE v.id = s.ref"
    " AND v.pages > s.kind)",
    "window": "SELECT max(x.place) FROM (SELECT rank() OVER (PARTITION BY s.kind ORDER BY v.paid) AS place FROM sites s"
    " JOIN visits v ON v.id = s.ref AND v.pages + s.kind >= 0) AS x",
}


def main() -> None:
    parser = harness.arguments(__doc__, rounds=5, calls=3)
    parser.add_argument("--rows-max", type=int, default=SIZES[-1], help="no larger size than this")
    options = parser.parse_args()
    if missing := duckdb_missing():
        print(missing)
        harness.finish({"rows_from": None})
        return
    with ExitStack() as stack:
        tables = {"sites": {"shard_by": "id"}, "visits": {"shard_by": "place"}}
        servers = stack.enter_context(fleet(2, 0, tables))
        servers.everywhere(
            "CREATE TABLE sites (id int8, ref int8, kind int4, name text)",
            "CREATE TABLE visits (place int8, id int8, paid numeric(12, 2), pages int4, day date)",
        )
        fleets = {engine: stack.enter_context(opened(servers.path, engine)) for engine in ENGINES}
        sizes = [size for size in SIZES if size <= options.rows_max]
        ratios = {size: measured(servers, fleets, size, options.rounds) for size in sizes}
    print(harness.conditions())
    harness.finish({"rows_from": rows_from(ratios), **{f"vs_postgresql_{size}": ratios[size] for size in sizes}})


def opened(path: Path, engine: str) -> outgrow.Fleet:
    topology: Topology = reader.read(path)
    (domain,) = topology.domains
    limits = replace(domain.finish, engine=engine, rows_max=10 * SIZES[-1])
    return outgrow.open(replace(topology, domains=(replace(domain, finish=limits),)), install=True, rows_in_place=True)


def measured(servers: BenchFleet, fleets: dict[str, outgrow.Fleet], size: int, rounds: int) -> float:
    """How many times quicker DuckDB is, over the queries; a line for each of them."""
    servers.everywhere(*(statement.format(half=size // 2) for statement in SETUP))
    ratios = []
    for name, query in QUERIES.items():
        times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        answers: dict[str, list[Any]] = {}
        for _ in range(rounds + 1):
            for engine, asked in fleets.items():
                with asked.session() as session:
                    started = time.perf_counter()
                    answers[engine] = session.execute(query).fetchall()
                    times[engine].append(time.perf_counter() - started)
        if answers["postgresql"] != answers["duckdb"]:
            raise SystemExit(f"{name}: the answers differ")
        # The first of each prepares and opens.
        middles = {engine: median(times[engine][1:]) * 1000 for engine in ENGINES}
        ratios.append(middles["postgresql"] / middles["duckdb"])
        shown = ", ".join(f"{engine} {middle:.1f} ms" for engine, middle in middles.items())
        print(f"{size:>9,} rows, {name}: {shown}", flush=True)
    return round(math.prod(ratios) ** (1 / len(ratios)), 2)


def rows_from(ratios: dict[int, float]) -> int | None:
    found = None
    for size, ratio in sorted(ratios.items(), reverse=True):
        if ratio < 1:
            break
        found = size
    return found


if __name__ == "__main__":
    main()
