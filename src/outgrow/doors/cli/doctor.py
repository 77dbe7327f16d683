"""`outgrow doctor`: what is wrong with a fleet, or soon will be."""

from __future__ import annotations

import dataclasses
import json as jsonlib
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console
from outgrow.doors.cli.statements import FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.runtime.doctor import Finding

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


def doctor(directory: Directory = None, fleet_file: FleetFile = None, json: Json = False) -> None:
    """Examine the fleet; exit code 1 when something is wrong or soon will be."""
    with open_fleet(directory, fleet_file) as fleet:
        findings = fleet.doctor()
    healthy = all(finding.severity == "info" for finding in findings)
    if json:
        print(jsonlib.dumps({"healthy": healthy, "findings": [dataclasses.asdict(finding) for finding in findings]}))
    else:
        _print(findings)
    raise typer.Exit(0 if healthy else 1)


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
