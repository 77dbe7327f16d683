"""`outgrow load`: a file into a table, each row to the shard its key names."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console, plain_table
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet


def load(
    file: Annotated[Path, typer.Argument(help="A CSV file; - reads standard input.", allow_dash=True)],
    table: Annotated[str, typer.Argument(help="The table, with its schema where that is not public.")],
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    null: Annotated[str, typer.Option(help="What stands for NULL, unquoted (nothing).")] = "",
    delimiter: Annotated[str, typer.Option(help="What separates fields; \\t is a tab.")] = ",",
    header: Annotated[bool, typer.Option("--header/--no-header", help="Whether the first line has names.")] = True,
    columns: Annotated[str | None, typer.Option(help="The file's columns, comma-separated, in order.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Into a table that has rows already.")] = False,
    truncate: Annotated[bool, typer.Option("--truncate", help="Empty the table first.")] = False,
    load_id: Annotated[
        str | None, typer.Option("--id", help="Names the load; run again, it skips the shards that have it.")
    ] = None,
    json: Json = False,
) -> None:
    """Load a CSV file into a table of the fleet."""
    from outgrow.moving.load import LoadOptions
    from outgrow.moving.load_layout import LoadFormat

    form = LoadFormat(delimiter="\t" if delimiter == "\\t" else delimiter, null=null, header=header)
    names = tuple(name.strip() for name in columns.split(",")) if columns else None
    options = LoadOptions(columns=names, append=append, truncate_first=truncate, load_id=load_id)
    begun = time.monotonic()
    with (
        open_fleet(directory, fleet_file) as fleet,
        fleet.session(domain) as session,
        _bar(quiet=json) as progress,
    ):
        source = "/dev/stdin" if str(file) == "-" else file
        loaded = session.load(source, table, form=form, options=options, progress=progress)
    _report(loaded, time.monotonic() - begun, json)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on a terminal; nothing elsewhere."""
    out = console(stderr=True)
    if quiet or not out.is_terminal:
        yield None
        return
    with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), console=out) as bar:
        task = bar.add_task("loading", total=None)
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
