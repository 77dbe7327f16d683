"""An INSERT … VALUES whose rows go to several shards: taken apart once per text, put together per execution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from outgrow.plan.model import Plan
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refuse, refused
from outgrow.plan.rendering import filled, piece, with_holes
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Change, GivenRows, Piece
from outgrow.plan.writes.writing import row_keys
from outgrow.statement import render
from outgrow.statement.tree import Call, CallKind, Insert, Template, Tree, Values

#: Stands for the rows between the head and the tail of a rendered INSERT.
_ROWS = "\0rows\0"
_COMMA = Piece((", ",))


@dataclass(frozen=True, slots=True)
class Part:
    """One statement for one shard: some of the rows given."""

    shard: str
    sql: str
    params: tuple[Any, ...]
    #: Which of the rows given, in order.
    rows: tuple[int, ...]


def given_rows(tree: Insert, places: Places) -> GivenRows:
    """The statement taken apart.  Raises Refused."""
    source = tree.source
    assert isinstance(source, Values)
    _check_single(source)
    table = places.table(tree.table)
    skips = tree.conflict == "nothing" or tree.conflict_where is not None or (table is not None and table.triggers)
    keys = tuple(row_keys(tree, tree.columns, places.key_columns(tree.table)))
    marked = with_holes(tree)
    assert isinstance(marked, Insert) and isinstance(marked.source, Values)
    rows = _row_pieces(marked.source)
    shell = render(replace(marked, source=replace(marked.source, rows=((Template((_ROWS,), ()),),))))
    head, _, tail = shell.partition(f"({_ROWS})")
    runs = bool(tree.returning) and bool(skips)
    return GivenRows(piece(head), rows, piece(tail), keys, runs, whole=tree.conflict == "update")


def given_below(tree: Tree, name: str, places: Places) -> GivenRows:
    """A statement taken apart at the rows that one INSERT of its WITH is given; the rest goes with each part."""
    marked: Any = with_holes(tree)
    whole: Any = tree
    (inserted,) = (cte.query for cte in whole.with_.ctes if cte.name == name)
    keys = tuple(row_keys(inserted, inserted.columns, places.key_columns(inserted.table)))
    (source,) = (cte.query.source for cte in marked.with_.ctes if cte.name == name)
    _check_single(source)
    shell = replace(source, rows=((Template((_ROWS,), ()),),))
    ctes = tuple(
        replace(cte, query=replace(cte.query, source=shell)) if cte.name == name else cte for cte in marked.with_.ctes
    )
    head, _, tail = render(replace(marked, with_=replace(marked.with_, ctes=ctes))).partition(f"({_ROWS})")
    return GivenRows(piece(head), _row_pieces(source), piece(tail), keys)


def _row_pieces(marked: Values) -> tuple[Piece, ...]:
    return tuple(piece(render(Values((row,))).removeprefix("VALUES ")) for row in marked.rows)


def _check_single(source: Values) -> None:
    """One row of VALUES may hold a function that returns a set, several may not: a part would mean something else."""
    if any(isinstance(node, Call) and node.kind is CallKind.SET for node in everything_below(source)):
        raise refused("table form", "a set-returning function in VALUES")


def check_runs(plan: Plan, given: GivenRows, rows: Sequence[str]) -> None:
    """ON CONFLICT DO UPDATE refuses to change a row twice in one statement, so a shard's rows stay in one."""
    if given.runs and given.whole and sum(1 for _ in groupby(rows)) > len(set(rows)):
        raise refuse("skipped rows", "ON CONFLICT DO UPDATE", str(plan.statement.writes[0]))


def parts(change: Change, rows: Sequence[str], values: Sequence[Any]) -> list[Part]:
    """What each shard runs: `rows` are the rows' shards, `values` the statement's and those computed once.

    Parts of one shard follow each other as their rows do; each runs when the one before it is done.
    """
    given = change.given
    assert given is not None
    found: dict[object, list[int]] = {}
    if given.runs:
        for number, (_, run) in enumerate(groupby(range(len(rows)), key=rows.__getitem__)):
            found[number] = list(run)
    else:
        for at, shard in enumerate(rows):
            found.setdefault(shard, []).append(at)
    return [_part(given, rows[numbers[0]], numbers, values) for numbers in found.values()]


def check_all_answered(plan: Plan, part: Part, count: int) -> None:
    """A part returned a row for each of its own, so that the order of all is known.

    A trigger on a partition can skip rows without anything in the table's definition saying so.
    """
    if count != len(part.rows):
        raise refuse("skipped rows", "INSERT", str(plan.statement.writes[0]))


def _part(given: GivenRows, shard: str, numbers: list[int], values: Sequence[Any]) -> Part:
    sql, params = filled((given.head, *_separated(given.rows[at] for at in numbers), given.tail))
    return Part(shard, sql, tuple(values[index - 1] for index in params), tuple(numbers))


def _separated(rows: Iterable[Piece]) -> Iterator[Piece]:
    for number, row in enumerate(rows):
        if number:
            yield _COMMA
        yield row
