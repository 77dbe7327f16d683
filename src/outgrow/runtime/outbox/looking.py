"""How far behind delivery is, and an operator's word about what is stuck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.ledger import Answer, Runner
from outgrow.nodes import together
from outgrow.runtime import snapshot
from outgrow.runtime.outbox.emitting import check_engine
from outgrow.runtime.timed import Timed
from outgrow.transactions import outbox
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_SQL = ledger.queries()
_ASK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """What waits of one topic on one shard."""

    shard: str
    topic: str
    #: Messages that are committed and not delivered; the age of the oldest (seconds).
    waiting: int
    oldest_seconds: float
    #: Keys whose first message was refused; their other messages wait behind it.  And what was said last.
    blocked_keys: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class BlockedKey:
    """A key whose first message could not be delivered; `key` is "" for a message without one."""

    shard: str
    topic: str
    key: str
    #: The message: `outgrow outbox drop` takes it out.
    id: UUID | None
    attempts: int
    last_error: str
    #: When it is tried again (0: now).
    next_seconds: float


def lag_steps(state: DomainState) -> Steps[tuple[OutboxLag, ...]]:
    """Of each shard and topic with anything that waits.  Raises where a shard cannot be asked."""
    found = yield from _everywhere_steps(state, lambda link: link.run_steps(_SQL["outbox_lag"], None))
    return tuple(
        OutboxLag(shard, topic, waiting, oldest or 0.0, keys, error)
        for shard, answer in found
        for topic, waiting, oldest, keys, error in answer.rows
    )


def blocked_steps(state: DomainState, topic: str | None, limit: int) -> Steps[tuple[BlockedKey, ...]]:
    """Those that have failed most often, of each shard so many at most."""
    found = yield from _everywhere_steps(state, lambda link: link.run_steps(_SQL["outbox_stuck"], [topic, limit]))
    return tuple(
        BlockedKey(shard, of, key if family else "", id, attempts, error, max(0.0, seconds))
        for shard, answer in found
        for of, family, key, id, attempts, error, seconds in answer.rows
    )


def retry_steps(state: DomainState, topic: str | None, key: str | None) -> Steps[int]:
    """Try blocked keys again now; how many."""

    def ask_steps(link: Runner) -> Steps[Answer]:
        rows = yield from link.run_steps(*outbox.retrying(topic, key))
        yield from _wake_steps(link, {row[0] for row in rows.rows})
        return rows

    return sum(len(answer.rows) for _, answer in (yield from _everywhere_steps(state, ask_steps)))


def drop_steps(state: DomainState, id: UUID) -> Steps[str | None]:
    """Delete a message that nobody shall have, and go on with its key; the topic that it was of."""

    def ask_steps(link: Runner) -> Steps[Answer]:
        rows = yield from link.run_steps(_SQL["outbox_drop"], [id])
        yield from _wake_steps(link, {row[0] for row in rows.rows})
        return rows

    found = yield from _everywhere_steps(state, ask_steps)
    return next((row[0] for _, answer in found for row in answer.rows), None)


def _wake_steps(link: Runner, topics: set[str]) -> Steps[None]:
    if topics:
        yield from link.run_steps(*outbox.waking(sorted(topics)))


def _everywhere_steps(state: DomainState, ask: Callable[[Runner], Steps[Any]]) -> Steps[list[tuple[str, Any]]]:
    check_engine(state)
    until = monotonic() + _ASK_SECONDS
    shards = [shard.name for shard in state.picture.domain.shards]
    nodes = [state.health.seats(state.name, shard).primary for shard in shards]
    answers = yield from together(
        [snapshot.on_node_steps(state.nodes, node, until, lambda link: ask(Timed(link, until))) for node in nodes]
    )
    return list(zip(shards, answers, strict=True))
