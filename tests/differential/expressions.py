"""Random expressions over the columns in sight, by kind of value."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from dataclasses import dataclass, field
from decimal import Decimal

from tests.differential.block import hole
from tests.differential.world import Col, Tab, draw

KINDS = ("int", "num", "flt", "txt", "bool", "date", "ts", "tstz")
MINMAX = ("int", "num", "flt", "txt", "date", "ts", "tstz")


def literal(value: object, kind: str) -> str:
    """`value` as SQL, typed where the kind needs it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, float):
        return f"{value!r}::float8"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    types = {"date": "date", "ts": "timestamp", "tstz": "timestamptz", "uuid": "uuid"}
    return f"'{value}'::{types[kind]}"


@dataclass(slots=True)
class Scope:
    """What FROM brings: (alias, table) pairs, columns that USING merged, and what WHERE must say for it."""

    sources: list[tuple[str, Tab]] = field(default_factory=list)
    merged: list[Col] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)

    def columns(self) -> list[tuple[str, Col]]:
        bare = len(self.sources) == 1
        found = [(f"{alias}.{col.name}", col) for alias, table in self.sources for col in table.cols]
        found += [(col.name, col) for col in self.merged]
        return [(col.name, col) for _, col in found] if bare and self.sources[0][0] == "" else found

    def uniques(self) -> list[str] | None:
        """Columns that together never repeat; None where some source has none."""
        if any(not table.unique for _, table in self.sources):
            return None
        # Qualified always: a bare name may mean an output column of that name.
        return [f"{alias or table.name}.{table.unique}" for alias, table in self.sources]

    def keyed(self) -> list[tuple[str, Tab]]:
        return [(alias, table) for alias, table in self.sources if table.key]


class Expressions:
    """Draws expressions; every value may become a parameter while `parameters` is on."""

    def __init__(self, rng: random.Random, values: list[object], share: float) -> None:
        self.rng = rng
        self.values = values
        self.share = share
        self.parameters = True

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def const(self, value: object, kind: str) -> str:
        """A literal or a parameter."""
        if self.parameters and value is not None and self.chance(self.share):
            self.values.append(value)
            return hole(len(self.values) - 1)
        return literal(value, kind)

    def constant(self, kind: str) -> str:
        """A typical value of the kind, from what the tables hold."""
        typical = {
            "txt": Col("_", "text", "txt"),
            "num": Col("_", "numeric(9,2)", "num"),
            "uuid": Col("token", "uuid", "uuid"),
        }
        value = draw(typical.get(kind, Col("_", kind, kind)), self.rng)
        return self.const(value, kind)

    def column(self, scope: Scope, kind: str | None = None, small: bool = False) -> tuple[str, Col] | None:
        found = [
            (text, col)
            for text, col in scope.columns()
            if (kind is None or col.kind == kind) and (col.small or not small)
        ]
        return self.rng.choice(found) if found else None

    def value(self, scope: Scope, kind: str, depth: int = 2) -> str:
        """An expression of the kind; always holds a column where the scope has one of this kind."""
        column = self.column(scope, kind, small=True)
        if column is None:
            return self.constant(kind)
        text = column[0]
        if depth <= 0 or self.chance(0.5):
            return text
        common = (
            lambda: f"coalesce({text}, {self.constant(kind)})",
            lambda: f"CASE WHEN {self.predicate(scope, depth - 1)} THEN {text} END",
            lambda: f"CASE WHEN {self.predicate(scope, 0)} THEN {text} ELSE {self.constant(kind)} END",
            lambda: f"nullif({text}, {self.constant(kind)})",
        )
        special: list[str] = getattr(self, f"_{kind}", lambda *_: [])(scope, text, depth - 1)
        if special and self.chance(0.65):
            return self.rng.choice(special)
        return self.rng.choice(common)()

    def _int(self, scope: Scope, text: str, depth: int) -> list[str]:
        other = (self.column(scope, "int", small=True) or (text,))[0]
        words = (self.column(scope, "txt") or ("'abc'",))[0]
        r = self.rng
        return [
            f"{text} + {other}", f"{text} - {r.randint(1, 9)}", f"{text}::int8 * {r.randint(2, 5)}", f"abs({text})",
            f"{text} / {r.randint(2, 7)}", f"{text} % {r.randint(2, 7)}", f"length({words})", f"-{text}",
            f"greatest({text}, {other})", f"sign({text})::int", f"{text} & 7",
        ]  # fmt: skip

    def _num(self, scope: Scope, text: str, depth: int) -> list[str]:
        other = (self.column(scope, "num") or ("2.50",))[0]
        number = (self.column(scope, "int", small=True) or ("3",))[0]
        return [
            f"{text} + {other}", f"{text} * 1.10", f"round({text}, 1)", f"{text} / 3", f"trunc({text})",
            f"{number}::numeric(10,2) + {text}", f"abs({text})", f"{text} * {number}", f"ceil({text})",
            f"{text} / nullif({other}, 0)",
        ]  # fmt: skip

    def _flt(self, scope: Scope, text: str, depth: int) -> list[str]:
        return [f"{text} * 2", f"{text} + 0.5::float8", f"sqrt({text})", f"{text}::numeric(12,4)::float8"]

    def _txt(self, scope: Scope, text: str, depth: int) -> list[str]:
        other = (self.column(scope, "txt") or ("'z'",))[0]
        number = (self.column(scope, "int") or ("7",))[0]
        return [
            f"lower({text})", f"upper({text})", f"{text} || '-' || {other}", f"left({text}, 2)", f"trim({text})",
            f"substring({text} from 1 for 3)", f"replace({text}, 'a', 'o')", f"{number}::text",
            f"concat({text}, {number})",
            f"{text}::varchar(3)", f"md5({text})", f"reverse({text})", f"position('a' in {text})::text",
        ]  # fmt: skip

    def _date(self, scope: Scope, text: str, depth: int) -> list[str]:
        return [f"{text} + 7", f"({text} + interval '1 month')::date", f"date_trunc('month', {text})::date"]

    def _ts(self, scope: Scope, text: str, depth: int) -> list[str]:
        return [f"date_trunc('day', {text})", f"{text} + interval '36 hours'", f"{text}::date::timestamp"]

    def _tstz(self, scope: Scope, text: str, depth: int) -> list[str]:
        return [f"date_trunc('hour', {text})", f"{text} - interval '1 day'"]

    def _bool(self, scope: Scope, text: str, depth: int) -> list[str]:
        return [f"NOT {text}", f"{text} IS NOT TRUE", f"({self.predicate(scope, depth)})"]

    def predicate(self, scope: Scope, depth: int = 2) -> str:
        """Something true, false or unknown about a row."""
        if depth > 0 and self.chance(0.35):
            left, right = self.predicate(scope, depth - 1), self.predicate(scope, depth - 1)
            return self.rng.choice((f"({left} AND {right})", f"({left} OR {right})", f"NOT ({left})"))
        kind = self.rng.choice(KINDS)
        found = self.column(scope, kind)
        if found is None:
            found = self.column(scope)
            if found is None:
                return self.rng.choice(("true", "1 = 1", "2 > 3"))
        text, col = found
        return self._about(scope, text, col, depth)

    def _about(self, scope: Scope, text: str, col: Col, depth: int) -> str:
        r, kind = self.rng, col.kind

        def some() -> str:
            return self.const(draw(col, r), kind)

        operator = r.choice(("=", "<>", "<", "<=", ">", ">="))
        forms = [
            lambda: f"{text} {operator} {some()}", lambda: f"{text} {operator} {some()}",
            lambda: f"{text} IS {r.choice(('', 'NOT '))}NULL",
            lambda: f"{text} {r.choice(('', 'NOT '))}IN ({', '.join(some() for _ in range(r.randint(1, 4)))})",
            lambda: f"{text} IS {r.choice(('', 'NOT '))}DISTINCT FROM {some()}",
            lambda: f"coalesce({text} {operator} {some()}, {r.choice(('true', 'false'))})",
        ]  # fmt: skip
        if kind == "bool":
            forms = [lambda: text, lambda: f"{text} IS NOT FALSE", lambda: f"{text} IS NULL", lambda: f"{text} = true"]
        elif kind == "txt":
            pattern = r.choice(("a%", "%b%", "_", "%", "100\\%", "doc-1_", "%e", "A%"))
            word = r.choice(("LIKE", "NOT LIKE", "ILIKE"))
            forms += [lambda: f"{text} {word} {self.const(pattern, 'txt')}", lambda: f"{text} < lower({text})"]
        elif kind != "uuid":
            forms += [lambda: f"{text} BETWEEN {some()} AND {some()}"]
            if depth > 0 and kind in ("int", "num", "flt"):
                forms += [lambda: f"{self.value(scope, kind, depth - 1)} {operator} {some()}"]
        return r.choice(forms)()


def wrong_typed(value: object, rng: random.Random) -> object:
    """The same key as another Python type that PostgreSQL would still take."""
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value) if isinstance(value, uuid.UUID | dt.date) else value
    return rng.choice((str(value), Decimal(value), Decimal(f"{value}.5"), float(value), value))
