"""A relay: delivers what is emitted on every shard of a domain, topic by topic, as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from outgrow.clock import monotonic, wall_ns
from outgrow.errors import InterfaceError, NotSupportedError
from outgrow.events import MessagesDelivered
from outgrow.nodes import drive, drive_async, together
from outgrow.runtime.domain import DomainState
from outgrow.runtime.outbox.bell import Bell
from outgrow.runtime.outbox.delivering import Delivering, Loops
from outgrow.runtime.outbox.emitting import check_engine
from outgrow.runtime.outbox.functions import target_of
from outgrow.runtime.outbox.keeper import Keeper
from outgrow.runtime.outbox.lane import Lane, Round
from outgrow.transactions.outbox import Target, checked_topic
from outgrow.waits import Future, Steps


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a relay has done since it began."""

    #: Topic → messages that its target has taken; and how often one was refused.
    delivered: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    #: `topic on shard` → why nothing is delivered there now: another relay serves it, or what was in the way last.
    waiting: Mapping[str, str] = field(default_factory=dict)
    #: `topic on shard`, as far as it serves them now.
    serving: tuple[str, ...] = ()


#: How long targets may take to close.
_CLOSE_SECONDS = 10.0


async def _awaited(closed: Awaitable[Any]) -> None:
    await closed


@dataclass(frozen=True, slots=True)
class _Settings:
    batch: int
    poll_seconds: float


class Relay:
    """Runs in any process; of several, one at a time serves a topic of a shard, and another takes over from it."""

    def __init__(
        self,
        state: DomainState,
        targets: Mapping[str, Any],
        *,
        batch: int,
        poll_seconds: float,
        workers: int,
    ) -> None:
        check_engine(state)
        if not targets or batch < 1 or poll_seconds <= 0 or workers < 1:
            raise InterfaceError(
                "OG-TX-087",
                "a relay needs a target for at least one topic, and numbers above zero",
                cure="fleet.relay({'orders': handle_order})",
            )
        self._state = state
        self._targets: dict[str, Target] = {
            checked_topic(topic): target_of(given, workers) for topic, given in targets.items()
        }
        self._settings = _Settings(batch, poll_seconds)
        self._stopping = Bell()
        self._running = threading.Lock()
        self._delivered: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._unavailable: dict[str, str] = {}
        self._lanes: list[tuple[Keeper, Lane]] = []
        self._bells: list[Bell] = []

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self) -> Relayed:
        """Deliver until `stop` is called, from another thread or a signal's handler."""
        return self._drive(once=False)

    def run_once(self) -> Relayed:
        """Deliver what waits now and can be delivered."""
        return self._drive(once=True)

    async def run_async(self) -> Relayed:
        """The same for asyncio; a cancelled task stops at once, and what it had not written down comes again."""
        return await self._drive_async(once=False)

    async def run_once_async(self) -> Relayed:
        return await self._drive_async(once=True)

    def stop(self) -> None:
        """End `run` when what was handed to targets has been answered.  From any thread; for good."""
        self._stopping.ring()
        for bell in list(self._bells):
            bell.ring()

    @property
    def now(self) -> Relayed:
        """What it has done so far, and what it waits for.  From any thread."""
        waiting, serving = dict(self._unavailable), []
        for keeper, lane in list(self._lanes):
            name = f"{lane.topic} on {keeper.shard}"
            if keeper.holds(lane.topic):
                serving.append(name)
            if (trouble := lane.trouble or keeper.trouble) is not None:
                waiting[name] = f"{trouble.code}: {trouble.message}"
            elif lane.elsewhere:
                waiting[name] = "another relay serves it"
        return Relayed(dict(self._delivered), dict(self._refused), waiting, tuple(serving))

    def _drive(self, once: bool) -> Relayed:
        loops = Loops(None)
        try:
            drive(self._run_steps(loops, once))
        finally:
            loops.close()
        return self.now

    async def _drive_async(self, once: bool) -> Relayed:
        await drive_async(self._run_steps(Loops(asyncio.get_running_loop()), once))
        return self.now

    def _run_steps(self, loops: Loops, once: bool) -> Steps[None]:
        if not self._running.acquire(blocking=False):
            raise InterfaceError("OG-TX-088", "this relay runs already", cure="make another with fleet.relay(…)")
        try:
            try:
                self._check_addresses()
                keepers = self._made(loops, once)
                yield from together(
                    [*(keeper.run_steps() for keeper in keepers), *(lane.run_steps() for _, lane in self._lanes)]
                )
            except GeneratorExit:
                # Nobody waits for anything any more.
                raise
            except BaseException:
                # Ctrl-C, a cancellation, a failure: targets are let go of all the same, and this is what is told.
                with contextlib.suppress(Exception):
                    yield from self._close_steps(loops)
                raise
            yield from self._close_steps(loops)
        finally:
            self._running.release()

    def _close_steps(self, loops: Loops) -> Steps[None]:
        """Close each target, whatever becomes of the others; then raise the first error."""
        until, errors = monotonic() + _CLOSE_SECONDS, []
        for target in self._targets.values():
            try:
                closed: Any = target.close()
                if inspect.isawaitable(closed):
                    future = loops.submit(_awaited(closed))
                    if not (yield Future(future, until)):
                        future.cancel()
                    future.result(timeout=0)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _check_addresses(self) -> None:
        for shard in self._state.picture.domain.shards:
            for node in shard.nodes:
                if node.pooled and node.direct is None:
                    raise NotSupportedError(
                        "OG-TX-089",
                        f"a relay keeps a connection of its own to {node.name}, and only its pooler's address is known",
                        cure="add the server's own address: `direct:` beside `pooler: transaction`",
                        shard=shard.name,
                        node=node.name,
                    )

    def _made(self, loops: Loops, once: bool) -> list[Keeper]:
        keepers = []
        self._lanes, self._bells = [], []
        self._unavailable.clear()
        for shard in self._state.picture.domain.shards:
            bells = {topic: Bell() for topic in self._targets}
            self._bells += bells.values()
            keeper = Keeper(self._state, shard.name, bells, once, self._stopping)
            keepers.append(keeper)
            for topic, target in self._targets.items():
                lane = Lane(
                    self._state,
                    keeper,
                    topic,
                    Delivering(target, loops),
                    bells[topic],
                    self._stopping,
                    self._note,
                    once=once,
                    batch=self._settings.batch,
                    poll_seconds=self._settings.poll_seconds,
                )
                self._lanes.append((keeper, lane))
        return keepers

    # -- counting ----------------------------------------------------------------------------------------------------

    def _note(self, round: Round) -> None:
        delivered, blocked = len(round.settlement.delivered), round.settlement.blocked
        self._delivered[round.topic] += delivered
        self._refused[round.topic] += len(blocked)
        name = f"{round.topic} on {round.shard}"
        if round.unavailable is not None:
            self._unavailable[name] = round.unavailable
        elif delivered:
            self._unavailable.pop(name, None)
        if (tell := self._state.tell) is None:
            return
        now = wall_ns()
        emitted = [message.emitted_at.timestamp() for message in round.messages if message.emitted_at is not None]
        tell(
            MessagesDelivered(
                topic=round.topic,
                domain=self._state.name,
                shard=round.shard,
                delivered=delivered,
                refused=len(blocked),
                unavailable=round.unavailable is not None,
                oldest_seconds=max(0.0, now / 1e9 - min(emitted)) if emitted else 0.0,
                at_ns=now,
                seconds=round.seconds,
            )
        )
