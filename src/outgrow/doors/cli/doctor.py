"""`outgrow doctor`: what is wrong with a fleet, or soon will be."""

from __future__ import annotations

import dataclasses
import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console
from outgrow.doors.cli.statements import FleetFile, fleet_source

if TYPE_CHECKING:
    from outgrow.runtime.doctor import Finding

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


def doctor(
    directory: Directory = None,
    fleet_file: FleetFile = None,
    all_rows: Annotated[bool, typer.Option("--all", help="Read every row of the tables, not a sample.")] = False,
    json: Json = False,
) -> None:
    """Examine the fleet; exit code 1 when something is wrong or soon will be."""
    from outgrow.runtime.doctor import examine

    source = fleet_source(directory, fleet_file)
    with _bar(quiet=json) as progress:
        findings = examine(source, all_rows=all_rows, progress=progress)
    healthy = all(finding.severity == "info" for finding in findings)
    if json:
        print(jsonlib.dumps({"healthy": healthy, "findings": [dataclasses.asdict(finding) for finding in findings]}))
    else:
        _print(findings)
    raise typer.Exit(0 if healthy else 1)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """How many pages of the tables have been read, on a terminal; nothing elsewhere."""
    out = console(stderr=True)
    if quiet or not out.is_terminal:
        yield None
        return
    columns = (TextColumn("reading rows"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(findings: tuple[Finding, ...]) -> None:
    out = console()
    for finding in findings:
        colour = _COLOURS[finding.severity]
        out.print(
            f"[{colour}]{finding.severity}[/] {escape(finding.where)}: {escape(finding.what)}\n"
            f"  [green]cure:[/] {escape(finding.cure)}",
            soft_wrap=True,
        )
    if not findings:
        out.print("nothing is wrong")
