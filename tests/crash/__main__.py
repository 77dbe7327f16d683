"""`python -m tests.crash --faults N --seed S [--json]`: exit 0 when nothing was half done or lost, 1 otherwise."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys

from tests.crash.mutants import MUTANTS
from tests.crash.run import Report, run
from tests.servers import serving


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--faults", type=int, default=50, help="how many faults (default 50)")
    parser.add_argument("--seed", type=int, help="the same seed draws the same faults (default: random, printed)")
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4, help="processes that make transfers (default 4)")
    parser.add_argument("--behind", choices=("pgbouncer",), default="", help="a pooler before every server")
    parser.add_argument("--pg", help="server binaries: a version (15, 16, 18) or a bin directory")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="", help="switch one protection off")
    parser.add_argument("--stop", action="store_true", help="stop at the first anomaly")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object, the last line")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.pg:
        os.environ["OUTGROW_TEST_PG"] = options.pg
    seed = options.seed if options.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}", file=sys.stderr)
    with serving(options.shards, options.replicas) as servers:
        report = run(
            servers,
            options.faults,
            seed,
            workers=options.workers,
            mutant=options.mutant,
            stop=options.stop,
            behind=options.behind,
            on_progress=progress if sys.stderr.isatty() else lambda _: None,
        )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if options.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        tell(report)
    return 1 if report.anomalies else 0


def progress(report: Report) -> None:
    line = f"{report.faults} faults in {report.seconds:.0f} s, {report.anomalies} anomalies"
    print(f"\r{line}", end="", file=sys.stderr, flush=True)


def tell(report: Report) -> None:
    for what, counts in (("point", report.points_covered), ("fault", report.by_kind), ("answer", report.answers)):
        for name, count in counts.items():
            print(f"{what:7} {count:6}  {name}")
    for code, count in report.codes.most_common():
        print(f"error   {count:6}  {code}")
    print(f"in doubt: {report.in_doubt}, 99 of 100 for at most {report.in_doubt_p99_s} s")
    print(f"prepared once all servers were up again: at most {report.oldest_prepared_s} s")
    for text in report.examples:
        print(f"  {text}")
    print(
        f"seed {report.seed}: {report.faults} faults over {report.transfers} transfers in {report.seconds:.0f} s: "
        f"{report.anomalies} anomalies, sums {'conserved' if report.sums_conserved else 'NOT conserved'}"
    )


if __name__ == "__main__":
    sys.exit(main())
