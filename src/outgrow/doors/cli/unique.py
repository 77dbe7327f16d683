"""`outgrow unique`: what is unique in a whole domain, although its key lacks the shard key."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console, plain_table
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.runtime import UniqueIndex

app = typer.Typer(
    help="Make unique keys that lack the shard key hold in the whole domain, and check that they do.",
    no_args_is_help=True,
)

Patience = Annotated[
    float, typer.Option("--patience", metavar="SECONDS", min=0.0, help="How long to wait for open transactions.")
]


@app.command()
def build(
    table: Annotated[str, typer.Argument(help="The table, with its schema where that is not public.")],
    columns: Annotated[list[str], typer.Argument(help="The columns of one of its unique keys.")],
    patience: Patience = 30.0,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Make a unique key hold in the whole domain; or build its index anew.  Writers of the table wait meanwhile."""
    with open_fleet(directory, fleet_file) as fleet:
        index = fleet.unique(domain).build(table, columns, patience_seconds=patience)
    if json:
        print(jsonlib.dumps(_shown(index)))
    else:
        out = console()
        out.print(
            escape(f"{index.name} ({', '.join(index.columns)}) of {index.table} is unique in the whole domain"),
            soft_wrap=True,
        )


@app.command()
def show(
    directory: Directory = None, fleet_file: FleetFile = None, domain: DomainName = None, json: Json = False
) -> None:
    """List what is unique in the whole domain."""
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.unique(domain).show()
    if json:
        print(jsonlib.dumps({"indexes": [_shown(index) for index in found]}))
        return
    table = plain_table("number", "name", "table", "columns", "built at")
    for index in found:
        columns = ", ".join(index.columns)
        table.add_row(str(index.number), *map(escape, (index.name, str(index.table), columns, index.built_at)))
    console().print(table)


@app.command()
def check(
    directory: Directory = None, fleet_file: FleetFile = None, domain: DomainName = None, json: Json = False
) -> None:
    """Compare every such index with all rows of its table; exit code 1 when one is wrong."""
    with open_fleet(directory, fleet_file) as fleet:
        compared = fleet.unique(domain).check()
    if json:
        print(jsonlib.dumps({"indexes": [_result(one) for one in compared]}))
    for one in compared if not json else ():
        found = "right" if one.right else "WRONG"
        out = console()
        out.print(escape(f"{one.unique.name} of {one.table.name}: {one.rows:,} rows, {found}"), soft_wrap=True)
        shown = {
            "rows without an entry": one.unindexed,
            "entries without a row": one.stale,
            "columns that the table has not": one.gone,
        }
        for what, values in shown.items():
            if values:
                out.print(escape(f"  {what}, such as {', '.join(values)}"), soft_wrap=True)
    if not all(one.right for one in compared):
        raise typer.Exit(1)


@app.command()
def drop(
    number: Annotated[int, typer.Argument(help="Its number, as `outgrow unique show` lists it.")],
    patience: Patience = 30.0,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Take an index away: the key is unique on each shard only from then on."""
    with open_fleet(directory, fleet_file) as fleet:
        index = fleet.unique(domain).drop(number, patience_seconds=patience)
    if json:
        print(jsonlib.dumps(_shown(index)))
    else:
        console().print(escape(f"{index.name} of {index.table} is unique on each shard only"), soft_wrap=True)


def _shown(index: UniqueIndex) -> dict[str, Any]:
    return {**asdict(index), "table": str(index.table)}


def _result(one: Any) -> dict[str, Any]:
    return {
        "number": one.unique.number,
        "name": one.unique.name,
        "table": str(one.table.name),
        "rows": one.rows,
        "right": one.right,
        "unindexed": list(one.unindexed),
        "stale": list(one.stale),
        "misplaced": one.misplaced,
        "gone": list(one.gone),
    }
