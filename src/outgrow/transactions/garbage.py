"""Forgetting decisions and stamps that nobody needs any more.

A commit's decision goes only when every branch has confirmed it by its stamp, a stamp only when its decision is gone:
so whoever finds a prepared branch also finds what was decided, and whoever finds neither knows that all is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from outgrow.errors import Error
from outgrow.transactions.model import Means, numbered
from outgrow.transactions.port import Shard, Shards
from outgrow.waits import Steps

#: Nothing younger is forgotten: applications may still ask, and a coordinator may still be asleep.
KEPT_SECONDS = 24 * 3600.0
#: How long one question may take.
_ASK_SECONDS = 10.0

_FIRST = UUID(int=0)


def collect_steps(shards: Shards, means: Means, now_seconds: float, kept_seconds: float = KEPT_SECONDS) -> Steps[int]:
    """Forget what is old and settled; how many rows.  A shard that is out of reach keeps what concerns it."""
    before = numbered(max(0.0, now_seconds - kept_seconds), bytes(10))
    forgotten = 0
    for name in shards.names:
        try:
            forgotten += yield from _decisions_steps(shards, shards.at(name), before, means)
            yield from shards.at(name).aborts_forget_steps(before, means.clock() + _ASK_SECONDS)
        except Error:
            continue
    for name in shards.names:
        try:
            forgotten += yield from _stamps_steps(shards, shards.at(name), before, means)
        except Error:
            continue
    return forgotten


def _decisions_steps(shards: Shards, decider: Shard, before: UUID, means: Means) -> Steps[int]:
    after, forgotten = _FIRST, 0
    while old := (yield from decider.decisions_old_steps(after, before, means.clock() + _ASK_SECONDS)):
        after = old[-1][0]
        confirmed = {number for number, _ in old}
        for name in {name for _, names in old for name in names}:
            concerned = [number for number, names in old if name in names]
            confirmed -= set(concerned) - (yield from _confirmed_steps(shards, name, concerned, means))
        if confirmed:
            yield from decider.decisions_forget_steps(sorted(confirmed), means.clock() + _ASK_SECONDS)
            forgotten += len(confirmed)
    return forgotten


def _confirmed_steps(shards: Shards, name: str, numbers: Sequence[UUID], means: Means) -> Steps[set[UUID]]:
    try:
        return (yield from shards.at(name).stamped_steps(numbers, means.clock() + _ASK_SECONDS))
    except Error:
        return set()


def _stamps_steps(shards: Shards, shard: Shard, before: UUID, means: Means) -> Steps[int]:
    after, forgotten = _FIRST, 0
    while old := (yield from shard.stamps_old_steps(after, before, means.clock() + _ASK_SECONDS)):
        after = old[-1][0]
        done: list[UUID] = []
        for name in {decider for _, decider in old}:
            concerned = [number for number, decider in old if decider == name]
            try:
                standing = yield from shards.at(name).decisions_standing_steps(concerned, means.clock() + _ASK_SECONDS)
            except Error:
                continue
            done += [number for number in concerned if number not in standing]
        if done:
            yield from shard.stamps_forget_steps(sorted(done), means.clock() + _ASK_SECONDS)
            forgotten += len(done)
    return forgotten
