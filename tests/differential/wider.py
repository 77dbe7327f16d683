"""SQL that shards cannot work off each for itself: joins off the key of every kind, LATERAL, recursion, grouping sets,
ordered-set aggregates, and types that only PostgreSQL itself understands."""

from __future__ import annotations

from tests.differential.aggregates import Aggregates
from tests.differential.block import Block
from tests.differential.expressions import Expressions, Scope
from tests.differential.ordering import Ordering, Promise
from tests.differential.sources import JOINS, SHARDED, Sources
from tests.differential.world import BY_NAME, Tab

UNORDERED: Promise = ("none", ())
#: Columns of one meaning in tables whose keys are others: (table, column) pairs that find partners.
MEETING = (
    (("orders", "product_id"), ("items", "product_id"), ("tags", "product_id")),
    (("customers", "country"), ("orders", "country"), ("readings", "code"), ("countries", "code")),
    (("events", "n"), ("tags", "weight"), ("items", "amount"), ("docs", "size"), ("sittings", "hits")),
    (("customers", "name"), ("docs", "title"), ("items", "note"), ("days", "remark")),
    (("customers", "born"), ("docs", "made"), ("items", "shipped"), ("days", "day")),
)
COMPARISONS = ("=", "<", ">=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")


class Wider:
    def __init__(self, expressions: Expressions, sources: Sources, aggregates: Aggregates, ordering: Ordering) -> None:
        self.x = expressions
        self.rng = expressions.rng
        self.sources = sources
        self.aggregates = aggregates
        self.ordering = ordering

    def draw(self) -> tuple[Block, Promise]:
        forms = (
            *(self.joined, self.joined, self.semi_joined, self.semi_joined, self.correlated, self.lateral),
            *(self.grouping, self.grouping, self.ordered, self.recursive, self.nested, self.exotic, self.quantified),
        )
        return self.rng.choice(forms)()

    def _meeting(self, count: int) -> list[tuple[Tab, str]]:
        group = self.rng.choice([pairs for pairs in MEETING if len(pairs) >= count])
        return [(BY_NAME[name], column) for name, column in self.rng.sample(group, count)]

    def _predicate(self, alias: str, table: Tab) -> str:
        return self.x.predicate(Scope([(alias, table)]), 1)

    def joined(self) -> tuple[Block, Promise]:
        """Two or three tables joined off the key, equal or otherwise, in every kind of join."""
        parts = self._meeting(self.rng.choice((2, 2, 3)))
        (first, column), *others = parts
        text, scope, before = f"{first.name} a", Scope([("a", first)]), f"a.{column}"
        for alias, (table, name) in zip("bc", others, strict=False):
            kind = self.rng.choice(JOINS)
            # A FULL JOIN takes no other conditions than equalities that can be hashed.
            operator = "=" if kind == "FULL JOIN" or self.x.chance(0.8) else self.rng.choice(COMPARISONS)
            on = f"{before} {operator} {alias}.{name}"
            if kind != "FULL JOIN" and self.x.chance(0.3):
                on += f" AND {self._predicate(alias, table)}"
            text += f" {kind} {table.name} {alias} ON {on}"
            scope.sources.append((alias, table))
            before = f"{alias}.{name}" if self.x.chance(0.5) else before
        if self.x.chance(0.35):
            keys = [found[0] for found in [self.x.column(scope, "int")] if found]
            counted = [self.aggregates.one(scope)[0] for _ in range(2)]
            block = Block(items=[*keys, *counted], source=text, group=keys)
        else:
            block = Block(items=[self.x.column(scope)[0] for _ in range(3)], source=text)  # type: ignore[index]
        block.where += [self.x.predicate(scope, 1)] if self.x.chance(0.6) else []
        if self.x.chance(0.3):
            block.where.append(f"a.{first.key[0] if first.key else first.unique} IS NOT NULL")
        promise = self.ordering.add(block, [None] * len(block.items), [], None if block.group else scope.uniques())
        return block, promise

    def semi_joined(self) -> tuple[Block, Promise]:
        """EXISTS, IN and their negations off the key, NULLs and all."""
        (outer, column), (inner, name) = self._meeting(2)
        more = f" AND {self._predicate('z', inner)}" if self.x.chance(0.6) else ""
        column, name = f"a.{column}", f"z.{name}"
        condition = self.rng.choice(
            (
                f"EXISTS (SELECT 1 FROM {inner.name} z WHERE {name} = {column}{more})",
                f"NOT EXISTS (SELECT FROM {inner.name} z WHERE {name} = {column}{more})",
                f"{column} IN (SELECT {name} FROM {inner.name} z WHERE true{more})",
                f"{column} NOT IN (SELECT {name} FROM {inner.name} z WHERE {name} IS NOT NULL{more})",
                f"{column} NOT IN (SELECT {name} FROM {inner.name} z WHERE true{more})",
                f"({column} IN (SELECT {name} FROM {inner.name} z WHERE true{more})) IS NOT TRUE",
                f"EXISTS (SELECT 1 FROM {inner.name} z WHERE {name} = {column} AND z.rid > a.rid{more})",
            )
        )
        scope = Scope([("a", outer)])
        block = Block(items=[self.x.column(scope)[0], "a.rid"], source=f"{outer.name} a", where=[condition])  # type: ignore[index]
        block.where += [self.x.predicate(scope, 1)] if self.x.chance(0.4) else []
        if self.x.chance(0.25):
            block.items = [self.aggregates.one(scope)[0]]
            return block, UNORDERED
        return block, self.ordering.add(block, [None, None], [], ["a.rid"])

    def correlated(self) -> tuple[Block, Promise]:
        """Subqueries that look at the outer row, as values and in comparisons."""
        (outer, column), (inner, name) = self._meeting(2)
        on = f"z.{name} = a.{column}"
        value = self.rng.choice(
            (
                f"(SELECT count(*) FROM {inner.name} z WHERE {on})",
                f"(SELECT max(z.rid) FROM {inner.name} z WHERE {on} AND {self._predicate('z', inner)})",
                f"(SELECT sum(z.rid) FROM {inner.name} z WHERE {on} AND z.rid < a.rid)",
                f"(SELECT avg(z.rid) FROM {inner.name} z WHERE {on})",
                f"(SELECT z.rid FROM {inner.name} z WHERE {on} ORDER BY z.rid DESC LIMIT 1)",
                f"(SELECT min(z.rid) + count(*) FROM {inner.name} z WHERE {on} HAVING count(*) > 1)",
            )
        )
        block = Block(items=["a.rid", f"a.{column}"], source=f"{outer.name} a")
        if self.x.chance(0.5):
            block.items.append(value)
        else:
            operator = self.rng.choice(("<", ">", "=", "<=", "IS DISTINCT FROM"))
            block.where.append(f"a.rid {operator} {value}")
        block.where += [self._predicate("a", outer)] if self.x.chance(0.4) else []
        return block, self.ordering.add(block, [None] * len(block.items), [], ["a.rid"])

    def lateral(self) -> tuple[Block, Promise]:
        (outer, column), (inner, name) = self._meeting(2)
        more = f" AND {self._predicate('z', inner)}" if self.x.chance(0.5) else ""
        limit = f" ORDER BY z.rid LIMIT {self.rng.randint(1, 3)}" if self.x.chance(0.6) else ""
        body = self.rng.choice(
            (
                f"SELECT z.rid, z.{name} AS met FROM {inner.name} z WHERE z.{name} = a.{column}{more}{limit}",
                f"SELECT count(*) AS rid, max(z.rid) AS met FROM {inner.name} z WHERE z.{name} >= a.{column}{more}",
            )
        )
        join, on = self.rng.choice((("CROSS JOIN LATERAL", ""), ("LEFT JOIN LATERAL", " ON true")))
        block = Block(items=["a.rid", "l.rid", "l.met"], source=f"{outer.name} a {join} ({body}) l{on}")
        block.where += [self._predicate("a", outer)] if self.x.chance(0.5) else []
        return block, self.ordering.add(block, [None] * 3, [], None)

    def grouping(self) -> tuple[Block, Promise]:
        source, scope = self.sources.one(self.rng.choice(SHARDED)) if self.x.chance(0.6) else self.sources.any()
        found = [self.x.column(scope, kind) for kind in self.rng.sample(("int", "txt", "bool", "date", "uuid"), 3)]
        keys = list(dict.fromkeys(pair[0] for pair in found if pair))
        if len(keys) < 2:
            return self.ordered()
        one, two = keys[:2]
        sets = self.rng.choice(
            (
                f"ROLLUP ({one}, {two})", f"CUBE ({one}, {two})", f"GROUPING SETS (({one}, {two}), ({one}), ())",
                f"GROUPING SETS (({one}), ({two}))", f"{one}, ROLLUP ({two})",
            )
        )  # fmt: skip
        counted = [self.aggregates.one(scope)[0] for _ in range(2)]
        block = Block(items=[one, two, f"grouping({one}, {two})", *counted], source=source, group=[sets])
        block.where += scope.conditions + ([self.x.predicate(scope, 1)] if self.x.chance(0.4) else [])
        if self.x.chance(0.2):
            block.having = self.aggregates.condition(scope)
        return block, self.ordering.add(block, [None] * len(block.items), [], None)

    def ordered(self) -> tuple[Block, Promise]:
        """Ordered-set, hypothetical and ordered aggregates."""
        table = self.rng.choice(SHARDED)
        scope = Scope([("", table)])
        number = (self.x.column(scope, "int", small=True) or ("rid", None))[0]
        text = (self.x.column(scope, "txt") or ("rid::text", None))[0]
        forms = (
            f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {number})",
            f"percentile_disc(ARRAY[0.25, 0.9]) WITHIN GROUP (ORDER BY {number} DESC)",
            f"rank({self.rng.randint(0, 40)}) WITHIN GROUP (ORDER BY {number})",
            f"string_agg({text}, ',' ORDER BY rid)",
            f'string_agg(DISTINCT {text} COLLATE "C", \'|\' ORDER BY {text} COLLATE "C")',
            f"array_agg({number} ORDER BY rid DESC)",
            f"array_agg(DISTINCT {number})",
            f"jsonb_agg({number} ORDER BY {number} NULLS FIRST, rid)",
            f"jsonb_object_agg(rid, {text} ORDER BY rid)",
            f"bit_or({number})",
            f"stddev_pop({number}::numeric)",
            f"regr_count({number}, rid)",
        )
        items = self.rng.sample(forms, 2)
        block = Block(items=items, source=table.name)
        if self.x.chance(0.6):
            key = self.rng.choice(("rid % 3", table.key[0], f"{text} IS NULL"))
            block.items, block.group = [key, *items], [key]
        block.where += [self.x.predicate(scope, 1)] if self.x.chance(0.4) else []
        return block, UNORDERED

    def recursive(self) -> tuple[Block, Promise]:
        table = self.rng.choice(SHARDED)
        step = self.rng.randint(1, 7)
        if self.x.chance(0.5):
            body = f"(SELECT {self.rng.randint(1, 9)} UNION ALL SELECT n + {step} FROM r WHERE n < 60)"
            block = Block(items=["r.n", "t.rid"], source=f"r LEFT JOIN {table.name} t ON t.rid = r.n")
            block.ctes = [("RECURSIVE r(n)", body)]
        else:
            seed = f"SELECT rid, 0 FROM {table.name} WHERE rid <= {step}"
            more = f"SELECT t.rid, r.depth + 1 FROM {table.name} t JOIN r ON t.rid = r.rid + {step} WHERE r.depth < 9"
            operator = self.rng.choice(("UNION ALL", "UNION"))
            block = Block(items=["*"], source="r", ctes=[("RECURSIVE r(rid, depth)", f"({seed} {operator} {more})")])
        return block, self.ordering.add(block, [None, None], [], None)

    def nested(self) -> tuple[Block, Promise]:
        """Set operations inside, aggregates over aggregates, and limits that a wrong cut would see."""
        (one, a), (two, b) = self._meeting(2)
        operator = self.rng.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"))
        inner = self.rng.choice(
            (
                f"SELECT {a} AS x FROM {one.name} {operator} SELECT {b} FROM {two.name}",
                f"(SELECT {a} AS x FROM {one.name} ORDER BY rid LIMIT 9) {operator} "
                f"(SELECT {b} FROM {two.name} ORDER BY rid DESC LIMIT 9)",
                f"SELECT max({a}) AS x FROM {one.name} GROUP BY rid % {self.rng.randint(2, 9)}",
                f"SELECT DISTINCT ON ({a}) {a} AS x FROM {one.name} ORDER BY {a}, rid",
            )
        )
        block = Block(items=["count(*)", "count(DISTINCT x)", "max(x)"], source=f"({inner}) d")
        if self.x.chance(0.5):
            block.items, block.where = ["x", "count(*)"], ["x IS NOT NULL"]
            block.group = ["x"]
        return block, self.ordering.add(block, [None] * len(block.items), [], None)

    def quantified(self) -> tuple[Block, Promise]:
        """ANY and ALL over subqueries, rows compared with rows, CASE around subqueries."""
        (outer, column), (inner, name) = self._meeting(2)
        where = f" WHERE {self._predicate('z', inner)}"
        items = self.rng.choice(
            (
                f"a.{column} = ANY (SELECT z.{name} FROM {inner.name} z{where})",
                f"a.{column} >= ALL (SELECT z.{name} FROM {inner.name} z{where})",
                f"a.{column} <> ALL (SELECT z.{name} FROM {inner.name} z{where})",
                f"(a.{column}, a.rid) IN (SELECT z.{name}, z.rid FROM {inner.name} z{where})",
                f"CASE WHEN EXISTS (SELECT 1 FROM {inner.name} z{where}) THEN a.{column} END",
                f"(SELECT count(*) FROM {inner.name} z{where}) + a.rid",
            )
        )
        block = Block(items=["a.rid", items], source=f"{outer.name} a")
        block.where += [self._predicate("a", outer)] if self.x.chance(0.4) else []
        return block, self.ordering.add(block, [None, None], [], ["a.rid"])

    def exotic(self) -> tuple[Block, Promise]:
        """Types and functions that nobody but PostgreSQL itself evaluates: arrays, jsonb, ranges, full text."""
        (one, a), (two, b) = self._meeting(2)
        on = f"x.{a} = y.{b}"
        items = self.rng.choice(
            (
                f"ARRAY[x.rid, y.rid], x.{a}",
                f"jsonb_build_object('a', x.{a}, 'n', y.rid)",
                f"int4range(x.rid, x.rid + y.rid) && int4range(20, {self.rng.randint(21, 60)}), x.rid",
                f"to_tsvector('simple', coalesce(x.{a}::text, '')) @@ to_tsquery('simple', 'a | 3'), y.rid",
                f"regexp_replace(x.{a}::text, '[aeiou]', '*', 'g'), y.rid",
                f"x.{a}::text ~ '^[A-M0-4]', y.rid",
                f"md5(x.{a}::text), to_char(y.rid, 'FM000'), x.rid",
                f"(y.rid::text || '::' || coalesce(x.{a}::text, '')) COLLATE \"C\"",
            )
        )
        source = f"{one.name} x {self.rng.choice(('JOIN', 'LEFT JOIN'))} {two.name} y ON {on}"
        return Block(items=[items], source=source, where=[f"x.rid <= {self.rng.randint(5, 60)}"]), UNORDERED
