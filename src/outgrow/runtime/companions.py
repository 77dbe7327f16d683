"""Whom a session has in other domains.

A session belongs to one domain: its transaction, what it has SET, and its writes are there.  Of each other domain that
a query of its names it has a *companion*: a conversation of the same level, which keeps what has been seen there, so
that reads there never go back either.  A companion is never in a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.route import Token
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


class Companions:
    """Of one conversation; each is made when it is first needed."""

    def __init__(self, owner: Conversation, seen: Token | None, scatter: str | None) -> None:
        self._owner = owner
        self._scatter = scatter
        #: The token that the session was given may say what was seen in any domain.
        self._seen = seen
        self._known: dict[str, Conversation] = {}

    def of(self, domain: str) -> Conversation:
        owner = self._owner
        if domain == owner.state.name:
            return owner
        found = self._known.get(domain)
        if found is None:
            state = owner.state.neighbours[domain]
            found = self._known[domain] = type(owner)(state, owner.level, self._seen, self._scatter)
            found.noting = owner.noting
            for footing in found.footings.values():
                footing.noting = owner.noting
            if owner.level.name != "strong" and any(shard.replicas for shard in state.picture.domain.shards):
                state.need_heartbeat()
        return found

    def with_own_steps(self, own: Token, until: float | None) -> Steps[Token]:
        """The session's own token, and what it or those before it have seen elsewhere."""
        token = own
        for companion in self._known.values():
            token = token.merged((yield from companion.token_steps(until)))
        if self._seen is None:
            return token
        here = (self._owner.state.name, *self._known)

        def elsewhere(key: str) -> bool:
            return key.partition("/")[0] not in here

        seen = self._seen
        return token.merged(
            Token(
                {key: value for key, value in seen.floors.items() if elsewhere(key)},
                {key: value for key, value in seen.epochs.items() if elsewhere(key)},
                {key: value for key, value in seen.pending.items() if elsewhere(key)},
                frozenset(key for key in seen.ahead if elsewhere(key)),
            )
        )
