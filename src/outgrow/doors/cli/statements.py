"""`outgrow sql`, `explain` and `init`: statements against any fleet, local or not."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from outgrow.doors.cli import place
from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import as_json, console, print_csv, print_json, print_table
from outgrow.doors.cli.splitting import split
from outgrow.errors import InterfaceError

if TYPE_CHECKING:
    from outgrow.runtime import Fleet

FleetFile = Annotated[
    Path | None, typer.Option("--fleet", metavar="FILE", help="A fleet.yaml; without it and --dir, the local fleet.")
]
DomainName = Annotated[str | None, typer.Option("--domain", help="Which domain; without it, the first.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="VALUE", help="A value for the next %s: a JSON value, or else text."),
]


def sql(
    statement: Annotated[str | None, typer.Argument(help="SQL; without it, read from the terminal or a pipe.")] = None,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    level: Annotated[str, typer.Option(help="strong, session, eventual, or bounded(SECONDS).")] = "session",
    param: Parameters = None,
    shard: Annotated[str | None, typer.Option(help="Run it on this shard, as it is written.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a statement, each on a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Run statements; without any, on a terminal, a shell with history."""
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    if shard is not None and statement is None and sys.stdin.isatty():
        raise typer.BadParameter("--shard is for a statement, or a pipe of them")
    if statement is None and sys.stdin.isatty():
        from outgrow.doors.cli.shell import Shell

        with open_fleet(directory, fleet_file) as fleet:
            Shell(fleet, domain, level).run()
        return
    texts = [statement] if statement is not None else split(sys.stdin.read())[0]
    values = [value_of(text) for text in param] if param else None
    with open_fleet(directory, fleet_file) as fleet, fleet.session(domain, level=level) as session:
        for text in texts:
            begun = time.monotonic()
            result = place.execute_asking(fleet, session, text, values, shard)
            if json:
                print_json(result)
            elif csv:
                print_csv(result.columns, result.fetchall() if result.columns else ())
            else:
                print_table(result, time.monotonic() - begun)


def explain(
    statement: Annotated[str, typer.Argument(help="SQL; it is not run, but with --analyze.")],
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    param: Parameters = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run the SELECT, and say what each part gave and took.")
    ] = False,
    json: Json = False,
) -> None:
    """Say where a statement would go, and why."""
    values = [value_of(text) for text in param] if param else None
    with open_fleet(directory, fleet_file) as fleet:
        explanation = fleet.explain(statement, values, domain=domain, analyze=analyze)
    if json:
        print(jsonlib.dumps(as_json(explanation.to_dict()), ensure_ascii=False))
    else:
        console().print(escape(str(explanation)), soft_wrap=True)


def init(
    directory: Directory = None,
    fleet_file: FleetFile = None,
    rows_in_place: Annotated[
        bool, typer.Option("--rows-in-place", help="Rows that are there lie where their keys say: I know.")
    ] = False,
    json: Json = False,
) -> None:
    """Put outgrow's ledger into the fleet's databases, or upgrade it; what it records already stays."""
    with open_fleet(directory, fleet_file, install=True, rows_in_place=rows_in_place) as fleet:
        domains = {domain.name: [shard.name for shard in domain.shards] for domain in fleet.topology.domains}
    if json:
        print(jsonlib.dumps({"domains": domains}))
        return
    for name, shards in domains.items():
        console().print(f"{escape(name)}: the ledger is on {escape(', '.join(shards))}")


def open_fleet(
    directory: Path | None, fleet_file: Path | None, *, install: bool = False, rows_in_place: bool = False
) -> Fleet:
    """The fleet the options name: a file, a local fleet's directory, or the local fleet."""
    source = fleet_source(directory, fleet_file)
    import outgrow

    return outgrow.open(source, install=install, rows_in_place=rows_in_place)


def fleet_source(directory: Path | None, fleet_file: Path | None) -> Path:
    """The fleet.yaml that the options name."""
    if directory is not None and fleet_file is not None:
        raise typer.BadParameter("--dir and --fleet exclude each other")
    from outgrow.local import directory_of, topology

    if fleet_file is None and not (directory_of(directory) / "fleet.yaml").exists():
        topology(directory)  # says that there is no fleet, and how to start one
    return fleet_file or directory_of(directory) / "fleet.yaml"


def value_of(text: str) -> Any:
    """A parameter from the command line: 42, 1.5, true, null and "quoted" as JSON has them; anything else is text."""
    try:
        value = jsonlib.loads(text)
    except ValueError:
        return text
    if isinstance(value, (dict, list)):
        raise InterfaceError("OG-CLI-001", "a parameter is a JSON list or object", cure="give one scalar for each %s")
    return value
