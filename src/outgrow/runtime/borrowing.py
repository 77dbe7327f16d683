"""Links for longer reads: a transaction's branches, or the pools' links until they are given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.clock import monotonic
from outgrow.nodes import Link
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
        pool = conversation.state.nodes.pool(node)
        started = monotonic()
        link = yield from pool.take_steps(until)
        conversation.noting.visit(conversation.state, node, "stream", -1, started)
        self._held.append((node, link))
        dress = conversation.footing(shard).dress
        if link.dress != dress:
            yield from dressed_steps(link, dress)
        return link

    def give_back(self) -> None:
        for node, link in self._held:
            self._conversation.state.nodes.pool(node).give(link)
        self._held.clear()
