"""What is forgotten, and when: a stamp a round later than its decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from outgrow.errors import OperationalError
from outgrow.nodes import drive, together
from outgrow.transactions import Looks, Means, collect_steps, garbage, numbered
from outgrow.waits import Steps

OLD = numbered(1000.0, bytes(10))
NOW = 1000.0 + 2 * garbage.KEPT_SECONDS


class Shards:
    """Two shards and one transaction, which `b` decides; `a` has its stamp once its branch is committed."""

    domain, names = "shop", ("a", "b")

    def __init__(self) -> None:
        self.decisions = {OLD: ("a", "b")}
        self.stamps: dict[str, set[UUID]] = {"a": {OLD}, "b": {OLD}}
        self.away: set[str] = set()

    def at(self, name: str) -> Any:
        return Shard(self, name)


class Shard:
    def __init__(self, shards: Shards, name: str) -> None:
        self.shards, self.name = shards, name

    def _answer(self, answer: Any) -> Steps[Any]:
        yield from ()
        if self.name in self.shards.away:
            raise OperationalError("OG-NODE-001", "away", cure="wait")
        return answer() if callable(answer) else answer

    def decisions_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[Any]:
        found = self.shards.decisions.items() if self.name == "b" else ()
        return self._answer([one for one in found if after < one[0] < before])

    def decisions_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[Any]:
        return self._answer(lambda: [self.shards.decisions.pop(number) for number in ids])

    def aborts_forget_steps(self, before: UUID, until: float) -> Steps[Any]:
        return self._answer(None)

    def decisions_standing_steps(self, ids: Sequence[UUID], until: float) -> Steps[Any]:
        return self._answer(set(ids) & self.shards.decisions.keys())

    def stamped_steps(self, ids: Sequence[UUID], until: float) -> Steps[Any]:
        return self._answer(set(ids) & self.shards.stamps[self.name])

    def stamps_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[Any]:
        found = sorted(number for number in self.shards.stamps[self.name] if after < number < before)
        return self._answer([(number, "b") for number in found])

    def stamps_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[Any]:
        return self._answer(lambda: self.shards.stamps[self.name].difference_update(ids))


class Collector:
    def __init__(self) -> None:
        self.shards, self.looks, self.clock = Shards(), Looks(), 0.0

    def round(self, later: float) -> int:
        self.clock += later
        means = Means(together, lambda: self.clock, lambda: 0.5)
        shards: Any = self.shards
        return drive(collect_steps(shards, means, NOW, looks=self.looks))

    @property
    def stamps(self) -> int:
        return sum(map(len, self.shards.stamps.values()))


def test_a_stamp_outlasts_its_decision_for_as_long_as_snapshots_are_read() -> None:
    one = Collector()
    assert one.round(0.0) == 1 and one.shards.decisions == {} and one.stamps == 2
    assert one.round(garbage.READ_SECONDS - 1) == 0 and one.stamps == 2
    assert one.round(2.0) == 2 and one.stamps == 0


def test_what_was_prepared_for_long_keeps_its_stamps_for_a_round_from_its_end() -> None:
    """`a` has shown no stamp so far: an earlier round can say nothing of it."""
    one = Collector()
    one.shards.stamps["a"] = {numbered(2000.0, bytes(10))}
    one.shards.decisions[numbered(2000.0, bytes(10))] = ("a",)
    assert one.round(0.0) == 1 and OLD in one.shards.decisions
    one.shards.stamps["a"].add(OLD)
    assert one.round(3600.0) == 2, "the decision, and the other one's stamp"
    assert all(OLD in stamps for stamps in one.shards.stamps.values())
    assert one.round(3600.0) == 2 and one.stamps == 0


def test_a_round_that_lacked_a_shard_says_nothing() -> None:
    """The one whose stamp would have said that the decision stands."""
    one = Collector()
    one.shards.stamps["a"] = {numbered(2000.0, bytes(10))}
    one.shards.away = {"b"}
    assert one.round(0.0) == 0
    one.shards.away = set()
    one.shards.stamps["a"].add(OLD)
    assert one.round(3600.0) == 1 and one.stamps == 3, "the decision only"
    assert one.round(3600.0) == 3 and one.stamps == 0
