"""`outgrow outbox`: what is emitted and not delivered; deliver it, try again, or drop what nobody shall have."""

from __future__ import annotations

import importlib
import json as jsonlib
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console, plain_table
from outgrow.doors.cli.statements import DomainName, FleetFile, open_fleet

if TYPE_CHECKING:
    from outgrow.runtime import BlockedKey, OutboxLag, Relay

app = typer.Typer(
    help="See what is emitted and not delivered yet, deliver it, try again, or drop a message.", no_args_is_help=True
)

Topic = Annotated[str | None, typer.Option("--topic", help="Of this topic; without it, of all.")]


@app.command()
def status(
    topic: Topic = None,
    limit: Annotated[int, typer.Option(min=0, help="How many blocked keys of each shard to list.")] = 20,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Say what waits, since when, and what is in the way; exit code 1 when keys are blocked."""
    with open_fleet(directory, fleet_file) as fleet:
        known = fleet.outbox(domain)
        lag = [one for one in known.lag() if topic in (None, one.topic)]
        blocked = known.blocked(topic, limit) if limit and any(one.blocked_keys for one in lag) else ()
    if json:
        keys = [{**asdict(key), "id": None if key.id is None else str(key.id)} for key in blocked]
        print(jsonlib.dumps({"topics": [asdict(one) for one in lag], "blocked": keys}))
    else:
        _show(lag, blocked)
    if any(one.blocked_keys for one in lag):
        raise typer.Exit(1)


def _show(lag: list[OutboxLag], blocked: tuple[BlockedKey, ...]) -> None:
    out = console()
    if not lag:
        out.print("nothing waits")
        return
    table = plain_table("topic", "shard", "waiting", "oldest", "blocked keys", "last error", right=(2, 3, 4))
    for one in lag:
        said = escape((one.last_error or "").splitlines()[0]) if one.last_error else ""
        age = f"{one.oldest_seconds:.1f} s"
        table.add_row(escape(one.topic), escape(one.shard), f"{one.waiting:,}", age, f"{one.blocked_keys:,}", said)
    out.print(table)
    if blocked:
        table = plain_table("topic", "shard", "key", "message", "attempts", "next", "last error", right=(4, 5))
        for key in blocked:
            first = escape(key.last_error.splitlines()[0]) if key.last_error else ""
            row = (escape(key.topic), escape(key.shard), escape(key.key), str(key.id or ""), str(key.attempts))
            table.add_row(*row, f"{key.next_seconds:.0f} s", first)
        out.print(table)


@app.command()
def run(
    to: Annotated[
        list[str],
        typer.Option(
            "--to",
            metavar="TOPIC=TARGET",
            help="A topic and where it goes: redis://…, nats://…, or module:function.  Several times for several.",
        ),
    ],
    once: Annotated[bool, typer.Option("--once", help="Deliver what waits now, and end.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="How many messages at once.")] = 500,
    workers: Annotated[int, typer.Option(min=1, help="How many calls of a function at once.")] = 1,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Deliver messages until interrupted; with --once the exit code is 1 when something could not be delivered."""
    targets: dict[str, Any] = {}
    for topic, target in map(_target, to):
        if topic in targets:
            raise typer.BadParameter(f"the topic {topic} is given twice: it has one target", param_hint="--to")
        targets[topic] = target
    with open_fleet(directory, fleet_file) as fleet:
        relay = fleet.relay(targets, domain=domain, batch=batch, workers=workers)
        if not once:
            _until_interrupted(relay)
        done = relay.run_once() if once else relay.run()
    if json:
        print(jsonlib.dumps(asdict(done)))
    else:
        out = console()
        for topic in targets:
            delivered, refused = done.delivered.get(topic, 0), done.refused.get(topic, 0)
            out.print(f"{escape(topic)}: {delivered:,} delivered, {refused:,} refused")
        for name, why in done.waiting.items() if once else ():
            console(stderr=True).print(f"{escape(name)}: {escape(why)}", soft_wrap=True)
    if once and (done.waiting or sum(done.refused.values())):
        raise typer.Exit(1)


def _until_interrupted(relay: Relay) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # Whoever asks twice does not want to wait for a target.
        signal.signal(number, signal.SIG_DFL)
        relay.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _target(said: str) -> tuple[str, Any]:
    topic, found, where = said.partition("=")
    if not found or not topic or not where:
        raise typer.BadParameter(f"{said!r}: write TOPIC=TARGET", param_hint="--to")
    if "://" in where:
        from outgrow.targets import target_at

        return topic, target_at(where)
    module, found, name = where.partition(":")
    if not found:
        raise typer.BadParameter(f"{where!r}: write redis://…, nats://… or module:function", param_hint="--to")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return topic, getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise typer.BadParameter(f"{where!r}: {error}", param_hint="--to") from error


@app.command()
def retry(
    topic: Topic = None,
    key: Annotated[str | None, typer.Option("--key", help="This key alone.")] = None,
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Let the relay try blocked keys again now, not only when their time has come."""
    with open_fleet(directory, fleet_file) as fleet:
        count = fleet.outbox(domain).retry(topic, key)
    if json:
        print(jsonlib.dumps({"keys": count}))
    else:
        console().print(f"{count:,} blocked keys are tried again")


@app.command()
def drop(
    message: Annotated[str, typer.Argument(help="The message's id, as `outgrow outbox status` shows it.")],
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: DomainName = None,
    json: Json = False,
) -> None:
    """Delete a message that nobody shall have any more, and go on with its key; exit code 1 when there is none."""
    try:
        id = UUID(message)
    except ValueError:
        raise typer.BadParameter(f"{message!r} is not the id of a message", param_hint="MESSAGE") from None
    with open_fleet(directory, fleet_file) as fleet:
        topic = fleet.outbox(domain).drop(id)
    if json:
        print(jsonlib.dumps({"dropped": topic is not None, "topic": topic}))
    else:
        console().print(f"dropped from {escape(topic)}" if topic is not None else "no such message waits")
    if topic is None:
        raise typer.Exit(1)
