"""Forgetting decisions and stamps that nobody needs any more.

A commit's decision goes only when every branch has confirmed it by its stamp, a stamp only when its decision is gone:
so whoever finds a prepared branch also finds what was decided, and whoever finds neither knows that all is done.  It
goes a round later, because atomic reads compare stamps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from outgrow.errors import Error
from outgrow.transactions.model import Means, numbered
from outgrow.transactions.port import Shard, Shards
from outgrow.waits import Steps

#: Nothing younger is forgotten: applications may still ask, and a coordinator may still be asleep.
KEPT_SECONDS = 24 * 3600.0
#: How long a stamp outlasts its decision at least: longer than a read's first mark and its last snapshot are apart.  A
#: branch that was prepared for a day has just been committed when its decision goes, and older snapshots may be read.
READ_SECONDS = 180.0
#: So many transactions that stand are remembered; where there are more, a shard is away, and nothing is hurried.
_STANDING_MAX = 100_000
#: How long one question may take.
_ASK_SECONDS = 10.0

_FIRST = UUID(int=0)


@dataclass(slots=True)
class Look:
    """What one round has seen of the stamps that are old enough."""

    at: float
    #: Shard → the last stamp that was looked at; ids are in the order of time.
    up_to: dict[str, UUID] = field(default_factory=dict)
    #: Transactions whose decision stood then, or perhaps did.
    standing: set[UUID] = field(default_factory=set)

    def knew_gone(self, shard: str, number: UUID) -> bool:
        """Whether its decision was forgotten by then.  (What was prepared here still had a stamp elsewhere.)"""
        return number <= self.up_to.get(shard, _FIRST) and number not in self.standing


@dataclass(slots=True)
class Looks:
    """What a process keeps from one round to the next."""

    last: Look | None = None


def collect_steps(
    shards: Shards, means: Means, now_seconds: float, kept_seconds: float = KEPT_SECONDS, looks: Looks | None = None
) -> Steps[int]:
    """Forget what is old and settled; how many rows.  A shard that is out of reach keeps what concerns it.

    With `looks` a stamp stays for a round more than its decision, as long as somebody may read by it; without, nobody
    reads.
    """
    before = numbered(max(0.0, now_seconds - kept_seconds), bytes(10))
    forgotten = 0
    for name in shards.names:
        try:
            forgotten += yield from _decisions_steps(shards, shards.at(name), before, means)
            yield from shards.at(name).aborts_forget_steps(before, means.clock() + _ASK_SECONDS)
        except Error:
            continue
    last, look, whole = None if looks is None else looks.last, Look(means.clock()), True
    if last is not None and look.at < last.at + READ_SECONDS:
        return forgotten
    for name in shards.names:

        def goes(number: UUID, name: str = name) -> bool:
            return looks is None or (last is not None and last.knew_gone(name, number))

        try:
            forgotten += yield from _stamps_steps(shards, name, before, means, look, goes)
        except Error:
            whole = False
    if looks is not None:
        # A shard that was not asked may have had decisions that stand.
        looks.last = look if whole and len(look.standing) < _STANDING_MAX else None
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


def _stamps_steps(
    shards: Shards, name: str, before: UUID, means: Means, look: Look, goes: Callable[[UUID], bool]
) -> Steps[int]:
    shard, after, forgotten = shards.at(name), _FIRST, 0
    while old := (yield from shard.stamps_old_steps(after, before, means.clock() + _ASK_SECONDS)):
        after = look.up_to[name] = old[-1][0]
        done: list[UUID] = []
        for decider in {decider for _, decider in old}:
            concerned = [number for number, where in old if where == decider]
            try:
                standing = yield from shards.at(decider).decisions_standing_steps(
                    concerned, means.clock() + _ASK_SECONDS
                )
            except Error:
                standing = set(concerned)
            look.standing |= standing
            done += [number for number in concerned if number not in standing and goes(number)]
        if done:
            yield from shard.stamps_forget_steps(sorted(done), means.clock() + _ASK_SECONDS)
            forgotten += len(done)
        if len(look.standing) >= _STANDING_MAX:
            break
    return forgotten
