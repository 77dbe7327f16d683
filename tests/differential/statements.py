"""Random statements: one seed, one statement, the same everywhere."""

from __future__ import annotations

import random

from tests.differential.aggregates import Aggregates
from tests.differential.block import Block, Case
from tests.differential.expressions import KINDS, Expressions, Scope
from tests.differential.oddities import Oddities
from tests.differential.ordering import Ordering, Promise
from tests.differential.sources import KeyPredicates, Sources
from tests.differential.subqueries import Subqueries
from tests.differential.wider import Wider
from tests.differential.writes import Writes

#: construct → weight
WEIGHTS = {
    "select": 26, "keyed": 16, "group": 15, "aggregate": 9, "distinct": 6, "set_operation": 7, "subquery": 5,
    "cte": 4, "window": 4, "distinct_on": 3, "values": 1, "series": 2, "odd": 2, "wider": 14,
    "write": 5,
}  # fmt: skip
FRAMES = (
    "ROWS UNBOUNDED PRECEDING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS 2 PRECEDING EXCLUDE CURRENT ROW",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "RANGE UNBOUNDED PRECEDING EXCLUDE TIES",
)  # fmt: skip
#: Kinds whose equal values always look alike, so that DISTINCT and GROUP BY have no choice.
PLAIN = ("int", "num", "txt", "bool", "date", "ts", "tstz", "uuid")


def statement(seed: int, number: int) -> Case:
    """Statement `number` of a run with `seed`."""
    return Statements(f"{seed}/{number}").draw()


class Statements:
    """One random statement; make a new one for each."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.values: list[object] = []
        self.x = Expressions(self.rng, self.values, self.rng.choice((0.0, 0.0, 0.3, 0.7)))
        self.sources = Sources(self.x)
        self.keys = KeyPredicates(self.x)
        self.aggregates = Aggregates(self.x)
        self.subqueries = Subqueries(self.x, self.sources)
        self.ordering = Ordering(self.x)
        self.wider = Wider(self.x, self.sources, self.aggregates, self.ordering)
        self.style = self.rng.choice(("%s", "%s", "$"))

    def draw(self) -> Case:
        construct = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if construct == "write":
            block, order, written = Writes(self.x).draw()
            return Case(block, tuple(self.values), construct, *order, style=self.style, written=written)
        if construct == "odd":
            block, order = Oddities(self.x, self.sources).draw()
        elif construct == "wider":
            block, order = self.wider.draw()
        else:
            block, order = getattr(self, f"_{construct}")()
        return Case(block, tuple(self.values), construct, *order, style=self.style, odd=construct == "odd")

    def _where(self, block: Block, scope: Scope, keyed: float = 0.35) -> None:
        block.where += scope.conditions
        if self.x.chance(keyed):
            block.where.append(self.keys.about(scope))
        for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
            block.where.append(self.x.predicate(scope))

    def _items(self, scope: Scope, count: int) -> tuple[list[str], list[str | None]]:
        """Select items and their aliases."""
        items: list[str] = []
        names: list[str | None] = []
        for number in range(count):
            kind = self.rng.choice(KINDS)
            roll = self.rng.random()
            trap = self.subqueries.trap(scope) if roll < 0.06 else None
            if trap:
                text = trap[0]
            elif roll < 0.55:
                found = self.x.column(scope, kind) or self.x.column(scope)
                text = found[0] if found else self.x.constant(kind)
            elif roll < 0.97:
                text = self.x.value(scope, kind)
            else:
                text = self.x.constant(kind)
            name = f"o{number}" if self.x.chance(0.3) else None
            items.append(f"{text} AS {name}" if name else text)
            names.append(name)
        return items, names

    def _select(self) -> tuple[Block, Promise]:
        source, scope = self.sources.any()
        if self.x.chance(0.1):
            return self._star(source, scope)
        items, names = self._items(scope, self.rng.randint(1, 5))
        block = Block(items=items, source=source)
        self._where(block, scope)
        hidden = [text for text, _ in scope.columns()] + [self._sortable(scope) for _ in range(3)]
        return block, self.ordering.add(block, names, hidden, scope.uniques())

    def _star(self, source: str, scope: Scope) -> tuple[Block, Promise]:
        alias = self.rng.choice(scope.sources)[0]
        block = Block(items=[f"{alias}.*" if alias and self.x.chance(0.5) else "*"], source=source)
        self._where(block, scope)
        unique = scope.uniques()
        if unique and self.x.chance(0.5):
            block.order = unique
            return block, ("total", ())
        return block, ("none", ())

    def _sortable(self, scope: Scope) -> str:
        """An expression that is no constant, for ORDER BY."""
        found = self.x.column(scope, self.rng.choice(("int", "txt", "num", "date")), small=True) or self.x.column(scope)
        if found is None:
            return "1"
        text, col = found
        forms = {
            "int": ["-{}", "abs({})", "{} % 3"],
            "txt": ["lower({})", "length({})"],
            "num": ["-{}"],
            "date": ["{} - 3"],
        }
        return self.rng.choice(forms.get(col.kind, ["{}"]) if col.small else ["{}"]).format(text)

    def _keyed(self) -> tuple[Block, Promise]:
        """A statement about one or a few keys, the way applications ask."""
        source, scope = self.sources.one() if self.x.chance(0.7) else self.sources.colocated()
        items, names = self._items(scope, self.rng.randint(1, 4))
        if self.x.chance(0.2):
            text, _ = self.aggregates.rich(scope)
            items, names = [text], [None]
            block = Block(items=items, source=source, where=[*scope.conditions, self.keys.about(scope)])
            return block, ("none", ())
        block = Block(items=items, source=source, where=[*scope.conditions, self.keys.about(scope)])
        if self.x.chance(0.3):
            block.where.append(self.x.predicate(scope, 1) if self.x.chance(0.6) else self.keys.about(scope))
        return block, self.ordering.add(block, names, [text for text, _ in scope.columns()], scope.uniques())

    def _aggregate(self) -> tuple[Block, Promise]:
        source, scope = self.sources.any()
        block = Block(items=[self.aggregates.rich(scope)[0] for _ in range(self.rng.randint(1, 5))], source=source)
        self._where(block, scope, 0.25)
        if self.x.chance(0.1):
            block.having = self.aggregates.condition(scope)
        return block, ("none", ())

    def _group(self) -> tuple[Block, Promise]:
        source, scope = self.sources.any()
        block = Block(source=source)
        names: list[str | None] = []
        for number in range(self.rng.choice((1, 1, 1, 2, 2, 3))):
            text, name = self._group_key(scope), f"g{number}"
            form = self.rng.choice(("text", "text", "ordinal", "alias", "hidden"))
            if form == "hidden":
                block.group.append(text)
                continue
            block.items.append(f"{text} AS {name}" if form == "alias" or self.x.chance(0.2) else text)
            names.append(name if block.items[-1].endswith(f" AS {name}") else None)
            block.group.append({"text": text, "ordinal": str(len(block.items)), "alias": name}[form])
        aggregates = [self.aggregates.rich(scope)[0] for _ in range(self.rng.randint(0 if names else 1, 4))]
        block.items += aggregates
        names += [None] * len(aggregates)
        self._where(block, scope, 0.2)
        if self.x.chance(0.25):
            block.having = self.aggregates.condition(scope)
        hidden = [text for text, kind in (self.aggregates.one(scope) for _ in range(2)) if kind != "flt"]
        return block, self.ordering.add(block, names, hidden, None)

    def _group_key(self, scope: Scope) -> str:
        """A column, or an expression without parameters (two placeholders are never the same expression)."""
        kind = self.rng.choice(PLAIN)
        found = self.x.column(scope, kind) or self.x.column(scope)
        if found is None:
            return "1 + 1"
        text, col = found
        forms = {
            "int": ["{} % 3", "{} > 10", "{} / 10", "coalesce({}, 0)", "{} IS NULL"],
            "txt": ["lower({})", "left({}, 1)", "length({})", "{} || '!'", "coalesce({}, 'none')"],
            "date": ["date_trunc('month', {})", "extract(year from {})"],
            "ts": ["date_trunc('week', {})", "{}::date"],
            "tstz": ["date_trunc('day', {})"],
            "bool": ["NOT {}", "CASE WHEN {} THEN 'yes' ELSE 'no' END"],
            "num": ["{} > 100", "trunc({})"],
        }
        chosen = forms.get(col.kind) if self.x.chance(0.4) and col.small else None
        return self.rng.choice(chosen).format(text) if chosen else text

    def _distinct(self) -> tuple[Block, Promise]:
        source, scope = self.sources.any()
        columns = [self._group_key(scope) for _ in range(self.rng.randint(1, 3))]
        block = Block(items=columns, source=source, distinct="DISTINCT")
        self._where(block, scope)
        return block, self.ordering.add(block, [None] * len(columns), [], None)

    def _distinct_on(self) -> tuple[Block, Promise]:
        """Always with a total order: otherwise any row of each group would be right."""
        source, scope = self.sources.one() if self.x.chance(0.6) else self.sources.colocated()
        unique = scope.uniques() or []
        keys = [self._group_key(scope) for _ in range(self.rng.randint(1, 2))]
        if "1 + 1" in keys:
            return self._distinct()
        items, _ = self._items(scope, self.rng.randint(1, 3))
        block = Block(items=items, source=source, distinct=f"DISTINCT ON ({', '.join(keys)})")
        block.order = [key + self.ordering.direction() for key in keys] + unique
        self._where(block, scope)
        return block, ("total", ())

    def _set_operation(self) -> tuple[Block, Promise]:
        operator = self.rng.choice(("UNION ALL", "UNION ALL", "UNION", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL"))
        kinds = [self.rng.choice(("int", "txt", "bool", "date")) for _ in range(self.rng.randint(1, 3))]
        arms = [self._arm(kinds, operator) for _ in range(2 if self.x.chance(0.8) else 3)]
        block = arms[0]
        block.arms = [(operator, arm) for arm in arms[1:]]
        return block, self.ordering.add(block, [None] * len(kinds), [], None)

    def _arm(self, kinds: list[str], operator: str) -> Block:
        source, scope = self.sources.one() if self.x.chance(0.75) else self.sources.any()
        items = []
        for kind in kinds:
            found = self.x.column(scope, kind, small=True)
            typed = {"int": "NULL::int", "bool": "NULL::bool", "date": "NULL::date", "txt": "'none'::text"}
            if found and found[1].type.startswith("char") and operator != "UNION ALL":
                # With text in another arm, equal values may differ in trailing spaces, and either may stay.
                found = None
            items.append(found[0] if found else typed[kind])
        block = Block(items=items, source=source)
        self._where(block, scope, 0.4)
        return block

    def _subquery(self) -> tuple[Block, Promise]:
        source, scope = self.sources.one() if self.x.chance(0.7) else self.sources.any()
        items, names = self._items(scope, self.rng.randint(1, 3))
        if self.x.chance(0.4):
            items.append(self.subqueries.scalar(scope)[0])
            names.append(None)
        block = Block(items=items, source=source)
        self._where(block, scope, 0.2)
        block.where.append(self.subqueries.condition(scope))
        return block, self.ordering.add(block, names, [text for text, _ in scope.columns()], scope.uniques())

    def _cte(self) -> tuple[Block, Promise]:
        """A CTE that hands through the key, asked alone or joined on it; or one that aggregates."""
        block, order = self._select() if self.x.chance(0.5) else self._group()
        _, scope = self.sources.one()
        table = scope.sources[0][1]
        columns = ", ".join(col.name for col in table.cols)
        inner = self.x.predicate(Scope([("", table)]), 1)
        hint = self.rng.choice(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
        body = f"{hint}(SELECT {columns} FROM {table.name} WHERE {inner})"
        if self.x.chance(0.3):
            block.ctes = [("unused", body)]
            return block, order
        items, names = self._items(Scope([("w", table)]), self.rng.randint(1, 4))
        block = Block(items=items, source="w", ctes=[("w", body)])
        scope = Scope([("w", table)])
        self._where(block, scope, 0.3)
        return block, self.ordering.add(block, names, [text for text, _ in scope.columns()], scope.uniques())

    def _window(self) -> tuple[Block, Promise]:
        source, scope = self.sources.one() if self.x.chance(0.6) else self.sources.colocated()
        unique = ", ".join(scope.uniques() or ["1"])
        keyed = scope.keyed()
        alias, table = self.rng.choice(keyed) if keyed else scope.sources[0]
        key = ", ".join(f"{alias}.{name}" if alias else name for name in table.key)
        partition = f"PARTITION BY {key} " if key and self.x.chance(0.7) else ""
        if self.x.chance(0.2):
            partition = f"PARTITION BY {self._group_key(scope)} "
        number = (self.x.column(scope, "int") or ("1", None))[0]
        function = self.rng.choice(
            (
                "row_number()", "rank()", "count(*)", f"sum({number})", f"lag({number})", f"lead({number}, 2)",
                f"first_value({number})", "ntile(3)", f"max({number})", "percent_rank()",
            )
        )  # fmt: skip
        items, names = self._items(scope, self.rng.randint(1, 3))
        if self.x.chance(0.3):
            function = self.rng.choice(
                (f"sum({number})", "count(*)", f"max({number})", f"last_value({number})", f"nth_value({number}, 2)")
            )
            items.append(f"{function} OVER ({partition}ORDER BY {unique} {self.rng.choice(FRAMES)})")
        else:
            items.append(f"{function} OVER ({partition}ORDER BY {unique})")
        if partition and self.x.chance(0.3):
            items.append(f"sum({number}) OVER ({partition.strip()})")
        block = Block(items=items, source=source)
        self._where(block, scope, 0.2)
        return block, self.ordering.add(block, [*names, *[None] * (len(items) - len(names))], [], None)

    def _values(self) -> tuple[Block, Promise]:
        rows = [
            (self.rng.randint(0, 9), self.rng.choice(("'x'", "'y'", "NULL"))) for _ in range(self.rng.randint(1, 4))
        ]
        text = ", ".join(f"({number}, {word})" for number, word in rows)
        raw = self.rng.choice(
            (
                f"VALUES {text}", f"SELECT * FROM (VALUES {text}) AS v(a, b)", "SELECT 1 AS one, 'two' AS two, NULL",
                f"SELECT {self.x.const(5, 'int')}", "SELECT 1 WHERE false", "SELECT 1.50 + 2, 7 / 2, 'a' || 'b'",
                "SELECT count(*)", "TABLE countries",
                f"SELECT v.a, c.rid FROM (VALUES {text}) AS v(a, b) JOIN customers c ON c.customer_id = v.a",
            )
        )  # fmt: skip
        return Block(raw=raw), ("none", ())

    def _series(self) -> tuple[Block, Promise]:
        """Functions that return sets."""
        table, n = self.rng.choice(("orders", "customers", "items")), self.rng.randint(1, 5)
        raw = self.rng.choice(
            (
                f"SELECT * FROM generate_series(1, {n}) AS g(n)",
                f"SELECT g.n, c.rid FROM generate_series(1, {n}) AS g(n) JOIN customers c ON c.customer_id = g.n",
                f"SELECT rid, generate_series(1, {n}) FROM {table}",
                f"SELECT t.rid, u.x FROM {table} t, unnest(ARRAY[1, 2, NULL]) AS u(x) WHERE t.rid % 5 = u.x",
                f"SELECT t.customer_id, count(*) FROM {table} t CROSS JOIN generate_series(1, {n}) GROUP BY 1",
                f"SELECT t.rid, g FROM {table} t LEFT JOIN generate_series(1, {n}) g ON g = t.rid",
                f"SELECT t.rid, g FROM generate_series(1, {n}) g LEFT JOIN {table} t ON g = t.rid",
                f"SELECT t.rid FROM {table} t JOIN unnest({self.keys.parameter([1, 2, 3])}) k ON t.customer_id = k",
            )
            if self.x.share
            else (f"SELECT rid, unnest(ARRAY[rid, {n}]) FROM {table}", f"SELECT generate_series(1, {n})")
        )
        return Block(raw=raw), ("none", ())
