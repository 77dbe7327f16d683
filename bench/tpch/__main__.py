"""TPC-H on a fleet of four shards in two layouts, every answer compared with one PostgreSQL, and timed beside it.

Layout A shards orders and lineitem by the order's key and copies the rest; layout B copies nation and region only, and
shards every other table by its own first key column.  The one PostgreSQL has the server's defaults (parallel query on,
128 MB of shared buffers, which the four shards have between them), the same data, primary keys and ANALYZE.  Nobody is
pinned: servers and client share all cores, as many as there are.  Both are asked in turn over TCP, each query once for
warming and then `--rounds` times; what is shown are medians.

`geomean_…_vs_postgres` is our time ÷ PostgreSQL's, over those of the 22 that were answered: below 1, the fleet is
faster.  PostgreSQL computes the subqueries of Q17 and Q20 for each row outside, which takes it minutes;
`geomean_…_of_quick` leaves out what took it more than ten seconds.  Above scale 0.2 that would be hours, so for those
two answers it is given an index on lineitem, and no time of its is shown.  `peak_mb` is what the client's memory rose
by at most while the fleet was asked.  `--dsn` names another system of the same protocol, which is asked the same.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

import outgrow
from bench import harness
from bench.fleet import fleet
from bench.tpch.answers import Answer, differs
from bench.tpch.tables import LAYOUTS, TABLES, definitions, fill, generate, queries
from outgrow import local
from outgrow.errors import Error
from outgrow.local import addresses, state

#: A query whose first run took this long is not run again.
LONG_SECONDS = 10.0
#: What the one PostgreSQL answers by an index above this scale.
INDEXED = (17, 20)
INDEXED_SCALE = 0.2
Ask = Callable[[str], Answer]
TIMES = ("PostgreSQL", "outgrow", "outgrow ÷ PostgreSQL")


@dataclass(slots=True)
class Asked:
    """One query on one system."""

    seconds: list[float] = field(default_factory=list)
    #: "right", "wrong", "refused" or "failed"; and why.
    verdict: str = ""
    why: str = ""
    #: How the fleet answers it.
    how: str = ""

    @property
    def repeatable(self) -> bool:
        return self.median is not None and self.seconds[0] < LONG_SECONDS

    @property
    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds and self.verdict in ("right", "wrong") else None


@dataclass(slots=True)
class Layout:
    plain: dict[int, Asked]
    fleet: dict[int, Asked]
    other: dict[int, Asked]
    peak_mb: float


# -- who is asked -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def one_postgres(pg: str | None) -> Iterator[str]:
    """A server with the defaults of a server, and its address."""
    with local.temporary(shards=1, replicas=0, binaries=pg, tcp=True, durable=True) as (_, directory):
        known = state.load(directory)
        assert known is not None
        (server,) = known.servers
        admin = addresses.dsn(known, server, role="postgres", tcp=False)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers = '128MB'")
        local.down(directory)
        local.up(directory=directory)
        yield addresses.dsn(known, server, tcp=True)


def through_psycopg(dsn: str, stack: ExitStack) -> Ask:
    connection = stack.enter_context(psycopg.connect(dsn, autocommit=True))

    def ask(query: str) -> Answer:
        cursor = connection.execute(query.encode())
        assert cursor.description is not None
        return Answer([(column.name, column.type_code) for column in cursor.description], cursor.fetchall())

    return ask


def through_outgrow(session: outgrow.Session, patience_seconds: float) -> Ask:
    def ask(query: str) -> Answer:
        result = session.execute(query, timeout_seconds=patience_seconds)
        return Answer([(field.name, field.oid) for field in result.fields], result.fetchall())

    return ask


def how(opened: outgrow.Fleet, query: str) -> str:
    """In a word: what the plan does."""
    plan = opened.explain(query).to_dict()["plan"]
    if "brought" in plan:
        return f"{sum(step.startswith('bring ') for step in plan['brought'])} brought"
    return "fragments"


# -- asking -------------------------------------------------------------------------------------------------------


def timed(asked: Asked, ask: Ask, number: int, query: str, expected: Answer | None) -> Answer | None:
    start = time.perf_counter()
    try:
        answer = ask(query)
    except Error as error:
        asked.verdict, asked.why = ("refused" if "-PLAN-" in (error.code or "") else "failed"), str(error)
        return None
    except psycopg.Error as error:
        asked.verdict, asked.why = "failed", str(error).partition("\n")[0]
        return None
    asked.seconds.append(time.perf_counter() - start)
    asked.why = differs(number, expected, answer) if expected is not None else ""
    asked.verdict = "wrong" if asked.why or asked.verdict == "wrong" else "right"
    return answer


@dataclass(slots=True)
class Bench:
    options: argparse.Namespace
    data: Path
    texts: dict[int, str]
    #: The one PostgreSQL.
    dsn: str
    #: What took it long, for the other layout.
    long: dict[int, tuple[Asked, Answer]] = field(default_factory=dict)

    def measured(self, name: str) -> Layout:
        with ExitStack() as stack:
            running = stack.enter_context(fleet(4, 0, LAYOUTS[name], self.options.pg))
            opened = stack.enter_context(outgrow.open(running.path, install=True))
            session = stack.enter_context(opened.session(level="strong"))
            for definition in definitions():
                session.execute(definition)
            for table in TABLES:
                session.load(self.data / f"{table}.csv", table)
            running.everywhere("VACUUM (ANALYZE)")
            result = Layout({}, {}, {}, 0.0)
            asks = [
                (result.plain, through_psycopg(self.dsn, stack)),
                (result.fleet, through_outgrow(session, self.options.patience)),
            ]
            if self.options.dsn:
                asks.append((result.other, through_psycopg(self.options.dsn, stack)))
            before = resident_mb("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")
            for number in self.texts:
                print(f"{name} Q{number}", end=" ", file=sys.stderr, flush=True)
                self._compare(number, asks)
            result.peak_mb = resident_mb("VmHWM") - before
            for number, query in self.texts.items():
                result.fleet[number].how = how(opened, query)
        return result

    def _compare(self, number: int, asks: Sequence[tuple[dict[int, Asked], Ask]]) -> None:
        """Once to warm and compare, then in turn; the first of `asks` is who is right."""
        query = self.texts[number]
        (plain, ask_plain), *others = asks
        if number in self.long:
            plain[number], expected = self.long[number]
        else:
            plain[number], expected = self._answered(number, ask_plain)
        if not plain[number].seconds or plain[number].seconds[0] >= LONG_SECONDS:
            self.long[number] = plain[number], expected
        for asked, ask in others:
            asked[number] = Asked()
            timed(asked[number], ask, number, query, expected)
        again = [(asked[number], ask) for asked, ask in asks if asked[number].repeatable]
        for _ in range(self.options.rounds):
            for entry, ask in again:
                timed(entry, ask, number, query, expected)
        for entry, _ in again:
            del entry.seconds[0]

    def _answered(self, number: int, ask: Ask) -> tuple[Asked, Answer]:
        """By the one PostgreSQL, which is right."""
        asked, indexed = Asked(), number in INDEXED and self.options.scale > INDEXED_SCALE
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            if indexed:
                connection.execute("CREATE INDEX helping ON lineitem (l_partkey, l_suppkey)")
            answer = timed(asked, ask, number, self.texts[number], None)
            if indexed:
                connection.execute("DROP INDEX helping")
                asked.seconds.clear()
        assert answer is not None, asked.why
        return asked, answer


def resident_mb(what: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    return 0.0


# -- telling ------------------------------------------------------------------------------------------------------


def ratio(entry: Asked, plain: Asked) -> float | None:
    ours, theirs = entry.median, plain.median
    return ours / theirs if ours is not None and theirs else None


def geomean(ours: dict[int, Asked], plain: dict[int, Asked]) -> float | None:
    ratios = [found for number in ours if (found := ratio(ours[number], plain[number])) is not None]
    return round(math.exp(sum(map(math.log, ratios)) / len(ratios)), 3) if ratios else None


def show(name: str, layout: Layout) -> None:
    table = Table(title=f"layout {name.upper()}: milliseconds, medians", title_justify="left")
    for heading in ("query", *TIMES, "answer", "how"):
        table.add_column(heading, justify="right" if heading in TIMES else "left")
    if layout.other:
        table.add_column("other", justify="right")
        table.add_column("answer")
    for number, entry in layout.fleet.items():
        times = ratio(entry, layout.plain[number])
        cells = [
            f"Q{number}",
            milliseconds(layout.plain[number]),
            milliseconds(entry),
            f"{times:.2f}" if times is not None else "",
            f"{entry.verdict} {entry.why}".strip()[:60],
            entry.how,
        ]
        if layout.other:
            cells += [milliseconds(layout.other[number]), layout.other[number].verdict]
        table.add_row(*cells)
    Console(width=120).print(table)


def milliseconds(entry: Asked) -> str:
    return f"{entry.median * 1000:,.1f}" if entry.median is not None else ""


def figures(layouts: dict[str, Layout], scale: float) -> dict[str, Any]:
    found: dict[str, Any] = {"scale": scale}
    every = [entry for layout in layouts.values() for entry in layout.fleet.values()]
    for name, layout in layouts.items():
        found[f"layout_{name}_right"] = sum(entry.verdict == "right" for entry in layout.fleet.values())
    found["refused"] = sum(entry.verdict == "refused" for entry in every)
    for name, layout in layouts.items():
        found[f"geomean_{name}_vs_postgres"] = geomean(layout.fleet, layout.plain)
        quick = {number: entry for number, entry in layout.plain.items() if (entry.median or 0) < LONG_SECONDS}
        found[f"geomean_{name}_of_quick"] = geomean({number: layout.fleet[number] for number in quick}, quick)
        if layout.other:
            found[f"geomean_other_{name}_vs_postgres"] = geomean(layout.other, layout.plain)
            found["other_right"] = sum(entry.verdict == "right" for entry in layout.other.values())
    found["peak_mb"] = round(max(layout.peak_mb for layout in layouts.values()), 1)
    for name, layout in layouts.items():
        found[f"milliseconds_{name}"] = {
            f"q{number}": round(entry.median * 1000, 1) if entry.median is not None else None
            for number, entry in layout.fleet.items()
        }
        found[f"milliseconds_postgres_beside_{name}"] = {
            f"q{number}": round(entry.median * 1000, 1) if entry.median is not None else None
            for number, entry in layout.plain.items()
        }
    return found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.1, help="scale factor; 1 is about 1 GB")
    parser.add_argument("--rounds", type=harness.at_least(1), default=5, help="times that each query is timed")
    parser.add_argument("--layouts", default="ab", help="a, b or ab")
    parser.add_argument("--queries", type=lambda text: [int(each) for each in text.split(",")], help="such as 2,17,20")
    parser.add_argument("--patience", type=float, default=60, help="seconds after which the fleet has failed")
    parser.add_argument("--dsn", help="another system; its tables are made and filled where they are missing or empty")
    harness.add_pg(parser)
    return parser.parse_args()


def main() -> None:
    chosen = options()
    print(f"{harness.conditions()}; scale {chosen.scale:g}")
    texts = queries(chosen.scale)
    if chosen.queries:
        texts = {number: texts[number] for number in chosen.queries}
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgrow-tpch-")))
        try:
            generate(chosen.scale, data)
        except harness.Missing as missing:
            raise SystemExit(str(missing)) from None
        dsn = stack.enter_context(one_postgres(chosen.pg))
        for address in (dsn, chosen.dsn):
            if address:
                with psycopg.connect(address, autocommit=True) as connection:
                    fill(connection, data)
        bench = Bench(chosen, data, texts, dsn)
        layouts = {name: bench.measured(name) for name in chosen.layouts}
        print(file=sys.stderr)
    for name, layout in layouts.items():
        show(name, layout)
    harness.finish(figures(layouts, chosen.scale))


if __name__ == "__main__":
    main()
