"""From a replica back to the primary: not before the primary shows all that the session has seen.

A server writes a commit to its log before it shows it, and sends the log on at once: PostgreSQL flushes, waits for
synchronous replicas, and only then strikes the transaction off its list of running ones; MariaDB writes its binary log
and then commits in the engine.  Between the two a replica may show what its primary does not show yet (for long, where
commits wait for a synchronous replica).  A session that has read the replica would see it vanish again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import Link, together
from outgrow.route import Position, Seats, Snapshot, hidden, shows, snapshot_of
from outgrow.topology import Node
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.footing import Footing

#: How long the primary may take to show a commit that a replica is known to have shown.
SHOWN_SECONDS = 10.0
#: How long to wait for transactions of which no replica can say whether they have committed.
UNKNOWN_SECONDS = 1.0
#: How long a replica may take to say what it has shown.
_SEEN_SECONDS = 0.5
#: Between two looks, doubling.
_PAUSE_FIRST, _PAUSE_LAST = 0.0002, 0.02


class Seen(NamedTuple):
    """What a replica has shown at most: transactions below `xmax`, in this generation."""

    node: Node
    generation: int
    xmax: int


class Shown(NamedTuple):
    generation: int
    snapshot: Snapshot


def postgres_steps(state: DomainState, shard: str, footing: Footing, until: float | None) -> Steps[None]:
    """Wait until the shard's primary shows what the session has seen on a replica.

    Of the transactions that still run on the primary, the replica says which are over there: these it may have shown.
    """
    seats = state.health.seats(state.name, shard)
    seen, shown = yield from together(
        [_seen_steps(state, seats, footing, until), _shown_steps(state, seats.primary, until)]
    )
    assert isinstance(shown, Shown)
    if not isinstance(seen, Seen):
        yield from _all_over_steps(state, seats.primary, until)
    # (Another generation: a promotion or a restart has ended all that was under way.)
    elif seen.generation == shown.generation and (missing := hidden(shown.snapshot, seen.xmax)):
        over = yield from _over_steps(state, seen.node, missing, until)
        if over is None:
            yield from _all_over_steps(state, seats.primary, until)
        elif not (yield from _wait_steps(state, seats.primary, over, SHOWN_SECONDS, until)):
            raise _not_shown(shard, seats.primary, seen.node)


def _seen_steps(state: DomainState, seats: Seats, footing: Footing, until: float | None) -> Steps[Seen | Shown | None]:
    """What the session can have seen; None where nobody can say: the replica is lost, or another answers for it.

    Of a session that came with a token, every replica that has got to its floor has shown all of it.
    """
    read = footing.last
    if read is None and footing.unplaced:
        # The replica was restarted since: the floor says nothing of what it had shown.
        return None
    for node in (read,) if read is not None else seats.replicas:
        if node not in seats.replicas or not state.health.usable(node):
            continue
        asked = [(ledger.queries()["guard_named"], None), (ledger.queries()["seen"], None)]
        answers = yield from _replica_steps(state, node, asked, until)
        if answers is None:
            continue
        guard, (xmax, server) = answers[0].rows[0], answers[1].rows[0]
        at_floor = footing.floor is None or Position(guard[0], guard[1] or 0) >= footing.floor
        same = node is read and server == footing.incarnation
        if guard[2] and guard[3] == server and (same or (at_floor and read is None)):
            return Seen(node, guard[0], xmax)
    return None


def _over_steps(state: DomainState, node: Node, xids: list[int], until: float | None) -> Steps[list[int] | None]:
    """Those that are committed or rolled back on the replica."""
    answers = yield from _replica_steps(state, node, [(ledger.queries()["over"], [xids])], until)
    return None if answers is None else [row[0] for row in answers[0].rows]


def _replica_steps(state: DomainState, node: Node, asked: list[Any], until: float | None) -> Steps[list[Any] | None]:
    """Its answers; None where it does not give them soon."""
    limit = _sooner(until, monotonic() + _SEEN_SECONDS)
    pool = state.nodes.pool(node)
    try:
        link = pool.take_now() or (yield from pool.take_steps(limit))
        try:
            # (Not chained: what the replica has shown is asked for behind its place.)
            outcomes = yield from link.run_many_steps(asked, until=limit)
        finally:
            pool.give(link)
    except NodeLost as error:
        state.health.note_lost(node, error)
        return None
    except Error:
        return None
    return None if any(isinstance(one, Error) or not one.fields for one in outcomes) else outcomes


def _shown_steps(state: DomainState, primary: Node, until: float | None) -> Steps[Seen | Shown | None]:
    pool = state.nodes.pool(primary)
    link = pool.take_now() or (yield from pool.take_steps(until))
    try:
        rows = yield from link.run_steps(ledger.queries()["shown"], None, until=until)
    finally:
        pool.give(link)
    counter, text = rows.rows[0]
    return Shown(counter, snapshot_of(text))


def _all_over_steps(state: DomainState, primary: Node, until: float | None) -> Steps[None]:
    """Wait a moment for all that the primary runs: what is being committed is soon over, and the rest is not meant."""
    pool = state.nodes.pool(primary)
    link = pool.take_now() or (yield from pool.take_steps(until))
    try:
        rows = yield from link.run_steps(ledger.queries()["next_transaction"], None, until=until)
        text = yield from link.run_steps(ledger.queries()["shown"], None, until=until)
    finally:
        pool.give(link)
    missing = hidden(snapshot_of(text.rows[0][1]), rows.rows[0][0])
    yield from _wait_steps(state, primary, missing, UNKNOWN_SECONDS, until)


def _wait_steps(state: DomainState, primary: Node, xids: list[int], seconds: float, until: float | None) -> Steps[bool]:
    """Whether the primary shows all of these as over, within that time."""
    limit = _sooner(until, monotonic() + seconds)
    pause = _PAUSE_FIRST
    while xids:
        try:
            shown = yield from _shown_steps(state, primary, until)
        except Error as error:
            if isinstance(error, NodeLost) or monotonic() < limit:
                raise
            return False
        assert isinstance(shown, Shown)
        if shows(shown.snapshot, xids):
            break
        if monotonic() > limit:
            return False
        yield Until(monotonic() + pause)
        pause = min(pause * 2, _PAUSE_LAST)
    return True


def mariadb_steps(state: DomainState, shard: str, footing: Footing, until: float | None) -> Steps[None]:
    """The same for MariaDB: wait until the engine has committed what the binary log has now.

    A consistent snapshot names the place in the binary log that it belongs to.
    """
    queries = ledger.queries("mariadb")
    primary = state.health.seats(state.name, shard).primary
    limit = _sooner(until, monotonic() + SHOWN_SECONDS)
    pool = state.nodes.pool(primary)
    link = pool.take_now() or (yield from pool.take_steps(until))
    try:
        written = yield from _written_steps(link, queries["written"], until)
        pause = _PAUSE_FIRST
        while (yield from _committed_steps(link, queries["shown"], until)) < written:
            if monotonic() > limit:
                raise _not_shown(shard, primary, footing.last)
            yield Until(monotonic() + pause)
            pause = min(pause * 2, _PAUSE_LAST)
    finally:
        pool.give(link)


def _written_steps(link: Link, sql: str, until: float | None) -> Steps[tuple[int, str, int]]:
    """The end of the binary log, as the next does."""
    try:
        rows = yield from link.run_steps(sql, None, until=until)
    except Error as error:
        if error.sqlstate != "42501":
            raise
        raise OperationalError(
            "OG-RUN-016",
            f"the user of {link.node.name} may not ask where the binary log ends, and so not leave a replica for it",
            cure="GRANT BINLOG MONITOR ON *.* TO the user, or take the replicas out of the shard",
            node=link.node.name,
        ) from error
    return _place(*rows.rows[0][:2]) if rows.rows else _place("", 0)


def _committed_steps(link: Link, sql: str, until: float | None) -> Steps[tuple[int, str, int]]:
    """The place in the binary log up to which the engine shows what was written."""
    yield from link.run_steps("START TRANSACTION WITH CONSISTENT SNAPSHOT", None, until=until)
    rows = yield from link.run_steps(sql, None, until=until)
    yield from link.run_steps("COMMIT", None, until=until)
    said = {str(name).lower(): value for name, value in rows.rows}
    return _place(said.get("binlog_snapshot_file"), said.get("binlog_snapshot_position"))


def _place(file: object, position: Any) -> tuple[int, str, int]:
    """In the order of writing: the files are numbered."""
    name = str(file or "")
    return len(name), name, int(position or 0)


def _sooner(until: float | None, limit: float) -> float:
    return limit if until is None else min(until, limit)


def _not_shown(shard: str, primary: Node, replica: Node | None) -> OperationalError:
    where = "a replica" if replica is None else replica.name
    return OperationalError(
        "OG-RUN-015",
        f"{primary.name} does not show yet what this session has seen on {where}: a commit there is still waiting",
        cure="see which commits wait (pg_stat_activity, wait_event SyncRep); synchronous replicas may be gone. "
        "Run it again, or read in a session of another level",
        shard=shard,
        node=primary.name,
    )
