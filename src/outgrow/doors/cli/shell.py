"""`outgrow sql` on a terminal: statements with history, and a few commands that begin with a backslash."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from rich.markup import escape

from outgrow.doors.cli import place
from outgrow.doors.cli.printing import console, failure, plain_table, print_table
from outgrow.doors.cli.splitting import split
from outgrow.errors import Error
from outgrow.local import home
from outgrow.topology import Copied, Domain, Sharded, Single

if TYPE_CHECKING:
    from outgrow.runtime import Fleet

HELP = """\
\\tables          the tables and where their rows live
\\shards          the shards and their servers
\\explain SQL     where a statement would go, and why
\\level [LEVEL]   what reads may miss: strong, session, eventual, bounded(SECONDS)
\\q               leave (so does Ctrl-D)
A statement ends with a semicolon and may span lines."""


class Shell:
    """One session with the fleet, and what a person types at it."""

    def __init__(self, fleet: Fleet, domain: str | None, level: str) -> None:
        self._fleet = fleet
        self._domain = domain
        self._session = fleet.session(domain, level=level)
        self._out = console()

    def run(self) -> None:
        """Read and run until the user leaves."""
        prompt: PromptSession[str] = PromptSession(history=_history())
        if sys.stdout.isatty():
            self._out.print("[dim]\\? for help[/]")
        waiting = ""
        try:
            while True:
                try:
                    line = prompt.prompt(self._prompt(waiting))
                except KeyboardInterrupt:
                    waiting = ""
                    continue
                except EOFError:
                    return
                if not waiting and line.strip().startswith("\\"):
                    if line.strip() in ("\\q", "\\quit"):
                        return
                    self._guarded(line.strip())
                    continue
                waiting = self.take(f"{waiting}\n{line}" if waiting else line)
        finally:
            self._session.close()

    def take(self, text: str) -> str:
        """Run the statements that are complete; what still waits for its end."""
        statements, unfinished = split(text)
        waiting = statements.pop() if unfinished and statements else ""
        for statement in statements:
            self._guarded(statement)
        return waiting

    def command(self, line: str) -> None:
        """One backslash command."""
        name, _, argument = line.partition(" ")
        match name:
            case "\\?" | "\\help":
                self._out.print(escape(HELP))
            case "\\tables" | "\\dt" | "\\d":
                self._tables()
            case "\\shards":
                self._shards()
            case "\\explain" if argument.strip():
                text = argument.strip().rstrip(";")
                self._out.print(escape(str(self._fleet.explain(text, domain=self._domain, session=self._session))))
            case "\\level" if argument.strip():
                fresh = self._fleet.session(self._domain, level=argument.strip())
                self._session.close()
                self._session = fresh
            case "\\level":
                self._out.print(escape(str(self._session.level)))
            case _:
                self._out.print(f"no such command: {escape(line)}\n{escape(HELP)}")

    def _guarded(self, text: str) -> None:
        """Run one statement or command; an error is printed, Ctrl-C ends the statement and not the shell."""
        try:
            if text.startswith("\\"):
                self.command(text)
                return
            begun = time.monotonic()
            result = place.execute_asking(self._fleet, self._session, text, None)
            print_table(result, time.monotonic() - begun)
        except Error as error:
            failure(error)
        except KeyboardInterrupt:
            self._out.print("[yellow]cancelled[/]")

    def _prompt(self, waiting: str) -> str:
        mark = "*" if self._session.in_transaction else ""
        return f"{self._known().name}{mark}{'-' if waiting else '='}> "

    def _known(self) -> Domain:
        topology = self._fleet.topology
        return topology.domain(self._domain) if self._domain else topology.domains[0]

    def _tables(self) -> None:
        table = plain_table("table", "placement")
        for name, placement in sorted(self._known().tables.items(), key=lambda item: str(item[0])):
            match placement:
                case Sharded(columns):
                    where = f"sharded by {', '.join(columns)}"
                case Copied():
                    where = "copied to every shard"
                case Single(shard):
                    where = f"on {shard} alone"
            table.add_row(escape(str(name)), escape(where))
        self._out.print(table)

    def _shards(self) -> None:
        table = plain_table("shard", "role", "address")
        for shard in self._known().shards:
            for node in shard.nodes:
                table.add_row(escape(shard.name), str(node.role), escape(node.shown))
        self._out.print(table)


def _history() -> FileHistory:
    """The user's own file: statements may hold what others should not read."""
    place = Path(os.environ.get("OUTGROW_HISTORY") or home() / "history")
    place.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o600))
    return FileHistory(str(place))
