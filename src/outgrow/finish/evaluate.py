"""The small language over combined rows (`plan.spec.Final`), typed and evaluated as PostgreSQL does.

`compile_final` returns a function of the row and the result's type.  Values are as psycopg loads them; None is NULL,
and unknown (the third truth value).  Types of untyped literals and text parameters follow the other operand.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from outgrow.plan.spec import ORDERED_TYPES, TEXT_TYPES, Apply, Constant, Convert, Final, Given, Position

from .arithmetic import ARITHMETIC, INTEGERS, NUMBERS, SHOWN, absolute, converter, negate, rounded, widest
from .compare import order_ranker
from .errors import unvetted_expression
from .reading import read_text

Row = tuple[Any, ...]
Value = Callable[[Row], Any]


class Typed(NamedTuple):
    """`constant` holds the text of an untyped literal until its type is known."""

    value: Value
    type: str
    constant: str | None = None
    #: Digits behind the point that a numeric shows, where they are fixed; its value may have others, if `hidden`.
    scale: int = 0
    hidden: bool = False
    #: A whole number of so few digits that what is computed from it can be of a smaller type than from a column.
    narrow: bool = False


class Compiler:
    """Compiles expressions over rows whose columns have `types`."""

    def __init__(self, types: Sequence[str], params: Sequence[Any], text_bytes: bool) -> None:
        self.types = types
        self.params = params
        self.text_bytes = text_bytes

    def output(self, final: Final) -> Typed:
        """A column of the result."""
        return self.settle(self.compile(final), "text")

    def condition(self, final: Final) -> Value:
        """What HAVING keeps rows by: what Python takes for true."""
        return self.settle(self.compile(final), "bool").value

    def compile(self, final: Final) -> Typed:
        match final:
            case Position(index=index):
                return Typed(lambda row: row[index], self.types[index])
            case Constant():
                return self._constant(final)
            case Given(index=index):
                return _given(self.params[index - 1])
            case Convert():
                return self._convert(final)
            case Apply():
                return self._apply(final)
        raise unvetted_expression(type(final).__name__)

    def _constant(self, final: Constant) -> Typed:
        if final.kind == "null":
            return Typed(lambda row: None, "unknown")
        if final.kind == "string":
            return _fixed(final.text, "unknown", final.text)
        if final.kind == "boolean":
            return _fixed(final.text.lower() in ("true", "t"), "bool")
        if final.text.isascii() and final.text.isdigit() and len(final.text) < 40:
            typed = _given(int(final.text))
            return typed._replace(type="int4") if typed.type == "int2" else typed
        return _fixed(Decimal(final.text), "numeric")

    def _convert(self, final: Convert) -> Typed:
        operand = self.compile(final.operand)
        base = final.type.split("(")[0]
        if operand.type == "unknown":
            operand = self.settle(operand, base)
        if base == "text":
            return self._text(operand)
        if operand.type not in NUMBERS or operand.type == "float4":
            raise unvetted_expression(f"a cast from {operand.type} to {final.type}")
        convert, value = converter(operand.type, final.type), operand.value
        return Typed(lambda row: None if (found := value(row)) is None else convert(found), base)

    def _text(self, typed: Typed) -> Typed:
        """The value as the server shows it; for types of which Python knows that form."""
        typed = self.settle(typed, "text")
        show, value = SHOWN.get(typed.type), typed.value
        if show is None:
            raise unvetted_expression(f"a cast from {typed.type} to text")
        return Typed(lambda row: None if (found := value(row)) is None else show(found), "text")

    # --- types -----------------------------------------------------------------------------------------------------

    def settle(self, typed: Typed, type: str) -> Typed:
        """An untyped literal becomes one of `type`."""
        if typed.type != "unknown":
            return typed
        if typed.constant is None:
            return Typed(typed.value, type)
        return _fixed(read_text(type, typed.constant), type)

    def together(self, parts: list[Typed], what: str) -> tuple[list[Typed], str]:
        """The operands in their common type, as CASE, COALESCE, IN and comparisons need them."""
        known = {part.type for part in parts if part.type != "unknown"}
        if not known:
            return [self.settle(part, "text") for part in parts], "text"
        if known <= NUMBERS:
            if "float4" in known and len(known) > 1:
                # A real arrives as the text that names it (0.1), and is widened to what it is (0.100000001490116).
                raise unvetted_expression(f"{what} between {' and '.join(sorted(known))}")
            kind = widest(known)
        elif len(known) == 1:
            kind = next(iter(known))
        elif known <= {"text", "varchar", "name"}:
            kind = "text"
        else:
            raise unvetted_expression(f"{what} between {' and '.join(sorted(known))}")
        return [self._as(self.settle(part, kind), kind) for part in parts], kind

    def _as(self, part: Typed, kind: str) -> Typed:
        if part.type == kind or kind not in NUMBERS or (part.type in INTEGERS and kind in INTEGERS):
            return Typed(part.value, kind)
        convert, value = converter(part.type, kind), part.value
        return Typed(lambda row: None if (found := value(row)) is None else convert(found), kind)

    # --- operators -------------------------------------------------------------------------------------------------

    def _apply(self, final: Apply) -> Typed:
        operator = final.operator
        parts = [self.compile(operand) for operand in final.operands]
        if operator in ("and", "or", "not") or (operator.startswith("is ") and "distinct" not in operator):
            return self._logic(operator, parts)
        if operator in _COMPARISONS:
            return Typed(self.comparison(operator, parts[0], parts[1]), "bool")
        if operator in ("between", "not between"):
            return self._between(operator, parts)
        if operator in ("in", "not in"):
            return self._among(operator, parts)
        if operator in ("is distinct from", "is not distinct from"):
            return self._distinct(operator, parts)
        if operator == "||":
            return self._joined(parts)
        if operator in ARITHMETIC and len(parts) == 2:
            return self._arithmetic(operator, parts)
        if operator in _UNARY and len(parts) == 1:
            return self._unary(operator, parts[0])
        return self._function(operator, parts)

    def _logic(self, operator: str, parts: list[Typed]) -> Typed:
        if operator in ("is null", "is not null"):
            value, wanted = parts[0].value, operator == "is null"
            return Typed(lambda row: (value(row) is None) is wanted, "bool")
        parts = [self.settle(part, "bool") for part in parts]
        if any(part.type != "bool" for part in parts):
            raise unvetted_expression(f"{operator} of {parts[0].type}")
        values = [part.value for part in parts]
        if operator == "and":
            return Typed(lambda row: _all([value(row) for value in values]), "bool")
        if operator == "or":
            return Typed(lambda row: _any([value(row) for value in values]), "bool")
        only = values[0]
        if operator == "not":
            return Typed(lambda row: None if (found := only(row)) is None else not found, "bool")
        wanted = "true" in operator
        if "not" in operator:
            return Typed(lambda row: only(row) is not wanted, "bool")
        return Typed(lambda row: only(row) is wanted, "bool")

    def comparison(self, operator: str, left: Typed, right: Typed) -> Value:
        (left, right), kind = self.together([left, right], f"the comparison {operator}")
        if kind not in ORDERED_TYPES:
            raise unvetted_expression(f"the comparison of {kind}")
        equality = operator in ("=", "<>")
        rank = order_ranker(kind, self.text_bytes or (equality and kind in TEXT_TYPES))
        test, one, other = _COMPARISONS[operator], left.value, right.value

        def compare(row: Row) -> bool | None:
            first, second = one(row), other(row)
            if first is None or second is None:
                return None
            if rank is not None:
                first, second = rank(first), rank(second)
            return bool(test(first, second))

        return compare

    def _between(self, operator: str, parts: list[Typed]) -> Typed:
        low = self.comparison(">=", parts[0], parts[1])
        high = self.comparison("<=", parts[0], parts[2])
        if operator == "between":
            return Typed(lambda row: _all([low(row), high(row)]), "bool")
        return Typed(lambda row: None if (found := _all([low(row), high(row)])) is None else not found, "bool")

    def _among(self, operator: str, parts: list[Typed]) -> Typed:
        tests = [self.comparison("=", parts[0], part) for part in parts[1:]]
        if operator == "in":
            return Typed(lambda row: _any([test(row) for test in tests]), "bool")
        return Typed(lambda row: None if (found := _any([t(row) for t in tests])) is None else not found, "bool")

    def _distinct(self, operator: str, parts: list[Typed]) -> Typed:
        equal = self.comparison("=", parts[0], parts[1])
        one, other, wanted = parts[0].value, parts[1].value, operator == "is not distinct from"

        def test(row: Row) -> bool:
            first, second = one(row), other(row)
            same = first is second if first is None or second is None else bool(equal(row))
            return same is wanted

        return Typed(test, "bool")

    def _arithmetic(self, operator: str, parts: list[Typed]) -> Typed:
        known = [part.type for part in parts if part.type != "unknown"]
        if not known or not set(known) <= NUMBERS or "float4" in known:
            raise unvetted_expression(f"the operator {operator} of {' and '.join(known) or 'untyped literals'}")
        parts = [self.settle(part, known[0]) for part in parts]
        kind = widest({part.type for part in parts})
        function = ARITHMETIC[operator].get(kind) or ARITHMETIC[operator].get("int" if kind in INTEGERS else "")
        if function is None:
            raise unvetted_expression(f"the operator {operator} of {kind}")
        left, right = (self._as(part, kind).value for part in parts)

        def compute(row: Row) -> Any:
            one, other = left(row), right(row)
            return None if one is None or other is None else function(one, other, kind)

        return Typed(compute, kind)

    def _joined(self, parts: list[Typed]) -> Typed:
        if not any(part.type in ("text", "varchar") for part in parts):
            raise unvetted_expression(f"the operator || of {parts[0].type} and {parts[1].type}")
        left, right = (self._text(part).value for part in parts)

        def join(row: Row) -> str | None:
            one, other = left(row), right(row)
            return None if one is None or other is None else one + other

        return Typed(join, "text")

    def _unary(self, operator: str, part: Typed) -> Typed:
        if part.type not in NUMBERS or part.type == "float4":
            raise unvetted_expression(f"the operator {operator} of {part.type}")
        value, kind = part.value, part.type
        if operator == "+":
            return part
        return Typed(lambda row: None if (found := value(row)) is None else negate(found, kind), kind)

    # --- functions -------------------------------------------------------------------------------------------------

    def _function(self, name: str, parts: list[Typed]) -> Typed:
        if name == "case":
            return self._case(parts)
        if name == "coalesce":
            parts, kind = self.together(parts, "COALESCE")
            values = [part.value for part in parts]
            return Typed(lambda row: _first(row, values), kind)
        if name == "nullif":
            return self._nullif(parts[0], parts[1])
        if name == "abs" and parts[0].type in NUMBERS:
            value, kind = parts[0].value, parts[0].type
            return Typed(lambda row: None if (found := value(row)) is None else absolute(found, kind), kind)
        if name == "round" and parts[0].type in NUMBERS and parts[0].type != "float4":
            return self._round(parts)
        raise unvetted_expression(f"{name} of {', '.join(part.type for part in parts)}")

    def _nullif(self, one: Typed, other: Typed) -> Typed:
        """The first as the operator `=` takes it: an integer beside a numeric is one too, beside an integer itself."""
        equal = self.comparison("=", one, other)
        first, kind = self.together([one, other], "NULLIF")
        if one.type in INTEGERS and kind in INTEGERS:
            kind = one.type
        value = first[0].value
        return Typed(lambda row: None if equal(row) else value(row), "text" if kind == "varchar" else kind)

    def _round(self, parts: list[Typed]) -> Typed:
        value, kind = parts[0].value, parts[0].type
        if len(parts) == 1:
            if kind in INTEGERS:
                return Typed(lambda row: None if (found := value(row)) is None else float(found), "float8")
            return Typed(lambda row: None if (found := value(row)) is None else rounded(found, 0), kind)
        digits = self.settle(parts[1], "int4")
        if kind == "float8" or digits.type not in ("int2", "int4"):
            raise unvetted_expression(f"round({kind}, {digits.type})")
        places = digits.value

        def compute(row: Row) -> Any:
            found, to = value(row), places(row)
            return None if found is None or to is None else rounded(Decimal(found), to)

        return Typed(compute, "numeric")

    def _case(self, parts: list[Typed]) -> Typed:
        conditions = [self.settle(part, "bool") for part in parts[:-1:2]]
        results, kind = self.together([*parts[1:-1:2], parts[-1]], "CASE")
        branches = [(one.value, other.value) for one, other in zip(conditions, results, strict=False)]
        default = results[-1].value

        def compute(row: Row) -> Any:
            for condition, value in branches:
                if condition(row):
                    return value(row)
            return default(row)

        return Typed(compute, kind)


_UNARY = frozenset("+-")
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _fixed(value: Any, type: str, constant: str | None = None) -> Typed:
    return Typed(lambda row: value, type, constant)


def _given(value: Any) -> Typed:
    """A parameter as psycopg would type it."""
    if value is None:
        return Typed(lambda row: None, "unknown")
    if isinstance(value, bool):
        return _fixed(value, "bool")
    if type(value) is int:
        for name, bits in (("int2", 15), ("int4", 31), ("int8", 63)):
            if -1 << bits <= value < 1 << bits:
                return _fixed(value, name)
        return _fixed(Decimal(value), "numeric")
    if isinstance(value, str):
        return _fixed(value, "unknown", value)
    if isinstance(value, datetime.datetime):
        return _fixed(value, "timestamptz" if value.tzinfo else "timestamp")
    for kind, name in ((Decimal, "numeric"), (float, "float8"), (datetime.date, "date"), (bytes, "bytea")):
        if isinstance(value, kind):
            return _fixed(value, name)
    raise unvetted_expression(f"a parameter of type {type(value).__name__}")


def _all(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False


def _first(row: Row, values: list[Value]) -> Any:
    for value in values:
        found = value(row)
        if found is not None:
            return found
    return None
