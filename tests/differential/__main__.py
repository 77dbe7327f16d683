"""`python -m tests.differential [--statements N | --writes N] --seed S [--json]`: exit 0 when none is wrong, else 1."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from contextlib import AbstractContextManager
from typing import Any

from tests.differential import domains, mariadb, mariadb_stories
from tests.differential.block import Block, Case
from tests.differential.compare import Failure
from tests.differential.corpus import OWN, corpus
from tests.differential.finishing import FINISHES, forced
from tests.differential.joined import joins
from tests.differential.run import Report, described, random_cases, run
from tests.differential.sides import How, Sides, opened
from tests.differential.statements import statement
from tests.differential.stories import both
from tests.differential.stories import run as stories
from tests.differential.stories.tables import UNIQUE
from tests.differential.strategies import STRATEGIES
from tests.differential.viewed import viewed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--statements", type=int, default=2000, help="how many random statements (default 2000)")
    parser.add_argument(
        "--writes", type=int, nargs="?", const=20_000, help="this many random writes instead, which both sides keep"
    )
    parser.add_argument("--seed", type=int, help="the same seed draws the same statements (default: random, printed)")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first statement, or chapter of writes (default 0)"
    )
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--strategy", choices=STRATEGIES, default="hash", help="how keys are placed (default hash)")
    parser.add_argument("--domains", type=int, choices=(1, 2, 3), default=1, help="spread the tables over so many")
    parser.add_argument("--joins", action="store_true", help="only joins whose tables narrow each other")
    parser.add_argument("--unique", action="store_true", help="writes: row ids are unique in the whole domain")
    parser.add_argument("--views", action="store_true", help="only statements over views and functions of one's own")
    parser.add_argument("--engine", choices=("postgresql", "mariadb"), default="postgresql")
    parser.add_argument("--behind", choices=("pgbouncer",), default="", help="a pooler before every server")
    parser.add_argument(
        "--finish", choices=FINISHES, default="auto", help="bring every query that can be, and finish it by this engine"
    )
    parser.add_argument("--pg", help="server binaries: a version (15, 16, 18) or a bin directory")
    parser.add_argument("--atomic", action="store_true", help="ask in sessions with atomic_reads")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object, the last line")
    parser.add_argument("--corpus", action="store_true", help="also the fixed corpus")
    parser.add_argument("--replay", help="one statement, or chapter of writes, again: NUMBER or SEED/NUMBER")
    parser.add_argument("--sql", help="compare this statement instead of random ones")
    parser.add_argument("--stop", action="store_true", help="stop at the first wrong answer")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.pg:
        os.environ["OUTGROW_TEST_PG"] = options.pg
    seed = options.seed if options.seed is not None else secrets.randbelow(10**9)
    if options.writes is not None and options.replay:
        return replay_chapter(options, seed)
    if options.replay or options.sql:
        return replay(options, seed)
    print(f"seed {seed}", file=sys.stderr)
    started = time.monotonic()
    report = compared(options, seed)
    if not options.json:
        tell(report, time.monotonic() - started)
    else:
        print(json.dumps(report.to_dict(), default=str, ensure_ascii=False))
    return 1 if report.wrong else 0


def compared(options: argparse.Namespace, seed: int) -> Report:
    """The run that the options ask for."""
    progress = Progress(options.stop)
    if options.engine == "mariadb" and options.writes is not None:
        with mariadb.opened(options.shards, options.strategy) as world:
            return mariadb_stories.run(world, options.writes, seed, options.first, progress)
    if options.engine == "mariadb":
        return mariadb.compared(options.statements, seed, options.shards, progress, options.strategy)
    if options.writes is not None:
        unique = UNIQUE if options.unique else ()
        with both.opened(options.shards, strategy=options.strategy, behind=options.behind, unique=unique) as sides:
            return stories.run(sides, options.writes, seed, options.first, progress)
    with forced(options.finish) as share, sides_of(options) as sides:
        if options.joins:
            report = run(sides, joins(options.statements, seed, options.first), seed, progress)
        elif options.views:
            report = run(sides, viewed(options.statements, seed, options.first), seed, progress)
        else:
            cases = list(corpus()) if options.corpus else []
            cases += corpus(OWN) if options.corpus and options.domains == 1 else ()
            report = run(sides, [*cases, *random_cases(options.statements, seed, options.first)], seed, progress)
    if options.finish != "auto":
        print(share.told(report.total), file=sys.stderr)
        for why, count in (share.unvetted + share.unanswered).most_common(25):
            print(f"{count:6} left to PostgreSQL: {why}", file=sys.stderr)
    return report


def sides_of(options: argparse.Namespace) -> AbstractContextManager[Sides]:
    if options.domains > 1:
        return domains.opened(options.domains, options.shards, strategy=options.strategy, behind=options.behind)
    return opened(
        options.shards,
        strategy=options.strategy,
        behind=options.behind,
        finish=options.finish,
        atomic=options.atomic,
    )


class Progress:
    """A line on a terminal every thousand statements; stops at the first wrong answer where asked to."""

    def __init__(self, stop: bool) -> None:
        self.stop = stop

    def __call__(self, report: Report) -> None:
        if report.total % 1000 == 0:
            counts = f"{report.right} right, {report.wrong} wrong, {report.refused} refused"
            print(f"{report.total} statements: {counts}", file=sys.stderr)
        if self.stop and report.wrong:
            show(report.failures[0])
            raise SystemExit(1)


def tell(report: Report, seconds: float) -> None:
    for failure in report.failures:
        show(failure)
    for code, count in report.refused_by_code.most_common():
        print(f"refused {count:6} {code}: {report.refused_examples[code][0][:300]}")
    for construct, count in report.total_by_construct.most_common():
        print(f"{construct:14} {count:6}, refused {report.refused_by_construct[construct]}")
    print(
        f"seed {report.seed}: {report.total} statements in {seconds:.0f} s: "
        f"{report.right} right, {report.wrong} wrong, {report.refused} refused"
    )


def show(failure: dict[str, Any]) -> None:
    for name, value in failure.items():
        print(f"{name:>15}: {value}")
    print()


def replay(options: argparse.Namespace, seed: int) -> int:
    if options.sql:
        case, how, name = Case(Block(raw=options.sql), (), "given"), How(), "given"
    else:
        first, _, second = options.replay.rpartition("/")
        name = f"{first or seed}/{second}"
        case = statement(int(first or seed), int(second))
        how = next(iter(random_cases(1, int(first or seed), int(second))))[2]
    with forced(options.finish), sides_of(options) as sides:
        verdict, plain, fleet = sides.verdict(case, how)
        show({"verdict": verdict.kind, **described(sides, name, case, how, verdict.why, plain, fleet)})
        text, params = case.render()
        planned = verdict.kind != "refused" and not isinstance(fleet, Failure)
        print(sides.fleet.explain(text, params) if planned else verdict.why)
    return 1 if verdict.kind == "wrong" else 0


def replay_chapter(options: argparse.Namespace, seed: int) -> int:
    """One chapter again, with all that is asked in it."""
    first, _, second = options.replay.rpartition("/")
    unique = UNIQUE if options.unique else ()
    with both.opened(options.shards, strategy=options.strategy, behind=options.behind, unique=unique) as sides:
        report, told = stories.replayed(sides, int(first or seed), int(second))
    print("\n".join(told))
    for failure in report.failures:
        show(failure)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
