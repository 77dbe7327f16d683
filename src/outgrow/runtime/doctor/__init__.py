"""What is wrong with a fleet, or soon will be: one function a check, each with a cure for all it finds.

`examine_steps` looks at one open domain; `examine` also where the fleet cannot be opened.  A check that fails says so
in a finding of its own and hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from outgrow import keyspace
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Nodes, drive
from outgrow.runtime import snapshot
from outgrow.runtime.doctor import (
    access,
    bookkeeping,
    constraints,
    copies,
    placed_rows,
    replication,
    sequences,
    servers,
    settings,
    transactions,
)
from outgrow.runtime.doctor.examination import Check, Examination, Progress
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.domain import DomainState
from outgrow.runtime.health import Health
from outgrow.runtime.picture import Picture
from outgrow.runtime.prepared import PlanCache
from outgrow.schema import Schema
from outgrow.topology import Domain, Topology, read
from outgrow.waits import Steps

__all__ = [
    "CHECKS",
    "Check",
    "Examination",
    "Finding",
    "Progress",
    "Severity",
    "examine",
    "examine_anew_steps",
    "examine_steps",
]

#: In the order of what is found: first what makes everything else fail.
CHECKS: tuple[Check, ...] = (
    *servers.CHECKS,
    *settings.CHECKS,
    *replication.CHECKS,
    *bookkeeping.CHECKS,
    *access.CHECKS,
    *constraints.CHECKS,
    *sequences.CHECKS,
    *transactions.CHECKS,
    *placed_rows.CHECKS,
    *copies.CHECKS,
)
#: How long taking a domain's picture may take.
_PICTURE_SECONDS = 30.0


def examine(
    source: str | Path | Topology, *, all_rows: bool = False, progress: Progress | None = None
) -> tuple[Finding, ...]:
    """All findings of the fleet that `source` describes, the worst of each domain being that it cannot be opened.

    `all_rows` reads every row of the tables instead of a sample.  Raises ConfigurationError for a file that cannot be
    read; everything else is a finding.
    """
    topology = source if isinstance(source, Topology) else read(Path(source))
    nodes = Nodes(topology)
    health = Health(topology.domains)
    try:
        return tuple(
            finding
            for domain in topology.domains
            for finding in drive(_domain_steps(domain, nodes, health, all_rows, progress))
        )
    finally:
        nodes.close()


def _domain_steps(
    domain: Domain, nodes: Nodes, health: Health, all_rows: bool, progress: Progress | None
) -> Steps[list[Finding]]:
    try:
        picture = yield from snapshot.take_steps(domain, nodes, health, monotonic() + _PICTURE_SECONDS)
    except Error as error:
        state = DomainState(domain, _blank(domain), nodes, health)
        found = yield from examine_steps(state, all_rows=all_rows, progress=progress, pictured=False)
        return [*_unopened(error, domain.name), *found]
    state = DomainState(domain, picture, nodes, health)
    return (yield from examine_steps(state, all_rows=all_rows, progress=progress))


def examine_anew_steps(
    state: DomainState, *, all_rows: bool = False, progress: Progress | None = None
) -> Steps[list[Finding]]:
    """As `examine_steps`, of the tables and placements as they are now."""
    try:
        yield from state.refresh_steps(monotonic() + _PICTURE_SECONDS)
    except Error as error:
        found = yield from examine_steps(state, all_rows=all_rows, progress=progress)
        return [*_unopened(error, state.name), *found]
    return (yield from examine_steps(state, all_rows=all_rows, progress=progress))


def _unopened(error: Error, domain: str) -> Iterator[Finding]:
    """The check of the nodes tells by itself which ones are gone."""
    if not isinstance(error, NodeLost):
        what = f"{error.code}: the domain cannot be opened: {error.message}"
        yield Finding(Severity.ERROR, "opening", what, error.node or error.shard or domain, error.cure)


def _blank(domain: Domain) -> Picture:
    """The domain by its file alone."""
    first = keyspace.first_map(domain)
    return Picture(
        domain=domain,
        schema=Schema(domain.name, 0, ("public",), MappingProxyType({})),
        map=first,
        placer=keyspace.Keyspace(domain.slots, first),
        disagreements={},
        plans=PlanCache(),
    )


def examine_steps(
    state: DomainState, *, all_rows: bool = False, progress: Progress | None = None, pictured: bool = True
) -> Steps[list[Finding]]:
    """All findings of one domain, in the order of the checks; `pictured`: its tables and placements are known."""
    examination = Examination(state, all_rows=all_rows, progress=progress)
    found: list[Finding] = []
    for check in CHECKS:
        if check.needs_picture and not pictured:
            continue
        examination.check = check.name
        try:
            found += yield from check.steps(examination)
        except NodeLost:
            # The check of the nodes tells that one is gone; what cannot be asked is not found to be wrong.
            continue
        except Error as error:
            found.append(examination.unknown(error, error.node or error.shard or state.name))
        finally:
            found += sorted(examination.trouble, key=lambda finding: finding.where)
            examination.trouble.clear()
    return found
