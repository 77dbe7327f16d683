"""Outside a transaction, behind a transaction pooler: each statement in a transaction of its own.

Two messages may reach two connections, and from one transaction to the next the pooler may even lead to another
server.  So whatever a statement depends on is within its transaction: the session's settings (SET LOCAL), the guard of
a replica with which server it is, the question whether a primary still is one, and the place behind a write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from outgrow import ledger, sqlfile
from outgrow.errors import Error, NodeLost, NotSupportedError
from outgrow.nodes import Asked, Link, Outcome, Rows, enclosed_steps, rolled_back_steps
from outgrow.route import Check, Choice, Level, Position
from outgrow.runtime import generation
from outgrow.runtime.dress import Dress, Setting, dressed_steps
from outgrow.statement import Kind, local_settings, session_state, sets_role
from outgrow.topology import Domain, Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.footing import Footing
    from outgrow.runtime.prepared import Prepared

_SQL = sqlfile.load("outgrow.runtime")
_BEGIN: Asked = ("BEGIN", None)
#: The guard is an earlier statement than the read only where each statement has a snapshot of its own.
_BEGIN_GUARDED: Asked = ("BEGIN ISOLATION LEVEL READ COMMITTED", None)
_COMMIT: Asked = ("COMMIT", None)
_STILL_PRIMARY: Asked = (_SQL["still_primary"], None)
_GUARD: Asked = (ledger.queries()["guard_named"], None)

#: `still_primary` and the place on a replica; commands that refuse transaction blocks, or end them.
NOT_PRIMARY = "55000"
_REFUSE_BLOCKS = ("25001", "2D000")
#: A prepared transaction is finished outside of every transaction, where neither holds any more.
_OWNING = ("role", "session_authorization")


def is_pooled(domain: Domain) -> bool:
    return any(node.pooled for shard in domain.shards for node in shard.nodes)


def local(dress: Dress) -> list[Asked]:
    """The session's settings for a transaction that has just begun."""
    return [(sql, None) for setting in dress for sql in local_settings(setting.sql)]


def read_steps(
    state: DomainState,
    choice: Choice,
    link: Link,
    footing: Footing,
    level: Level,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
) -> Steps[tuple[Rows | None, Outcome | None]]:
    """The rows, None where a replica was not fresh enough; and the primary's place behind them, where it was asked."""
    node, check, _ = choice
    settings = local(footing.dress)
    primary = node is state.health.seats(state.name, node.shard).primary
    if not (primary or settings or check is Check.GUARD):
        state.health.interest += 1
        rows = yield from link.run_steps(sql, params, until=until)
        footing.stand_on(node, level, "")
        return rows, None
    asks = check is Check.PLACE
    after: list[Asked] = [(state.engine.questions.place, None), _COMMIT] if asks else [_COMMIT]
    before = _before(settings, primary and not asks, check is Check.GUARD)
    outcomes = yield from enclosed_steps(link, before, (sql, params), after, apart=bool(settings), until=until)
    opened, seen, behind = outcomes[: len(before)], outcomes[len(before)], outcomes[len(before) + 1 :]
    if not primary:
        if not (yield from _vouched_steps(state, node, opened, footing, level, check is Check.GUARD, until)):
            return None, None
        rows = _answered(seen)
        _answered(behind[-1])
        return rows, None
    _check_opened(node, opened)
    rows = _answered(seen)
    check_opened(node, behind)
    _answered(behind[-1])
    footing.last = None
    footing.unplaced = True
    return rows, behind[0] if asks else None


def write_steps(
    state: DomainState, link: Link, footing: Footing, sql: str, params: Sequence[Any] | None, until: float | None
) -> Steps[tuple[Outcome, Outcome]]:
    """The write's outcome and the primary's place behind its commit."""
    settings = local(footing.dress)
    before = [_BEGIN, *settings]
    after: list[Asked] = [_COMMIT, (state.engine.questions.place, None)]
    outcomes = yield from enclosed_steps(link, before, (sql, params), after, apart=bool(settings), until=until)
    opened = next((one for one in outcomes[: len(before)] if isinstance(one, Error)), None)
    rows, done, place = outcomes[len(before) :]
    if isinstance(rows, Error) and rows.sqlstate in _REFUSE_BLOCKS:
        # It was refused before it did anything, or undone.
        if settings:
            raise refused(
                "a command that refuses transaction blocks cannot be given what the session has SET",
                "RESET ALL first, or run it with a client of your own at the direct address",
            )
        rows = yield from link.run_steps(sql, params, until=until)
        return rows, (yield from link.run_steps(state.engine.questions.place, None, until=until))
    failed = opened or next((one for one in (rows, done) if isinstance(one, Error)), None)
    return (rows, place) if failed is None else (failed, failed)


def opened_steps(
    state: DomainState, node: Node, link: Link, footing: Footing, level: Level, until: float | None
) -> Steps[bool]:
    """Begin the transaction of a longer read (a stream, a COPY); False where the replica is not fresh enough."""
    primary = node is state.health.seats(state.name, node.shard).primary
    guarded = not primary and level.name != "eventual"
    before = _before(local(footing.dress), primary, guarded)
    opened = yield from link.run_many_steps(before, until=until, chained=True)
    if primary:
        _check_opened(node, opened)
        footing.unplaced, footing.last = True, None
        return True
    fresh = yield from _vouched_steps(state, node, opened, footing, level, guarded, until)
    if not fresh:
        yield from rolled_back_steps(link)
    return fresh


def closed_steps(link: Link, whole: bool) -> Steps[None]:
    """End that transaction: what the statement did stays if it ran to its end, as it does without a pooler."""
    if whole and not link.broken and link.in_transaction and not link.in_failed_transaction:
        yield from link.run_steps("COMMIT", None)
    else:
        yield from rolled_back_steps(link)


def opening(dress: Dress, begin: str, prologue: Iterable[str]) -> list[Asked]:
    """What goes ahead of a branch's first statement behind a pooler.

    The settings come before what the user sets for this transaction; an isolation level in BEGIN outranks the default.
    """
    settings = [one for one in local(dress) if not ("isolation" in begin.lower() and "transaction_isolation" in one[0])]
    return [(begin, None), *settings, *((sql, None) for sql in prologue), _STILL_PRIMARY]


def tried_steps(link: Link, dress: Dress) -> Steps[None]:
    """Try whether the server takes the settings."""
    if not link.pooled:
        yield from dressed_steps(link, dress)
        return
    for outcome in (yield from link.run_many_steps([_BEGIN, *local(dress), ("ROLLBACK", None)], chained=True)):
        if isinstance(outcome, Error):
            yield from rolled_back_steps(link)
            raise outcome


def check_opened(node: Node, outcomes: Sequence[Outcome]) -> None:
    """NodeLost where one of our own questions says that the node is no primary any more."""
    for outcome in outcomes:
        if isinstance(outcome, Error) and outcome.sqlstate == NOT_PRIMARY:
            raise NodeLost(
                "OG-RUN-014",
                f"the shard {node.shard} has no primary: {node.name} leads to a replica now",
                cure="promote a replica, or let the pooler lead to the new primary; it is noticed by itself",
                shard=node.shard,
                node=node.name,
            )


def server_steps(link: Link, until: float | None) -> Steps[tuple[Rows, str]]:
    """A replica's guard, and which server it is that answers."""
    rows = yield from link.run_steps(*_GUARD, until=until)
    return rows, _server(rows)


def _before(settings: Sequence[Asked], checked: bool, guarded: bool) -> list[Asked]:
    """SET LOCAL comes first: a transaction's own settings cannot be changed behind its first query."""
    if checked:
        return [_BEGIN, *settings, _STILL_PRIMARY]
    if guarded:
        settings = [one for one in settings if "transaction_isolation" not in one[0]]
        return [_BEGIN_GUARDED, *settings, _GUARD]
    return [_BEGIN, *settings]


def _vouched_steps(
    state: DomainState,
    node: Node,
    opened: Sequence[Outcome],
    footing: Footing,
    level: Level,
    guarded: bool,
    until: float | None,
) -> Steps[bool]:
    """Whether the read that followed may be used; then the session stands there."""
    answers = [_answered(outcome) for outcome in opened]
    server = ""
    if guarded:
        position, in_recovery = generation.guard_of(answers[-1])
        if not in_recovery:
            yield from state.survey_steps(node.shard, until)
            return False
        server = _server(answers[-1])
        state.health.note_replayed(node, position, server)
        fresh = _fresh(state, node, server, position, footing, level)
        state.health.note_guard(node, fresh)
        if not fresh:
            return False
    footing.stand_on(node, level, server)
    return True


def _fresh(state: DomainState, node: Node, server: str, position: Position, footing: Footing, level: Level) -> bool:
    """By what this very server has said, not by what the node was known for: the pooler may lead to another now."""
    if level.name == "bounded":
        return state.health.staleness_at(node, position) <= level.staleness_seconds
    if footing.last is node and footing.incarnation != server:
        # It would have to have seen what the other one showed.
        return False
    floor = footing.floor
    return floor is None or (position.generation == floor.generation and position.lsn >= floor.lsn)


def _server(rows: Rows) -> str:
    return str(rows.rows[0][3])


def _check_opened(node: Node, outcomes: Sequence[Outcome]) -> None:
    check_opened(node, outcomes)
    for outcome in outcomes:
        _answered(outcome)


def _answered(outcome: Outcome) -> Rows:
    if isinstance(outcome, Error):
        raise outcome
    return outcome


# -- what a pooler cannot carry ----------------------------------------------------------------------------------------


def refused(what: str, cure: str) -> NotSupportedError:
    return NotSupportedError("OG-RUN-095", f"behind a transaction pooler: {what}", cure=cure)


def check_statement(prepared: Prepared) -> None:
    """Refuse what leaves something on its connection, where the next transaction may have another."""
    if prepared.statement.kind in (Kind.SESSION, Kind.TRANSACTION):
        return
    found = session_state(prepared.statement)
    if found:
        raise refused(
            found,
            "use what ends with the transaction (pg_advisory_xact_lock, set_config(…, true), RETURNING), "
            "or a client of your own at the direct address",
        )


def check_on_shard(prepared: Prepared) -> None:
    """Refuse SET, RESET and DISCARD that are sent to one shard as they are."""
    if found := session_state(prepared.statement):
        raise refused(found, "leave the shard out: the session then carries it along")


def check_setting(setting: Setting) -> None:
    if setting.name == "seed":
        raise refused("SET seed would begin the same random numbers with each statement", "draw them in the program")


def check_owner(dress: Dress, prologue: Iterable[str], nodes: Iterable[Node]) -> None:
    """Refuse a transaction over several shards in a role that could not finish it."""
    if not any(node.pooled for node in nodes):
        return
    worn = [setting for setting in dress if setting.name in _OWNING]
    worn += [setting for setting in dress if setting.name == "synchronous_commit" and "remote" in setting.sql.lower()]
    said = [*(setting.sql for setting in worn), *(sql for sql in prologue if sets_role(sql))]
    if said:
        raise refused(
            f"{said[0]!r} ends with PREPARE TRANSACTION, and COMMIT PREPARED would run without it",
            "keep such a transaction on one shard, or let the address's own role have the right",
        )


def check_direct(state: DomainState, what: str) -> None:
    """Refuse what needs connections of its own, where one of the domain's primaries has no direct address."""
    for shard in state.picture.domain.shards:
        node = state.health.seats(state.name, shard.name).primary
        if node.pooled and node.direct is None:
            raise refused(
                f"{what} needs a connection of its own, and {node.name} has no direct address",
                "write direct: beside the node's dsn in fleet.yaml",
            )
