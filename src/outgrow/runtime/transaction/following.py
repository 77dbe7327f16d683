"""Whether replicas have got what their primary has: asked where a failover may not take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Rows, together
from outgrow.route import Position
from outgrow.topology import Node
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: How long a replica may take to say where it is.
_ANSWER_SECONDS = 0.5
#: How long to wait for one.
_PATIENCE_SECONDS = 1.0
#: Between two looks, doubling.
_PAUSE_FIRST, _PAUSE_LAST = 0.0005, 0.05


def reached_steps(state: DomainState, shard: str, place: Rows, until: float) -> Steps[bool]:
    """Whether a replica has got to where its primary was when it answered so; True where the shard has none.

    One is enough: after a failover of which nobody loses more than he must, the one that had got furthest is primary.
    (It is waited for a moment: where much is written, replicas are always a little behind what is asked now.)
    """
    seats = state.health.seats(state.name, shard)
    if not seats.replicas:
        return True
    written = state.engine.questions.place_of(place)
    if written.promoted:
        # Places of before say nothing of places of now, until that is recorded.
        yield from state.survey_steps(shard, until)
        return False
    goal = written.position
    limit = min(until, monotonic() + _PATIENCE_SECONDS)
    pause = _PAUSE_FIRST
    while True:
        found = yield from together([_got_steps(state, node, limit) for node in seats.replicas])
        if any(at is not None and at.generation == goal.generation and at.lsn >= goal.lsn for at in found):
            return True
        if monotonic() >= limit:
            return False
        yield Until(min(monotonic() + pause, limit))
        pause = min(2 * pause, _PAUSE_LAST)


def _got_steps(state: DomainState, node: Node, until: float) -> Steps[Position | None]:
    """How far it is; None where it does not say, or is no replica."""
    limit = min(until, monotonic() + _ANSWER_SECONDS)
    pool = state.nodes.pool(node)
    try:
        link = pool.take_now() or (yield from pool.take_steps(limit))
        try:
            rows = yield from link.run_steps(state.engine.questions.got, None, until=limit)
        finally:
            pool.give(link)
        beat = state.engine.questions.beat_of(rows)
    except NodeLost as error:
        state.health.note_lost(node, error)
        return None
    except Error:
        return None
    return beat.position if beat.in_recovery else None
