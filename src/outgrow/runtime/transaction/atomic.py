"""The kernel of atomic commit on this fleet's servers: its connections, its clock, its ids."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from outgrow import transactions
from outgrow.clock import monotonic
from outgrow.errors import InternalError, NodeLost
from outgrow.nodes import Link, Rows, together
from outgrow.runtime.footing import Footing
from outgrow.runtime.transaction import following
from outgrow.topology import Node
from outgrow.transactions import (
    Agreement,
    Commit,
    Ending,
    Handover,
    InDoubt,
    Looks,
    Means,
    Outcome,
    Participant,
    PostgresGate,
    PostgresView,
    Recovered,
    ServerShards,
    TransactionId,
    Wire,
    Xid,
)
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_MEANS = Means(together, monotonic, random.random)

#: How long a statement may wait for a shard to show what its session has committed there.
_SETTLE_SECONDS = 5.0
#: How long `fleet.outcome` may ask.
_OUTCOME_SECONDS = 10.0
#: How long a look waits for a connection that others are using.
_BORROW_SECONDS = 0.5


def named(state: DomainState, decider: str, chance: bytes, replicated: bool) -> TransactionId:
    """What a transaction is called; `chance` is in it."""
    return TransactionId(state.name, decider, transactions.numbered(time.time(), chance, replicated=replicated))


def commit(
    state: DomainState,
    branches: Sequence[Participant],
    name: Callable[[str], TransactionId],
    until: float | None,
    xid: Xid | None = None,
    decider: str | None = None,
) -> Commit:
    """The end of a transaction with several branches; nothing has run yet.

    With an `xid` only its first half: somebody else decides.  The `decider`'s part is committed before all others.
    """
    order = [shard.name for shard in state.picture.domain.shards]
    ordered = sorted(branches, key=lambda branch: (branch.shard == decider, order.index(branch.shard)))
    if xid is not None:
        return Handover(ordered, shards_of(state), _MEANS, name, until, xid=xid)
    return Commit(ordered, shards_of(state), _MEANS, name, until)


def ending(state: DomainState, xid: Xid, id: TransactionId | None) -> Ending:
    """The other half, in whichever process; `id` tells it from others of that name."""
    return Ending(shards_of(state), _MEANS, xid, id)


def foreign_steps(state: DomainState) -> Steps[list[InDoubt]]:
    """What waits for the decision of an application's coordinator."""
    return transactions.foreign_steps(shards_of(state), _MEANS)


def recover_steps(state: DomainState) -> Steps[Recovered]:
    """Look once over the domain's shards for what others have left."""
    shards = shards_of(state)
    try:
        return (yield from transactions.recover_steps(shards, _MEANS))
    finally:
        shards.close()


def waits_steps(state: DomainState) -> Steps[bool]:
    """Whether anything is prepared, or a shard cannot say: somebody should recover then.  One question a shard."""
    names = [shard.name for shard in state.picture.domain.shards]
    if not all(state.health.usable(state.health.seats(state.name, name).primary) for name in names):
        return True
    shards = shards_of(state)
    try:
        seen = yield from transactions.look_steps(shards, _MEANS)
    finally:
        shards.close()
    return bool(seen.branches or seen.unreachable)


def collect_steps(state: DomainState, kept_seconds: float | None = None, looks: Looks | None = None) -> Steps[int]:
    """Forget decisions and stamps that nobody needs any more; how many.  `looks`: what the last round has seen."""
    shards = shards_of(state)
    kept = transactions.KEPT_SECONDS if kept_seconds is None else kept_seconds
    try:
        return (yield from transactions.collect_steps(shards, _MEANS, time.time(), kept, looks))
    finally:
        shards.close()


def agree_steps(state: DomainState, views: Mapping[str, PostgresView], until: float | None) -> Steps[Agreement]:
    """Snapshots of these shards that agree; each read begins where the one before it has looked."""
    agreement = Agreement(views, _MEANS, gate_of(state), until)
    state.cuts.keep((yield from agreement.run_steps(state.cuts.find(views.keys(), monotonic()))))
    return agreement


def gate_of(state: DomainState) -> PostgresGate:
    return PostgresGate([shard.name for shard in state.picture.domain.shards], _Wires(state))


def outcome_steps(state: DomainState, id: TransactionId) -> Steps[Outcome]:
    """What became of a transaction of this domain."""
    shards = shards_of(state)
    try:
        until = monotonic() + _OUTCOME_SECONDS
        return (yield from transactions.outcome_steps(shards, id, _MEANS, time.time(), until))
    finally:
        shards.close()


def settle_steps(state: DomainState, shard: str, footing: Footing, until: float | None) -> Steps[None]:
    """Before a session reads a shard that has not confirmed what the session has committed there."""
    shards = shards_of(state)
    limit = monotonic() + _SETTLE_SECONDS
    # Its commit lies somewhere above the floor.
    footing.unplaced = True
    footing.last = None
    try:
        while footing.pending:
            gid = footing.pending[0]
            try:
                yield from transactions.settle_steps(
                    shards, shard, gid, _MEANS, limit if until is None else min(limit, until)
                )
            except InternalError:
                # It is lost, which is said once; the session goes on without it.
                footing.pending = footing.pending[1:]
                raise
            footing.pending = footing.pending[1:]
    finally:
        shards.close()


def shards_of(state: DomainState) -> ServerShards:
    return state.engine.shards(state.name, [shard.name for shard in state.picture.domain.shards], _Wires(state))


class _Wires:
    """See `transactions.Wires`."""

    def __init__(self, state: DomainState) -> None:
        self._state = state

    def connect_steps(self, shard: str, until: float) -> Steps[Link]:
        state = self._state
        node = self._primary(shard)
        try:
            link = yield from state.nodes.connect_steps(node.direct or node, until)
        except NodeLost:
            # Another primary may have taken over.
            if not (yield from state.survey_steps(shard, until)):
                raise
            return (yield from self.connect_steps(shard, until))
        if link.standby:
            try:
                yield from state.not_primary_steps(node, link, until)
            finally:
                link.close()
            return (yield from self.connect_steps(shard, until))
        return link

    def borrow_steps(self, shard: str, until: float) -> Steps[Link]:
        pool = self._state.nodes.pool(self._primary(shard))
        return pool.take_now() or (yield from pool.take_steps(min(until, monotonic() + _BORROW_SECONDS)))

    def give(self, shard: str, link: Wire) -> None:
        assert isinstance(link, Link)
        self._state.nodes.pool(link.node).give(link)

    def reached_steps(self, shard: str, place: Rows, until: float) -> Steps[bool]:
        return (yield from following.reached_steps(self._state, shard, place, until))

    def _primary(self, shard: str) -> Node:
        return self._state.health.seats(self._state.name, shard).primary
