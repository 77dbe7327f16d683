"""Random statements over views and functions of one's own."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.differential.aggregates import Aggregates
from tests.differential.block import Block, Case
from tests.differential.expressions import Expressions, Scope
from tests.differential.own import VIEWS
from tests.differential.sides import How
from tests.differential.sources import JOINS, SHARDED
from tests.differential.world import BY_NAME, Tab


def viewed(count: int, seed: int, first: int = 0) -> Iterator[tuple[str, Case, How]]:
    for number in range(first, first + count):
        name = f"viewed/{seed}/{number}"
        yield f"viewed {seed}/{number}", _Viewed(random.Random(name)).case(), How.drawn(random.Random(f"how/{name}"))


class _Viewed:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values: list[object] = []
        self.x = Expressions(rng, self.values, rng.choice((0.0, 0.3)))
        self.aggregates = Aggregates(self.x)

    def case(self) -> Case:
        source, scope = self._source()
        block = Block(source=source, where=list(scope.conditions))
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            block.where.append(self.x.predicate(scope, 1))
        form = self.rng.random()
        if form < 0.45:
            block.items = [self._item(scope) for _ in range(self.rng.randint(1, 4))]
            block.distinct = "DISTINCT" if self.x.chance(0.15) else ""
        else:
            block.items = [self.aggregates.one(scope)[0] for _ in range(self.rng.randint(1, 3))]
            if form < 0.75 and (found := self.x.column(scope, self.rng.choice(("int", "txt")))):
                block.group = [found[0]]
                block.items.insert(0, found[0])
            if self.x.chance(0.15) and (found := self.x.column(scope, "int")):
                block.items.append(f"own_total({found[0]}::int4)")
        if self.x.chance(0.1):
            other = self._view()
            block.where.append(f"EXISTS (SELECT 1 FROM {other.name} z WHERE z.{other.cols[0].name} IS NOT NULL)")
        return Case(block, tuple(self.values), "viewed")

    def _item(self, scope: Scope) -> str:
        found = self.x.column(scope)
        assert found is not None
        text, col = found
        if col.type == "int4" and self.x.chance(0.3):
            return self.rng.choice((f"own_half({text})", f"own_half({text}) + 1", f"own_up_to({text})"))
        if col.kind == "txt" and self.x.chance(0.3):
            return f"own_pair({text}, 'x')"
        return text

    def _view(self, keyed: bool = False) -> Tab:
        return self.rng.choice([view for view, _ in VIEWS if view.key or not keyed])

    def _source(self) -> tuple[str, Scope]:
        roll = self.rng.random()
        if roll < 0.5:
            view = self._view()
            alias = self.rng.choice(("", "v"))
            return f"{view.name} {alias}".strip(), Scope([(alias, view)])
        join = self.rng.choice(JOINS)
        if roll < 0.75:
            view = self._view(keyed=True)
            other = self.rng.choice([BY_NAME["customers"], BY_NAME["orders"], BY_NAME["items"], self._view(keyed=True)])
            on = "v.customer_id = t.customer_id"
        else:
            view, other = self._view(), self.rng.choice([*SHARDED, self._view(), BY_NAME["products"]])
            column = "rid" if any(col.name == "rid" for col in view.cols) else view.cols[0].name
            found = [col.name for col in other.cols if col.type == "int4"]
            on = f"v.{column} = t.{self.rng.choice(found)}"
        return f"{view.name} v {join} {other.name} t ON {on}", Scope([("v", view), ("t", other)])
