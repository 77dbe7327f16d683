"""`outgrow place`: where a table's rows live."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet


def place(
    table: Annotated[str, typer.Argument(help="The table, with its schema where that is not public.")],
    shard_by: Annotated[
        str | None, typer.Option("--shard-by", metavar="COLUMN", help="The key's column, or several with commas.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Every shard has all rows.")] = False,
    single: Annotated[str | None, typer.Option("--single", metavar="SHARD", help="One shard has all rows.")] = None,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Say where a table's rows live, before it is made or while it is empty."""
    columns = [column.strip() for column in shard_by.split(",")] if shard_by is not None else None
    with open_fleet(directory, fleet_file) as fleet:
        fleet.place(table, shard_by=columns, copy=copy, single=single, domain=domain)
    what = (
        {"shard_by": columns} if columns is not None else {"copy": "everywhere"} if copy else {"single": single or ""}
    )
    if json:
        print(jsonlib.dumps({"table": table, "placement": what}))
        return
    [(key, value)] = what.items()
    console().print(escape(f"{table}: {key} {', '.join(value) if isinstance(value, list) else value}"))
