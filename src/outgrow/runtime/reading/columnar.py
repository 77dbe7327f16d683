"""Rows that were brought, finished by DuckDB: chosen where there are many and everything asked of them is vetted.

It is one executor more for what is at hand: which nodes were read, and how fresh they are, was decided before.  A
server is only asked what the result's columns are.  Wherever DuckDB has no answer, PostgreSQL runs the query as ever.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from outgrow.errors import NotSupportedError
from outgrow.finish import DuckFinish, Limits, Unanswered, duckdb_missing
from outgrow.nodes import Field, elements, late
from outgrow.plan import Brought, Rendered, Unvetted, filled, joined, render_duckdb
from outgrow.runtime.reading import bringing
from outgrow.runtime.result import Result
from outgrow.topology import FinishLimits
from outgrow.waits import Future, Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.reading.bringing import Ready

T = TypeVar("T")
Zone = datetime.tzinfo | None
#: From so many rows on DuckDB is quicker than sending them to a server (finish/DESIGN.md has the measurement).
ROWS_MIN = 20_000


def is_for(limits: FinishLimits, rows: int) -> bool:
    """Whether DuckDB is asked at all, by the settings and by how many rows there are."""
    return ((rows >= ROWS_MIN and limits.engine == "auto") or limits.engine == "duckdb") and not duckdb_missing()


def verdict(brought: Brought, limits: FinishLimits, values: Sequence[Any]) -> str:
    """Who finishes, and why: what `explain` says."""
    if limits.engine == "postgresql":
        return "PostgreSQL: the domain's finish: {engine: postgresql} says so"
    if missing := duckdb_missing():
        return f"PostgreSQL: {missing}"
    rendered = _rendered(brought, values)
    if isinstance(rendered, Unvetted):
        return f"PostgreSQL: not vetted for DuckDB: {rendered.reason}"
    if limits.engine == "duckdb":
        return "DuckDB: everything in it is vetted"
    return f"DuckDB from {ROWS_MIN:,} rows on, as everything in it is vetted; PostgreSQL below"


def answer_steps(
    conversation: Conversation, brought: Brought, values: Sequence[Any], ready: Ready, until: float | None
) -> Steps[Result | None]:
    """The result; None where PostgreSQL is to be asked."""
    rendered = _rendered(brought, values)
    if isinstance(rendered, Unvetted):
        return None
    server = yield from _server_steps(conversation, brought, values, ready, rendered, until)
    if server is None:
        return None
    limits = conversation.state.file.finish
    arrays = [*ready.arrays, *server.near]
    running = _Running(Limits(limits.memory_bytes, limits.spill_directory, limits.threads))
    try:
        rows = yield from _on_a_thread_steps(
            lambda: running.finished(brought, values, arrays, rendered, server.zone), running.interrupt, until
        )
    except Unanswered:
        return None
    if rows is None:
        raise late(conversation.state.health.seats(conversation.state.name, ready.shard).primary)
    nodes = tuple(dict.fromkeys((*ready.nodes, *server.nodes)))
    return Result(bringing.named(brought, server.fields), rows, "SELECT", len(rows), nodes, missing=ready.missing)


def _rendered(brought: Brought, values: Sequence[Any], columns: Sequence[Any] = ()) -> Rendered | Unvetted:
    if brought.tree is None:
        return Unvetted("no tree")
    shapes = dict(enumerate(columns or brought.columns, len(values) + 1))
    return render_duckdb(brought.tree, values, shapes, brought.by_bytes)


class _Server(NamedTuple):
    """What the result's columns are, who said so, the rows of tables that it has itself, and where it shows moments."""

    fields: tuple[Field, ...]
    nodes: list[str]
    near: list[str]
    zone: Zone


def _server_steps(
    conversation: Conversation,
    brought: Brought,
    values: Sequence[Any],
    ready: Ready,
    rendered: Rendered,
    until: float | None,
) -> Steps[_Server | None]:
    """None where it sees other types than DuckDB would give, or has more rows itself than may be brought."""
    empty = [*values, *("{}" for _ in ready.arrays)]
    described = f"SELECT * FROM ({ready.sql}) AS described LIMIT 0"
    asked = [(ready.shard, described, [empty[index - 1] for index in brought.params])]
    sql, used = filled(joined(brought.near))
    asked.append((ready.shard, sql, [values[index - 1] for index in used]))
    if any(output.type == "timestamptz" for output in rendered.outputs):
        asked.append((ready.shard, "SELECT 'epoch'::timestamptz", []))
    (first, node), (near, other), *zones = yield from bringing.ask_steps(conversation, asked, until)
    if [field.type for field in first.fields] != [output.type for output in rendered.outputs]:
        return None
    gathering = bringing.Gathering(brought.near, brought.rows_max)
    try:
        gathering.take(brought.near, range(len(brought.near)), near)
    except NotSupportedError:
        return None
    zone = zones[0][0].rows[0][0].tzinfo if zones else None
    return _Server(first.fields, [node, other], gathering.arrays(), zone)


class _Running:
    """One query on a thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._finish: DuckFinish | None = None

    def finished(
        self, brought: Brought, values: Sequence[Any], arrays: list[str], planned: Rendered, zone: Zone
    ) -> list[tuple[Any, ...]]:
        """Fill the tables, render once more with what their rows have in common, run."""
        finish = self._finish = DuckFinish(self._limits)
        columns = list(brought.columns)
        before = len(values) + 1
        try:
            for table, numbers in planned.tables.items():
                at = [number - before for number in numbers]
                names = [brought.columns[each].name for each in at]
                shapes = finish.fill(table, names, [elements(arrays[each]) for each in at])
                for each, shape in zip(at, shapes, strict=True):
                    columns[each] = replace(columns[each], scale=shape.scale, width=shape.width)
            rendered = _rendered(brought, values, columns)
            if isinstance(rendered, Unvetted):
                raise Unanswered(rendered.reason)
            return finish.rows(rendered, zone)
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
