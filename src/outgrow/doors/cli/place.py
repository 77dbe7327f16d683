"""The question where a new table's rows shall live, asked where somebody can answer it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from outgrow.doors.cli.printing import console
from outgrow.errors import ProgrammingError

if TYPE_CHECKING:
    from outgrow.runtime import Fleet, Result, Session

_UNPLACED = "OG-RUN-056"


def execute_asking(
    fleet: Fleet, session: Session, text: str, values: Sequence[Any] | None, shard: str | None = None
) -> Result:
    """Run a statement; on a terminal, ask for the placement that a CREATE TABLE lacks, and go on."""
    try:
        return session.execute(text, values, shard=shard)
    except ProgrammingError as error:
        if error.code != _UNPLACED or not (sys.stdin.isatty() and sys.stdout.isatty()) or not _ask(fleet, error):
            raise
    return session.execute(text, values, shard=shard)


def _ask(fleet: Fleet, error: ProgrammingError) -> bool:
    """True when the table has a placement now."""
    table, key, shards = error.details["table"], error.details["key"], error.details["shards"].split(", ")
    out = console()
    out.print(f"Where shall the rows of [bold]{escape(table)}[/] live?")
    out.print("  the name of a column (or several, with commas): sharded by that key", highlight=False)
    out.print(f"  [bold]copy[/]: on every shard;  {escape(' or '.join(shards))}: on that one alone;  nothing: leave it")
    try:
        answer = out.input(f"[bold]{escape(table)}[/]{f' (perhaps {escape(key)})' if key else ''}: ").strip()
    except (EOFError, KeyboardInterrupt):
        return False
    domain = error.details["domain"]
    if not answer:
        return False
    if answer == "copy":
        fleet.place(table, copy=True, domain=domain)
    elif answer in shards:
        fleet.place(table, single=answer, domain=domain)
    else:
        fleet.place(table, shard_by=[column.strip() for column in answer.split(",")], domain=domain)
    return True
