"""`outgrow up`, `status`, `down`: the local fleet."""

from __future__ import annotations

import enum
import json as jsonlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from outgrow.doors.cli.printing import console, plain_table
from outgrow.local import FleetStatus, ServerStatus
from outgrow.local import directory_of as local_directory_of
from outgrow.local import down as local_down
from outgrow.local import status as local_status
from outgrow.local import up as local_up

Directory = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="The fleet's directory; without it, the local fleet.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_STRATEGIES = ("hash", "ring", "directory")


class Engine(enum.StrEnum):
    postgresql = "postgresql"
    mariadb = "mariadb"


def up(
    shards: Annotated[int | None, typer.Option(min=1, max=64, help="How many shards (2).")] = None,
    replicas: Annotated[int | None, typer.Option(min=0, max=9, help="Replicas of each shard (1).")] = None,
    directory: Directory = None,
    pg: Annotated[
        str | None, typer.Option("--pg", metavar="WHICH", help="PostgreSQL: a version (15, 16, 18) or a bin directory.")
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option("--engine", help="The kind of servers (postgresql); a fleet keeps its own.")
    ] = None,
    tcp: Annotated[
        bool | None, typer.Option("--tcp/--unix", help="Loopback TCP with a password, or unix sockets, in fleet.yaml.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Of a new fleet: hash (the default), ring or directory.")
    ] = None,
    init: Annotated[
        bool, typer.Option("--init/--no-init", help="Put outgrow's ledger into it, which fixes its strategy.")
    ] = True,
    json: Json = False,
) -> None:
    """Start a real fleet on this machine, or what is missing of it."""
    _check_strategy(strategy, shards)
    begun = time.monotonic()
    out = console(stderr=True)
    where = local_directory_of(directory)
    kind = engine.value if engine is not None else None

    def started(show: Callable[[str], None]) -> None:
        local_up(shards, replicas, directory, pg, show, tcp=tcp, strategy=strategy, engine=kind)

    if out.is_terminal:
        with out.status("starting") as spinner:
            started(lambda line: spinner.update(escape(line)))
    else:
        started(lambda line: out.print(escape(line)))
    if init:
        from outgrow.runtime import open_fleet

        # One command makes a fleet that `outgrow.open()` can use; on one that has its ledger this changes nothing.
        open_fleet(where / "fleet.yaml", install=True).close()
    seconds = time.monotonic() - begun
    now = local_status(directory)
    if json:
        extra = {"fleet_yaml": str(where / "fleet.yaml"), "seconds": round(seconds, 2)}
        print(jsonlib.dumps(_status_document(now) | extra))
        return
    _print_status(now)
    out = console()
    opening = "" if directory is None else repr(str(Path(directory) / "fleet.yaml"))
    out.print(
        f"\nUp in {seconds:.1f} s.  Addresses, and room for your tables: [bold]{escape(str(where / 'fleet.yaml'))}[/]"
    )
    if not init:
        out.print(f"  It has no ledger yet: edit the file, then [cyan]outgrow init{_dir_option(directory)}[/]")
        return
    out.print(
        f"  [cyan]outgrow.open({escape(opening)})[/] uses it, and so does [cyan]outgrow sql{_dir_option(directory)}[/]"
    )


def _check_strategy(strategy: str | None, shards: int | None) -> None:
    if strategy not in (None, *_STRATEGIES):
        more = "; ranges are written by hand: --no-init, then outgrow init" if strategy == "range" else ""
        raise typer.BadParameter(f"{strategy!r}: choose one of {', '.join(_STRATEGIES)}{more}", param_hint="--strategy")
    if strategy == "directory" and shards == 1:
        raise typer.BadParameter("a directory needs two shards or more", param_hint="--strategy")


def status(directory: Directory = None, json: Json = False) -> None:
    """How each server of the local fleet is; exit code 1 when one does not run."""
    now = local_status(directory)
    if json:
        print(jsonlib.dumps(_status_document(now)))
    else:
        _print_status(now)
    raise typer.Exit(0 if now.running else 1)


def down(
    directory: Directory = None,
    delete: Annotated[bool, typer.Option("--delete", help="Also remove the fleet and all its data.")] = False,
    json: Json = False,
) -> None:
    """Stop the local fleet."""
    out = console(stderr=True)
    where = local_directory_of(directory)
    found = local_down(directory, delete, lambda line: out.print(escape(line)) if not json else None)
    if json:
        print(jsonlib.dumps({"directory": str(where), "found": found, "deleted": found and delete}))
    elif not found:
        console().print(f"Nothing runs in {escape(str(where))}.")


def _dir_option(directory: Path | None) -> str:
    return "" if directory is None else f" --dir {escape(str(directory))}"


def _status_document(now: FleetStatus) -> dict[str, Any]:
    return {
        "directory": str(now.directory),
        "engine": now.engine,
        "version": now.version,
        "running": now.running,
        "sockets": now.sockets,
        "servers": [
            {
                "shard": server.shard,
                "name": server.name,
                "condition": server.condition,
                "replays": server.replays,
                "lag_bytes": server.lag_bytes,
                "lag_transactions": server.lag_transactions,
                "pid": server.pid,
                "port": server.port,
            }
            for server in now.servers
        ],
    }


def _print_status(now: FleetStatus) -> None:
    out = console()
    out.print(f"{now.engine} {now.version} in {escape(str(now.directory))}, sockets in {escape(now.sockets)}\n")
    table = plain_table("shard", "server", "condition", "does", "behind", "port", "pid", right=(4, 5, 6))
    for server in now.servers:
        colour = {"running": "green", "stopped": "red"}.get(server.condition, "yellow")
        behind = "" if server.lag_bytes is None else f"{server.lag_bytes:,} B"
        if server.lag_transactions is not None:
            behind = f"{server.lag_transactions:,} transactions"
        pid = "" if server.pid is None else str(server.pid)
        table.add_row(
            server.shard, server.name, f"[{colour}]{server.condition}[/]", _does(server), behind, str(server.port), pid
        )
    out.print(table)


def _does(server: ServerStatus) -> str:
    """What the server really does, said aloud where it is not what it was made for."""
    if server.replays is None:
        return ""
    made_for_replay = server.name != "primary"
    text = "replays" if server.replays else "writes"
    return text if server.replays == made_for_replay else f"[yellow]{text}![/]"
