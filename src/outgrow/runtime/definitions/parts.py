"""One shard's part of a DDL: run once and only once, whatever breaks, and never in the way of others for long.

Where the command allows a transaction block, the note that this shard has it commits with it.  Where it does not,
the shard notes who begins, and whoever comes after a crash looks at what became of it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outgrow import ledger, sqlfile
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.ledger import Definition
from outgrow.nodes import Link, Rows, together
from outgrow.route import Position
from outgrow.runtime import generation
from outgrow.runtime.asking import stand_steps
from outgrow.runtime.definitions import concurrent_index
from outgrow.runtime.definitions.committing_parts import committed_steps
from outgrow.runtime.definitions.observing import Observed, Seen, observe_steps
from outgrow.runtime.dress import dressed_steps
from outgrow.runtime.footing import Footing
from outgrow.statement import DefinitionFacts
from outgrow.topology import Placement, TableName
from outgrow.waits import Future, Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

QUERIES = sqlfile.load("outgrow.runtime")

#: How long one try waits for a lock: as long as that, everybody else who comes to the table waits behind it.
LOCK_SECONDS = 2.0
#: How long tries go on, with pauses in between that let the others through.
PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS_MAX = 5.0
_LOSSES_MAX = 3

_LOCK_NOT_AVAILABLE, _ACTIVE_TRANSACTION, _CANCELED = "55P03", "25001", "57014"


@dataclass(frozen=True, slots=True)
class Work:
    """A DDL on its way over the shards; `home` is the connection that holds the domain's lock."""

    definition: Definition
    facts: DefinitionFacts
    home_shard: str
    home: Link
    #: What tables are, the new one included: those that are renamed or dropped change it.
    placements: Mapping[TableName, Placement]


@dataclass(frozen=True, slots=True)
class PartDone:
    #: "" where the shard had it already.
    status: str
    node: str
    place: Position | None
    seen: Observed = field(default_factory=Observed)


def part_steps(state: DomainState, work: Work, shard: str, until: float | None) -> Steps[PartDone]:
    """Run the DDL on `shard` unless it has it.  Tries again for locks and lost connections, within limits."""
    patience = monotonic() + PATIENCE_SECONDS
    losses = tries = 0
    holders: list[str] = []
    while True:
        tries += 1
        try:
            return (yield from _try_steps(state, work, shard, holders, until))
        except NodeLost:
            losses += 1
            if shard == work.home_shard or losses > _LOSSES_MAX:
                raise
            yield from state.survey_steps(shard, until)
        except Error as error:
            if error.sqlstate == _CANCELED and holders:
                raise _locked(shard, holders, error) from error
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                raise
            if monotonic() > patience:
                raise _locked(shard, holders, error) from error
        pause = min(_PAUSE_SECONDS_MAX, 0.05 * 2**tries) * random.uniform(0.5, 1.5)
        later = monotonic() + pause
        yield Until(later if until is None else min(later, until))


def _try_steps(state: DomainState, work: Work, shard: str, holders: list[str], until: float | None) -> Steps[PartDone]:
    if shard == work.home_shard:
        return (yield from _on_link_steps(state, work, work.home, holders, until, observes=True))
    node = state.health.seats(state.name, shard).primary
    pool = state.nodes.past(node)
    link = yield from pool.take_steps(until)
    try:
        if link.standby:
            yield from state.not_primary_steps(node, link, until)
        if link.dress:
            yield from dressed_steps(link, ())
        return (yield from _on_link_steps(state, work, link, holders, until, observes=False))
    finally:
        pool.give(link)


def _on_link_steps(
    state: DomainState, work: Work, link: Link, holders: list[str], until: float | None, *, observes: bool
) -> Steps[PartDone]:
    if state.engine.commits_ddl:
        home = link.node.shard == work.home_shard
        status = yield from committed_steps(link, work, LOCK_SECONDS, home, until)
        place = yield from link.run_steps(state.engine.questions.place, None)
        return PartDone(status, link.node.name, (yield from _floor_steps(state, link, place)))
    if not work.facts.alone:
        try:
            return (yield from _in_block_steps(state, work, link, holders, until, observes))
        except Error as error:
            if error.sqlstate != _ACTIVE_TRANSACTION:
                raise
    status = yield from concurrent_index.alone_steps(link, work.definition, work.facts, until)
    place = yield from link.run_steps(generation.POSTGRESQL.place, None)
    return PartDone(status, link.node.name, (yield from _floor_steps(state, link, place)))


def _in_block_steps(
    state: DomainState, work: Work, link: Link, holders: list[str], until: float | None, observes: bool
) -> Steps[PartDone]:
    """DDL and note in one transaction."""
    definition = work.definition
    yield from link.run_steps("BEGIN", None, until=until)
    try:
        yield from link.run_steps(QUERIES["lock_timeout"], [f"{LOCK_SECONDS * 1000:.0f}ms"], until=until)
        if not (yield from ledger.claim_part_steps(link, definition)):
            yield from link.run_steps("ROLLBACK", None)
            return PartDone("", link.node.name, None)
        for setting in definition.settings:
            yield from link.run_steps(setting, None, until=until, prepare=False)
        before = (yield from observe_steps(link)) if observes else Seen()
        rows = yield from _watched_steps(state, link, definition.sql, holders, until)
        if definition.settings:
            yield from link.run_steps("RESET SESSION AUTHORIZATION", None, prepare=False)
            yield from link.run_steps("RESET ALL", None, prepare=False)
        seen = Observed()
        if observes:
            several = len(state.picture.domain.shards) > 1
            seen = before.compared(work.placements, (yield from observe_steps(link)), several=several)
            for old, new in seen.moved:
                yield from ledger.drop_placement_steps(link, state.name, old)
                if new is not None:
                    yield from ledger.put_placement_steps(link, state.name, new, work.placements[old])
        done, place = yield from link.run_two_steps(("COMMIT", None), (generation.POSTGRESQL.place, None), until=until)
        if isinstance(done, Error):
            raise done
    except GeneratorExit:
        link.close()
        raise
    except BaseException:
        if link.in_transaction and not link.broken:
            with contextlib.suppress(Error):
                yield from link.run_steps("ROLLBACK", None)
        raise
    return PartDone(rows.status, link.node.name, (yield from _floor_steps(state, link, place)), seen)


def _floor_steps(state: DomainState, link: Link, place: Rows | Error) -> Steps[Position | None]:
    footing = Footing()
    yield from stand_steps(state, link, footing, place)
    return footing.floor


def _watched_steps(state: DomainState, link: Link, sql: str, holders: list[str], until: float | None) -> Steps[Rows]:
    """Run the DDL; should it wait for a lock, note meanwhile who holds it: afterwards nobody can say."""
    over: concurrent.futures.Future[None] = concurrent.futures.Future()

    def run_steps() -> Steps[Rows | None]:
        try:
            rows: Rows = yield from link.run_steps(sql, None, until=until, prepare=False)
            return rows
        finally:
            over.set_result(None)

    def look_steps() -> Steps[Rows | None]:
        if not (yield Future(over, monotonic() + LOCK_SECONDS / 2)):
            with contextlib.suppress(Error):
                holders[:] = yield from _holders_steps(state, link)
        return None

    rows, _ = yield from together([run_steps(), look_steps()])
    assert rows is not None
    return rows


def _holders_steps(state: DomainState, link: Link) -> Steps[list[str]]:
    soon = monotonic() + LOCK_SECONDS / 4
    pool = state.nodes.pool(link.node)
    other = yield from pool.take_steps(soon)
    try:
        found = yield from other.run_steps(QUERIES["holders"], [link.backend_pid], until=soon)
    finally:
        pool.give(other)
    return [_holder(row) for row in found.rows]


def _holder(row: Sequence[Any]) -> str:
    pid, application, doing, seconds, query = row
    if not pid:
        return "a prepared transaction"
    since = "" if seconds is None else f" for {seconds:.0f} s"
    return f"pid {pid} ({application or 'unnamed'}, {doing}{since}): {' '.join((query or '').split())}"


def _locked(shard: str, holders: Sequence[str], error: Error) -> OperationalError:
    held = f"; held by {' and by '.join(holders)}" if holders else ""
    return OperationalError(
        "OG-RUN-050",
        f"the lock that the DDL needs was not to be had in time{held}",
        cure="end that transaction or wait for it, and run the DDL again; nothing was left waiting in its way",
        shard=shard,
        node=error.node,
        sqlstate=error.sqlstate,
    )
