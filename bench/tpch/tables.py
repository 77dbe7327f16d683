"""The eight tables: what they are, where their rows live in each layout, and how they are filled."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench.harness import Missing

HERE = Path(__file__).parent
TABLES = ("region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem")
_COPIED: dict[str, Any] = {"copy": "everywhere"}

#: Layout A: orders beside their lines, everything else copied.  Layout B: each table by its own first key column.
LAYOUTS: dict[str, dict[str, Any]] = {
    "a": dict.fromkeys(TABLES, _COPIED)
    | {"orders": {"shard_by": "o_orderkey"}, "lineitem": {"shard_by": "l_orderkey"}},
    "b": {
        "region": _COPIED,
        "nation": _COPIED,
        "supplier": {"shard_by": "s_suppkey"},
        "part": {"shard_by": "p_partkey"},
        "partsupp": {"shard_by": "ps_partkey"},
        "customer": {"shard_by": "c_custkey"},
        "orders": {"shard_by": "o_orderkey"},
        "lineitem": {"shard_by": "l_orderkey"},
    },
}


def definitions() -> Iterator[str]:
    for statement in (HERE / "schema.sql").read_text(encoding="utf-8").split(";"):
        if statement.strip():
            yield statement


def queries(scale: float) -> dict[int, str]:
    """By number, with the specification's validation parameters; one of Q11's depends on the scale."""
    fraction = f"{0.0001 / scale:.10f}"
    return {
        int(path.stem[1:]): path.read_text(encoding="utf-8").replace("{fraction}", fraction)
        for path in sorted((HERE / "queries").glob("q*.sql"))
    }


def generate(scale: float, place: Path) -> None:
    """One CSV file with a header for each table."""
    program = shutil.which("tpchgen-cli", path=str(Path(sys.executable).parent)) or shutil.which("tpchgen-cli")
    if program is None:
        raise Missing("tpchgen-cli is not installed: pip install tpchgen-cli")
    subprocess.run([program, "csv", "-s", str(scale), f"--output-dir={place}", "--quiet"], check=True)


def fill(connection: psycopg.Connection[Any], data: Path) -> None:
    """Tables that are there are used as they are, so they may have been distributed before; empty ones are filled."""
    known = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables").fetchall()}
    for name, definition in zip(TABLES, definitions(), strict=True):
        if name not in known:
            connection.execute(definition.encode())
        if connection.execute(f"SELECT 1 FROM {name} LIMIT 1".encode()).fetchone() is None:
            command = f"COPY {name} FROM STDIN (FORMAT csv, HEADER)"
            with (data / f"{name}.csv").open("rb") as file, connection.cursor().copy(command.encode()) as copy:
                while piece := file.read(1 << 18):
                    copy.write(piece)
        connection.execute(f"VACUUM (ANALYZE) {name}".encode())
