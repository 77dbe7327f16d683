"""ORDER BY, LIMIT and OFFSET, and what they promise about the answer."""

from __future__ import annotations

from collections.abc import Sequence

from tests.differential.block import Block
from tests.differential.expressions import Expressions

#: (order, keys) of a `Case`.
Promise = tuple[str, tuple[int, ...]]


class Ordering:
    def __init__(self, expressions: Expressions) -> None:
        self.x = expressions
        self.rng = expressions.rng

    def direction(self) -> str:
        return self.rng.choice(
            ("", "", "", " ASC", " DESC", " DESC", " NULLS FIRST", " DESC NULLS LAST", " NULLS LAST")
        )

    def add(
        self, block: Block, names: Sequence[str | None], hidden: Sequence[str], unique: Sequence[str] | None
    ) -> Promise:
        """Order `block` somehow.  `names` are its output columns' aliases, `hidden` expressions it may sort by that are
        not returned (none under DISTINCT), `unique` what makes an order total."""
        width = len(names)
        roll = self.rng.random()
        if roll < 0.3 or width == 0:
            return self._limit(block, ("none", ()))
        if roll < 0.55:
            # Every output column: rows that tie are alike, but for what compares equal and looks different.
            places = self.rng.sample(range(width), width)
            block.order = [self._output(place, names) for place in places]
            return self._limit(block, ("keys", tuple(places)))
        if roll < 0.75 or not hidden:
            places = self.rng.sample(range(width), self.rng.randint(1, min(2, width)))
            block.order = [self._output(place, names) for place in places]
            return self._limit(block, ("keys", tuple(places)))
        block.order = [self.rng.choice(hidden) + self.direction() for _ in range(self.rng.randint(1, 2))]
        if unique is not None and self.x.chance(0.8):
            block.order += [text + self.rng.choice(("", " DESC")) for text in unique]
            return self._limit(block, ("total", ()))
        return self._limit(block, ("none", ()))

    def _output(self, place: int, names: Sequence[str | None]) -> str:
        name = names[place]
        return (name if name and self.x.chance(0.5) else str(place + 1)) + self.direction()

    def _limit(self, block: Block, promise: Promise) -> Promise:
        if self.x.chance(0.3):
            block.limit = self.rng.choice(("0", "1", "3", "10", "25", "1000", "NULL", self.x.const(7, "int"), "2 + 3"))
        if self.x.chance(0.12):
            block.offset = self.rng.choice(("0", "1", "5", "500", self.x.const(4, "int")))
        return promise
