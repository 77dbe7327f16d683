"""`outgrow recover`: finish what processes have left prepared, now."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer
from rich.markup import escape

from outgrow.doors.cli.fleets import Directory, Json
from outgrow.doors.cli.printing import console
from outgrow.doors.cli.statements import FleetFile, open_fleet


def recover(
    directory: Directory = None,
    fleet_file: FleetFile = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Which domain; without it, all.")] = None,
    json: Json = False,
) -> None:
    """Finish transactions over several shards that a dead process has left behind.

    Every process that writes over shards does so by itself; this is for when none is running.  What is prepared for a
    decision of the application's own coordinator is named and left.
    """
    with open_fleet(directory, fleet_file) as fleet:
        found = fleet.recover(domain)
    left = sorted({str(branch.id) for branch in found.left})
    foreign = [(one.marker.xid, one.id, one.age_seconds) for one in found.foreign if one.marker is not None]
    if json:
        facts = {"committed": found.committed, "aborted": found.aborted, "left": left, "unreachable": found.unreachable}
        waiting = [{"xid": list(xid), "id": str(id), "age_seconds": age} for xid, id, age in foreign]
        print(jsonlib.dumps({**facts, "foreign": waiting}))
    else:
        out = console()
        for what, ids in (("committed", found.committed), ("aborted", found.aborted), ("left as it is", left)):
            for id in ids:
                out.print(f"{what}: {escape(id)}", soft_wrap=True)
        for xid, _, age in foreign:
            out.print(
                f"left to the application's coordinator: {escape(str(xid))}, prepared {age:.0f} s ago", soft_wrap=True
            )
        for shard in found.unreachable:
            out.print(f"not reached: {escape(shard)}")
        out.print(f"{len(found.committed)} committed, {len(found.aborted)} aborted, {len(left)} left")
    if left or found.unreachable:
        raise typer.Exit(1)
