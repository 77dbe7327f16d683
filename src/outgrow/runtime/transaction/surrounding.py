"""The transaction that something of many pieces writes in: the session's, or else one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from outgrow.errors import Error, OperationalError
from outgrow.keyspace import Keyspace
from outgrow.nodes import Link, together
from outgrow.runtime.directories import directory
from outgrow.runtime.uniqueness import settling
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


class Surrounding:
    """Made when the first piece is due; then `done_steps` or `failed_steps`."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._own = conversation.transaction is None
        if self._own:
            conversation.begin()

    def links_steps(self, shards: Sequence[str], placer: Keyspace | None = None) -> Steps[list[Link]]:
        """Each shard's branch, to write on; with a `placer` whose book of the directory stays true of them."""
        transaction = self._conversation.transaction
        assert transaction is not None
        if placer is not None:
            yield from directory.settled_steps(self._conversation.state, placer, transaction, shards)
        # All are open before anything waits, so that no branch takes itself for the only one.
        yield from transaction.open_steps(shards, None)
        return (yield from together([transaction.link_steps(shard, True, None) for shard in shards]))

    def done_steps(self) -> Steps[None]:
        """All went well: what is unique in the whole domain is brought to its index, and what is ours is committed."""
        transaction = self._conversation.transaction
        assert transaction is not None
        try:
            yield from settling.settle_steps(transaction, None)
        except BaseException as error:
            yield from self.failed_steps(error)
            raise
        if self._own:
            yield from self._conversation.commit_steps()

    def failed_steps(self, error: BaseException) -> Steps[None]:
        """Something did not: what is ours is rolled back, and the session's must be (or to a savepoint)."""
        if self._own:
            yield from self._conversation.rollback_steps()
        elif (transaction := self._conversation.transaction) is not None and transaction.failed is None:
            transaction.failed = error if isinstance(error, Error) else given_up(error)

    def abandon(self) -> None:
        """Nobody waits any more: what is ours is closed."""
        if self._own:
            self._conversation.abandon()


def given_up(error: BaseException) -> OperationalError:
    """What a transaction has failed with that was left in the middle."""
    return OperationalError(
        "OG-COPY-009",
        f"what was being written was given up: {error!r}",
        cure="roll the transaction back, or to a savepoint from before",
    )
