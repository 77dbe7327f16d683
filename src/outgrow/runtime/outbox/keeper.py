"""One shard's topics are claimed on a connection of its own, by locks that end with it; and callers are heard there.

So one relay at a time serves a topic of a shard, and another takes over when the one is gone, however it went.  Where
the connection breaks although its process lives, two may be at it for a moment: each goes through a key's messages from
the first that waits, so that whatever is delivered for the first time still comes in order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Link, heard_steps
from outgrow.runtime.outbox.bell import Bell
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_SQL = ledger.queries()

#: Between two tries for what others serve, which are also the sign that the connection lives.
CLAIM_SECONDS = 1.0
#: How long the server may take for it, and between two connections.
_ASK_SECONDS, _AGAIN_FIRST, _AGAIN_LONGEST = 10.0, 0.1, 5.0
#: How soon it is noticed that the relay is to stop.
_SLICE_SECONDS = 0.25


class Keeper:
    def __init__(self, state: DomainState, shard: str, bells: Mapping[str, Bell], once: bool, stopping: Bell) -> None:
        self._state = state
        self.shard = shard
        #: Topic → what its lane waits for.
        self._bells = bells
        self._once = once
        self._stopping = stopping
        #: Topic → which of our connections claims it.
        self._held: dict[str, int] = {}
        self._connections = 0
        self._left = set(bells)
        self._done = Bell()
        #: It has tried to claim, or could not; and what went wrong.
        self.tried = False
        self.trouble: Error | None = None

    def holds(self, topic: str) -> bool:
        return topic in self._held

    def claim(self, topic: str) -> int | None:
        """Another number where the claim was lost in between: then another server may answer by now."""
        return self._held.get(topic)

    def leave(self, topic: str) -> None:
        """Its lane has ended; the claims go when all have."""
        self._left.discard(topic)
        if not self._left:
            self._done.ring()

    def run_steps(self) -> Steps[None]:
        """Until all lanes have ended."""
        wait = _AGAIN_FIRST
        while self._left:
            try:
                yield from self._keep_steps()
                wait = _AGAIN_FIRST
            except Error as error:
                self.trouble = error
                yield from self._settle_steps(error)
            finally:
                self._lose()
            if self._left:
                yield from self._done.wait_steps(monotonic() + wait)
                wait = min(2 * wait, _AGAIN_LONGEST)

    def _settle_steps(self, error: Error) -> Steps[None]:
        """Another server may be the primary by now."""
        if isinstance(error, NodeLost) or error.sqlstate == "25006":
            try:
                yield from self._state.survey_steps(self.shard, monotonic() + _ASK_SECONDS)
            except Error as second:
                self.trouble = second

    def _lose(self) -> None:
        self.tried = True
        self._held.clear()
        for bell in self._bells.values():
            bell.ring()

    def _keep_steps(self) -> Steps[None]:
        state = self._state
        node = state.health.seats(state.name, self.shard).primary
        link = yield from state.nodes.connect_steps(node.direct or node, monotonic() + _ASK_SECONDS)
        try:
            if link.standby:
                yield from state.not_primary_steps(node, link, monotonic() + _ASK_SECONDS)
                return
            self._connections += 1
            for query in ("outbox_vigil", "outbox_listen"):
                yield from link.run_steps(_SQL[query], None, until=monotonic() + _ASK_SECONDS)
            while self._left:
                yield from self._claim_steps(link)
                if self._once:
                    yield from self._done.wait_steps(None)
                else:
                    yield from self._hear_steps(link, monotonic() + CLAIM_SECONDS * random.uniform(0.8, 1.2))
            yield from link.run_steps(_SQL["outbox_release"], None, until=monotonic() + _ASK_SECONDS)
        finally:
            link.close()

    def _claim_steps(self, link: Link) -> Steps[None]:
        wanted = [topic for topic in self._bells if topic in self._left and topic not in self._held]
        answer = yield from link.run_steps(_SQL["outbox_claim"], [wanted], until=monotonic() + _ASK_SECONDS)
        self.trouble = None
        claimed = [topic for (topic,) in answer.rows]
        self._held.update(dict.fromkeys(claimed, self._connections))
        self._ring(claimed if self.tried else list(self._bells))
        self.tried = True

    def _hear_steps(self, link: Link, until: float) -> Steps[None]:
        while self._left and (now := monotonic()) < until:
            self._ring((yield from heard_steps(link, min(until, now + _SLICE_SECONDS))))
            if self._stopping.rung:
                # What is left is to deliver what was begun.
                yield from self._done.wait_steps(until)

    def _ring(self, topics: Sequence[str]) -> None:
        for topic in topics:
            if topic in self._bells:
                self._bells[topic].ring()
