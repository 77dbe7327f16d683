"""Links for longer reads: a transaction's branches, or the pools' links until they are given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import Asked, Link
from outgrow.runtime import pooled
from outgrow.runtime.directories.outdated import Editions, Outdated, check_held, edition_of
from outgrow.runtime.dress import dressed_steps
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.reading import longer
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.transaction.branches import Transaction


class Borrowed:
    """What one stream or COPY holds."""

    def __init__(self, conversation: Conversation, *, beside: bool = False) -> None:
        self._conversation = conversation
        #: The transaction that is open does not count.
        self._beside = beside
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
        transaction = self._transaction
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
        if self._transaction is not None:
            return (yield from self._transaction.link_steps(shard, writes, until))
        read_only = prepared is None or prepared.read_only
        started = monotonic()
        node, link = yield from longer.link_steps(conversation, shard, read_only and not on_primary, until)
        conversation.noting.visit(conversation.state, node, "stream", -1, started)
        self._held.append((node, link))
        if node.pooled:
            return link
        dress = conversation.footing(shard).dress
        if link.dress != dress:
            yield from dressed_steps(link, dress)
        if edition is not None:
            self._begun.append(link)
            yield from _begin_steps(link, edition, read_only, until)
        return link

    @property
    def _transaction(self) -> Transaction | None:
        return None if self._beside else self._conversation.transaction

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
    queries = ledger.queries(link.engine)
    if read_only:
        asked: list[Asked] = [(queries["edition_snapshot"], None), (queries["edition"], None)]
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
