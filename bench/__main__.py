"""`python -m bench`: run every bench, and write what they print into `bench/RESULTS.md`."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

NAMES = (
    *("point", "scatter", "pool", "pooler", "load", "atomic", "outbox", "atomic_reads", "ryw"),
    *("keyspace", "ring", "strategies", "finish", "saga"),
)
#: Those that take minutes run if they are named.
LONG = ("tpch",)
RESULTS = Path(__file__).with_name("RESULTS.md")
#: What tables do not say: it goes behind them.
NOTES = Path(__file__).with_name("NOTES.md")

HEAD = """\
# Measured

Every table is one run of `python -m bench.NAME`, as it printed it, on the day that stands above it; `python -m bench`
makes this page anew. Peers run beside outgrow in interleaved blocks of one run, over the same transport, data and
servers; figures are medians over at least five rounds. `vs_x` is x's median time ÷ ours: above 1, outgrow is faster.
bench.tpch has it the other way round, because TPC-H's figures are times: its `geomean_…_vs_postgres`, and the column
"outgrow ÷ PostgreSQL", are our time ÷ PostgreSQL's: *below* 1, outgrow is faster. `null` is a peer that could not be
started.

Client and servers are pinned to cores in point, scatter, pooler, atomic, keyspace, ring and with one saga at a time;
the cores are kept awake in point, scatter and pooler. In all others everybody shares the cores. Take ratios from here,
not absolute times: the machine is small, and shared.

{versions}.
"""

PACKAGES = ("psycopg", "asyncpg", "uvloop", "SQLAlchemy")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "names", nargs="*", default=NAMES, help=f"which benches ({', '.join(NAMES)}; {', '.join(LONG)})"
    )
    parser.add_argument("--dry", action="store_true", help="leave RESULTS.md as it is")
    options = parser.parse_args()
    old = sections(RESULTS.read_text()) if RESULTS.exists() else {}
    failed = []
    for name in options.names:
        print(f"== {name}", flush=True)
        ran = subprocess.run([sys.executable, "-m", f"bench.{name}"], capture_output=True, text=True, check=False)
        print(ran.stdout, ran.stderr, sep="", flush=True)
        if ran.returncode:
            failed.append(name)
            continue
        old[name] = section(name, ran.stdout, datetime.date.today())
    if not options.dry:
        versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
        text = HEAD.format(versions=versions)
        tables = "".join(f"\n{old[name]}" for name in NAMES + LONG if name in old)
        RESULTS.write_text(f"{text}{tables}\n{NOTES.read_text()}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def section(name: str, output: str, day: datetime.date) -> str:
    """One bench's part of the page: when it ran, its tables, then its figures one a line."""
    *shown, last = output.rstrip().splitlines()
    figures = json.dumps(json.loads(last), indent=2, ensure_ascii=False)
    tables = "\n".join(line.rstrip() for line in shown)
    return f"## bench.{name}\n\n{day.isoformat()}\n\n```text\n{tables}\n```\n\n```json\n{figures}\n```\n"


def sections(text: str) -> dict[str, str]:
    """The parts of an earlier page by name."""
    parts = text.partition("\n## Notes\n")[0].split("\n## bench.")[1:]
    return {part.split("\n", 1)[0]: f"## bench.{part.rstrip()}\n" for part in parts}


if __name__ == "__main__":
    main()
