"""Links for longer reads: a transaction's branches, or the pools' links until they are given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.clock import monotonic
from outgrow.errors import NodeLost
from outgrow.nodes import Link
from outgrow.runtime import pooled
from outgrow.runtime.dress import dressed_steps
from outgrow.runtime.prepared import Prepared
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


class Borrowed:
    """What one stream or COPY holds."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._held: list[tuple[Node, Link]] = []

    def link_steps(self, shard: str, prepared: Prepared | None, until: float | None) -> Steps[Link]:
        """A link to the shard, fit for this statement; None reads a table."""
        conversation = self._conversation
        writes = prepared is not None and prepared.writes
        if conversation.transaction is not None:
            return (yield from conversation.transaction.link_steps(shard, writes, until))
        node = yield from conversation.stream_node_steps(shard, prepared is None or prepared.read_only, until)
        if node.pooled:
            return (yield from self._pooled_link_steps(node, until))
        pool = conversation.state.nodes.pool(node)
        started = monotonic()
        link = yield from pool.take_steps(until)
        conversation.noting.visit(conversation.state, node, "stream", -1, started)
        self._held.append((node, link))
        dress = conversation.footing(shard).dress
        if link.dress != dress:
            yield from dressed_steps(link, dress)
        return link

    def _pooled_link_steps(self, node: Node, until: float | None) -> Steps[Link]:
        """In a transaction of its own, which has asked whether the node is what it was chosen for."""
        conversation, state = self._conversation, self._conversation.state
        footing = conversation.footing(node.shard)
        for last_try in (False, False, True):
            pool = state.nodes.pool(node)
            started = monotonic()
            primary = node is state.health.seats(state.name, node.shard).primary
            try:
                fit = False
                link = yield from pool.take_steps(until)
                try:
                    fit = yield from pooled.opened_steps(state, node, link, footing, conversation.level, until)
                finally:
                    if not fit:
                        pool.give(link)
            except NodeLost as error:
                if last_try:
                    raise
                state.health.note_lost(node, error)
                if primary:
                    yield from state.survey_steps(node.shard, until, cause=error)
            if fit:
                break
            node = state.health.seats(state.name, node.shard).primary
        conversation.noting.visit(state, node, "stream", -1, started)
        self._held.append((node, link))
        return link

    @property
    def in_transactions(self) -> bool:
        """Transactions were begun that `finish_steps` has to end."""
        return any(link.pooled for _, link in self._held)

    def finish_steps(self, whole: bool) -> Steps[None]:
        """Behind poolers, end the transactions that were begun: what ran to its end is committed."""
        for _, link in self._held:
            if link.pooled:
                yield from pooled.closed_steps(link, whole)

    def give_back(self) -> None:
        for node, link in self._held:
            self._conversation.state.nodes.pool(node).give(link)
        self._held.clear()
