"""Random FROM clauses, and every way to say something about a shard key."""

from __future__ import annotations

import random

from tests.differential.block import hole
from tests.differential.expressions import Expressions, Scope, literal, wrong_typed
from tests.differential.orders import Orders
from tests.differential.world import BY_NAME, COLOCATED, TABLES, Col, Tab, draw

SHARDED = [table for table in TABLES if table.placement == "sharded"]
COPIED = [table for table in TABLES if table.placement == "copied"]
JOINS = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
#: sharded column → copied column of the same meaning
LOOKUPS = (("country", "countries", "code"), ("product_id", "products", "product_id"), ("code", "countries", "code"))


class Sources:
    """Draws FROM clauses with their scopes."""

    def __init__(self, expressions: Expressions) -> None:
        self.x = expressions
        self.rng: random.Random = expressions.rng

    def any(self) -> tuple[str, Scope]:
        """A source of any form, by weight."""
        forms = (self.one, self.colocated, self.with_copied, self.comma, self.derived, self.copied_only)
        return self.rng.choices((*forms, self.cross_shard), (44, 24, 16, 5, 8, 4, 2))[0]()

    def one(self, table: Tab | None = None) -> tuple[str, Scope]:
        pick = table or self.rng.choice(TABLES if self.x.chance(0.2) else SHARDED)
        alias = "" if self.x.chance(0.4) else "t"
        return f"{pick.name} {alias}".strip(), Scope([(alias, pick)])

    def copied_only(self) -> tuple[str, Scope]:
        pair = COPIED[0], COPIED[1]
        if self.x.chance(0.5):
            return self.one(self.rng.choice(pair))
        return "countries c CROSS JOIN products p", Scope([("c", pair[0]), ("p", pair[1])])

    def colocated(self) -> tuple[str, Scope]:
        """Two or three tables joined on the whole key."""
        r = self.rng
        group = r.choice([g for g in COLOCATED if len(g) > 1] * 3 + [g for g in COLOCATED if len(g) == 1])
        tables = [BY_NAME[r.choice(group)] for _ in range(3 if self.x.chance(0.25) else 2)]
        aliases = "abc"[: len(tables)]
        text, scope = f"{tables[0].name} a", Scope([("a", tables[0])])
        using = self.x.chance(0.25) and len({t.key for t in tables}) == 1
        for index in range(1, len(tables)):
            alias, table = aliases[index], tables[index]
            # With more than two, joining to the first or to the one before are both the key, transitively.
            other = r.randrange(index)
            kind = r.choice(JOINS)
            if using:
                text += f" {kind} {table.name} {alias} USING ({', '.join(table.key)})"
            else:
                on = self._key_equality(alias, table, aliases[other], tables[other])
                text += f" {kind} {table.name} {alias} ON {on}"
                if self.x.chance(0.2) and kind != "FULL JOIN":
                    text += f" AND {self._extra(Scope([*scope.sources, (alias, table)]))}"
            scope.sources.append((alias, table))
        if using:
            scope.merged = [tables[0].col(name) for name in tables[0].key]
        return text, scope

    def _extra(self, scope: Scope) -> str:
        """One more condition in ON: in an outer join it must not narrow the statement."""
        if self.x.chance(0.5):
            alias, table = self.rng.choice(scope.keyed())
            col = table.col(table.key[0])
            return f"{alias}.{col.name} = {self.x.const(draw(col, self.rng), col.kind)}"
        return self.x.predicate(scope, 1)

    def _key_equality(self, one: str, table: Tab, two: str, other: Tab) -> str:
        pairs = [(f"{one}.{a}", f"{two}.{b}") for a, b in zip(table.key, other.key, strict=True)]
        if len(pairs) > 1 and self.x.chance(0.3):
            return f"({', '.join(a for a, _ in pairs)}) = ({', '.join(b for _, b in pairs)})"
        return " AND ".join(f"{a} = {b}" if self.x.chance(0.5) else f"{b} = {a}" for a, b in pairs)

    def with_copied(self) -> tuple[str, Scope]:
        """A sharded and a copied table, in every position of every join."""
        r = self.rng
        column, copied, target = r.choice(LOOKUPS)
        table = r.choice([t for t in SHARDED if any(c.name == column for c in t.cols)])
        kind, lookup = r.choice(JOINS), BY_NAME[copied]
        on = f"s.{column} = l.{target}"
        if self.x.chance(0.5):
            text = f"{table.name} s {kind} {copied} l ON {on}"
        else:
            text = f"{copied} l {kind} {table.name} s ON {on}"
        scope = Scope([("s", table), ("l", lookup)])
        partners = [g for g in COLOCATED if table.name in g and len(g) > 1]
        if partners and self.x.chance(0.3):
            other = BY_NAME[r.choice(partners[0])]
            text += f" {r.choice(JOINS[:4])} {other.name} o ON {self._key_equality('o', other, 's', table)}"
            scope.sources.append(("o", other))
        return text, scope

    def comma(self) -> tuple[str, Scope]:
        """`FROM a, b`, the join in WHERE."""
        group = self.rng.choice([g for g in COLOCATED if len(g) > 1])
        one, two = BY_NAME[self.rng.choice(group)], BY_NAME[self.rng.choice(group)]
        scope = Scope([("a", one), ("b", two)], conditions=[self._key_equality("a", one, "b", two)])
        return f"{one.name} a, {two.name} AS b", scope

    def derived(self) -> tuple[str, Scope]:
        """A subquery in FROM: filtered, or joined with a table on the key that it hands through."""
        if self.x.chance(0.25):
            return self.grouped()
        table = self.rng.choice(SHARDED)
        inner = Scope([("", table)])
        picked = [table.col(table.unique), *(table.col(name) for name in table.key)]
        picked += [c for c in self.rng.sample(table.cols, 3) if c not in picked]
        where = f" WHERE {self.x.predicate(inner, 1)}" if self.x.chance(0.7) else ""
        text = f"(SELECT {', '.join(c.name for c in picked)} FROM {table.name}{where}) d"
        shown = Tab("d", tuple(picked), table.key, table.placement, table.unique)
        scope = Scope([("d", shown)])
        if self.x.chance(0.4):
            group = next(g for g in COLOCATED if table.name in g)
            other = BY_NAME[self.rng.choice(group)]
            text += f" {self.rng.choice(JOINS)} {other.name} o ON {self._key_equality('o', other, 'd', shown)}"
            scope.sources.append(("o", other))
        return text, scope

    def grouped(self) -> tuple[str, Scope]:
        """A subquery in FROM that groups by the key, alone or joined back on it."""
        table = self.rng.choice([t for t in SHARDED if len(t.key) == 1])
        key = table.col(table.key[0])
        text = f"(SELECT {key.name}, count(*) AS n, max(rid) AS rid FROM {table.name} GROUP BY {key.name}) d"
        shown = Tab("d", (key, Col("n", "int8", "int"), Col("rid", "int4", "int")), table.key)
        scope = Scope([("d", shown)])
        if self.x.chance(0.6):
            group = next(g for g in COLOCATED if table.name in g)
            other = BY_NAME[self.rng.choice(group)]
            text += f" {self.rng.choice(JOINS)} {other.name} o ON {self._key_equality('o', other, 'd', shown)}"
            scope.sources.append(("o", other))
        return text, scope

    def cross_shard(self) -> tuple[str, Scope]:
        """Joined on something else than the key: refused, or right."""
        one, two = self.rng.sample([BY_NAME[n] for n in ("orders", "items", "tags")], 2)
        scope = Scope([("a", one), ("b", two)])
        return f"{one.name} a {self.rng.choice(JOINS)} {two.name} b ON a.product_id = b.product_id", scope


class KeyPredicates:
    """Every form in which a program says which key it means, and some that only look so."""

    def __init__(self, expressions: Expressions) -> None:
        self.x = expressions
        self.rng = expressions.rng
        self.orders = Orders(expressions)

    def about(self, scope: Scope) -> str:
        """Something about the shard key of one source; a plain predicate where none has a key."""
        keyed = scope.keyed()
        if not keyed:
            return self.x.predicate(scope, 1)
        alias, table = self.rng.choice(keyed)
        prefix = f"{alias}." if alias else ""
        if self.x.chance(0.3):
            col = table.col(table.key[0])
            return self.orders.about(prefix + col.name, col, prefix + table.unique)
        if len(table.key) > 1:
            return self.compound(table, [prefix + name for name in table.key])
        col = table.col(table.key[0])
        return self.single(prefix + col.name, col, prefix + table.unique)

    def _some(self, col: Col) -> str:
        return self.x.const(draw(col, self.rng), col.kind)

    def single(self, k: str, col: Col, unique: str) -> str:

        def some() -> str:
            return self._some(col)

        literals = [literal(draw(col, self.rng), col.kind) for _ in range(3)]
        number = self.rng.randint(1, 60)
        forms = [
            lambda: f"{k} = {some()}", lambda: f"{k} = {some()}", lambda: f"{some()} = {k}",
            lambda: f"{k} IN ({', '.join(some() for _ in range(self.rng.randint(1, 5)))})",
            lambda: f"{k} = ANY (ARRAY[{', '.join(literals)}])", lambda: f"({k}, {unique}) = ({some()}, {number})",
            lambda: f"({k}, {unique}) IN (({some()}, {number}), ({some()}, {number + 1}))",
            lambda: f"{k} = {some()} OR {k} = {some()}", lambda: f"{k} = {some()} AND {k} = {some()}",
            lambda: f"{k} IS NULL", lambda: f"{k} IS NULL OR {k} = {some()}", lambda: f"{k} = NULL",
            lambda: f"{k} IS NOT NULL", lambda: f"{k} IN ({some()}, NULL)",
            lambda: f"{k} NOT IN ({some()}, {some()})",
            lambda: f"{k} IS NOT DISTINCT FROM {some()}", lambda: f"NOT ({k} <> {some()})",
            lambda: f"NOT {k} = {some()}",
            lambda: f"{k} = {some()} OR {unique} = {number}", lambda: f"({k} = {some()}) IS TRUE",
            lambda: f"({k} = {some()}) IS NOT TRUE", lambda: f"coalesce({k} = {some()}, true)",
            lambda: f"{k} BETWEEN {literals[0]} AND {literals[0]}", lambda: f"{k} = (SELECT {literals[0]})",
            lambda: f"CASE WHEN {k} = {some()} THEN true ELSE {unique} < 20 END",
            lambda: f"{k} = {some()} AND {unique} > {number}",
            lambda: f"{k}::text = {literal(str(draw(col, self.rng)), 'txt')}", lambda: f"{k} = {k}",
            lambda: f"({k} = {some()} AND {unique} < 50) OR ({k} = {some()} AND {unique} > 20)",
        ]  # fmt: skip
        special: list[str] = self._of_ints(k) if col.kind == "int" else self._of_texts(k) if col.kind == "txt" else []
        if self.x.parameters and self.x.share and self.x.chance(0.15):
            special.append(f"{k} = ANY ({self.parameter([draw(col, self.rng) for _ in range(3)])})")
            value = wrong_typed(draw(col, self.rng), self.rng)
            special.append(f"{k} = {self.parameter(value)}")
        if special and self.x.chance(0.35):
            return self.rng.choice(special)
        return self.rng.choice(forms)()

    def parameter(self, value: object) -> str:
        self.x.values.append(value)
        return hole(len(self.x.values) - 1)

    def _of_ints(self, k: str) -> list[str]:
        n = self.rng.randint(1, 40)
        return [
            f"{k} = {n}::int2", f"{k} = CAST({n} AS int4)", f"{k} = '{n}'", f"{k} = '{n}'::int8", f"{k} = {n}.0",
            f"{k} = {n}.5", f"{k} = {n}::numeric", f"{k} = {n}::float8", f"{k} + 0 = {n}", f"{k} = {n} + 1",
            f"{k} = -({-n})",
            f"{k} >= {n} AND {k} <= {n}", f"{k} = 99999999999", f"{k} = {n}e0", f"{k} = +{n}", f"{k}::text = '{n}'",
            f"{k} = {n} AND {k} <> {n}", f"{k} IN ({n}, {n}::numeric, {n}.5)",
        ]  # fmt: skip

    def _of_texts(self, k: str) -> list[str]:
        n = self.rng.randint(0, 23)
        return [
            f"{k} = 'doc-' || '{n}'", f"{k} LIKE 'doc-{n}'", f"{k} LIKE 'doc-1%'", f"lower({k}) = 'doc-{n}'",
            f"{k} = 'doc-{n} '::char(9)", f"{k} = 'doc-{n}'::text", f"{k} = 'doc-{n}x'::varchar(5)",
            f"{k} = E'doc-{n}'",
            f"{k} = $$doc-{n}$$", f"{k} ILIKE 'DOC-{n}'", f"{k}::char(5) = 'doc-{n}'", f"{k} COLLATE \"C\" = 'doc-{n}'",
        ]  # fmt: skip

    def compound(self, table: Tab, keys: list[str]) -> str:
        a, b = keys
        first, second = (table.col(name) for name in table.key)
        p, q, s, t = (self._some(col) for col in (first, second, first, second))
        rows = f"(({p}, {q}), ({s}, {t}))"
        return self.rng.choice(
            (
                f"{a} = {p} AND {b} = {q}", f"({a}, {b}) = ({p}, {q})", f"({a}, {b}) IN {rows}", f"{a} = {p}",
                f"{b} = {q}", f"({b}, {a}) = ({q}, {p})", f"ROW({a}, {b}) = ROW({p}, {q})",
                f"{a} IN ({p}, {s}) AND {b} IN ({q}, {t})", f"({a} = {p} AND {b} = {q}) OR ({a} = {s} AND {b} = {t})",
                f"{a} = {p} AND {b} IS NULL", f"{a} IS NULL AND {b} IS NULL", f"{a} = {p} OR {b} = {q}",
                f"NOT ({a} = {p} AND {b} = {q})", f"{a} = {p} AND {b} = {q} AND {b} = {t}",
                f"({a}, {b}) IS NOT DISTINCT FROM ({p}, {q})", f"({a}, {b}) < ({p}, {q})",
            )
        )  # fmt: skip
