"""`outgrow saga`: which sagas there are, how far they have come, and what an operator can do with one."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console, plain_table
from outgrow.doors.cli.statements import FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.runtime import SagaRecord

app = typer.Typer(help="See sagas, and help those that are stuck.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The saga's id.")]


@app.command("list")
def list_(
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="running, compensating, stuck, done or compensated; may be given more than once."),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Those that are neither done nor compensated.")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", help="Only sagas of this name.")] = None,
    before: Annotated[str | None, typer.Option("--before", metavar="ID", help="Those begun before this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    json: Json = False,
) -> None:
    """List sagas, the latest first; exit code 1 when one is stuck, be it among them or (without --state) not."""
    states = [*(state or ()), *(("running", "compensating", "stuck") if unfinished else ())]
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.sagas.list(*states, name=name, before=before, limit=limit)
        # One that has been stuck for long is not among the latest.
        stuck = found if state else fleet.sagas.list("stuck", name=name, limit=1)
    if json:
        print(jsonlib.dumps({"sagas": [_facts(one) for one in found]}))
    else:
        table = plain_table("id", "saga", "key", "state", "step", "tries", "begun at", right=(5,))
        for one in found:
            table.add_row(
                str(one.id),
                f"{escape(one.name)} v{one.version}",
                escape(one.key),
                _coloured(one.state),
                escape(one.step or ""),
                str(one.tries or ""),
                one.begun_at,
            )
        console().print(table)
    if any(one.state == "stuck" for one in stuck):
        raise typer.Exit(1)


@app.command()
def show(id: Id, directory: Directory = None, fleet_file: FleetFile = None, json: Json = False) -> None:
    """Show one saga with its input, its results and its troubles; exit code 1 when it is stuck."""
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.sagas.show(id)
    _print(found, json)
    if found.state == "stuck":
        raise typer.Exit(1)


@app.command()
def retry(id: Id, directory: Directory = None, fleet_file: FleetFile = None, json: Json = False) -> None:
    """Have workers try a saga again now, that is stuck or rests between tries."""
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.sagas.retry(id)
    _print(found, json)


@app.command()
def abort(
    id: Id,
    why: Annotated[str, typer.Option("--why", help="What the saga shall say of it.")] = "aborted by an operator",
    directory: Directory = None,
    fleet_file: FleetFile = None,
    json: Json = False,
) -> None:
    """Stop a saga on its way, and have workers undo what it has done.

    The step that is at work is undone as well.  Where a process is at work on it, that begins when the step has
    ended, or the process died, and its lease is over.
    """
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.sagas.abort(id, why)
    _print(found, json)


def _facts(one: SagaRecord) -> dict[str, Any]:
    return {**asdict(one), "id": str(one.id)}


def _print(one: SagaRecord, json: bool) -> None:
    if json:
        print(jsonlib.dumps(_facts(one)))
        return
    table = plain_table("what", "value")
    for what, value in _facts(one).items():
        if value not in (None, 0, {}):
            shown = value if isinstance(value, str) else jsonlib.dumps(value)
            table.add_row(what.replace("_", " "), _coloured(shown) if what == "state" else escape(shown))
    console().print(table)


def _coloured(state: str) -> str:
    return {"stuck": "[bold red]stuck[/]", "compensated": "[yellow]compensated[/]"}.get(state, state)
