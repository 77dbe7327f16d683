"""The nodes themselves: who answers, who is who, which version, and whether their clocks agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from outgrow.clock import wall_ns
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Link
from outgrow.runtime.doctor import patience
from outgrow.runtime.doctor.examination import Check, Examination, Row, several
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Node, Role
from outgrow.waits import Steps

#: From this on (seconds) new ids of different machines come visibly out of order.
_SKEW_SECONDS = 0.5
#: Half a day is what a commit over shards may last by the clocks: this much (seconds) makes a dent in it.
_SKEW_SECONDS_ERROR = 600.0
#: The quickest of some answers tells the time best.
_CLOCK_ROUNDS = 3


class Identity(NamedTuple):
    replica: bool
    system: int
    started: str
    database: str
    version: int
    shown: str


def _answers_steps(examination: Examination) -> Steps[list[Finding]]:
    """Every node answers, in the role that the file gives it."""
    identities = yield from identities_steps(examination)
    found = []
    for node in examination.nodes:
        if (error := examination.lost.get(node.name)) is not None:
            found.append(lost(node, error))
        elif node in identities and identities[node].replica == (node.role is Role.PRIMARY):
            is_now = "replica" if identities[node].replica else "primary"
            found.append(
                examination.find(
                    *(Severity.INFO, node.name, f"is a {is_now}, not what the file says"),
                    "correct the roles in fleet.yaml; until then outgrow goes by what the servers say",
                )
            )
    return found


def lost(node: Node, error: Error) -> Finding:
    """A node that cannot be asked."""
    gone = isinstance(error, NodeLost)
    severity = Severity.ERROR if node.role is Role.PRIMARY or not gone else Severity.WARNING
    what = f"{'does not answer' if gone else 'cannot be used'}: {error.message}"
    if error.code == "OG-RUN-080":
        what = f"the node does not answer within {patience.ANSWER_SECONDS:g} s"
    return Finding(severity, "servers", what, node.name, error.cure)


def identities_steps(examination: Examination) -> Steps[dict[Node, Identity]]:
    rows = yield from examination.each_steps(examination.nodes, "identity")
    return {node: Identity(*answer[0]) for node, answer in rows.items()}


def _who_steps(examination: Examination) -> Steps[list[Finding]]:
    """Each address is a server of its own; a shard's nodes are one history, and different shards' databases are not."""
    identities = yield from identities_steps(examination)
    found = list(_twins(examination, identities))
    twins = {finding.where for finding in found}
    for shard in examination.domain.shards:
        primary = next((node for node in shard.nodes if node in identities and not identities[node].replica), None)
        if primary is None:
            continue
        for node in shard.nodes:
            known = identities.get(node)
            if known is None or node is primary or node.name in twins:
                continue
            if known.system != identities[primary].system:
                what = f"is another database system than {primary.name}: it does not replay its log"
                cure = "correct the address in fleet.yaml, or make the replica anew from its primary"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
            elif not known.replica:
                what = f"takes writes, and so does {primary.name}: two primaries of one shard"
                cure = "stop the old primary at once, and make it anew as a replica; compare what both have written"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
            elif known.database != identities[primary].database:
                what = f"is the database {known.database}, and its primary's is {identities[primary].database}"
                found.append(examination.find(Severity.ERROR, node.name, what, "correct the address in fleet.yaml"))
    return found


def _twins(examination: Examination, identities: dict[Node, Identity]) -> Iterator[Finding]:
    """Nodes that are one and the same database under two addresses."""
    by_process: dict[tuple[int, str, str], list[Node]] = defaultdict(list)
    by_history: dict[tuple[int, str], list[Node]] = defaultdict(list)
    for node, known in identities.items():
        by_process[known.system, known.started, known.database].append(node)
        by_history[known.system, known.database].append(node)
    seen = set()
    for first, *others in by_process.values():
        for node in others:
            seen.add(node)
            what = f"is the same server and database as {first.name}"
            cure = "correct one of the two addresses in fleet.yaml"
            yield examination.find(Severity.ERROR, node.name, what, cure)
    for nodes in by_history.values():
        for node in nodes[1:]:
            if node.shard != nodes[0].shard and node not in seen:
                what = f"replays (or is) the database of {nodes[0].name}, which is another shard's"
                cure = "correct one of the two addresses in fleet.yaml: shards must not share rows"
                yield examination.find(Severity.ERROR, node.name, what, cure)


def _versions_steps(examination: Examination) -> Steps[list[Finding]]:
    """One major version within a shard; one minor version is better; mixed shards are for the time of an upgrade."""
    identities = yield from identities_steps(examination)
    found = []
    majors: dict[int, list[str]] = defaultdict(list)
    for shard in examination.domain.shards:
        known = [(node, identities[node]) for node in shard.nodes if node in identities]
        if not known:
            continue
        first, like = known[0]
        majors[like.version // 10000].append(shard.name)
        for node, one in known[1:]:
            if one.version // 10000 != like.version // 10000:
                what = f"is PostgreSQL {one.shown}, and {first.name} is {like.shown}: it cannot replay its log"
                cure = "make the replica anew with its primary's major version"
                found.append(examination.find(Severity.ERROR, node.name, what, cure))
            elif one.version != like.version:
                what = f"is PostgreSQL {one.shown}, and {first.name} is {like.shown}"
                cure = "bring both to the newer minor version, the replica first"
                found.append(examination.find(Severity.INFO, node.name, what, cure))
    if len(majors) > 1:
        shown = "; ".join(f"PostgreSQL {major} on {several(shards)}" for major, shards in sorted(majors.items()))
        what = f"shards have different major versions: {shown}"
        cure = "bring all to the newest: functions and plans differ from version to version"
        found.append(examination.find(Severity.INFO, examination.domain.name, what, cure))
    return found


def _clocks_steps(examination: Examination) -> Steps[list[Finding]]:
    """The servers' clocks agree: half a round trip is what each can be known to."""
    best = yield from examination.ask_steps(
        dict.fromkeys(examination.nodes, lambda link: _offset_steps(link, examination.queries["clock"]))
    )
    if len(best) < 2:
        return []
    # The clock in the middle is taken for right: one that is wrong must not make the others look so.
    middle = sorted(offset for offset, _ in best.values())[(len(best) - 1) // 2]
    found = []
    for node, (offset, doubt) in best.items():
        apart = offset - middle
        if abs(apart) - doubt < _SKEW_SECONDS:
            continue
        severity = Severity.ERROR if abs(apart) >= _SKEW_SECONDS_ERROR else Severity.WARNING
        what = (
            f"its clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} the other servers' "
            f"(known to {doubt:.3f} s): times that it writes, and ages measured there, are that much off"
        )
        cure = "let a time service (chrony, systemd-timesyncd) keep the clocks of all servers"
        found.append(examination.find(severity, node.name, what, cure))
    return found


def _offset_steps(link: Link, clock: str) -> Steps[tuple[float, float]]:
    """How far the server's clock is ahead of this process's, and how well that is known (seconds)."""
    best = (0.0, float("inf"))
    for _ in range(_CLOCK_ROUNDS):
        before = wall_ns()
        rows: list[Row] = (yield from link.run_steps(clock)).rows
        after = wall_ns()
        doubt = (after - before) / 2e9
        if doubt < best[1]:
            best = (rows[0][0] - (before + after) / 2e9, doubt)
    return best


SERVERS = Check("servers", _answers_steps, needs_picture=False)
CLOCK = Check("clock", _clocks_steps, needs_picture=False)
CHECKS = (
    SERVERS,
    Check("identity", _who_steps, needs_picture=False),
    Check("versions", _versions_steps, needs_picture=False),
    CLOCK,
)
