"""Random FROM and WHERE over tiny tables, made to be wrong wherever narrowing goes too far.

Keys and values are few and often NULL, joins of every kind nest, conditions on the key stand wherever a condition may
stand.  Most statements need one shard or two; those that several shards cannot answer are refused and say nothing.
"""

from __future__ import annotations

import random
from typing import Any

from tests.differential.world import Col, Tab

TABLES = (
    Tab("a", (Col("k", "int8", "int"), Col("x", "int4", "int")), ("k",)),
    Tab("b", (Col("k", "int4", "int"), Col("x", "int4", "int")), ("k",)),
    Tab("c", (Col("k", "int8", "int"), Col("x", "int4", "int")), ("k",)),
    Tab("r", (Col("k", "int8", "int"), Col("x", "int4", "int")), placement="copied"),
)


def rows(table: Tab, seed: int) -> list[tuple[Any, ...]]:
    rng = random.Random(f"{seed}/{table.name}")
    return [(rng.choice((None, 1, 2, 3, 4, 5)), rng.choice((None, 1, 2, 3))) for _ in range(9)]


class Narrowing:
    """One random statement."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.ctes: list[str] = []
        self.count = 0

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def statement(self) -> str:
        source, aliases = self.source(self.rng.choice((1, 2, 2, 3)), [])
        items = ", ".join(f"{alias}.{column}" for alias in aliases for column in ("k", "x"))
        if self.chance(0.2):
            items += f", {self.scalar(aliases)}"
        grouped = self.chance(0.2)
        if grouped:
            group = f"{self.rng.choice(aliases)}.{self.rng.choice('kkx')}"
            items = f"{group}, count(*), array_agg({aliases[-1]}.x ORDER BY {aliases[-1]}.x), max({aliases[-1]}.k)"
        text = f"SELECT {'DISTINCT ' if self.chance(0.1) else ''}{items} FROM {source}"
        if self.chance(0.8):
            text += f" WHERE {self.condition(aliases, [], 2)}"
        if grouped:
            text += f" GROUP BY {group}"
        elif self.chance(0.1):
            other, names = self.source(1, [])
            width = 2 * len(aliases)
            columns = [f"{names[0]}.{'kx'[at % 2]}" for at in range(width)]
            if items.count(",") == width - 1:
                operator = self.rng.choice(("UNION ALL", "UNION", "EXCEPT", "INTERSECT"))
                text += f" {operator} SELECT {', '.join(columns)} FROM {other} WHERE {self.condition(names, [], 1)}"
        return ("WITH " + ", ".join(self.ctes) + " " if self.ctes else "") + text

    # --- FROM ------------------------------------------------------------------------------------------------------

    def source(self, tables: int, outer: list[str]) -> tuple[str, list[str]]:
        if tables == 1:
            return self.leaf(outer)
        left_count = self.rng.randint(1, tables - 1)
        left, one = self.source(left_count, outer)
        right, other = self.source(tables - left_count, outer)
        kind = self.rng.choice(("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"))
        if tables - left_count > 1:
            right = f"({right})"
        if kind == "CROSS JOIN":
            return f"{left} CROSS JOIN {right}", one + other
        if kind != "FULL JOIN" and self.chance(0.15) and tables == 2:
            return f"{left} {kind} {right} USING (k)", one + other
        condition = f"{self.rng.choice(one)}.k = {self.rng.choice(other)}.k"
        if self.chance(0.3):
            condition = "true" if kind != "FULL JOIN" else condition
        if self.chance(0.5) and kind != "FULL JOIN":
            condition += f" AND {self.condition(one + other, [], 1)}"
        return f"{left} {kind} {right} ON {condition}", one + other

    def leaf(self, outer: list[str]) -> tuple[str, list[str]]:
        self.count += 1
        alias = f"t{self.count}"
        table = self.rng.choice(("a", "a", "b", "b", "c", "r", "r", "r"))
        roll = self.rng.random()
        if roll < 0.65:
            return f"{table} {alias}", [alias]
        if roll < 0.72:
            name = f"w{self.count}"
            self.ctes.append(f"{name} AS ({self.inner(table)})")
            return f"{name} {alias}", [alias]
        return f"({self.inner(table)}) {alias}", [alias]

    def inner(self, table: str) -> str:
        self.count += 1
        alias = f"i{self.count}"
        where = f" WHERE {self.condition([alias], [], 1)}" if self.chance(0.5) else ""
        form = self.rng.randrange(8)
        if form == 0:
            return f"SELECT {alias}.k, count(*)::int AS x FROM {table} {alias}{where} GROUP BY {alias}.k"
        if form == 1:
            return f"SELECT DISTINCT {alias}.k, {alias}.x FROM {table} {alias}{where}"
        if form == 2:
            return f"SELECT max({alias}.k) AS k, count(*)::int AS x FROM {table} {alias}{where}"
        if form == 3:
            other = self.rng.choice("abc")
            return f"SELECT k::int8, x FROM {table} {alias}{where} UNION ALL SELECT k, x FROM {other}"
        if form == 4:
            other = self.rng.choice("abc")
            join = self.rng.choice(("LEFT JOIN", "JOIN", "RIGHT JOIN"))
            column = self.rng.choice((alias, "j"))
            return f"SELECT {column}.k, {alias}.x FROM {table} {alias} {join} {other} j ON j.k = {alias}.k{where}"
        if form == 5:
            return f"SELECT {alias}.k, {alias}.x FROM {table} {alias}{where} ORDER BY 1, 2 LIMIT 3"
        if form == 6:
            return f"SELECT {alias}.k, rank() OVER (ORDER BY {alias}.k)::int AS x FROM {table} {alias}{where}"
        return f"SELECT {alias}.k, {alias}.x FROM {table} {alias}{where}"

    # --- conditions ------------------------------------------------------------------------------------------------

    def condition(self, aliases: list[str], outer: list[str], depth: int) -> str:
        roll = self.rng.random()
        if roll < 0.12:
            return f"{self.rng.choice(aliases)}.k IS NULL"
        if depth and roll < 0.35:
            return f"({self.condition(aliases, outer, depth - 1)} AND {self.condition(aliases, outer, depth - 1)})"
        if depth and roll < 0.5:
            return f"({self.condition(aliases, outer, depth - 1)} OR {self.condition(aliases, outer, depth - 1)})"
        if depth and roll < 0.56:
            return f"NOT {self.condition(aliases, outer, depth - 1)}"
        if depth and roll < 0.72:
            return self.subquery(aliases)
        return self.atom(aliases + outer)

    def atom(self, aliases: list[str]) -> str:
        one, other = self.rng.choice(aliases), self.rng.choice(aliases)
        key = self.rng.choice((1, 1, 2))
        return self.rng.choice(
            (
                f"{one}.k = {key}",
                f"{one}.k = {key}",
                f"{one}.k = {key}",
                f"{one}.k IN ({key}, 3)",
                f"{one}.k = {other}.k",
                f"{one}.k = {other}.k",
                f"{one}.k = {other}.x",
                f"{one}.x = {key}",
                f"{one}.k IS NULL",
                f"{one}.x IS NULL",
                f"({one}.k, {other}.x) = ({key}, 2)",
                f"({one}.k, {one}.x) IN (({key}, 2), (2, {other}.x))",
                f"CASE WHEN {one}.k = {key} THEN {other}.x = 1 ELSE {other}.k = 2 END",
                f"{one}.k IS NOT DISTINCT FROM {key}",
                f"coalesce({one}.k, {key}) = {key}",
                "false",
            )
        )

    def subquery(self, aliases: list[str]) -> str:
        self.count += 1
        alias, table = f"s{self.count}", self.rng.choice("abcr")
        outer = self.rng.choice(aliases)
        where = self.condition([alias], aliases, 0)
        more = self.condition([alias], [], 0)
        return self.rng.choice(
            (
                f"EXISTS (SELECT 1 FROM {table} {alias} WHERE {alias}.k = {outer}.k AND {where})",
                f"NOT EXISTS (SELECT 1 FROM {table} {alias} WHERE {alias}.k = {outer}.k AND {where})",
                f"EXISTS (SELECT 1 FROM {table} {alias} WHERE {where} AND {more})",
                f"{outer}.k IN (SELECT {alias}.k FROM {table} {alias} WHERE {more})",
                f"{outer}.x IN (SELECT {alias}.x FROM {table} {alias} WHERE {where})",
                f"{outer}.k NOT IN (SELECT {alias}.k FROM {table} {alias} WHERE {more} AND {alias}.k IS NOT NULL)",
                f"{outer}.k = (SELECT max({alias}.k) FROM {table} {alias} WHERE {where})",
            )
        )

    def scalar(self, aliases: list[str]) -> str:
        outer = self.rng.choice(aliases)
        table = self.rng.choice("abcr")
        more = self.condition(["z"], aliases, 0)
        return f"(SELECT count(*) FROM {table} z WHERE z.k = {outer}.k AND {more})"
