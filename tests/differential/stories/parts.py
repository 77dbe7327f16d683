"""The parts that random writes are made of: which rows, which values, what is returned."""

from __future__ import annotations

import random

from tests.differential.block import hole
from tests.differential.expressions import Expressions, Scope, literal
from tests.differential.sources import KeyPredicates
from tests.differential.stories.tables import BY_NAME, COPIED, SHARDED, Kept, beginning
from tests.differential.world import Col, draw

#: What is no value of the kind: the server's error, wherever it is found.
WRONG = {"int": "x1", "num": "1.2.3", "bool": "maybe", "date": "2024-02-30", "uuid": "no-uuid", "tstz": "noon"}


class Parts:
    """Draws for one statement."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values: list[object] = []
        self.x = Expressions(rng, self.values, rng.choice((0.0, 0.0, 0.3, 0.8)))
        self.keys = KeyPredicates(self.x)

    def sharded(self) -> Kept:
        return self.rng.choice(SHARDED)

    def any(self) -> Kept:
        return self.rng.choice(COPIED) if self.x.chance(0.2) else self.sharded()

    # -- values --------------------------------------------------------------------------------------------------

    def value(self, col: Col) -> str:
        """A value for a row that is written: mostly plain, at times NULL, DEFAULT or wrong."""
        roll = self.rng.random()
        if roll < 0.07:
            return "NULL"
        if roll < 0.12:
            return "DEFAULT"
        if roll < 0.13 and col.kind in WRONG:
            return self.wrong(col)
        if roll < 0.16 and col.name == "code":
            return "'toolong'"
        return self.constant(col)

    def wrong(self, col: Col) -> str:
        """Not of the column's type, or beyond it."""
        if col.kind == "int" and self.x.chance(0.5):
            return str(2**40 if col.type != "int8" else 2**65)
        text = WRONG[col.kind]
        if self.x.share and self.x.chance(0.5):
            return self.parameter(text)
        return literal(text, "txt")

    def parameter(self, value: object) -> str:
        self.values.append(value)
        return hole(len(self.values) - 1)

    def constant(self, col: Col) -> str:
        return self.x.const(draw(col, self.rng), col.kind)

    def rid(self) -> str:
        return str(self.rng.randint(1, 90))

    def assigned(self, kept: Kept, col: Col, prefix: str = "") -> str:
        """What an UPDATE gives a column that is not its key."""
        roll, scope = self.rng.random(), Scope([(prefix, kept.tab)])
        if roll < 0.35 or col.kind == "uuid":
            return self.value(col)
        if roll < 0.85:
            return self.x.value(scope, col.kind, 1)
        if roll < 0.92 and col.kind in ("num", "int"):
            return f"(SELECT {self.rng.choice(('max', 'min'))}(p.product_id) FROM products p WHERE p.price > 0)"
        if roll < 0.95 and col.kind == "int":
            # Fails for one row of some: the others must not stay changed.
            return f"100 / ({prefix + '.' if prefix else ''}rid - {self.rid()})"
        return self.constant(col)

    def assignments(self, kept: Kept, count: int = 2) -> list[str]:
        free = [col for col in kept.tab.cols if col.name not in ("rid", *kept.tab.key)]
        some = self.rng.sample(free, min(len(free), self.rng.randint(1, count)))
        return [f"{col.name} = {self.assigned(kept, col)}" for col in some]

    # -- which rows ----------------------------------------------------------------------------------------------

    def one_key(self, kept: Kept, prefix: str = "") -> str:
        return " AND ".join(f"{prefix}{c.name} = {self.constant(c)}" for c in map(kept.tab.col, kept.tab.key))

    def where(self, kept: Kept, prefix: str = "") -> str:
        """WHERE …, or nothing: one key, several, any way to say so, or none."""
        scope = Scope([(prefix.rstrip("."), kept.tab)])
        roll = self.rng.random()
        if not kept.tab.key:
            found = [f"{prefix}rid IN ({self.rid()}, {self.rid()}, 3)"] if roll < 0.6 else []
        elif roll < 0.3:
            found = [self.one_key(kept, prefix)]
        elif roll < 0.55 and len(kept.tab.key) == 1:
            col = kept.tab.col(kept.tab.key[0])
            listed = ", ".join(self.constant(col) for _ in range(self.rng.randint(2, 6)))
            found = [f"{prefix}{col.name} IN ({listed})"]
        elif roll < 0.7:
            found = [f"({self.keys.about(scope)})"]
        elif roll < 0.9:
            found = [f"{prefix}rid {self.rng.choice(('<', '>'))} {self.rid()}"]
        else:
            found = []
        if self.x.chance(0.45):
            found.append(f"({self.x.predicate(scope, 1)})")
        return f" WHERE {' AND '.join(found)}" if found else ""

    def returning(self, kept: Kept, prefix: str = "") -> str:
        if self.x.chance(0.35):
            return ""
        names = [f"{prefix}{col.name}" for col in self.rng.sample(kept.tab.cols, min(3, len(kept.tab.cols)))]
        expression = self.x.value(Scope([(prefix.rstrip("."), kept.tab)]), "int", 1)
        forms = (", ".join(names), f"{prefix}*" if prefix else "*", f"{prefix}rid AS r, {expression} AS e")
        return f" RETURNING {self.rng.choice(forms)}"

    # -- rows that are there -------------------------------------------------------------------------------------

    def known(self, kept: Kept) -> dict[str, object]:
        """A row that was there at the start of the chapter, and may still be."""
        row = self.rng.choice(beginning(kept))
        return dict(zip((col.name for col in kept.tab.cols), row, strict=True))

    def other(self, name: str) -> Kept:
        return BY_NAME[name]
