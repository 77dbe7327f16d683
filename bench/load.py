"""Bulk load into four shards, beside COPY of files that were split beforehand.

The peers have nothing to do but send: four files, split by the same keys before the clock starts, one COPY each, all
at once (psycopg in four threads; psql in four processes where it is installed).  `vs_presplit_copy` is the faster
peer's median time ÷ ours, so at most about 1.  Same servers, same TCP connections' addresses, same settings, nobody
pinned: clients and servers share all cores.  Tables are emptied and a checkpoint is taken before every run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import psycopg

import outgrow
from bench import harness
from bench.fleet import SLOTS, BenchFleet, fleet
from outgrow.keyspace import Keyspace
from outgrow.moving import LoadColumn, LoadFormat, LoadTable, layout
from outgrow.moving.load_split import Splitter
from outgrow.topology import Domain, Node, Role, Shard, Sharded, ShardMap, TableName, Topology

SHARDS = ("s1", "s2", "s3", "s4")
COLUMNS = {
    "order_id": "int8", "customer_id": "int8", "status": "text", "country": "text", "quantity": "int4",
    "price": "numeric", "ordered_on": "date", "updated_at": "timestamp", "sku": "text", "note": "text",
}  # fmt: skip
DDL = "CREATE TABLE orders (" + ", ".join(f"{name} {type}" for name, type in COLUMNS.items()) + ")"
TABLE = LoadTable(
    TableName("public", "orders"),
    tuple(LoadColumn(name, type) for name, type in COLUMNS.items()),
    Sharded(("customer_id",)),
)
KEYS = Keyspace(SLOTS, ShardMap("bench", 1, SHARDS, tuple(slot % 4 for slot in range(SLOTS))))
OURS, THREADS, PSQL = "outgrow", "presplit, psycopg threads", "presplit, psql processes"
PIECE = 1 << 18


def write_orders(path: Path, rows: int, quoted: bool) -> None:
    """The same orders for the same arguments; about 100 bytes a row, every note quoted with a newline if `quoted`."""
    rng = random.Random(rows)
    with open(path, "w", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for number in range(rows):
            note = f'"said ""{number % 1000}"",\nthen left"' if quoted else f"a plain note {number % 1000}"
            file.write(
                f"{number},{rng.randrange(10_000_000)},{('new', 'paid', 'sent')[number % 3]},"
                f"{('DE', 'FR', 'US', 'JP')[number % 4]},{number % 9},{number % 99_999 / 100:.2f},"
                f"2024-0{1 + number % 9}-1{number % 9},2024-05-0{1 + number % 9} 12:{10 + number % 49}:00,"
                f"SKU{number % 100_000:08},{note}\n"
            )


def presplit(path: Path) -> list[Path]:
    parts = [path.with_suffix(f".{shard}") for shard in SHARDS]
    with contextlib.ExitStack() as stack:
        outs: list[BinaryIO] = [stack.enter_context(open(part, "wb")) for part in parts]
        source = stack.enter_context(open(path, "rb"))
        source.readline()
        for pieces in Splitter(layout(TABLE, LoadFormat(), list(COLUMNS)), SHARDS, KEYS).blocks(source):
            for out, piece in zip(outs, pieces.data, strict=True):
                out.write(piece)
    return parts


def domain_of(running: BenchFleet) -> Domain:
    shards = tuple(
        Shard(name, Node(f"bench/{name}/primary", "bench", name, Role.PRIMARY, server.dsn))
        for name, server in zip(SHARDS, running.primaries, strict=True)
    )
    return Domain("bench", "postgresql", SLOTS, shards, {TABLE.name: TABLE.placement})


@contextlib.contextmanager
def loading(domain: Domain) -> Iterator[Callable[[Path], int]]:
    """Our side: one call loads one file in one transaction over all shards, and returns its rows."""
    with outgrow.open(Topology("bench", (domain,)), install=True) as opened, opened.session() as session:
        yield lambda path: session.load(path, "orders").rows


def copy_by_threads(connections: list[psycopg.Connection[tuple[object, ...]]], parts: list[Path]) -> None:
    def one(connection: psycopg.Connection[tuple[object, ...]], part: Path) -> None:
        with (
            open(part, "rb") as file,
            connection.transaction(),
            connection.cursor().copy("COPY orders FROM STDIN (FORMAT csv)") as copy,
        ):
            while piece := file.read(PIECE):
                copy.write(piece)

    threads = [threading.Thread(target=one, args=pair) for pair in zip(connections, parts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def copy_by_psql(psql: str, dsns: list[str], parts: list[Path]) -> None:
    command = "COPY orders FROM STDIN (FORMAT csv)"
    started = []
    for dsn, part in zip(dsns, parts, strict=True):
        with open(part, "rb") as file:
            started.append(subprocess.Popen([psql, "-qX", "-d", dsn, "-c", command], stdin=file))
    if any(process.wait() for process in started):
        raise SystemExit("psql failed")


def counted(running: BenchFleet) -> int:
    total = 0
    for primary in running.primaries:
        with primary.connect() as connection:
            total += int(str(connection.execute("SELECT count(*) FROM orders").fetchall()[0][0]))
    return total


def compare(running: BenchFleet, path: Path, rows: int, rounds: int) -> harness.Figures:
    """Nanoseconds a row of every peer, in rounds whose order rotates."""
    parts = presplit(path)
    dsns = [primary.dsn for primary in running.primaries]
    psql = shutil.which("psql")
    missing = {} if psql else {PSQL: "psql is not installed"}
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(dsn, autocommit=True)) for dsn in dsns]
        load = stack.enter_context(loading(domain_of(running)))
        peers: dict[str, Callable[[], object]] = {
            OURS: lambda: load(path),
            THREADS: lambda: copy_by_threads(connections, parts),
        }
        if psql:
            peers[PSQL] = lambda: copy_by_psql(psql, dsns, parts)
        names = list(peers)
        figures: dict[str, list[float]] = {name: [] for name in names}
        # The first round warms files, servers and connections, and is not counted.
        for turn in range(rounds + 1):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                running.everywhere("TRUNCATE orders")
                start = time.perf_counter()
                peers[name]()
                took = time.perf_counter() - start
                if counted(running) != rows:
                    raise SystemExit(f"{name} did not load {rows} rows")
                if turn:
                    figures[name].append(took / rows * 1e9)
    return harness.Figures(figures, missing)


def faster_peer(figures: harness.Figures) -> float | None:
    ours = figures.median(OURS)
    peers = [median for name in (THREADS, PSQL) if (median := figures.median(name)) is not None]
    return round(min(peers) / ours, 3) if ours and peers else None


def peak(running: BenchFleet, path: Path) -> dict[str, float]:
    """Megabytes of resident memory that loading this file takes above the imports, in a process of its own."""
    running.everywhere("TRUNCATE orders")
    command = [sys.executable, "-m", "bench.load", "--peak-of", str(path)]
    told = json.dumps([primary.dsn for primary in running.primaries])
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _resident_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {field} in /proc/self/status")


def _peak_of(path: Path) -> None:
    """The child of `peak`: everything is imported already."""
    dsns = json.loads(sys.stdin.readline())
    shards = tuple(
        Shard(name, Node(f"bench/{name}/primary", "bench", name, Role.PRIMARY, dsn))
        for name, dsn in zip(SHARDS, dsns, strict=True)
    )
    domain = Domain("bench", "postgresql", SLOTS, shards, {TABLE.name: TABLE.placement})
    with loading(domain) as load:
        before = _resident_mb("VmRSS")
        # 5 puts the high-water mark back to what is resident now.
        Path("/proc/self/clear_refs").write_text("5")
        rows = load(path)
        high = _resident_mb("VmHWM")
    harness.finish({"rows": rows, "imports_mb": round(before, 1), "above_mb": round(high - before, 1)})


def main() -> None:
    parser = harness.arguments(__doc__, rounds=5, calls=0)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the timed loads")
    parser.add_argument("--peak-rows", type=int, default=5_000_000, help="rows of the load whose memory is measured")
    parser.add_argument("--peak-of", type=Path, help=argument_for_the_child)
    options = parser.parse_args()
    if options.peak_of is not None:
        _peak_of(options.peak_of)
        return
    print(harness.conditions())
    found: dict[str, harness.Figures] = {}
    sizes: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="outgrow-bench-load", dir=os.environ.get("TMPDIR", "/var/tmp")) as place,
        fleet(4, 0, {"orders": {"shard_by": "customer_id"}}, options.pg) as running,
    ):
        running.everywhere(DDL)
        for kind in ("plain", "quoted"):
            path = Path(place) / f"{kind}.csv"
            write_orders(path, options.rows, kind == "quoted")
            sizes[kind] = path.stat().st_size / options.rows
            found[kind] = compare(running, path, options.rows, options.rounds)
            for part in Path(place).iterdir():
                part.unlink()
        path = Path(place) / "many.csv"
        write_orders(path, options.peak_rows, quoted=False)
        memory = peak(running, path)
        version = running.version
    for kind, figures in found.items():
        title = f"{kind}: {options.rows:,} rows of {sizes[kind]:.0f} bytes into 4 shards (PostgreSQL {version})"
        harness.show(title, figures, [OURS], unit="ns a row")
    print(f"memory: {memory['above_mb']} MB above imports ({memory['imports_mb']} MB) over {memory['rows']:,} rows")
    harness.finish(
        {
            "vs_presplit_copy": faster_peer(found["plain"]),
            "vs_presplit_copy_quoted": faster_peer(found["quoted"]),
            "peak_above_imports_mb": memory["above_mb"],
            "rows": options.rows,
            "peak_rows": memory["rows"],
            "mb_per_s": round(sizes["plain"] * 1e3 / statistics.median(found["plain"].rounds[OURS]), 1),
            "mb_per_s_quoted": round(sizes["quoted"] * 1e3 / statistics.median(found["quoted"].rounds[OURS]), 1),
            "ns_a_row": found["plain"].medians(),
            "ns_a_row_quoted": found["quoted"].medians(),
        }
    )


argument_for_the_child = "(for the bench itself: load this file and report the memory it took)"

if __name__ == "__main__":
    main()
