"""All verbs in one place, and the one border where an error becomes a line and an exit code."""

from __future__ import annotations

import json as jsonlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from outgrow.doors.cli import (
    directory,
    doctor,
    fleets,
    loading,
    outbox,
    placing,
    recovery,
    sagas,
    schema,
    statements,
    unique,
)
from outgrow.doors.cli.printing import failure
from outgrow.errors import Error

app = typer.Typer(
    name="outgrow",
    help="The data layer for Python applications that outgrow one database.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(fleets.up)
app.command()(fleets.status)
app.command()(fleets.down)
app.command()(statements.init)
app.command()(statements.sql)
app.command()(statements.explain)
app.command()(loading.load)
app.command()(loading.unload)
app.command()(placing.place)
app.add_typer(schema.app, name="schema")
app.add_typer(directory.app, name="directory")
app.add_typer(unique.app, name="unique")
app.add_typer(sagas.app, name="saga")
app.add_typer(outbox.app, name="outbox")
app.command()(doctor.doctor)
app.command()(recovery.recover)


@app.command()
def demo(json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False) -> None:
    """Show the main job on real rows: a fleet, a load, queries, own writes, a killed replica."""
    from outgrow.doors.cli.demo import demo as show

    raise typer.Exit(show(json))


def _version(asked: bool) -> None:
    if asked:
        import outgrow

        print(f"outgrow {outgrow.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if debug:
        os.environ["OUTGROW_DEBUG"] = "1"


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code.  Nothing but a programming error escapes as a traceback."""
    try:
        app(list(arguments), prog_name="outgrow")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Error as error:
        if os.environ.get("OUTGROW_DEBUG"):
            traceback.print_exc()
        failure(error)
        if "--json" in arguments:
            print(jsonlib.dumps({"error": {"code": error.code, "message": error.message, "cure": error.cure}}))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output went away (`| head`): nothing is wrong, and nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
