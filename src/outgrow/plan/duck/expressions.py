"""Expressions in DuckDB's words, each with its type; whatever the vetted list lacks raises NotVetted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from outgrow.schema import Order
from outgrow.statement import catalogue_name
from outgrow.statement.tree import (
    Call,
    CallKind,
    Case,
    Cast,
    Collate,
    ColumnRef,
    Exists,
    Expr,
    InList,
    Literal,
    Operation,
    Parameter,
    Quantified,
    Query,
    ScalarQuery,
    SortKey,
    Template,
    Window,
)

from . import constants
from .scope import Env, Given
from .types import (
    BOOL,
    DIGITS,
    FAMILIES,
    NotVetted,
    Type,
    Typed,
    alike,
    common,
    comparable,
    decimal_scale,
    settled,
    shown_of,
)
from .vetted import OVER, index
from .writing import chosen_by, direction, named, scaled, written

#: Renders a query: its SQL, and its columns' types.
QueryOf = Callable[[Query, Env], tuple[str, tuple[Type, ...]]]
#: The result's scale is made of both.
_SCALED = frozenset("+-*")
_EXTRACT = re.compile(r"EXTRACT\((\w+) FROM ", re.IGNORECASE)
_NUMERIC = re.compile(r"numeric\((\d+)(?:, ?(\d+))?\)")


class Expressions:
    def __init__(self, given: Given, query: QueryOf) -> None:
        self._given = given
        self._query = query

    def of(self, node: Expr, env: Env) -> Typed:
        match node:
            case ColumnRef():
                found = env.column(node.relation, node.name, node.depth)
                if node.order is Order.LINGUISTIC:
                    found = replace(found, type=replace(found.type, bytes=False))
                return found
            case Literal():
                return constants.literal(node)
            case Parameter():
                if node.index > len(self._given.values):
                    raise NotVetted("an array of rows as a value")
                return constants.parameter(self._given.values[node.index - 1])
            case Operation():
                return self._operation(node, env)
            case Cast():
                return self._cast(node, env)
            case Collate():
                return self._collate(node, env)
            case InList():
                return self._in_list(node, env)
            case Quantified():
                return self._in_query(node, env)
            case Exists():
                return Typed(f"EXISTS ({self._query(node.query, env)[0]})", BOOL)
            case ScalarQuery() if not node.array:
                sql, types = self._query(node.query, env)
                return Typed(f"({sql})", types[0])
            case Case():
                return self._case(node, env)
            case Call():
                return self._call(node, env)
            case Template():
                return self._template(node, env)
        raise NotVetted(named(node))

    def truth(self, node: Expr, env: Env) -> str:
        value = self.of(node, env)
        if value.unknown:
            value = settled(value, BOOL)
        if value.type.name != "bool":
            raise NotVetted(f"a condition of type {value.type.name}")
        return value.sql

    def settled(self, node: Expr, env: Env) -> Typed:
        """As an output column: a bare string is text.  All its values look alike."""
        value = self.item(node, env)
        if value.shown:
            raise NotVetted("numerics of several scales")
        return value

    def item(self, node: Expr, env: Env) -> Typed:
        """`settled`, for what only goes out."""
        value = self.of(node, env)
        return settled(value, Type("text", bytes=self._given.bytes)) if value.unknown else value

    def equal(self, left: Typed, right: Typed) -> str:
        return self._chosen("operator", "=", comparable([left, right], "=")).sql

    # --- operators ---------------------------------------------------------------------------------------------------

    def _operation(self, node: Operation, env: Env) -> Typed:
        name, parts = node.operator, node.operands
        if name in ("and", "or"):
            return Typed("(" + f" {name.upper()} ".join(self.truth(part, env) for part in parts) + ")", BOOL)
        if name == "not":
            return Typed(f"(NOT {self.truth(parts[0], env)})", BOOL)
        if name in ("between", "not between"):
            value, low, high = parts
            bounds = (Operation(">=", (value, low)), Operation("<=", (value, high)))
            found = self.of(Operation("and", bounds), env)
            return replace(found, sql=f"(NOT {found.sql})") if name == "not between" else found
        values = [self.of(part, env) for part in parts]
        if len(values) == 1:
            return self._one(name, values[0])
        if len(values) != 2:
            raise NotVetted(name)
        return self._two(name, *values)

    def _one(self, name: str, value: Typed) -> Typed:
        if value.unknown:
            raise NotVetted(f"{name} of a bare string")
        for section in ("prefix", "test"):
            entry = index().get((section, name, value.type.family))
            if entry is not None:
                return written(entry, name, [value])
        raise NotVetted(f"{name} of {value.type.name}")

    def _two(self, name: str, left: Typed, right: Typed) -> Typed:
        families = f"{left.type.family} {right.type.family}"
        entry = index().get(("moment", name, families))
        if entry is not None:
            if "int8" in (left.type.name, right.type.name):
                raise NotVetted(f"{name} of {left.type.name} and {right.type.name}")
            return written(entry, name, [left, right])
        if left.type.family in ("date", "timestamp") and right.unknown and name in "+-":
            raise NotVetted(f"{name} of {left.type.name} and a bare string")
        values = common([left, right], name) if name in _SCALED else comparable([left, right], name)
        return self._chosen("operator", name, values)

    def _chosen(self, section: str, name: str, values: Sequence[Typed]) -> Typed:
        families = " ".join(value.type.family for value in values)
        entry = index().get((section, name, families))
        if entry is None:
            raise NotVetted(f"{name} of {' and '.join(value.type.name for value in values) or 'nothing'}")
        if entry.ordered and not all(value.type.bytes for value in values):
            raise NotVetted(f"{name} of text in a language's order")
        if entry.constant:
            constant = values[1].constant
            if constant is None or not re.fullmatch(entry.constant, constant.text, re.DOTALL):
                raise NotVetted(f"{name} with this pattern")
        return written(entry, name, values)

    def _cast(self, node: Cast, env: Env) -> Typed:
        value, name = self.of(node.operand, env), node.type
        numeric = _NUMERIC.fullmatch(name)
        if numeric is not None and not value.shown:
            return scaled(value, int(numeric[1]), int(numeric[2] or 0))
        name = catalogue_name(name) if "(" not in name else ""
        if name not in FAMILIES:
            raise NotVetted(f"a cast to {node.type}")
        if value.unknown:
            return settled(value, Type(name, bytes=self._given.bytes))
        if name == "numeric" and value.type.family in ("int", "numeric"):
            scale = value.type.scale
            sql = f"CAST({value.sql} AS DECIMAL({DIGITS}, {scale}))"
            return Typed(sql, Type("numeric", scale), value.constant, value.shown)
        entry = index().get(("cast", name, value.type.family))
        if entry is None:
            raise NotVetted(f"a cast from {value.type.name} to {name}")
        return written(entry, name, [value], Type(name, bytes=value.type.bytes))

    def _collate(self, node: Collate, env: Env) -> Typed:
        value = self.settled(node.operand, env)
        if node.order is not Order.BYTES:
            # It may call equal what differs in bytes.
            raise NotVetted(f"the collation {node.collation}")
        return replace(value, type=replace(value.type, bytes=True))

    def _in_list(self, node: InList, env: Env) -> Typed:
        values = comparable([self.of(part, env) for part in (node.operand, *node.items)], "in")
        tests = [self._chosen("operator", "=", [values[0], item]) for item in values[1:]]
        return Typed(f"({'NOT ' if node.negated else ''}({' OR '.join(test.sql for test in tests)}))", BOOL)

    def _in_query(self, node: Quantified, env: Env) -> Typed:
        words = {("=", "any"): "IN", ("<>", "all"): "NOT IN"}.get((node.operator, node.quantifier))
        if words is None or not isinstance(node.of, Query):
            raise NotVetted(f"{node.operator} {node.quantifier}")
        value = self.of(node.operand, env)
        sql, types = self._query(node.of, env)
        if len(types) != 1:
            raise NotVetted("rows as values")
        values = comparable([value, Typed("", types[0])], "in")
        self._chosen("operator", "=", values)
        if values[1].sql:
            sql = f"SELECT CAST(q.v AS {values[1].type.duckdb}) FROM ({sql}) AS q (v)"
        return Typed(f"({values[0].sql} {words} ({sql}))", BOOL)

    def _case(self, node: Case, env: Env) -> Typed:
        tests, results = [], []
        for test, result in node.branches:
            tests.append(self.truth(Operation("=", (node.operand, test)) if node.operand else test, env))
            results.append(self.of(result, env))
        default = self.of(node.default, env) if node.default else constants.literal(Literal("null", ""))
        # ELSE counts as the first.
        last, *values = comparable([default, *results], "case")
        if last.type.family != "numeric":
            last, *values = alike([default, *results], "case")
        found = Typed(chosen_by(tests, [value.sql for value in values], last.sql), last.type)
        scales = [self._scale(value) for value in (default, *results)]
        if len({*scales} - {"NULL"}) > 1 and last.type.family == "numeric":
            found = replace(found, shown=chosen_by(tests, scales[1:], scales[0]))
        return found

    def _scale(self, value: Typed) -> str:
        """How many decimals it shows as a numeric; NULL shows none, whatever the others do."""
        if value.constant is not None and value.constant.kind == "null":
            return "NULL"
        if value.unknown and value.constant is not None:
            return str(decimal_scale(value.constant.text))
        return shown_of(value) if value.type.family == "numeric" else "0"

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: Call, env: Env) -> Typed:
        if not node.builtin or node.variadic or node.within_group or node.order:
            raise NotVetted(f"the function {node.name}")
        if node.kind is CallKind.AGGREGATE or node.over is not None:
            return self._aggregate(node, env)
        if node.kind is not CallKind.SCALAR:
            raise NotVetted(f"the function {node.name}")
        values = [self.of(arg, env) for arg in node.args]
        if node.name in ("coalesce", "greatest", "least", "nullif"):
            return self._same(node.name, values)
        values = [settled(each, Type("text", bytes=self._given.bytes)) if each.unknown else each for each in values]
        return self._chosen("function", node.name, values)

    def _same(self, name: str, values: list[Typed]) -> Typed:
        if name == "coalesce" and len(values) == 2 and "numeric" in (value.type.name for value in values):
            return self._first_there(*values)
        if name == "nullif" and len(values) == 2 and not values[0].unknown:
            # The first or NULL, so its look and width stay whatever it is compared with, unless PostgreSQL widens it.
            compared = comparable(values, name)
            if compared[0].type.family != values[0].type.family:
                raise NotVetted(f"{name} of {' and '.join(value.type.name for value in values)}")
            self._chosen("function", name, [replace(each, shown="") for each in compared])
            sql = f"(CASE WHEN {self.equal(*values)} THEN NULL ELSE {values[0].sql} END)"
            kind = replace(values[0].type, name="text") if values[0].type.name == "varchar" else values[0].type
            return replace(values[0], sql=sql, type=kind, constant=None)
        found = alike(values, name)
        result = found[0]
        for value in found[1:]:
            # Pairwise tells the list; at once keeps it short.
            self._chosen("function", name, [result, value])
        return Typed(f"{name}({', '.join(value.sql for value in found)})", result.type)

    def _first_there(self, one: Typed, two: Typed) -> Typed:
        """coalesce of numerics, which shows as many decimals as the one that it takes."""
        first, other = comparable([one, two], "coalesce")
        plain = [replace(each, shown="") for each in (first, other)]
        found = replace(self._chosen("function", "coalesce", plain), type=first.type)
        scales = [self._scale(one), self._scale(two)]
        if first.type.family == "numeric" and len({*scales} - {"NULL"}) > 1:
            found = replace(found, shown=chosen_by([f"{first.sql} IS NOT NULL"], scales[:1], scales[1]))
        return found

    def _aggregate(self, node: Call, env: Env) -> Typed:
        values = [self.of(arg, env) for arg in node.args]
        beside = self._beside(node, env)
        if node.over is not None and node.kind is CallKind.WINDOW and not values and not node.star:
            entry = index().get(("window", node.name, ""))
            if entry is None:
                raise NotVetted(f"the window function {node.name}")
            return written(entry, node.name, [], beside=beside)
        if node.over is not None and node.name not in OVER:
            raise NotVetted(f"the window function {node.name}")
        if node.star and node.name == "count":
            return Typed(f"count(*){beside}", Type("int8"))
        if len(values) != 1 or values[0].unknown:
            raise NotVetted(f"the aggregate {node.name}")
        return self._folded(node, values[0], beside)

    def _folded(self, node: Call, value: Typed, beside: str) -> Typed:
        by_width = node.name in ("sum", "avg") and value.type.family == "int"
        entry = index().get(("aggregate", node.name, value.type.name if by_width else value.type.family))
        if entry is None or (entry.ordered and not value.type.bytes):
            raise NotVetted(f"{node.name} of {value.type.name}")
        if value.type.name == "float8" and node.name in ("sum", "avg") and (node.distinct or beside):
            raise NotVetted(f"{node.name} of float8 with DISTINCT, FILTER or OVER")
        shown = ""
        if node.name == "count":
            value = replace(value, shown="")
        if value.shown and node.name == "sum" and not node.distinct and node.over is None:
            # A sum shows as many decimals as any of its values does.
            there = beside.replace(" FILTER (WHERE ", "", 1)[:-1] if beside else "true"
            shown = f"max({value.shown}) FILTER (WHERE {value.sql} IS NOT NULL AND {there})"
            value = replace(value, shown="")
        operand = replace(value, sql=f"DISTINCT {value.sql}") if node.distinct else value
        return replace(written(entry, node.name, [operand], beside=beside), shown=shown)

    def _beside(self, node: Call, env: Env) -> str:
        """FILTER and OVER, which stand directly behind the aggregate."""
        more = ""
        if node.filter is not None:
            more += f" FILTER (WHERE {self.truth(node.filter, env)})"
        if node.over is not None:
            more += f" OVER {self.window(node.over, env)}"
        return more

    def window(self, over: Window, env: Env) -> str:
        if over.name is not None and not over.partition and not over.order and not over.frame:
            return self._named(over.name, env)
        if over.name is not None:
            raise NotVetted("a window made of another one")
        frame = over.frame.lower()
        if frame and (not frame.startswith("rows") or "exclude" in frame):
            raise NotVetted(f"the frame {over.frame}")
        parts = []
        if over.partition:
            parts.append("PARTITION BY " + ", ".join(self.settled(part, env).sql for part in over.partition))
        if over.order:
            parts.append("ORDER BY " + ", ".join(self.sorted(key, env) for key in over.order))
        return "(" + " ".join([*parts, over.frame] if over.frame else parts) + ")"

    def _named(self, name: str, env: Env) -> str:
        found = env.blocks[-1].windows.get(name)
        if found is None:
            raise NotVetted(f"the window {name}")
        return found

    def sorted(self, key: SortKey, env: Env, place: str = "") -> str:
        value = self.settled(key.expr, env)
        self._chosen("operator", "<", [value, value])
        return f"{place or value.sql} {direction(key.descending, key.nulls_first)}"

    def _template(self, node: Template, env: Env) -> Typed:
        found = _EXTRACT.fullmatch(node.pieces[0])
        if found is None or len(node.holes) != 1:
            raise NotVetted(named(node))
        return self._chosen("extract", found[1].lower(), [self.of(node.holes[0], env)])
