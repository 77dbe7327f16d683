"""Random aggregates, plain and inside expressions."""

from __future__ import annotations

from tests.differential.expressions import MINMAX, Expressions, Scope

NUMBERS = ("int", "num", "flt")


class Aggregates:
    """An aggregate whose value is the same whatever order the rows come in (floats nearly so)."""

    def __init__(self, expressions: Expressions) -> None:
        self.x = expressions
        self.rng = expressions.rng

    def one(self, scope: Scope, filtered: bool = True) -> tuple[str, str]:
        """(SQL, kind of its value)."""
        forms = (self._count, self._count, self._sum, self._sum, self._avg, self._minmax, self._minmax, self._bool)
        text, kind = self.rng.choice(forms)(scope)
        if filtered and self.x.chance(0.15):
            text += f" FILTER (WHERE {self.x.predicate(scope, 1)})"
        return text, kind

    def rich(self, scope: Scope) -> tuple[str, str]:
        """An expression over aggregates."""
        if self.x.chance(0.65):
            return self.one(scope)
        total, _ = self._sum(scope)
        text, kind = self.one(scope, filtered=False)
        forms = [
            (f"{total} / nullif(count(*), 0)", "num"), ("count(*) + 1", "int"), ("count(*) * 1.5", "num"),
            (f"coalesce({text}, NULL)", kind), (f"CASE WHEN count(*) > 3 THEN {text} END", kind),
            ("count(*)::text || ' rows'", "txt"), (f"({text}) IS NULL", "bool"), ("count(*) > 5", "bool"),
            ("round(avg(rid_), 2)".replace("rid_", self._number(scope)), "num"),
            (f"{total} - {total}", "num"), ("100.0 * count(*) / nullif(count(*), 0)", "num"),
        ]  # fmt: skip
        return self.rng.choice(forms)

    def _number(self, scope: Scope) -> str:
        found = self.x.column(scope, "int") or self.x.column(scope, "num")
        return found[0] if found else "1"

    def _count(self, scope: Scope) -> tuple[str, str]:
        if self.x.chance(0.4):
            return "count(*)", "int"
        kind = self.rng.choice((*NUMBERS, "txt", "bool", "date", "ts", "tstz", "uuid"))
        found = self.x.column(scope, kind) or self.x.column(scope)
        if found is None:
            return "count(1)", "int"
        if self.x.chance(0.35):
            return f"count(DISTINCT {found[0]})", "int"
        return f"count({found[0] if self.x.chance(0.6) else self.x.value(scope, found[1].kind, 1)})", "int"

    def _sum(self, scope: Scope) -> tuple[str, str]:
        kind = self.rng.choice(NUMBERS)
        found = self.x.column(scope, kind)
        if found is None:
            return "sum(1)", "int"
        # DISTINCT only over plain columns: of 1.0 and 1.00 it keeps either, and the sum shows which.
        if self.x.chance(0.12) and kind != "flt":
            return f"sum(DISTINCT {found[0]})", kind
        plain = self.x.chance(0.6) or not found[1].small
        return f"sum({found[0] if plain else self.x.value(scope, kind, 1)})", kind

    def _avg(self, scope: Scope) -> tuple[str, str]:
        kind = self.rng.choice(NUMBERS)
        found = self.x.column(scope, kind)
        if found is None:
            return "avg(2)", "num"
        distinct = "DISTINCT " if self.x.chance(0.1) and kind != "flt" else ""
        return f"avg({distinct}{found[0]})", "flt" if kind == "flt" else "num"

    def _minmax(self, scope: Scope) -> tuple[str, str]:
        found = self.x.column(scope, self.rng.choice(MINMAX)) or self.x.column(scope, "int")
        if found is None or found[1].kind not in MINMAX:
            return "max(1)", "int"
        return f"{self.rng.choice(('min', 'max'))}({found[0]})", found[1].kind

    def _bool(self, scope: Scope) -> tuple[str, str]:
        name = self.rng.choice(("bool_and", "bool_or", "every"))
        return f"{name}({self.x.predicate(scope, 1)})", "bool"

    def condition(self, scope: Scope) -> str:
        """For HAVING."""
        text, kind = self.one(scope)
        forms = ["count(*) > 1", "count(*) >= 2 AND count(*) < 40", f"{text} IS NOT NULL"]
        if kind in ("int", "num"):
            forms += [f"{text} > {self.x.const(self.rng.randint(-5, 50), 'int')}"] * 3
        return self.rng.choice(forms)
