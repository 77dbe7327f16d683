"""Rows that were brought, finished by DuckDB: chosen where there are many and everything asked of them is vetted.

It is one executor more for what is at hand: which nodes were read, and how fresh they are, was decided before.  A
server is only asked what the result's columns are.  Wherever DuckDB has no answer, PostgreSQL runs the query as ever.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from outgrow.clock import monotonic
from outgrow.errors import NotSupportedError
from outgrow.finish import DuckFinish, Limits, Unanswered, duckdb_missing
from outgrow.nodes import Field, Rows, elements, late
from outgrow.plan import Brought, ColumnType, Rendered, Unvetted, filled, joined, render_duckdb, shapes_of
from outgrow.runtime.events.noting import Noting
from outgrow.runtime.measuring import DESCRIBE, Finish
from outgrow.runtime.reading.gathered import Gathering
from outgrow.topology import FinishLimits, Node
from outgrow.waits import Future, Steps

T = TypeVar("T")
Zone = datetime.tzinfo | None
#: A statement and its parameters.
Question = tuple[str, list[Any]]
#: Asks the server that would finish; all of it is of one moment, or of the branch.
Ask = Callable[[Sequence[Question]], Steps[list[Rows]]]
_NUMERIC = re.compile(r"\{(?:NULL,)*-?[0-9]+\.?([0-9]*)[,}]")
#: From so many rows on DuckDB is quicker than sending them to a server (finish/DESIGN.md has the measurement).
ROWS_MIN = 100_000


def is_for(limits: FinishLimits, rows: int) -> bool:
    """Whether DuckDB is asked at all, by the settings and by how many rows there are."""
    return ((rows >= ROWS_MIN and limits.engine == "auto") or limits.engine == "duckdb") and not duckdb_missing()


def verdict(brought: Brought, limits: FinishLimits, values: Sequence[Any]) -> str:
    """Who finishes, and why: what `explain` says."""
    if limits.engine == "postgresql":
        return "PostgreSQL: the domain's finish: {engine: postgresql} says so"
    if missing := duckdb_missing():
        return f"PostgreSQL: {missing}"
    if brought.tree is None:
        return "PostgreSQL: the query is not read far enough for DuckDB"
    shapes = shapes_of(brought.tree, brought.by_bytes)
    rendered = render_duckdb(brought.tree, values, shapes, brought.by_bytes)
    if isinstance(rendered, Unvetted):
        return f"PostgreSQL: not vetted for DuckDB: {rendered.reason}"
    if limits.engine == "duckdb":
        return "DuckDB: everything in it is vetted"
    return f"DuckDB from {ROWS_MIN:,} rows on, as everything in it is vetted; PostgreSQL below"


class Finishing(NamedTuple):
    """One brought query whose rows are here; `node` is the server that would finish it."""

    brought: Brought
    limits: FinishLimits
    values: Sequence[Any]
    arrays: Sequence[str]
    node: Node
    noting: Noting


def answer_steps(asked: Finishing, ask_steps: Ask, until: float | None) -> Steps[Rows | None]:
    """The rows; None where PostgreSQL is to be asked."""
    brought = asked.brought
    if brought.tree is None:
        return None
    shapes = shapes_of(brought.tree, brought.by_bytes)
    for number, array in enumerate(asked.arrays, len(asked.values) + 1):
        if number in shapes and shapes[number].name == "numeric":
            shapes[number] = replace(shapes[number], scale=_first_scale(array))
    rendered = render_duckdb(brought.tree, asked.values, shapes, brought.by_bytes)
    if isinstance(rendered, Unvetted):
        return None
    server = yield from _server_steps(asked, rendered, ask_steps)
    if server is None:
        return None
    began = monotonic()
    running = _Running(asked._replace(arrays=[*asked.arrays, *server.near]), shapes, server.zone)
    try:
        rows = yield from _on_a_thread_steps(lambda: running.finished(rendered), running.interrupt, until)
    except Unanswered:
        return None
    if rows is None:
        raise late(asked.node)
    if asked.noting.measuring is not None:
        asked.noting.measuring.finish = Finish("DuckDB", len(rows), monotonic() - began)
    return Rows(server.fields, rows, "SELECT", len(rows))


def _first_scale(array: str) -> int:
    """Of the first value that is there: what the others have is seen when all of them are read."""
    found = _NUMERIC.match(array)
    return len(found[1]) if found is not None else 0


class _Server(NamedTuple):
    """What the result's columns are, the rows of tables that the server has itself, and where it shows moments."""

    fields: tuple[Field, ...]
    near: list[str]
    zone: Zone


def _server_steps(asked: Finishing, rendered: Rendered, ask_steps: Ask) -> Steps[_Server | None]:
    """None where it sees other types than DuckDB would give, or has more rows itself than may be brought."""
    brought, values = asked.brought, asked.values
    empty = [*values, *("{}" for _ in asked.arrays)]
    described = f"SELECT * FROM ({brought.sql}) AS described LIMIT 0"
    questions: list[Question] = [(described, [empty[index - 1] for index in brought.params])]
    sql, used = filled(joined(brought.near))
    questions.append((sql, [values[index - 1] for index in used]))
    if any(output.type == "timestamptz" for output in rendered.outputs):
        questions.append(("SELECT 'epoch'::timestamptz", []))
    asked.noting.phase(DESCRIBE)
    first, near, *zones = yield from ask_steps(questions)
    if [field.type for field in first.fields] != [output.type for output in rendered.outputs]:
        return None
    gathering = Gathering(brought.near, brought.rows_max, asked.limits.bytes_max)
    try:
        gathering.take(range(len(brought.near)), near)
    except NotSupportedError:
        return None
    zone = zones[0].rows[0][0].tzinfo if zones else None
    return _Server(first.fields, gathering.arrays(), zone)


class _Running:
    """One query on a thread."""

    def __init__(self, asked: Finishing, shapes: Mapping[int, ColumnType], zone: Zone) -> None:
        self._asked = asked
        self._shapes = dict(shapes)
        self._zone = zone
        self._finish: DuckFinish | None = None

    def finished(self, planned: Rendered) -> list[tuple[Any, ...]]:
        """Fill the tables, render once more with what their rows have in common, run."""
        asked, limits = self._asked, self._asked.limits
        finish = self._finish = DuckFinish(Limits(limits.memory_bytes, limits.spill_directory, limits.threads))
        first = len(asked.values) + 1
        try:
            for table, numbers in planned.tables.items():
                names = [self._shapes[number].name for number in numbers]
                found = finish.fill(table, names, [asked.arrays[number - first] for number in numbers], elements)
                for number, shape in zip(numbers, found, strict=True):
                    known = self._shapes[number]
                    self._shapes[number] = replace(known, scale=shape.scale, width=shape.width, varying=shape.varying)
            assert asked.brought.tree is not None
            rendered = render_duckdb(asked.brought.tree, asked.values, self._shapes, asked.brought.by_bytes)
            if isinstance(rendered, Unvetted):
                raise Unanswered(rendered.reason)
            return finish.rows(rendered, self._zone)
        finally:
            self._finish = None
            finish.close()

    def interrupt(self) -> None:
        if self._finish is not None:
            self._finish.interrupt()


def _on_a_thread_steps(call: Callable[[], T], interrupt: Callable[[], None], until: float | None) -> Steps[T | None]:
    """What it returns; None where the time was over before.  However this ends, the thread has ended."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=work, name="outgrow-finish", daemon=True)
    thread.start()
    try:
        if not (yield Future(future, until)):
            return None
        return future.result()
    finally:
        while not future.done():
            # Between two statements there is nothing to interrupt, so it may have to be said again.
            interrupt()
            concurrent.futures.wait((future,), 0.05)
        thread.join()
