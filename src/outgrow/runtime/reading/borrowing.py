"""Links for longer reads: a transaction's branches, or the pools' links until they are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Asked, Link
from outgrow.runtime import pooled
from outgrow.runtime.directories.outdated import Editions, Outdated, check_held, edition_of
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
        #: Those of them on which a transaction was begun for an edition.
        self._begun: list[Link] = []

    def links_steps(
        self,
        shards: Sequence[str],
        prepared: Prepared | None,
        until: float | None,
        editions: Editions,
        on_primaries: bool = False,
    ) -> Steps[list[Link]]:
        """A link to each shard, fit for this statement; None reads a table.

        Raises Outdated where a shard's edition is not the one given; what is held then is to be given back.
        """
        transaction = self._conversation.transaction
        if transaction is not None and editions:
            yield from transaction.hold_steps(editions, until)
        links = []
        for shard in shards:
            links.append((yield from self._link_steps(shard, prepared, until, editions.get(shard), on_primaries)))
        return links

    def _link_steps(
        self, shard: str, prepared: Prepared | None, until: float | None, edition: int | None, on_primary: bool
    ) -> Steps[Link]:
        conversation = self._conversation
        writes = prepared is not None and prepared.writes
        if conversation.transaction is not None:
            return (yield from conversation.transaction.link_steps(shard, writes, until))
        read_only = prepared is None or prepared.read_only
        node = yield from conversation.stream_node_steps(shard, read_only and not on_primary, until)
        if node.pooled:
            return (yield from self._pooled_link_steps(node, until))
        if node is conversation.state.health.seats(conversation.state.name, shard).primary:
            yield from conversation.footing(shard).leave_steps(conversation.state, shard, until)
        pool = conversation.state.nodes.pool(node)
        started = monotonic()
        link = yield from pool.take_steps(until)
        conversation.noting.visit(conversation.state, node, "stream", -1, started)
        self._held.append((node, link))
        dress = conversation.footing(shard).dress
        if link.dress != dress:
            yield from dressed_steps(link, dress)
        if edition is not None:
            self._begun.append(link)
            yield from _begin_steps(link, edition, read_only, until)
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
                if primary:
                    yield from footing.leave_steps(state, node.shard, until)
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
        return bool(self._begun) or any(link.pooled for _, link in self._held)

    def finish_steps(self, whole: bool) -> Steps[None]:
        """End the transactions that were begun: what ran to its end is committed."""
        for _, link in self._held:
            if link.pooled:
                yield from pooled.closed_steps(link, whole)
        begun, self._begun = self._begun, []
        for link in begun:
            if link.in_transaction and not link.broken:
                yield from link.run_steps("COMMIT" if whole and not link.in_failed_transaction else "ROLLBACK", None)

    def give_back(self) -> None:
        for node, link in self._held:
            self._conversation.state.nodes.pool(node).give(link)
        self._held.clear()
        self._begun.clear()


def _begin_steps(link: Link, edition: int, read_only: bool, until: float | None) -> Steps[None]:
    """A transaction in which the shard has this edition: it and what is read are of one snapshot.

    What is more than a read (locking rows, say) holds the shard's keys, as a branch does.
    """
    queries = ledger.queries()
    if read_only:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        asked: list[Asked] = [(begin, None), (queries["edition"], None)]
    else:
        asked = [("BEGIN", None), (queries["edition_hold_block"], None), (queries["edition_check_block"], [edition])]
    outcomes = yield from link.run_many_steps(asked, until=until, chained=True)
    if not read_only:
        check_held(outcomes[1], outcomes[2], link.node.shard)
    for outcome in outcomes:
        if isinstance(outcome, Error):
            raise outcome
    if edition_of(outcomes[-1]) != edition:
        raise Outdated(link.node.shard)
