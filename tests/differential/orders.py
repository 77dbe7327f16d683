"""What programs say about a key's order: what narrows the shards where keys lie by range, and what only looks so."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

from tests.differential.block import hole
from tests.differential.expressions import Expressions
from tests.differential.world import Col, draw


class Orders:
    """Draws one condition on the column `k`; `unique` is a column beside it that no shard is chosen by."""

    def __init__(self, expressions: Expressions) -> None:
        self.x = expressions
        self.rng: random.Random = expressions.rng

    def about(self, k: str, col: Col, unique: str) -> str:
        special = {"int": self._of_ints, "txt": self._of_texts, "date": self._of_dates}.get(col.kind)
        if special is not None and self.x.chance(0.3):
            return special(k)
        return self._plain(k, col, unique)

    def _plain(self, k: str, col: Col, unique: str) -> str:
        def some() -> str:
            return self.x.const(draw(col, self.rng), col.kind)

        o, p = self.rng.choice(("<", "<=", ">", ">=")), self.rng.choice(("<", "<=", ">", ">="))
        n = self.rng.randint(1, 60)
        forms = [
            lambda: f"{k} {o} {some()}", lambda: f"{some()} {o} {k}", lambda: f"{k} BETWEEN {some()} AND {some()}",
            lambda: f"{k} >= {some()} AND {k} < {some()}", lambda: f"{k} {o} {some()} OR {k} {p} {some()}",
            lambda: f"NOT ({k} {o} {some()})", lambda: f"{k} NOT BETWEEN {some()} AND {some()}",
            lambda: f"NOT ({k} BETWEEN {some()} AND {some()})", lambda: f"{k} BETWEEN SYMMETRIC {some()} AND {some()}",
            lambda: f"{some()} BETWEEN {k} AND {some()}", lambda: f"{some()} BETWEEN {k} AND {k}",
            lambda: f"{k} {o} NULL", lambda: f"{k} BETWEEN NULL AND {some()}",
            lambda: f"{k} {o} {some()} OR {k} IS NULL",
            lambda: f"({k} {o} {some()}) IS TRUE", lambda: f"({k} {o} {some()}) IS NOT TRUE",
            lambda: f"({k} {o} {some()}) IS NOT FALSE", lambda: f"({k} {o} {some()}) IS FALSE",
            lambda: f"({k} {o} {some()}) IS NULL", lambda: f"({k} {o} {some()}) = ({unique} < {n})",
            lambda: f"coalesce({k} {o} {some()}, true)", lambda: f"CASE WHEN {k} {o} {some()} THEN {unique} < {n} END",
            lambda: f"CASE WHEN {k} {o} {some()} THEN false ELSE true END",
            lambda: f"{k} {o} {some()} OR {unique} = {n}", lambda: f"{k} {o} {some()} AND {unique} < {n}",
            lambda: f"{k} {o} {some()} AND {k} IN ({some()}, {some()})", lambda: f"{k} = {some()} AND {k} {o} {some()}",
            lambda: f"{k} = {some()} OR {k} {o} {some()}", lambda: f"{k} IN ({some()}, {some()}) OR {k} {o} {some()}",
            lambda: f"({k} {o} {some()} AND {unique} < {n}) OR ({k} {p} {some()} AND {unique} > {n})",
            lambda: f"{k} {o} (SELECT {some()})", lambda: f"({k}, {unique}) {o} ({some()}, {n})",
            lambda: f"{k} {o} ALL (ARRAY[{some()}, {some()}])", lambda: f"{k} {o} ANY (ARRAY[{some()}, {some()}])",
            lambda: f"{k} <> {some()}", lambda: f"{k} {o} {k}", lambda: f"greatest({k}, {some()}) {o} {some()}",
        ]  # fmt: skip
        return self.rng.choice(forms)()

    def _value(self, sql: str, value: object) -> str:
        """The literal, or a parameter that psycopg sends as another type than the column's."""
        if self.x.parameters and self.x.share and self.x.chance(0.5):
            self.x.values.append(value)
            return hole(len(self.x.values) - 1)
        return sql

    def _of_ints(self, k: str) -> str:
        n, o = self.rng.randint(1, 40), self.rng.choice(("<", "<=", ">", ">="))
        half = self._value(f"{n}.5", Decimal(f"{n}.5"))
        floating = self._value(f"{n}.5::float8", n + 0.5)
        return self.rng.choice(
            (
                f"{k} {o} {half}", f"{k} {o} {floating}", f"{k} {o} '{n}'", f"{k} {o} {n}::numeric", f"{k} {o} {n}e0",
                f"{k} {o} {-n}", f"{k} {o} 99999999999", f"{k} {o} 1e30", f"{k} {o} 'NaN'::numeric",
                f"{k} {o} '-infinity'::float8", f"{k}::numeric {o} {n}", f"{k}::int8 {o} {n}", f"{k} {o} {n} + 1",
                f"{k} {o} {n}::int2", f"{k}::text {o} '{n}'", f"-{k} {o} {n}", f"{k} BETWEEN {n}.5 AND {n + 9}::float8",
                f"{k} {o} {n}.5::int4", f"{k} {o} {self._value(str(n), float(n))}",
                f"{k} {o} {self._value('9e18', 9e18)}",
            )
        )  # fmt: skip

    def _of_texts(self, k: str) -> str:
        n, o = self.rng.randint(0, 23), self.rng.choice(("<", "<=", ">", ">="))
        return self.rng.choice(
            (
                f"{k} >= 'doc-1' AND {k} < 'doc-2'", f"{k} {o} 'doc-{n}' COLLATE \"C\"", 
                f"{k} {o} 'doc-{n}'::varchar(5)",
                f"{k} COLLATE \"C\" {o} 'doc-{n}'", f"{k}::varchar(5) {o} 'doc-{n}'", f"lower({k}) {o} 'doc-{n}'",
                f"{k} || '' {o} 'doc-{n}'", f"{k} {o} ''", f"{k} {o} 'doc-{n} '::char(9)", f"{k} {o} 'doc-{n}'::text",
                f"{k}::char(6) {o} 'doc-{n}'", f"{k} LIKE 'doc-1%' AND {k} {o} 'doc-{n}'", f"{k} {o} 'Z'",
                f"{k} {o} 'ä'",
                f"{k} BETWEEN 'doc-{n}' AND 'doc-3'", f"length({k}) {o} {n}",
            )
        )  # fmt: skip

    def _of_dates(self, k: str) -> str:
        day, o = (
            dt.date(2024, 1, 1) + dt.timedelta(days=self.rng.randint(0, 240)),
            self.rng.choice(("<", "<=", ">", ">=")),
        )
        noon = dt.datetime.combine(day, dt.time(12))
        there = noon.replace(tzinfo=dt.timezone(dt.timedelta(hours=self.rng.choice((-11, 0, 13)))))
        at_noon = self._value(f"timestamp '{noon}'", noon)
        over_there = self._value(f"timestamptz '{there}'", there)
        return self.rng.choice(
            (
                f"{k} {o} DATE '{day}'", f"{k} {o} {at_noon}",
                f"{k} {o} {over_there}", f"{k} {o} 'infinity'",
                f"{k} {o} '-infinity'", f"{k} BETWEEN '{day}' AND 'infinity'", f"{k} {o} 'infinity'::date",
                f"{k} {o} timestamp '{day}'", f"{k} - 1 {o} '{day}'", f"{k}::timestamp {o} '{noon}'",
                f"{k} {o} '{day}'::date + 7", f"{k} {o} '{day:%b} {day.day}, {day.year}'",
                f"{k} {o} {self._value('current_date - 9000', str(day))}", f"{k} {o} '{noon}'::timestamp",
            )
        )  # fmt: skip
