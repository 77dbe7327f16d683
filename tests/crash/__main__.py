"""`python -m tests.crash --faults N --seed S [--json]`: exit 0 when nothing was half done or lost, 1 otherwise."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

from tests.crash.mutants import MUTANTS
from tests.crash.points import POINTS
from tests.crash.report import Report
from tests.crash.slices import grounds, run_all, sliced


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--faults", type=int, default=50, help="how many faults (default 50)")
    parser.add_argument("--seed", type=int, help="the same seed draws the same faults (default: random, printed)")
    parser.add_argument("--workers", type=int, default=4, help="processes that make transfers (default 4)")
    parser.add_argument("--engine", choices=("all", "postgresql", "mariadb"), default="all", help="default: all")
    parser.add_argument(
        "--servers",
        choices=("postgresql", "mariadb", "synchronous", "asynchronous"),
        help="only these: PostgreSQL, MariaDB, or PostgreSQL with failovers to replicas of that kind",
    )
    parser.add_argument("--points", default="", metavar="N,…", help="strike only at these points")
    parser.add_argument("--behind", choices=("pgbouncer",), default="", help="a pooler before every server")
    parser.add_argument("--pg", help="server binaries: a version (15, 16, 18) or a bin directory")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="", help="switch one protection off")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep finished slices there, and leave them out")
    parser.add_argument("--stop", action="store_true", help="stop at the first anomaly")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object, the last line")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.pg:
        os.environ["OUTGROW_TEST_PG"] = options.pg
    seed = options.seed if options.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}", file=sys.stderr)
    on = [options.servers] if options.servers else grounds(options.engine)
    report = run_all(
        sliced(options.faults, seed, on),
        options.resume,
        workers=options.workers,
        behind=options.behind,
        points=[point for point in POINTS if str(point.number) in options.points.split(",")],
        mutant=options.mutant,
        stop=options.stop,
        on_progress=progress if sys.stderr.isatty() else lambda _: None,
    )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    tell(report)
    if options.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    return 1 if report.anomalies else 0


def progress(report: Report) -> None:
    line = f"{report.faults} faults in {report.seconds:.0f} s, {report.anomalies} anomalies"
    print(f"\r{line}", end="", file=sys.stderr, flush=True)


def tell(report: Report) -> None:
    for line in report.table():
        print(line)
    for what, counts in (("faults", report.engines), ("answer", report.answers), ("error", report.codes)):
        for name, count in counts.items():
            print(f"{what:7} {count:6}  {name}")
    for cell, count in sorted(report.missed.items()):
        print(f"missed  {count:6}  {cell}")
    print(f"in doubt: {len(report.doubts)}, 99 of 100 for at most {report.in_doubt_p99_s} s once all was mended")
    if report.lost_by_failover:
        print(f"lost by failovers without all of the log: {report.lost_by_failover}; named: {report.lost_named}")
    for text in report.examples:
        print(f"  {text}")
    print(
        f"seed {report.seed}: {report.faults} faults at {report.points_covered} points over {report.transfers} "
        f"transfers in {report.seconds:.0f} s: {report.anomalies} anomalies, "
        f"sums {'conserved' if report.sums_conserved else 'NOT conserved'}"
    )


if __name__ == "__main__":
    sys.exit(main())
