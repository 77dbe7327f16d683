"""Random joins of tables of several domains, where what is said of one says which rows of others matter.

Other statements draw such joins too, but few whose tables lie in different domains and have conditions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.differential.block import Block, Case
from tests.differential.sides import How
from tests.differential.world import TABLES, Col, Tab

_KINDS = ("JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
#: So many columns have so few values that equality on others would hardly ever hold.
_JOINABLE = ("customer_id", "product_id", "rid", "device", "n", "qty", "amount", "slug", "sort", "day", "token", "name")


def joins(count: int, seed: int, first: int = 0) -> Iterator[tuple[str, Case, How]]:
    for number in range(first, first + count):
        rng = random.Random(f"joined/{seed}/{number}")
        yield f"joined {seed}/{number}", Case(Block(raw=_Join(rng).sql()), (), "joined"), How.drawn(rng)


class _Join:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        #: Alias → its table.
        self.tables: dict[str, Tab] = {}

    def sql(self) -> str:
        rng = self.rng
        source = self._item()
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
            source = self._joined(source)
        shown = ", ".join(f"{alias}.rid" for alias in self.tables)
        if rng.random() < 0.2:
            shown = f"count(*), sum({next(iter(self.tables))}.rid)"
        where = [self._said(rng.choice(list(self.tables))) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
        if rng.random() < 0.25:
            where.append(self._inside())
        return f"SELECT {shown} FROM {source}" + (f" WHERE {' AND '.join(where)}" if where else "")

    def _item(self) -> str:
        table = self.rng.choice(TABLES)
        alias = f"t{len(self.tables)}"
        self.tables[alias] = table
        return f"{table.name} AS {alias}"

    def _joined(self, left: str) -> str:
        before = list(self.tables)
        right = self._item()
        if self.rng.random() < 0.15:
            inner = list(self.tables)[len(before)]
            more = self._item()
            kind = self.rng.choice(_KINDS)
            right = f"({right} {kind} {more} ON {self._equal(inner, list(self.tables)[-1])})"
        new = list(self.tables)[len(before) :]
        one, other = self.rng.choice(before), self.rng.choice(new)
        if self.rng.random() < 0.15 and len(before) == len(new) == 1:
            shared = [c.name for c in self.tables[one].cols if any(c.name == d.name for d in self.tables[other].cols)]
            same = [name for name in shared if self.tables[one].col(name).kind == self.tables[other].col(name).kind]
            if same:
                return f"{left} {self.rng.choice(_KINDS)} {right} USING ({self.rng.choice(same)})"
        on = [self._equal(one, other)]
        if self.rng.random() < 0.4:
            on.append(self._said(self.rng.choice([*before, *new])))
        if self.rng.random() < 0.1:
            return f"{left} CROSS JOIN {right}" if len(self.tables) < 3 else f"{left} JOIN {right} ON {on[0]}"
        return f"{left} {self.rng.choice(_KINDS)} {right} ON {' AND '.join(on)}"

    def _equal(self, one: str, other: str) -> str:
        """An equality of two columns that can be compared."""
        mine = self.rng.sample(self._joinable(one), k=len(self._joinable(one)))
        for column in mine:
            theirs = [each for each in self._joinable(other) if each.kind == column.kind]
            if theirs:
                sides = [f"{one}.{column.name}", f"{other}.{self.rng.choice(theirs).name}"]
                self.rng.shuffle(sides)
                return " = ".join(sides)
        return f"{one}.rid = {other}.rid"

    def _joinable(self, alias: str) -> list[Col]:
        return [column for column in self.tables[alias].cols if column.name in _JOINABLE and "char(" not in column.type]

    def _said(self, alias: str) -> str:
        """A condition on one table, or one that equates two."""
        rng = self.rng
        if rng.random() < 0.15 and len(self.tables) > 1:
            return self._equal(*rng.sample(list(self.tables), 2))
        column = rng.choice([column for column in self.tables[alias].cols if column.kind == "int"])
        shown = f"{alias}.{column.name}"
        return rng.choice(
            (
                f"{shown} = {rng.randint(1, 20)}",
                f"{shown} IN ({rng.randint(1, 20)}, {rng.randint(1, 40)}, {rng.randint(1, 60)})",
                f"{shown} BETWEEN {rng.randint(1, 5)} AND {rng.randint(5, 30)}",
                f"{shown} < {rng.randint(1, 15)}",
                f"{shown} IS NULL",
                f"({shown} = {rng.randint(1, 20)} OR {shown} IS NULL)",
                f"NOT ({shown} < {rng.randint(1, 20)})",
            )
        )

    def _inside(self) -> str:
        """A subquery with a join of its own, correlated or not."""
        outer = self.rng.choice(list(self.tables))
        inner = _Join(self.rng)
        inner.tables = {f"s{at}": table for at, table in enumerate(self.rng.sample(TABLES, 2))}
        (one, first), (other, second) = inner.tables.items()
        source = (
            f"{first.name} AS {one} {self.rng.choice(_KINDS)} {second.name} AS {other} ON {inner._equal(one, other)}"
        )
        where = inner._said(self.rng.choice((one, other)))
        if self.rng.random() < 0.5:
            return f"{outer}.rid {self.rng.choice(('IN', 'NOT IN'))} (SELECT {one}.rid FROM {source} WHERE {where})"
        return f"EXISTS (SELECT 1 FROM {source} WHERE {where} AND {one}.rid = {outer}.rid)"
