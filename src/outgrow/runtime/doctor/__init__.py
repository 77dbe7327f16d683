"""What is wrong with a fleet, or soon will be: one function a check, each with a cure for all it finds.

`examine_anew_steps` looks at one open domain; `examine` also where the fleet cannot be opened.  A check that fails says
so in a finding of its own and hides no other; one that cannot be made because a node does not answer is told, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from outgrow import keyspace
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Link, LinkSettings, Nodes, drive
from outgrow.nodes.engines import opening
from outgrow.runtime import snapshot
from outgrow.runtime.doctor import (
    access,
    bookkeeping,
    constraints,
    copies,
    listed_rows,
    mariadb_data,
    mariadb_servers,
    patience,
    placed_rows,
    poolers,
    replication,
    sagas,
    sequences,
    servers,
    settings,
    transactions,
    uniqueness,
)
from outgrow.runtime.doctor.examination import Check, Examination, Progress
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.domain import DomainState
from outgrow.runtime.health import Health
from outgrow.runtime.picture import Picture
from outgrow.runtime.prepared import PlanCache
from outgrow.schema import Schema
from outgrow.topology import Domain, Node, Topology, read
from outgrow.waits import Steps

T = TypeVar("T")

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
CHECKS: Mapping[str, tuple[Check, ...]] = MappingProxyType(
    {
        "postgresql": (
            *servers.CHECKS,
            *poolers.CHECKS,
            *settings.CHECKS,
            *replication.CHECKS,
            *bookkeeping.CHECKS,
            *access.CHECKS,
            *constraints.CHECKS,
            *sequences.CHECKS,
            *transactions.CHECKS,
            *sagas.CHECKS,
            *placed_rows.CHECKS,
            *listed_rows.CHECKS,
            *copies.CHECKS,
            *uniqueness.CHECKS,
        ),
        "mariadb": (
            servers.SERVERS,
            *mariadb_servers.CHECKS,
            servers.CLOCK,
            bookkeeping.INSTALLED,
            bookkeeping.LEDGER,
            mariadb_data.SCHEMA,
            bookkeeping.PLACEMENTS,
            constraints.UNIQUE_KEYS,
            constraints.FOREIGN_KEYS,
            *mariadb_data.CHECKS,
            placed_rows.ROWS,
            placed_rows.SINGLE_TABLES,
            *listed_rows.CHECKS,
            mariadb_data.COPIES,
        ),
    }
)
#: What makes a domain known asks three times in a row.
_PICTURE_LOOKS = 3


def examine(
    source: str | Path | Topology, *, all_rows: bool = False, progress: Progress | None = None
) -> tuple[Finding, ...]:
    """All findings of the fleet that `source` describes, the worst of each domain being that it cannot be opened.

    `all_rows` reads every row of the tables instead of a sample.  Raises ConfigurationError for a file that cannot be
    read; everything else is a finding.
    """
    topology = source if isinstance(source, Topology) else read(Path(source))
    lost: dict[str, Error] = {}
    nodes = Nodes(topology, connect=_knowing(topology, lost))
    health = Health(topology.domains)
    try:
        return tuple(
            finding
            for domain in topology.domains
            for finding in drive(_domain_steps(domain, nodes, health, lost, all_rows, progress))
        )
    finally:
        nodes.close()


def _knowing(topology: Topology, lost: Mapping[str, Error]) -> Callable[..., Steps[Link]]:
    """Connects, but waits no second time for a node that did not answer once."""
    openings = {domain.name: opening(domain.engine) for domain in topology.domains}

    def connect_steps(
        node: Node, settings: LinkSettings, names: dict[int, str] | None, until: float | None
    ) -> Steps[Link]:
        if (error := lost.get(node.name)) is not None:
            raise error
        return (yield from openings[node.domain](node, settings, names or {}, until))

    return connect_steps


def _domain_steps(
    domain: Domain,
    nodes: Nodes,
    health: Health,
    lost: dict[str, Error],
    all_rows: bool,
    progress: Progress | None,
) -> Steps[list[Finding]]:
    state = DomainState(domain, _blank(domain), nodes, health)
    examination = Examination(state, all_rows=all_rows, progress=progress, lost=lost)
    yield from examination.meet_steps()
    try:
        state.picture = yield from _in_time_steps(snapshot.take_steps(domain, nodes, health, None), domain)
    except Error as error:
        return [*_unopened(error, domain.name), *(yield from examine_steps(examination, pictured=False))]
    return (yield from examine_steps(examination))


def examine_anew_steps(
    state: DomainState, *, all_rows: bool = False, progress: Progress | None = None
) -> Steps[list[Finding]]:
    """All findings of a domain that is open, of its tables and placements as they are now."""
    examination = Examination(state, all_rows=all_rows, progress=progress)
    yield from examination.meet_steps()
    opening: list[Finding] = []
    if silent := [node for node in examination.primaries if node.name in examination.lost]:
        # Its pooled connections would be waited for; the tables are examined as they were last known.
        examination.check = "opening"
        for node in silent:
            examination.leave_out(node.name)
    else:
        try:
            yield from _in_time_steps(state.refresh_steps(None), state.file)
        except Error as error:
            opening = [*_unopened(error, state.name)]
    return [*opening, *(yield from examine_steps(examination))]


def _in_time_steps(steps: Steps[T], domain: Domain) -> Steps[T]:
    seconds = _PICTURE_LOOKS * patience.ANSWER_SECONDS
    return patience.within_steps(steps, seconds, lambda: patience.late(domain, seconds))


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
        placer=keyspace.Keyspace(domain.slots, first, domain.engine),
        disagreements={},
        plans=PlanCache(),
    )


def examine_steps(examination: Examination, *, pictured: bool = True) -> Steps[list[Finding]]:
    """All findings of one domain, in the order of the checks; `pictured`: its tables and placements are known."""
    found: list[Finding] = []
    for check in CHECKS[examination.domain.engine]:
        examination.check = check.name
        if check.needs_picture and not pictured:
            examination.leave_out(examination.state.name)
            continue
        try:
            found += yield from check.steps(examination)
        except NodeLost as error:
            # The check of the nodes tells that one is gone; what cannot be asked is not found to be wrong.
            examination.leave_out(error.node or examination.state.name)
        except Error as error:
            found.append(examination.unknown(error, error.node or error.shard or examination.state.name))
        finally:
            found += sorted(examination.trouble, key=lambda finding: finding.where)
            examination.trouble.clear()
    return [*found, *_lost_late(examination, found), *_unmade(examination)]


def _lost_late(examination: Examination, found: list[Finding]) -> Iterator[Finding]:
    """Nodes that have ceased to answer since they were asked whether they do."""
    for node in examination.nodes:
        if (error := examination.lost.get(node.name)) is not None and (one := servers.lost(node, error)) not in found:
            yield one


def _unmade(examination: Examination) -> Iterator[Finding]:
    """What was not looked at is not fine."""
    examination.check = "not made"
    for where, checks in examination.unmade.items():
        # That one has found what is the matter.
        if left := [check for check in checks if check != "servers"]:
            why = "the domain could not be opened" if where == examination.state.name else "it could not be asked"
            what = f"not examined, because {why}: {', '.join(left)}"
            yield examination.find(Severity.WARNING, where, what, "mend what stands above, and run the doctor again")
