"""The benches run to their end and print their keys.  What they measure is not tested: a test's machine is busy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def last_line(name: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_point() -> None:
    pytest.importorskip("sqlalchemy")
    figures = last_line("point", "--rounds", "5", "--calls", "20")
    for key in ("added_us_one_core", "added_us_two_cores", "vs_psycopg", "vs_horizontal_shard"):
        assert isinstance(figures[key], float), key
    assert isinstance(figures["session_read_added_us"], float)
    # They come from Debian's packages: None where they are missing.
    assert {"vs_pgbouncer", "vs_pgpool"} <= set(figures)


def test_scatter() -> None:
    pytest.importorskip("asyncpg")
    pytest.importorskip("uvloop")
    figures = last_line("scatter", "--rounds", "5", "--calls", "20")
    for key in ("vs_threads", "vs_sequential_5ms", "vs_asyncpg", "finish_us"):
        assert isinstance(figures[key], float), key


def test_pool() -> None:
    pytest.importorskip("psycopg_pool")
    figures = last_line("pool", "--rounds", "5", "--calls", "160")
    for key in ("vs_psycopg_pool", "share_min", "wait_max_ms"):
        assert isinstance(figures[key], float), key


@pytest.mark.long
def test_pooler() -> None:
    figures = last_line("pooler", "--rounds", "5", "--calls", "20")
    for key in ("read_vs_psycopg_pooled", "write_vs_psycopg_by_hand", "replica_added_by_pooler_us"):
        assert isinstance(figures[key], float), key


def test_ryw() -> None:
    figures = last_line("ryw", "--scale", "0.05", "--reads", "3000")
    assert figures["violations"] == 0
    assert figures["reads"] >= 3000
    assert figures["replica_share"] > 0


def test_atomic() -> None:
    figures = last_line("atomic", "--rounds", "5", "--calls", "4")
    for key in ("vs_parallel_2pc_1", "vs_parallel_2pc_8", "single_shard_vs_plain"):
        assert isinstance(figures[key], float), key
    assert figures["flushes"]["two plain commits, not atomic"] >= 2
    assert figures["flushes"]["two-phase commit, all in parallel"] >= 5


@pytest.mark.long
def test_outbox() -> None:
    figures = last_line("outbox", "--rounds", "5", "--calls", "5", "--messages", "500", "--rates", "50")
    assert (figures["lost"], figures["duplicated"], figures["out_of_order"]) == (0, 0, 0)
    for key in ("messages_per_second", "vs_by_hand", "added_us", "added_us_by_hand"):
        assert isinstance(figures[key], int | float), key
    # Redis comes from Debian's packages: None where it is missing.
    assert "to_redis_per_second" in figures and figures["lag"]["outgrow, 50/s"]["p99_ms"] > 0
    assert {"by hand, 50/s", "by hand, LISTEN, 50/s"} <= set(figures["lag"])


@pytest.mark.long
def test_atomic_reads() -> None:
    figures = last_line("atomic_reads", "--reads", "500")
    assert figures["torn"] == 0
    assert figures["naive_torn"] > 0
    assert figures["reads"] == 500
    assert figures["errors"] <= 0.01


@pytest.mark.long
def test_saga() -> None:
    figures = last_line("saga", "--rounds", "5", "--calls", "2")
    assert (figures["lost"], figures["duplicated"]) == (0, 0)
    # A peer that is not installed is None.
    assert {"vs_dbos_1", "vs_dbos_64"} <= set(figures)
    assert figures["sagas_per_second_64_with_deadline"] > 0
    assert 3 <= figures["flushes"]["outgrow"] <= 5


@pytest.mark.long
def test_tpch() -> None:
    if not shutil.which("tpchgen-cli", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"):
        pytest.skip("tpchgen-cli is not installed")
    figures = last_line("tpch", "--scale", "0.01", "--rounds", "1")
    assert (figures["layout_a_right"], figures["layout_b_right"], figures["refused"]) == (22, 22, 0)
    assert isinstance(figures["geomean_b_vs_postgres"], float)


def test_finish() -> None:
    pytest.importorskip("duckdb")
    figures = last_line("finish", "--rounds", "5", "--rows-max", "1000")
    assert isinstance(figures["vs_postgresql_1000"], float)
    assert "rows_from" in figures
