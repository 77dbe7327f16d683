"""Random writes that stay on one shard, and some that do not; each is undone after it was looked at."""

from __future__ import annotations

from tests.differential.block import Block
from tests.differential.expressions import Expressions, Scope
from tests.differential.ordering import Promise
from tests.differential.sources import KeyPredicates
from tests.differential.world import BY_NAME, Col, Tab, draw

WRITTEN = ("orders", "items", "docs", "events", "days", "sittings")
PARTNERS = {"orders": "items", "items": "orders", "docs": "tags"}


class Writes:
    """INSERT, UPDATE, DELETE with RETURNING, and locking reads."""

    def __init__(self, expressions: Expressions) -> None:
        self.x = expressions
        self.rng = expressions.rng
        self.keys = KeyPredicates(expressions)

    def draw(self) -> tuple[Block, Promise, str]:
        """(statement, what its order promises, the table to look at afterwards)."""
        table = BY_NAME[self.rng.choice(WRITTEN)]
        forms = (self._insert, self._insert, self._update, self._update, self._delete, self._locking, self._copied)
        raw = self.rng.choice(forms)(table)
        if "products" in raw.split(" WHERE")[0]:
            table = BY_NAME["products"]
        return Block(raw=raw), ("none", ()), table.name

    def _value(self, col: Col) -> str:
        return self.x.const(draw(col, self.rng), col.kind) if self.x.chance(0.85) else "NULL"

    def _returning(self, table: Tab) -> str:
        names = self.rng.sample([col.name for col in table.cols], 3)
        return self.rng.choice(("", f" RETURNING {', '.join(names)}", " RETURNING *", " RETURNING rid AS r, rid + 1"))

    def _key(self, table: Tab) -> str:
        """Mostly one key, written plainly; else any of the forms."""
        if self.x.chance(0.3):
            return f"({self.keys.about(Scope([('', table)]))})"
        return " AND ".join(f"{c.name} = {self.x.const(draw(c, self.rng), c.kind)}" for c in map(table.col, table.key))

    def _insert(self, table: Tab) -> str:
        names = [*dict.fromkeys((table.unique, *table.key, *(c.name for c in self.rng.sample(table.cols, 3))))]
        cols = [table.col(name) for name in names]
        fixed = {name: self._value(table.col(name)) for name in table.key}
        rows = []
        for number in range(self.rng.choice((1, 1, 1, 2, 3))):
            same = self.x.chance(0.8)
            given = {name: fixed[name] if same else self._value(table.col(name)) for name in table.key}
            given[table.unique] = str(5000 + number)
            rows.append("(" + ", ".join(given.get(col.name) or self._value(col) for col in cols) + ")")
        conflict = " ON CONFLICT DO NOTHING" if self.x.chance(0.1) else ""
        return (
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join(rows)}{conflict}{self._returning(table)}"
        )

    def _assignments(self, table: Tab) -> str:
        plain = [col for col in table.cols if col.name not in table.key and col.name != table.unique and col.small]
        found = []
        for col in self.rng.sample(plain, self.rng.randint(1, 2)):
            scope = Scope([("", table)])
            simple = col.type in ("int4", "text", "date", "bool", "timestamp", "timestamptz")
            found.append(f"{col.name} = {self.x.value(scope, col.kind, 1) if simple else self._value(col)}")
        if self.x.chance(0.08):
            found.append(f"{table.key[0]} = {self._value(table.col(table.key[0]))}")
        return ", ".join(found)

    def _update(self, table: Tab) -> str:
        more = f" AND {self.x.predicate(Scope([('', table)]), 1)}" if self.x.chance(0.4) else ""
        if table.name in PARTNERS and self.x.chance(0.15):
            other, key = PARTNERS[table.name], table.key[0]
            value = self.x.const(draw(table.col(key), self.rng), table.col(key).kind)
            col = "total" if table.name == "orders" else "note" if table.name == "items" else "title"
            return (
                f"UPDATE {table.name} t SET {col} = NULL FROM {other} o "
                f"WHERE o.{key} = t.{key} AND t.{key} = {value} RETURNING t.rid"
            )
        return (
            f"UPDATE {table.name} SET {self._assignments(table)} WHERE {self._key(table)}{more}{self._returning(table)}"
        )

    def _delete(self, table: Tab) -> str:
        more = f" AND {self.x.predicate(Scope([('', table)]), 1)}" if self.x.chance(0.4) else ""
        return f"DELETE FROM {table.name} WHERE {self._key(table)}{more}{self._returning(table)}"

    def _locking(self, table: Tab) -> str:
        how = self.rng.choice(("UPDATE", "SHARE", "NO KEY UPDATE", "UPDATE SKIP LOCKED", f"UPDATE OF {table.name}"))
        return f"SELECT * FROM {table.name} WHERE {self._key(table)} FOR {how}"

    def _copied(self, table: Tab) -> str:
        """Writes to every shard, or by nothing that names a shard: refused until transactions span shards."""
        return self.rng.choice(
            (
                "UPDATE products SET price = price + 1 WHERE product_id = 3 RETURNING *",
                f"DELETE FROM {table.name} WHERE rid < 10",
                f"UPDATE {table.name} SET rid = rid WHERE {self.x.predicate(Scope([('', table)]), 1)}",
                f"WITH gone AS (DELETE FROM {table.name} WHERE {self._key(table)} RETURNING rid) SELECT * FROM gone",
            )
        )
