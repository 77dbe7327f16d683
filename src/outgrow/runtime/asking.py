"""One shard, one statement outside a transaction: choose a node, ask it, and mend what can be mended.

Each function owns one concern and hands inward: `read_steps` re-routes, `_ask_steps` asks one node with the check
that routing wants, `_with_link_steps` borrows a connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Asked, Link, Outcome, Rows, checked_steps
from outgrow.route import Check, Choice, Level, Position, choose, instead
from outgrow.runtime import generation, pooled
from outgrow.runtime.directories.held import held_block_steps
from outgrow.runtime.directories.outdated import Outdated, check_held, edition_of
from outgrow.runtime.dress import dressed_steps
from outgrow.runtime.events.noting import tell_mended
from outgrow.runtime.footing import Footing
from outgrow.runtime.transaction import waiting
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


def read_steps(
    state: DomainState,
    shard: str,
    footing: Footing,
    level: Level,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
    edition: int | None = None,
) -> Steps[tuple[Rows, Node]]:
    """Read on the shard, from wherever the level allows; a lost node or a stale replica is left for another.

    With an `edition` only where it is the shard's; raises Outdated where the primary has another one.
    """
    started = 0.0 if state.tell is None and footing.noting.measuring is None else monotonic()
    health = state.health
    # (Of replicas chosen unasked too, where they turn out to have been restarted.)
    guards_failed = losses = 0
    lagging = False
    if footing.pending and level.name != "eventual":
        yield from state.settle_steps(shard, footing, until)
    while True:
        seats = health.seats(state.name, shard)
        reads = state.file.reads
        choice = choose(seats, level, footing.floor, footing.last, health, state.next_turn(), reads)
        if lagging or guards_failed > (0 if choice.check is Check.GUARD else len(seats.replicas)):
            choice = instead(seats.primary, True)
        elif footing.unplaced and choice.node is not seats.primary and level.name == "session":
            # A strong read left no place behind; only the primary can say how far this session has seen.
            choice = instead(seats.primary, False)
        node = choice.node
        if node is seats.primary and seats.replicas and level.name != "strong":
            # Where none is known to be fresh enough now, the heartbeat is to find out.
            health.interest += 1
        try:
            rows = yield from _ask_steps(state, choice, footing, level, sql, params, until, edition)
        except Outdated:
            if node is seats.primary:
                raise
            # It may only lag; if it does not, the primary says so.
            lagging = True
            continue
        except NodeLost as error:
            losses += 1
            health.note_lost(node, error)
            if losses > len(seats.replicas) + 2:
                footing.noting.visit(state, node, choice.reason, -1, started, error)
                raise
            if node is seats.primary:
                yield from state.survey_steps(shard, until)
            tell_mended(state, error)
            continue
        except Error as error:
            footing.noting.visit(state, node, choice.reason, -1, started, error)
            raise
        if rows is not None:
            if started:
                footing.noting.read(state, node, choice.reason, rows, started, params)
            return rows, node
        guards_failed += 1


def _ask_steps(
    state: DomainState,
    choice: Choice,
    footing: Footing,
    level: Level,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
    edition: int | None,
) -> Steps[Rows | None]:
    """The rows; None where the node is not what it was chosen for: not fresh enough, or not a primary any more."""
    node, check, _ = choice
    on_primary = node is state.health.seats(state.name, node.shard).primary
    if on_primary and footing.ahead:
        yield from footing.leave_steps(state, node.shard, until)
    pool = state.nodes.pool(node)
    link = pool.take_now() or (yield from pool.take_steps(until))
    try:
        if node.pooled:
            found, place = yield from pooled.read_steps(state, choice, link, footing, level, sql, params, until)
            if place is not None:
                yield from stand_steps(state, link, footing, place)
            return found
        if link.dress is not footing.dress and link.dress != footing.dress:
            yield from dressed_steps(link, footing.dress)
        if on_primary and link.standby:
            yield from state.not_primary_steps(node, link, until)
            return None
        if not on_primary and level.name != "eventual":
            if not (yield from known_steps(state, link, footing, level, until)):
                return None
            if check is Check.NOTHING and not holds(state, link, footing, level):
                check = Check.GUARD
                choice = choice._replace(check=check)
        if edition is not None:
            return (yield from _between_looks_steps(state, choice, link, footing, level, (sql, params), edition, until))
        if check is Check.NOTHING:
            if on_primary:
                rows = yield from link.run_steps(sql, params, until=until)
                footing.unplaced = True
                footing.last = None
            else:
                state.health.interest += 1
                rows = yield from link.run_steps(sql, params, until=until)
                footing.stand_on(node, level, link.incarnation)
            return rows
        if check is Check.GUARD:
            state.health.interest += 1
            return (yield from _guarded_steps(state, node, link, footing, level, sql, params, until))
        seen, place = yield from link.run_two_steps((sql, params), (state.engine.questions.place, None), until=until)
        rows = answered(seen)
        yield from stand_steps(state, link, footing, place)
        footing.last = None
        return rows
    finally:
        pool.give(link)


def _guarded_steps(
    state: DomainState,
    node: Node,
    link: Link,
    footing: Footing,
    level: Level,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
) -> Steps[Rows | None]:
    place, rows = yield from link.run_two_steps((state.engine.questions.guard, None), (sql, params), until=until)
    if generation.without_ledger(place):
        return None
    if not (yield from passed_steps(state, link, footing, level, answered(place), until)):
        return None
    footing.stand_on(node, level, link.incarnation)
    return answered(rows)


def known_steps(state: DomainState, link: Link, footing: Footing, level: Level, until: float | None) -> Steps[bool]:
    """Whether a replica can show all that the session has seen on it: False where it was restarted since.

    A replica opens once it is consistent, not once it is where it was.  Each connection is asked once: it does not
    outlive the server's run.
    """
    if not link.incarnation:
        link.incarnation = yield from generation.incarnation_steps(link, state.engine.questions, until)
    if footing.last is link.node and footing.incarnation != link.incarnation and level.name == "session":
        footing.lose()
        return False
    return True


def holds(state: DomainState, link: Link, footing: Footing, level: Level) -> bool:
    """Whether what is known of the replica, for which it was chosen unasked, is known of this run of the server."""
    if level.name == "session" and footing.floor is None:
        return True
    position = state.health.replayed_by(link.node, link.incarnation)
    return position is not None and _is_enough(state, link.node, position, footing, level)


def _is_enough(state: DomainState, node: Node, position: Position, footing: Footing, level: Level) -> bool:
    if level.name == "bounded":
        return state.health.staleness_at(node, position) <= level.staleness_seconds
    floor = footing.floor
    return floor is None or (position.generation == floor.generation and position.lsn >= floor.lsn)


def passed_steps(
    state: DomainState, link: Link, footing: Footing, level: Level, place: Rows, until: float | None
) -> Steps[bool]:
    """What a replica has answered to the guard: is it fresh enough, and still one?"""
    node = link.node
    position, in_recovery = generation.guard_of(place)
    if not in_recovery:
        # Promoted: no longer a replica whose place means anything to the floor.
        yield from state.survey_steps(node.shard, until)
        return False
    state.health.note_replayed(node, position, link.incarnation)
    fresh = _is_enough(state, node, position, footing, level)
    state.health.note_guard(node, fresh)
    return fresh


def _between_looks_steps(
    state: DomainState,
    choice: Choice,
    link: Link,
    footing: Footing,
    level: Level,
    asked: Asked,
    edition: int,
    until: float | None,
) -> Steps[Rows | None]:
    """Read between two looks at the shard's edition, in one flush: where both see this one, so did the read.

    The look before is left out where the node has been seen with this edition: it never goes back to an older one, as
    long as the server runs.
    """
    node, check, _ = choice
    look: Asked = (ledger.queries(link.engine)["edition"], None)
    before: list[Asked] = [(state.engine.questions.guard, None)] if check is Check.GUARD else []
    looks = state.editions_seen.get(node.name) != (edition, link.incarnation)
    if looks:
        before.append(look)
    behind: list[Asked] = [look, (state.engine.questions.place, None)] if check is Check.PLACE else [look]
    outcomes = yield from checked_steps(link, [*before, asked, *behind], 0, until)
    at = len(before)
    if check is Check.GUARD and generation.without_ledger(outcomes[0]):
        return None
    if check is Check.GUARD and not (
        yield from passed_steps(state, link, footing, level, answered(outcomes[0]), until)
    ):
        return None
    seen = edition_of(outcomes[at + 1])
    state.editions_seen[node.name] = (seen, link.incarnation)
    if seen != edition or (looks and edition_of(outcomes[at - 1]) != edition):
        raise Outdated(node.shard)
    rows = answered(outcomes[at])
    if check is Check.PLACE:
        yield from stand_steps(state, link, footing, outcomes[-1])
    if node is state.health.seats(state.name, node.shard).primary:
        footing.unplaced |= check is not Check.PLACE
        footing.last = None
    else:
        state.health.interest += 1
        footing.stand_on(node, level, link.incarnation)
    return rows


def write_steps(
    state: DomainState,
    shard: str,
    footing: Footing,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
    edition: int | None = None,
) -> Steps[tuple[Rows, Node]]:
    """Write on the shard's primary and learn the place behind the commit, in one flush with two Syncs.

    With an `edition` only where it is the shard's, and stays so until the commit; raises Outdated where it is not.
    """
    started = 0.0 if state.tell is None else monotonic()
    surveyed = False
    if footing.pending:
        yield from state.settle_steps(shard, footing, until)
    while True:
        node = state.health.seats(state.name, shard).primary
        pool = state.nodes.pool(node)
        try:
            if footing.ahead:
                yield from footing.leave_steps(state, shard, until)
            link = pool.take_now() or (yield from pool.take_steps(until))
        except NodeLost as error:
            # Nothing was sent: another primary may have taken over.
            if surveyed or not (yield from state.survey_steps(shard, until)):
                footing.noting.visit(state, node, "write", -1, started, error)
                raise
            tell_mended(state, error)
            surveyed = True
            continue
        try:
            written = _written_steps(state, link, footing, sql, params, until, edition)
            rows, place = yield from waiting.noticed_steps(state, written)
            if isinstance(rows, Rows):
                yield from stand_steps(state, link, footing, place)
                if started:
                    footing.noting.visit(state, node, "write", rows.count, started)
                return rows, node
        finally:
            pool.give(link)
        # Read-only: it was demoted, and nothing was written.  A pooler without a server has not even sent it.
        unsent = node.pooled and isinstance(rows, NodeLost) and not rows.may_have_run
        elsewhere = (unsent or rows.sqlstate == "25006") and not surveyed
        if not (elsewhere and (yield from state.survey_steps(shard, until))):
            footing.noting.visit(state, node, "write", -1, started, rows)
            waiting.note_refused(state, rows)
            raise rows
        tell_mended(state, rows)
        surveyed = True


def _written_steps(
    state: DomainState,
    link: Link,
    footing: Footing,
    sql: str,
    params: Sequence[Any] | None,
    until: float | None,
    edition: int | None,
) -> Steps[tuple[Outcome, Outcome]]:
    if link.pooled:
        return (yield from pooled.write_steps(state, link, footing, sql, params, until))
    if link.dress is not footing.dress and link.dress != footing.dress:
        yield from dressed_steps(link, footing.dress)
    place_sql = state.engine.questions.place
    if edition is None:
        return (yield from link.run_two_steps((sql, params), (place_sql, None), until=until))
    if link.engine == "mariadb":
        return (yield from held_block_steps(link, edition, (sql, params), (place_sql, None), until))
    hold, check, rows, place = yield from checked_steps(
        link, [*_holding(edition), (sql, params), (place_sql, None)], 3, until
    )
    check_held(hold, check, link.node.shard)
    return rows, place


def _holding(edition: int) -> list[Asked]:
    """What goes before a write: no key comes to the shard or goes until it is over, and this is its edition."""
    queries = ledger.queries()
    return [(queries["edition_hold"], None), (queries["edition_check"], [edition])]


def answered(outcome: Rows | Error) -> Rows:
    if isinstance(outcome, Error):
        raise outcome
    return outcome


def stand_steps(state: DomainState, link: Link, footing: Footing, answer: Rows | Error) -> Steps[None]:
    """Make the primary's place the session's floor.

    A primary whose timeline is not the recorded one was promoted, and we are the first to meet it: its generation is
    raised, so that nobody compares its places with the old server's.
    """
    place = state.engine.questions.place_of(answered(answer))
    if place.promoted:
        raised = yield from ledger.raise_generation_steps(link, place.timeline)
        footing.raise_floor(Position(raised.counter, place.position.lsn))
    else:
        footing.raise_floor(place.position)
    footing.unplaced = False
