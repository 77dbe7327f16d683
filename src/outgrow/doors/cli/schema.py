"""`outgrow schema`: shards that disagree, and DDL that was left in the middle."""

from __future__ import annotations

import dataclasses
import json as jsonlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.runtime.definitions.comparing import SchemaComparison

app = typer.Typer(no_args_is_help=True, help="Shards that disagree, and DDL that was left in the middle.")


@app.command()
def diff(
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="SHARD", help="Compare with this shard, not the home shard.")
    ] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Run the statements, after showing them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before mending.")] = False,
    allow_drop: Annotated[
        bool, typer.Option("--allow-drop", help="Also drop tables, columns and sequences that are too many.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare the shards' schemas; exit code 1 when they differ."""
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.compare_schema(like, domain)
        todo = found.mendable(allow_drop=allow_drop)
        if not json:
            _print(found, allow_drop)
        if mend and todo and (yes or _agreed(sum(len(one.statements) for one in todo))):
            mended = fleet.mend_schema(found, allow_drop=allow_drop)
            found = fleet.compare_schema(like, domain)
            if not json:
                console().print(f"\nmended {len(mended)}; left {len(found.differences)}")
        else:
            mended = ()
    if json:
        document = {
            "like": found.like,
            "shards": list(found.shards),
            "same": not found.differences,
            "differences": _documents(found.differences),
            "mended": _documents(mended),
        }
        print(jsonlib.dumps(document, ensure_ascii=False))
    raise typer.Exit(1 if found.differences else 0)


@app.command()
def resume(
    directory: Directory = None, fleet_file: FleetFile = None, domain: DomainName = None, json: Json = False
) -> None:
    """Finish every DDL that was left in the middle, as the next DDL would."""
    with open_fleet(directory, fleet_file) as fleet:
        before = {one.number: one for one in fleet.unfinished_definitions(domain)}
        finished = [before[done.number] for done in fleet.resume_definitions(domain) if done.number in before]
    if json:
        print(jsonlib.dumps({"finished": [{"number": one.number, "sql": one.sql} for one in finished]}))
        return
    for one in finished:
        console().print(escape(f"{one.number}: done on {', '.join(one.shards)}: {one.sql}"))
    if not finished:
        console().print("nothing was left in the middle")


@app.command()
def abandon(
    number: Annotated[int, typer.Argument(help="The DDL's number.")],
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Give up a DDL that was left in the middle: shards that have it keep it, the others never get it."""
    with open_fleet(directory, fleet_file) as fleet:
        given_up = fleet.abandon_definition(number, domain)
    if json:
        print(jsonlib.dumps(dataclasses.asdict(given_up)))
        return
    console().print(escape(f"{number}: given up; {', '.join(given_up.done) or 'no shard'} has it: {given_up.sql}"))


@app.command("list")
def list_(
    directory: Directory = None, fleet_file: FleetFile = None, domain: DomainName = None, json: Json = False
) -> None:
    """DDL that was left in the middle; exit code 1 when there is any."""
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.unfinished_definitions(domain)
    if json:
        print(jsonlib.dumps({"unfinished": [dataclasses.asdict(one) for one in found]}))
    else:
        for one in found:
            why = f"; failed on {one.failed_shard}: {one.error}" if one.error else ""
            console().print(escape(f"{one.number}: done on {', '.join(one.done) or 'no shard'}{why}: {one.sql}"))
    raise typer.Exit(1 if found else 0)


def _print(found: SchemaComparison, allow_drop: bool) -> None:
    out = console()
    for one in found.differences:
        out.print(f"[yellow]{escape(str(one))}[/]", soft_wrap=True)
        if one.what == "differs":
            out.print(f"  {escape(found.like)}: {escape(one.wanted)}", soft_wrap=True)
            out.print(f"  {escape(one.shard)}: {escape(one.found)}", soft_wrap=True)
        for statement in one.statements:
            out.print(f"    {escape(statement)};", style="dim" if one.drops and not allow_drop else "", soft_wrap=True)
        if one.note or (one.drops and not allow_drop):
            out.print(f"  [dim]{escape(one.note or 'only with --allow-drop')}[/]", soft_wrap=True)
    if not found.differences:
        out.print(f"{escape(', '.join(found.shards))}: the same")


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise typer.BadParameter("--mend asks on a terminal; elsewhere give --yes")
    return typer.confirm(f"Run {'this statement' if count == 1 else f'these {count} statements'}?")


def _documents(many: Sequence[Any]) -> list[dict[str, Any]]:
    documents = [dataclasses.asdict(one) for one in many]
    for document in documents:
        del document["table"]
    return documents
