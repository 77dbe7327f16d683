"""Random INSERTs: rows over shards, conflicts, from SELECT, into every placement."""

from __future__ import annotations

from tests.differential.expressions import literal
from tests.differential.stories.parts import Parts
from tests.differential.stories.tables import COPIED, Kept

#: (target, its columns, source, what is selected, conditions): co-located, or from copied tables.
SELECTS = (
    ("orders", "customer_id, rid, total", "customers", "customer_id, rid + 100, credit"),
    ("orders", "customer_id, rid, qty", "carts", "customer_id, rid + 200, amount"),
    ("carts", "customer_id, rid, amount", "orders", "customer_id, rid, coalesce(qty, 3)"),
    ("carts", "rid, customer_id", "items", "rid + 50, customer_id"),
    ("items", "customer_id, rid, note", "orders", "customer_id, rid + 300, status"),
    ("docs", "slug, rid, title", "docs", "slug, rid + 500, title"),
    ("events", "device, sort, rid, n", "events", "device, sort, rid + 500, n + 1"),
    ("days", "rid, day, sales", "days", "rid + 500, day, sales * 2"),
    ("products", "product_id, rid, title", "products", "product_id + 100, rid + 100, title"),
    ("countries", "code, rid, name", "countries", "lower(code), rid + 100, name"),
    # Not with their keys: these move rows between shards, or cannot be placed.
    ("orders", "customer_id, rid, total", "customers", "customer_id + 1, rid + 100, credit"),
    ("customers", "customer_id, rid, name", "products", "product_id + 30, rid, title"),
    # (Orders may have a rid twice; which of them stays is anybody's choice, so both must make the same product.)
    ("products", "product_id, rid, title", "orders", "rid + 1000, rid, 'of ' || rid"),
)


class Inserts:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.rng = parts.rng

    def rows(self) -> tuple[str, str]:
        """VALUES (statement, order): what it returns comes in the order of the rows."""
        kept = self.parts.any()
        return self._values(kept), "total"

    def copied(self) -> tuple[str, str]:
        return self._values(self.rng.choice(COPIED)), "total"

    def conflict(self) -> tuple[str, str]:
        """ON CONFLICT, with rows that are there and rows that are there twice."""
        kept = self.parts.any()
        while not kept.targets:
            kept = self.parts.any()
        target = self.rng.choice(kept.targets)
        if self.parts.x.chance(0.4):
            how = self.rng.choice(("", f" {target}"))
            return self._values(kept, f" ON CONFLICT{how} DO NOTHING", known=0.7), "total"
        free = [col for col in kept.tab.cols if col.name not in ("rid", *kept.tab.key, "code", "product_id")]
        chosen = self.rng.sample(free, min(2, len(free)))
        sets = [
            f"{c.name} = {self.rng.choice((f'excluded.{c.name}', f'excluded.{c.name}', self.parts.constant(c)))}"
            for c in chosen
        ]
        if kept.tab.key and self.parts.x.chance(0.08):
            key = self.rng.choice(kept.tab.key)
            sets.append(f"{key} = {self.rng.choice((f'excluded.{key}', self.parts.constant(kept.tab.col(key))))}")
        where = f" WHERE {kept.name}.rid > {self.parts.rid()}" if self.parts.x.chance(0.2) else ""
        action = f" ON CONFLICT {target} DO UPDATE SET {', '.join(sets)}{where}"
        return self._values(kept, action, known=0.7), "total"

    def selected(self) -> tuple[str, str]:
        target, names, source, items = self.rng.choice(SELECTS)
        kept = self.parts.other(source)
        conflict = " ON CONFLICT DO NOTHING" if self.parts.x.chance(0.3) else ""
        if self.parts.x.chance(0.25) and kept.tab.key and source in ("customers", "orders", "carts"):
            # A constant for the key: all rows go to one place.  (Of two with one rid nobody could say which one stays.)
            items, conflict = items.replace("customer_id", str(self.rng.randint(1, 35))), ""
        returning = self.parts.returning(self.parts.other(target))
        return f"INSERT INTO {target} ({names}) SELECT {items} FROM {source}{self.parts.where(kept)}{conflict}" + (
            returning
        ), "none"

    def _values(self, kept: Kept, conflict: str = "", known: float = 0.3) -> str:
        """INSERT … VALUES; some rows have the keys of rows that are there."""
        tab, parts = kept.tab, self.parts
        needed = ("rid", *tab.key, *(c.name for c in tab.cols if c.name in ("code", "product_id", "name")))
        chosen = [*dict.fromkeys((*needed, *(c.name for c in self.rng.sample(tab.cols, 2))))]
        if parts.x.chance(0.04):
            chosen.remove(self.rng.choice(needed))
        self.rng.shuffle(chosen)
        rows = []
        for _ in range(self.rng.choice((1, 1, 2, 3, 4, 7))):
            there = parts.known(kept) if parts.x.chance(known) else None
            row = [self._cell(kept, name, there) for name in chosen]
            rows.append(f"({', '.join(row)})")
        names = f" ({', '.join(chosen)})"
        return f"INSERT INTO {kept.name}{names} VALUES {', '.join(rows)}{conflict}{parts.returning(kept)}"

    def _cell(self, kept: Kept, name: str, there: dict[str, object] | None) -> str:
        col, parts = kept.tab.col(name), self.parts
        identifying = name in ("rid", *kept.tab.key) or (name in ("code", "product_id") and not kept.tab.key)
        if there is not None and identifying:
            return parts.x.const(there[name], col.kind) if there[name] is not None else "NULL"
        if name == "rid":
            return parts.rid()
        if name in kept.tab.key and parts.x.chance(0.85):
            return parts.constant(col)
        if name == "country" and parts.x.chance(0.7):
            return literal(self.rng.choice(("DE", "FR", "US")), "txt")
        return parts.value(col)
