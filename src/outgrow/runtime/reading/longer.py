"""A link for a longer read (a stream, a COPY): what is to be asked of a replica is asked on that very link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.errors import Error, NodeLost
from outgrow.nodes import Link
from outgrow.route import Check, choose
from outgrow.runtime import asking, generation, pooled
from outgrow.runtime.footing import Footing
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

_LOSSES_MAX = 3


def link_steps(conversation: Conversation, shard: str, replicas: bool, until: float | None) -> Steps[tuple[Node, Link]]:
    """The node and the link, to be given back to its pool; behind a pooler with the read's transaction begun.

    From the primary where `replicas` may not answer, or none is fit.
    """
    state, footing = conversation.state, conversation.footing(shard)
    if footing.pending and conversation.level.name != "eventual":
        yield from state.settle_steps(shard, footing, until)
    losses = 0
    while True:
        node, check = _chosen(conversation, shard, footing, replicas)
        primary = node is state.health.seats(state.name, shard).primary
        pool = state.nodes.pool(node)
        try:
            if primary:
                yield from footing.leave_steps(state, shard, until)
            link = yield from pool.take_steps(until)
            fit = False
            try:
                fit = yield from _fit_steps(conversation, node, link, check, until)
            finally:
                if not fit:
                    pool.give(link)
        except NodeLost as error:
            state.health.note_lost(node, error)
            losses += 1
            if losses == _LOSSES_MAX or (primary and not (yield from state.survey_steps(shard, until))):
                raise
            continue
        if fit:
            return node, link
        replicas = False


def _chosen(conversation: Conversation, shard: str, footing: Footing, replicas: bool) -> tuple[Node, Check]:
    state, level = conversation.state, conversation.level
    seats = state.health.seats(state.name, shard)
    if not replicas or (footing.unplaced and level.name == "session"):
        return seats.primary, Check.NOTHING
    turn = state.next_turn()
    choice = choose(seats, level, footing.floor, footing.last, state.health, turn, state.file.reads)
    return choice.node, choice.check


def _fit_steps(conversation: Conversation, node: Node, link: Link, check: Check, until: float | None) -> Steps[bool]:
    """Whether the node may serve this session now; it then stands there."""
    state, level, footing = conversation.state, conversation.level, conversation.footing(node.shard)
    if node.pooled:
        return (yield from pooled.opened_steps(state, node, link, footing, level, until))
    if node is state.health.seats(state.name, node.shard).primary:
        footing.lose()
        return True
    if level.name != "eventual":
        if not (yield from asking.known_steps(state, link, footing, level, until)):
            return False
        asked = check is Check.GUARD or not asking.holds(state, link, footing, level)
        if asked and not (yield from _guarded_steps(conversation, link, footing, until)):
            return False
    state.health.interest += 1
    footing.stand_on(node, level, link.incarnation)
    return True


def _guarded_steps(conversation: Conversation, link: Link, footing: Footing, until: float | None) -> Steps[bool]:
    state = conversation.state
    try:
        place = yield from link.run_steps(state.engine.questions.guard, None, until=until)
    except Error as error:
        if generation.without_ledger(error):
            return False
        raise
    if generation.without_ledger(place):
        return False
    return (yield from asking.passed_steps(state, link, footing, conversation.level, place, until))
