"""`outgrow load` and `outgrow unload`: a file into a table, each row to the shard its key names, and back."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console, plain_table
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.moving import LoadFormat

Kind = Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv, text or binary, as COPY has them.")]
Null = Annotated[str | None, typer.Option(help="What stands for NULL (nothing in CSV, \\N in text).")]
Delimiter = Annotated[str | None, typer.Option(help="What separates fields (a comma, a tab); \\t is a tab.")]
Header = Annotated[bool, typer.Option("--header/--no-header", help="Whether the first line has names.")]


def load(
    file: Annotated[Path, typer.Argument(help="The file; - reads standard input.", allow_dash=True)],
    table: Annotated[str, typer.Argument(help="The table, with its schema where that is not public.")],
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    kind: Kind = "csv",
    null: Null = None,
    delimiter: Delimiter = None,
    header: Header = True,
    columns: Annotated[str | None, typer.Option(help="The file's columns, comma-separated, in order.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Into a table that has rows already.")] = False,
    truncate: Annotated[bool, typer.Option("--truncate", help="Empty the table first.")] = False,
    load_id: Annotated[
        str | None, typer.Option("--id", help="Names the load; run again, it skips the shards that have it.")
    ] = None,
    json: Json = False,
) -> None:
    """Load a file into a table of the fleet: on all shards, or on none."""
    from outgrow.moving.load import LoadOptions

    form = _form(kind, delimiter, null, header)
    names = tuple(name.strip() for name in columns.split(",")) if columns else None
    options = LoadOptions(columns=names, append=append, truncate_first=truncate, load_id=load_id)
    begun = time.monotonic()
    with (
        open_fleet(directory, fleet_file) as fleet,
        fleet.session(domain) as session,
        _bar("loading", quiet=json) as progress,
    ):
        source = sys.stdin.buffer if str(file) == "-" else file
        loaded = session.load(source, table, form=form, options=options, progress=progress)
    _report(loaded, time.monotonic() - begun, json)


def unload(
    what: Annotated[str, typer.Argument(help="A table, or a query.")],
    file: Annotated[Path | None, typer.Argument(help="Where to; without it, standard output.")] = None,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    level: Annotated[str, typer.Option(help="strong, session, eventual, or bounded(SECONDS).")] = "session",
    kind: Kind = "csv",
    null: Null = None,
    delimiter: Delimiter = None,
    header: Header = True,
    json: Json = False,
) -> None:
    """Write a table's or a query's rows to a file, which is there once it is complete."""
    form = _form(kind, delimiter, null, header)
    piped = file is None or str(file) == "-"
    target = sys.stdout.buffer if file is None or piped else file
    begun = time.monotonic()
    with (
        open_fleet(directory, fleet_file) as fleet,
        fleet.session(domain, level=level) as session,
        _bar("unloading", quiet=json) as progress,
    ):
        unloaded = session.unload(what, target, form=form, progress=progress)
        sys.stdout.buffer.flush()
    seconds = time.monotonic() - begun
    if json:
        document = {"rows": unloaded.rows, "size_bytes": unloaded.size_bytes, "seconds": round(seconds, 3)}
        # The rows have standard output where no file was named.
        print(jsonlib.dumps(document), file=sys.stderr if piped else sys.stdout)
    elif not piped:
        rate = unloaded.size_bytes / max(seconds, 1e-9) / 1e6
        console().print(f"{unloaded.rows:,} rows into {escape(str(file))} in {seconds:.1f} s ({rate:.0f} MB/s)")


def _form(kind: str, delimiter: str | None, null: str | None, header: bool) -> LoadFormat:
    from outgrow.moving.load_layout import LoadFormat

    return LoadFormat.of(kind, delimiter="\t" if delimiter == "\\t" else delimiter, null=null, header=header)


@contextmanager
def _bar(doing: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on a terminal; nothing elsewhere."""
    out = console(stderr=True)
    if quiet or not out.is_terminal:
        yield None
        return
    with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), console=out) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _report(loaded: Any, seconds: float, json: bool) -> None:
    if json:
        document = {
            "table": loaded.table,
            "rows": loaded.rows,
            "rows_by_shard": dict(loaded.rows_by_shard),
            "skipped": dict(loaded.skipped),
            "size_bytes": loaded.size_bytes,
            "seconds": round(seconds, 3),
        }
        print(jsonlib.dumps(document))
        return
    out = console()
    shards = plain_table("shard", "rows", "", right=(1,))
    for shard, rows in loaded.rows_by_shard.items():
        shards.add_row(escape(shard), f"{rows:,}", "")
    for shard, rows in loaded.skipped.items():
        shards.add_row(escape(shard), f"{rows:,}", "had them already")
    out.print(shards)
    rate = loaded.size_bytes / max(seconds, 1e-9) / 1e6
    out.print(f"{loaded.rows:,} rows into {escape(loaded.table)} in {seconds:.1f} s ({rate:.0f} MB/s)")
