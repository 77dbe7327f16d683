"""Subqueries in WHERE and in the select list: co-located, over copied tables, and some that need all shards."""

from __future__ import annotations

from tests.differential.expressions import Expressions, Scope, literal
from tests.differential.sources import Sources
from tests.differential.world import BY_NAME, COLOCATED, Tab, draw


class Subqueries:
    def __init__(self, expressions: Expressions, sources: Sources) -> None:
        self.x = expressions
        self.rng = expressions.rng
        self.sources = sources

    def _partner(self, scope: Scope) -> tuple[str, Tab, Tab] | None:
        """(alias of a sharded source, its table, a co-located table)."""
        keyed = scope.keyed()
        if not keyed:
            return None
        alias, table = self.rng.choice(keyed)
        group = next(
            (g for g in COLOCATED if any(BY_NAME[n].key == table.key and table.name in (n, "d") for n in g)), None
        )
        return (alias, table, BY_NAME[self.rng.choice(group)]) if group else None

    def condition(self, scope: Scope) -> str:
        """For WHERE."""
        found = self._partner(scope)
        if found is None or self.x.chance(0.3):
            return self._over_copied(scope)
        alias, table, other = found
        inner = Scope([("z", other)])
        outer = f"{alias or table.name}."
        on = " AND ".join(f"z.{b} = {outer}{a}" for a, b in zip(table.key, other.key, strict=True))
        more = f" AND {self.x.predicate(inner, 1)}" if self.x.chance(0.6) else ""
        keys, columns = ", ".join(outer + name for name in table.key), ", ".join("z." + name for name in other.key)
        row = f"({keys})" if len(table.key) > 1 else keys
        where = f" WHERE {self.x.predicate(inner, 1)}"
        return self.rng.choice(
            (
                f"EXISTS (SELECT 1 FROM {other.name} z WHERE {on}{more})",
                f"NOT EXISTS (SELECT FROM {other.name} z WHERE {on}{more})",
                f"{row} IN (SELECT {columns} FROM {other.name} z{where})",
                f"{row} NOT IN (SELECT {columns} FROM {other.name} z WHERE {self._not_null(other)})",
                f"(SELECT count(*) FROM {other.name} z WHERE {on}{more}) > {self.rng.randint(0, 4)}",
                f"{outer}rid = (SELECT max(z.rid) FROM {other.name} z WHERE {on}{more})",
            )
        )

    def _not_null(self, table: Tab) -> str:
        return " AND ".join(f"z.{name} IS NOT NULL" for name in table.key)

    def _over_copied(self, scope: Scope) -> str:
        found = self.x.column(scope, "txt")
        number = self.x.column(scope, "int")
        inner = Scope([("z", BY_NAME["products"])])
        forms = [f"EXISTS (SELECT 1 FROM products z WHERE {self.x.predicate(inner, 1)})"]
        if found:
            forms += [
                f"{found[0]} IN (SELECT z.code FROM countries z WHERE z.eu)",
                f"{found[0]} = ANY (SELECT code FROM countries)",
                f"{found[0]} NOT IN (SELECT z.code FROM countries z WHERE z.population > 5)",
            ]
        if number:
            forms += [
                f"{number[0]} > (SELECT min(z.product_id) FROM products z)",
                f"{number[0]} IN (SELECT z.product_id FROM products z WHERE {self.x.predicate(inner, 1)})",
            ]
        return self.rng.choice(forms)

    def scalar(self, scope: Scope) -> tuple[str, str]:
        """(SQL, kind) of a subquery as a value."""
        found = self._partner(scope)
        if found is None or self.x.chance(0.3):
            return self.rng.choice(
                (("(SELECT max(z.title) FROM products z)", "txt"), ("(SELECT count(*) FROM countries)", "int"))
            )
        alias, table, other = found
        outer = f"{alias or table.name}."
        on = " AND ".join(f"z.{b} = {outer}{a}" for a, b in zip(table.key, other.key, strict=True))
        return self.rng.choice(
            (
                (f"(SELECT count(*) FROM {other.name} z WHERE {on})", "int"),
                (f"(SELECT max(z.rid) FROM {other.name} z WHERE {on})", "int"),
                (f"EXISTS (SELECT 1 FROM {other.name} z WHERE {on})", "bool"),
                (f"(SELECT z.rid FROM {other.name} z WHERE {on} ORDER BY z.rid LIMIT 1)", "int"),
            )
        )

    def trap(self, scope: Scope) -> tuple[str, str] | None:
        """A value that mentions a key but narrows nothing: (SQL, kind)."""
        found = self._partner(scope)
        if found is None:
            return None
        alias, table, other = found
        prefix = f"{alias}." if alias else ""
        col, key = table.col(table.key[0]), other.col(other.key[0])
        value = self.x.const(draw(col, self.rng), col.kind)
        constant = literal(draw(key, self.rng), key.kind)
        return self.rng.choice(
            (
                (f"CASE WHEN {prefix}{col.name} = {value} THEN 'hit' ELSE 'miss' END", "txt"),
                (f"{prefix}{col.name} = {value}", "bool"),
                (f"(SELECT count(*) FROM {other.name} z WHERE z.{key.name} = {constant})", "int"),
                (f"EXISTS (SELECT 1 FROM {other.name} z WHERE z.{key.name} = {constant})", "bool"),
                (f"({prefix}{col.name} = {value}) IS NOT TRUE", "bool"),
                (f"coalesce({prefix}{col.name} = {value}, false)", "bool"),
            )
        )
