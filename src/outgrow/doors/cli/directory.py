"""`outgrow directory`: which shard has which key, of a domain with `strategy: directory`."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console, plain_table
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.runtime import DirectoryEntry, DirectoryPart

app = typer.Typer(
    help="Say which shard has which key, give a new key its shard, or move a key with its rows to another shard.",
    no_args_is_help=True,
)

Type = Annotated[
    str | None, typer.Option("--type", help="The keys' type, where the directory has several, as fleet.yaml names it.")
]
Key = Annotated[str, typer.Argument(help="A key.  One that begins with - stands behind --.")]
Shard = Annotated[str, typer.Argument(help="A shard.")]


@app.command()
def show(
    keys: Annotated[list[str] | None, typer.Argument(help="Keys; without any, how many each shard has.")] = None,
    shard: Annotated[str | None, typer.Option("--shard", help="List this shard's keys.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 1000,
    after: Annotated[str | None, typer.Option(help="List those behind this key.")] = None,
    type: Type = None,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Say where keys live; exit code 1 when one of those given has no entry."""
    with open_fleet(directory, fleet_file) as fleet:
        known = fleet.directory(domain)
        if not keys and shard is None and after is None:
            _show_parts(known.parts(), json)
            return
        found = known.show(*keys, type=type) if keys else known.keys(shard, type=type, limit=limit, after=after)
    _show_entries(found, json)
    there = {entry.key for entry in found}
    if missing := [key for key in keys or () if key not in there]:
        console(stderr=True).print(f"no entry: {escape(', '.join(missing))}", soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def assign(
    key: Key,
    shard: Shard,
    type: Type = None,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Make an entry for a key that has none: its rows will be written to this shard."""
    with open_fleet(directory, fleet_file) as fleet:
        entry = fleet.directory(domain).assign(key, shard, type=type)
    if json:
        print(jsonlib.dumps(asdict(entry)))
    else:
        console().print(f"{escape(entry.key)} ({entry.type}) lives on {escape(entry.shard)}", soft_wrap=True)


@app.command()
def migrate(
    key: Key,
    shard: Shard,
    type: Type = None,
    patience: Annotated[
        float, typer.Option("--patience", metavar="SECONDS", min=0.0, help="How long to wait for open transactions.")
    ] = 30.0,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Move a key with all its rows to another shard, all or nothing.  Writes on both shards wait meanwhile."""
    with open_fleet(directory, fleet_file) as fleet:
        done = fleet.directory(domain).migrate(key, shard, type=type, patience_seconds=patience)
    if json:
        print(jsonlib.dumps(asdict(done)))
        return
    out = console()
    if done.source == done.target:
        out.print(f"{escape(done.key)} lives on {escape(done.target)} already", soft_wrap=True)
        return
    for table, rows in done.rows.items():
        out.print(f"{rows:,} rows of {escape(table)}", soft_wrap=True)
    out.print(f"{escape(done.key)} went from {escape(done.source)} to {escape(done.target)}", soft_wrap=True)
    for name in done.pending:
        out.print(f"{escape(name)} has not confirmed yet; `outgrow recover` finishes it", soft_wrap=True)


def _show_parts(parts: tuple[DirectoryPart, ...], json: bool) -> None:
    if json:
        print(jsonlib.dumps({"types": [asdict(part) for part in parts]}))
        return
    table = plain_table("type", "new keys", "shard", "keys", right=(3,))
    for part in parts:
        for shard, count in part.keys.items():
            table.add_row(part.type, escape(part.assign), escape(shard), f"{count:,}")
    console().print(table)


def _show_entries(entries: tuple[DirectoryEntry, ...], json: bool) -> None:
    if json:
        print(jsonlib.dumps({"entries": [asdict(entry) for entry in entries]}))
        return
    table = plain_table("key", "type", "shard", "assigned at")
    for entry in entries:
        table.add_row(escape(entry.key), entry.type, escape(entry.shard), entry.assigned_at)
    console().print(table)
