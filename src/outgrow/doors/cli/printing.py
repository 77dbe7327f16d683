"""Values and results as text: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import datetime
import json
import math
import sys
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from outgrow.errors import Error

if TYPE_CHECKING:
    from outgrow.runtime import Result


def console(*, stderr: bool = False) -> Console:
    """Colours and the terminal's width only on a terminal; elsewhere plain lines, never cut."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, width=100_000, no_color=True)
    return made


def failure(error: Error) -> None:
    """`code: message`, where, and the cure, on standard error."""
    out = console(stderr=True)
    place = f" [dim](on {escape(str(error.node or error.shard))})[/]" if error.node or error.shard else ""
    out.print(f"[bold red]{escape(error.code)}[/]: {escape(error.message)}{place}", soft_wrap=True)
    if error.cure:
        out.print(f"  [green]cure:[/] {escape(error.cure)}", soft_wrap=True)


def plain_table(*headings: str, right: Sequence[int] = ()) -> Table:
    """A table as this door draws all of them; columns at positions `right` are numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, heading in enumerate(headings):
        table.add_column(Text(heading), justify="right" if position in right else "left", overflow="fold")
    return table


def print_table(result: Result, seconds: float) -> None:
    """The rows, their number, the time and who answered."""
    out = console()
    foot = f"{seconds * 1e3:.1f} ms, {', '.join(result.nodes)}" if result.nodes else f"{seconds * 1e3:.1f} ms"
    if not result.columns:
        out.print(f"{escape(result.statusmessage or 'done')} [dim]({escape(foot)})[/]")
        for notice in result.notices:
            console(stderr=True).print(f"[yellow]notice:[/] {escape(notice)}", soft_wrap=True)
        return
    rows = result.fetchall()
    numbers = {
        position for position in range(len(result.columns)) if any(_is_number(row[position]) for row in rows[:100])
    }
    table = plain_table(*result.columns, right=sorted(numbers))
    for row in rows:
        table.add_row(*(Text("NULL", style="dim") if value is None else Text(shown(value)) for value in row))
    out.print(table)
    out.print(f"[dim]({len(rows)} row{'' if len(rows) == 1 else 's'}, {escape(foot)})[/]")


def print_json(result: Result) -> None:
    """One line: the columns with their types, the rows, how many, the command's tag, who answered, and notices."""
    rows = [[as_json(value) for value in row] for row in result.fetchall()] if result.columns else []
    document = {
        "columns": [{"name": field.name, "type": field.type} for field in result.fields],
        "rows": rows,
        "rowcount": result.rowcount,
        "status": result.statusmessage,
        "nodes": list(result.nodes),
        "notices": list(result.notices),
    }
    print(json.dumps(document, ensure_ascii=False))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV as PostgreSQL's COPY writes it: NULL is nothing, the empty text is `""`."""
    print(",".join(map(_csv_quoted, columns)))
    for row in rows:
        print(",".join("" if value is None else _csv_quoted(shown(value)) for value in row))


def shown(value: Any) -> str:
    """A value for people, close to how psql shows it."""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, (list, dict)):
        return json.dumps(as_json(value), ensure_ascii=False)
    return str(value)


def as_json(value: Any) -> Any:
    """A value as JSON has it; numeric, dates and everything else without a JSON type as text, so nothing is lost."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    return shown(value)


def hint(text: str) -> None:
    """A line for people on standard error, only when somebody looks."""
    if sys.stderr.isatty():
        console(stderr=True).print(f"[dim]{escape(text)}[/]")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _csv_quoted(text: str) -> str:
    if text == "" or any(mark in text for mark in ',"\r\n') or text == "\\.":
        return '"' + text.replace('"', '""') + '"'
    return text
