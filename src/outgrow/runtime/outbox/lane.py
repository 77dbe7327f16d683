"""One topic of one shard: read what waits, hand it to the target, write down what became of it, and again.

No transaction is open while the target is spoken to, and no connection taken.  What has become of a batch is written in
the same flush that reads the next one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Asked, Link, Rows
from outgrow.runtime import snapshot
from outgrow.runtime.asking import answered
from outgrow.runtime.outbox.bell import Bell
from outgrow.runtime.outbox.delivering import Delivering
from outgrow.runtime.outbox.keeper import Keeper
from outgrow.transactions import outbox
from outgrow.transactions.outbox import Batch, Floor, Message, Pace, Settlement, Unavailable, Verdict
from outgrow.waits import Future, Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: After a call that found nothing new it looks again so soon, and then after twice as long each time.  More than
#: `waking.REST_SECONDS`.
LINGER_SECONDS = 0.01
#: How long the shard may take to answer; and between two tries.
_ASK_SECONDS, _AGAIN_FIRST, _AGAIN_LONGEST = 30.0, 0.1, 5.0


class Round(NamedTuple):
    """What one round of a lane came to, for whoever counts."""

    shard: str
    topic: str
    messages: Sequence[Message]
    settlement: Settlement
    seconds: float
    #: Why the target took nothing more.
    unavailable: str | None


class Lane:
    def __init__(
        self,
        state: DomainState,
        keeper: Keeper,
        topic: str,
        delivering: Delivering,
        bell: Bell,
        stopping: Bell,
        told: Callable[[Round], None],
        *,
        once: bool,
        batch: int,
        poll_seconds: float,
    ) -> None:
        self._state = state
        self._keeper = keeper
        self.topic = topic
        self._delivering = delivering
        self._bell = bell
        self._stopping = stopping
        self._told = told
        self._once = once
        self._limit = batch
        self._poll_seconds = poll_seconds
        self._pace = Pace(random.random)
        #: What could not be asked, in the end; and whether another relay serves the topic here.
        self.trouble: Error | None = None
        self.elsewhere = False
        self._again = _AGAIN_FIRST
        #: The keeper's, under which what is known of the shard was learnt.
        self._claim: int | None = None
        self._start_over()

    def _start_over(self) -> None:
        """Nothing that was known of the shard counts."""
        self._floor = Floor()
        self._unsettled: list[Asked] = []
        #: When the next blocked key is due, as far as is known.
        self._due_at: float | None = 0.0
        self._linger = LINGER_SECONDS

    def run_steps(self) -> Steps[None]:
        """Until the relay is to stop; `once`: until nothing is left to be delivered now."""
        try:
            while not self._stopping.rung:
                self._bell.hush()
                claim = self._keeper.claim(self.topic)
                self.elsewhere = self._keeper.tried and claim is None
                if claim != self._claim:
                    # A server that took over meanwhile may give numbers again.
                    self._start_over()
                    self._claim = claim
                if claim is not None:
                    if (yield from self._turn_steps()):
                        return
                elif self._once and self._keeper.tried:
                    self.trouble = self._keeper.trouble
                    return
                else:
                    yield from self._bell.wait_steps(monotonic() + 1.0)
            if self._unsettled and self._keeper.claim(self.topic) == self._claim:
                yield from self._settle_rest_steps()
        finally:
            self._keeper.leave(self.topic)
            self._delivering.close()

    def _turn_steps(self) -> Steps[bool]:
        """One round and the rest behind it; True where that was all."""
        try:
            worked = yield from self._round_steps()
            self.trouble, self._again = None, _AGAIN_FIRST
        except Error as error:
            self.trouble = error
            self._start_over()
            if self._once:
                return True
            yield from self._bell.wait_steps(monotonic() + self._again)
            self._again = min(2 * self._again, _AGAIN_LONGEST)
            return False
        if worked:
            self._linger = LINGER_SECONDS
        elif self._once:
            return True
        else:
            yield from self._rest_steps()
        return False

    def _rest_steps(self) -> Steps[None]:
        now = monotonic()
        if (paused := self._pace.paused_until) is not None and now < paused:
            # Whoever emits now does not know that nobody takes it.
            yield from self._stopping.wait_steps(paused)
            return
        until = now + self._linger
        if self._due_at is not None:
            until = min(until, max(self._due_at, now + LINGER_SECONDS))
        if (yield from self._bell.wait_steps(until)):
            self._linger = LINGER_SECONDS
        else:
            self._linger = min(2 * self._linger, self._poll_seconds)

    def _round_steps(self) -> Steps[bool]:
        """False where there was nothing to do."""
        started, pace = monotonic(), self._pace
        if pace.paused_until is not None and started < pace.paused_until:
            if self._unsettled:
                yield from self._settle_rest_steps()
            return False
        batch, rise = yield from self._read_steps(1 if pace.probing else self._limit, pace.probing)
        if not batch.messages and not batch.due:
            if rise is not None:
                self._floor.rise(rise)
            return False
        if self._keeper.claim(self.topic) != self._claim:
            return True
        verdicts, unavailable = yield from self._deliver_steps(batch.messages)
        settlement = outbox.settled(batch, verdicts)
        self._unsettled = outbox.settling(self.topic, settlement, random.random)
        if rise is not None and settlement.complete:
            self._floor.rise(rise)
        for _, last in settlement.freed:
            self._floor.fall(last)
        self._note(settlement, unavailable)
        if batch.messages:
            seconds = monotonic() - started
            self._told(Round(self._keeper.shard, self.topic, batch.messages, settlement, seconds, unavailable))
        return True

    def _note(self, settlement: Settlement, unavailable: str | None) -> None:
        """What the round says of the target, and of keys."""
        pace, now = self._pace, monotonic()
        back = pace.delivered() if settlement.delivered else False
        if unavailable is not None:
            pace.unavailable(now)
        elif settlement.blocked and not settlement.delivered:
            pace.refused(sum(block.attempts == 1 for block in settlement.blocked), now)
        if back and not pace.probing:
            # What was refused while it was not there has waited long enough.
            self._unsettled.append(outbox.retrying(self.topic, None))
            self._due_at = now

    def _read_steps(self, limit: int, probing: bool) -> Steps[tuple[Batch, int | None]]:
        """What is next, and how far the floor will have risen once that is settled."""
        topic, shard, now = self.topic, self._keeper.shard, monotonic()
        due = self._due_at is not None and now >= self._due_at
        asked = [*self._unsettled, outbox.reading(topic, self._floor.number, limit)]
        if due:
            asked.append(outbox.reading_due(topic, 1 if probing else outbox.DUE_KEYS, limit))
        asked.append(outbox.looking(topic, self._floor.bounds))
        answers = (yield from self._ask_steps(asked))[len(self._unsettled) :]
        self._unsettled = []
        messages = outbox.messages_of(shard, topic, answers[0].rows)
        rise = self._floor.read([message.number for message in messages], limit)
        ((drawn, oldest, begun, seconds),) = answers[-1].rows
        self._floor.look(drawn, oldest, begun)
        self._due_at = None if seconds is None else now + max(0.0, seconds)
        if not due or (probing and messages):
            return Batch(messages), rise
        first, lanes = outbox.due_of(shard, topic, answers[1].rows, limit)
        # Those that failed before come last: they may fail again, and slowly.
        return Batch((*messages, *first), lanes), rise

    def _ask_steps(self, asked: Sequence[Asked]) -> Steps[list[Rows]]:
        """In one flush, each by itself."""
        state, until = self._state, monotonic() + _ASK_SECONDS
        node = state.health.seats(state.name, self._keeper.shard).primary

        def flush_steps(link: Link) -> Steps[list[Rows]]:
            return [answered(outcome) for outcome in (yield from link.run_many_steps(asked, until=until))]

        try:
            return (yield from snapshot.on_node_steps(state.nodes, node, until, flush_steps, past=True))
        except NodeLost:
            yield from state.survey_steps(self._keeper.shard, until)
            raise

    def _settle_rest_steps(self) -> Steps[None]:
        unsettled, self._unsettled = self._unsettled, []
        yield from self._ask_steps(unsettled)

    def _deliver_steps(self, messages: Sequence[Message]) -> Steps[tuple[Sequence[Verdict], str | None]]:
        if not messages:
            return (), None
        given = self._delivering.start(messages)
        yield Future(given)
        if given.cancelled():
            return outbox.none_of(messages), "the target was cancelled by itself"
        error = given.exception()
        if error is None:
            found: Any = given.result()
            wrong = outbox.wrong_answer(found, len(messages))
            return (outbox.none_of(messages), wrong) if wrong else (found, None)
        if isinstance(error, Unavailable) and error.verdicts is not None and len(error.verdicts) == len(messages):
            return error.verdicts, error.reason
        return outbox.none_of(messages), str(error) or type(error).__name__
