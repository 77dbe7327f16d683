"""What is wrong with a fleet, or soon will be: one function a check, each with a cure for all it finds."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgrow import ledger, sqlfile
from outgrow.errors import Error, NodeLost
from outgrow.keyspace import KINDS, family
from outgrow.nodes import Link, together
from outgrow.runtime import comparing, ddl, snapshot
from outgrow.schema import Schema
from outgrow.topology import Domain, Node, Role, Sharded
from outgrow.transactions import owner_of
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_QUERIES = sqlfile.load("outgrow.runtime")
#: A prepared transaction older than that belongs to nobody who is still at work on it.
_IN_DOUBT_SECONDS = 60.0


class Severity(enum.StrEnum):
    #: Something fails, or may be lost.
    ERROR = "error"
    #: Something will fail.
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    #: The check that found it.
    check: str
    what: str
    #: The node, shard or domain.
    where: str
    cure: str


def examine_steps(state: DomainState, until: float | None) -> Steps[list[Finding]]:
    """All findings of one domain, in the order of the checks."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += yield from check(state, until)
        except NodeLost:
            # The servers' own check tells that a node is gone; what cannot be asked is not found to be wrong.
            continue
    return found


def _servers_steps(state: DomainState, until: float | None) -> Steps[list[Finding]]:
    """Every node answers, and is set up for what outgrow does with it."""
    nodes = [node for shard in state.picture.domain.shards for node in shard.nodes]
    answers = yield from together([_settings_steps(state, node, until) for node in nodes])
    return [finding for node, answer in zip(nodes, answers, strict=True) for finding in _of_node(state, node, answer)]


def _settings_steps(state: DomainState, node: Node, until: float | None) -> Steps[tuple[int, int, str, bool] | Error]:
    def ask_steps(link: Link) -> Steps[tuple[int, int, str, bool]]:
        rows = yield from link.run_steps(_QUERIES["settings"], None, until=until)
        prepared, connections, wal_level, replica = rows.rows[0]
        return prepared, connections, wal_level, replica

    try:
        return (yield from snapshot.on_node_steps(state.nodes, node, until, ask_steps))
    except NodeLost as error:
        return error


def _of_node(state: DomainState, node: Node, answer: tuple[int, int, str, bool] | Error) -> Iterator[Finding]:
    if isinstance(answer, Error):
        severity = Severity.ERROR if node.role is Role.PRIMARY else Severity.WARNING
        yield Finding(severity, "servers", f"does not answer: {answer.message}", node.name, answer.cure)
        return
    prepared, connections, wal_level, replica = answer
    domain = state.picture.domain
    if len(domain.shards) > 1 and prepared < domain.pool.size_max:
        severity = Severity.WARNING if prepared else Severity.ERROR
        effect = "transactions over several shards cannot commit" if not prepared else "few can commit at once"
        yield Finding(
            severity,
            "servers",
            f"max_prepared_transactions is {prepared}: {effect}",
            node.name,
            f"ALTER SYSTEM SET max_prepared_transactions = {max(connections, 100)}, then restart the server "
            "(its replicas first: theirs may not be smaller)",
        )
    if wal_level == "minimal":
        yield Finding(
            *(Severity.ERROR, "servers", "wal_level is minimal: it can have no replica", node.name),
            "ALTER SYSTEM SET wal_level = 'logical', then restart the server",
        )
    elif wal_level == "replica":
        yield Finding(
            *(Severity.INFO, "servers", "wal_level is replica: rows can be moved only under logical", node.name),
            "ALTER SYSTEM SET wal_level = 'logical', then restart the server, when you plan to move rows",
        )
    if replica == (node.role is Role.PRIMARY):
        yield Finding(
            *(Severity.INFO, "servers", f"is a {'replica' if replica else 'primary'}, not what the file says"),
            *(node.name, "correct the roles in fleet.yaml; until then outgrow goes by what the servers say"),
        )


def _ledger_steps(state: DomainState, until: float | None) -> Steps[list[Finding]]:
    """File and ledger say the same, and what they say of ranges is about tables that there are."""
    known = yield from state.on_home_steps(lambda link: ledger.read_steps(link, state.name), until)
    if known is None:
        return []
    found = [
        Finding(_weight(difference), "ledger", f"{difference.code}: {difference}", state.name, difference.cure)
        for difference in ledger.differs(state.file, known)
    ]
    if state.stale:
        yield from state.refresh_steps(until)
    return [*found, *_ranges(state.picture.domain, state.picture.schema)]


def _ranges(domain: Domain, schema: Schema) -> Iterator[Finding]:
    """Where keys lie by range: ranges that no table's keys are of, and tables whose keys have none."""
    by_family: dict[str, list[str]] = {}
    for name, placed in domain.tables.items():
        table = schema.tables.get(name)
        column = table.column(placed.columns[0]) if table is not None and isinstance(placed, Sharded) else None
        if column is not None and column.type in KINDS:
            by_family.setdefault(family(column.type), []).append(f"{name} (by {column.type})")
    ranged = {family(ranges.splits.type): ranges.splits.type for ranges in domain.ranges}
    for kind, type in ranged.items():
        if kind not in by_family:
            cure = "compare it with the type of the key columns: ranges of another type place none of their rows"
            yield Finding(
                Severity.WARNING, "ledger", f"no table's key is of type {type}, which has ranges", domain.name, cure
            )
    for kind, tables in by_family.items():
        if ranged and kind not in ranged:
            what = f"{', '.join(sorted(tables))} lie by their hash: keys of their type have no ranges"
            yield Finding(Severity.INFO, "ledger", what, domain.name, "nothing to do, if that is meant")


def _weight(difference: ledger.Difference) -> Severity:
    """A table that only the ledger places is as `outgrow place` makes it."""
    alone = difference.code == "OG-LEDGER-012" and not difference.file
    return Severity.INFO if alone else Severity.WARNING


def _unfinished_steps(state: DomainState, until: float | None) -> Steps[list[Finding]]:
    """No DDL was left in the middle."""
    found = yield from ddl.unfinished_steps(state, until)
    return [
        Finding(
            Severity.ERROR,
            "definitions",
            f"DDL {one.number} ({ddl.shortened(one.sql)}) is done on {', '.join(one.done) or 'no shard'} of "
            f"{', '.join(one.shards)}" + (f"; it failed on {one.failed_shard}: {one.error}" if one.error else ""),
            one.failed_shard or state.name,
            f"mend the cause and run `outgrow schema resume`; or `outgrow schema abandon {one.number}`",
        )
        for one in found
    ]


def _schema_steps(state: DomainState, until: float | None) -> Steps[list[Finding]]:
    """Shards have the same tables, indexes, functions and so on."""
    comparison = yield from comparing.compare_steps(state, None, until)
    return [
        Finding(
            Severity.ERROR if one.kind in ("table", "column", "enum") else Severity.WARNING,
            "schema",
            f"{one} ({comparison.like} is compared with)",
            one.shard,
            one.note or "`outgrow schema diff` shows the statements that mend it, and runs them with --mend",
        )
        for one in comparison.differences
    ]


def _in_doubt_steps(state: DomainState, until: float | None) -> Steps[list[Finding]]:
    """No prepared transaction waits for its end, holding its locks."""
    found = []
    for shard in state.picture.domain.shards:
        primary = state.health.seats(state.name, shard.name).primary

        def ask_steps(link: Link) -> Steps[list[tuple[str, str, float]]]:
            rows = yield from link.run_steps(_QUERIES["in_doubt"], [_IN_DOUBT_SECONDS], until=until)
            return [(gid, owner, seconds) for gid, owner, seconds in rows.rows]

        for gid, owner, seconds in (yield from snapshot.on_node_steps(state.nodes, primary, until, ask_steps)):
            ours = owner_of(gid) is not None
            found.append(
                Finding(
                    Severity.ERROR,
                    "in doubt",
                    f"the transaction {gid!r} of {owner} has been prepared for {seconds:.0f} s, holding its locks",
                    primary.name,
                    "run `outgrow recover`" if ours else "COMMIT PREPARED or ROLLBACK PREPARED it there, by its owner",
                )
            )
    return found


Check = Callable[["DomainState", float | None], Steps[list[Finding]]]

CHECKS: tuple[Check, ...] = (_servers_steps, _ledger_steps, _unfinished_steps, _schema_steps, _in_doubt_steps)
