"""`fleet.outbox()`: what waits in a domain's outbox, and an operator's verbs for it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from outgrow.nodes import drive, drive_async
from outgrow.runtime.outbox import looking, seeing
from outgrow.runtime.outbox.looking import BlockedKey, OutboxLag

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


class FleetOutbox:
    """Each verb asks every shard's primary."""

    def __init__(self, state: DomainState) -> None:
        self._state = state

    def lag(self) -> tuple[OutboxLag, ...]:
        """Of each shard and topic with anything that waits: how much, since when, and what is in the way."""
        return drive(looking.lag_steps(self._state))

    async def lag_async(self) -> tuple[OutboxLag, ...]:
        """The same for asyncio."""
        return await drive_async(looking.lag_steps(self._state))

    def blocked(self, topic: str | None = None, limit: int = 100) -> tuple[BlockedKey, ...]:
        """Keys that wait behind a message that was refused; of each shard those that have failed most often."""
        return drive(looking.blocked_steps(self._state, topic, limit))

    def retry(self, topic: str | None = None, key: str | None = None) -> int:
        """Let blocked keys be tried again now, not only when their time has come; how many there are."""
        return drive(looking.retry_steps(self._state, topic, key))

    def drop(self, id: UUID) -> str | None:
        """Delete a message that nobody shall have any more; its topic, or None where no such message waits."""
        return drive(looking.drop_steps(self._state, id))

    def forget_seen(self, older_than_seconds: float = seeing.KEPT_SECONDS) -> int:
        """Forget which messages consumers have seen (`session.once`) longer ago; how many.

        Processes with consumers do so by themselves, once in an hour or so.
        """
        return drive(seeing.forget_steps(self._state, older_than_seconds))
