"""Values of MariaDB's expressions: constants, parameters, what is true, and how values compare."""

from __future__ import annotations

import datetime
import operator as operators
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from outgrow.plan.spec import Constant

from .decimals import checked, exact, shown
from .errors import unvetted_expression
from .evaluate import Row, Typed, Value
from .numeric import scale
from .reading import read_text

INTEGERS = ("int2", "int4", "int8")
UNSIGNED = "mariadb.bigint unsigned"
NUMBERS = frozenset((*INTEGERS, "numeric", "float8"))
TIMES = frozenset(("date", "timestamp"))
INT8 = 1 << 63


def constant(final: Constant) -> Typed:
    match final.kind:
        case "null":
            return Typed(lambda row: None, "unknown")
        case "string":
            return fixed(final.text, "text")._replace(constant=final.text)
        case "boolean":
            return fixed(int(final.text.lower() in ("true", "t")), "int4")
    return number(final.text)


def number(text: str) -> Typed:
    if text.removeprefix("-").isdigit():
        return given(int(text))
    value = Decimal(text)
    return fixed(checked(value), "numeric", scale(value))


def given(value: Any) -> Typed:
    """A parameter as the driver writes it."""
    if value is None:
        return Typed(lambda row: None, "unknown")
    if isinstance(value, bool):
        return fixed(int(value), "int4")
    if type(value) is int and -INT8 <= value < INT8:
        return fixed(value, "int4" if -1 << 31 <= value < 1 << 31 else "int8")
    if isinstance(value, Decimal) and value.is_finite():
        value = Decimal(format(value, "f"))
        return fixed(checked(value), "numeric", scale(value))
    if isinstance(value, str):
        return fixed(value, "text")._replace(constant=value)
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        return fixed(value, "timestamp")
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return fixed(value, "date")
    if isinstance(value, float):
        return fixed(value, "float8")
    raise unvetted_expression(f"a parameter of type {type(value).__name__}")


def fixed(value: Any, type: str, digits: int = 0) -> Typed:
    return Typed(lambda row: value, type, None, digits)


def tested(value: Callable[[Row], bool | None]) -> Typed:
    return Typed(lifted(int, value), "int4", narrow=True)


def lifted(function: Callable[[Any], Any], value: Value) -> Value:
    """The function of the value; NULL of NULL."""
    return lambda row: None if (found := value(row)) is None else function(found)


def lifted_two(function: Callable[[Any, Any], Any], one: Value, other: Value) -> Value:
    def compute(row: Row) -> Any:
        left, right = one(row), other(row)
        return None if left is None or right is None else function(left, right)

    return compute


def meeting(parts: Sequence[Typed], what: str) -> str:
    """The type in which numbers meet."""
    kinds = {part.type for part in parts}
    if not kinds <= NUMBERS:
        raise unvetted_expression(f"{what} of {' and '.join(sorted(kinds))}")
    if "float8" in kinds and any(part.hidden for part in parts):
        # As a double, an average is another quotient than as a decimal.
        raise unvetted_expression(f"{what} of a quotient and a double")
    return "float8" if "float8" in kinds else "numeric" if "numeric" in kinds else max(kinds, key=INTEGERS.index)


def as_kind(part: Typed, kind: str) -> Value:
    """The value as one of the type in which numbers meet."""
    if kind == part.type or kind in INTEGERS:
        return part.value
    if kind == "numeric":
        return lifted(exact, part.value)
    return lifted(float, part.value)


def rounded(part: Typed) -> Value:
    return lifted(lambda value: shown(value, part.scale), part.value) if part.hidden else part.value


# --- truth -----------------------------------------------------------------------------------------------------------


def truth(part: Typed) -> Callable[[Row], bool | None]:
    if part.type not in NUMBERS and part.type not in ("unknown", UNSIGNED):
        raise unvetted_expression(f"the truth of {part.type}")
    return lifted(bool, rounded(part))


def every(tests: Sequence[Value]) -> Value:
    def compute(row: Row) -> bool | None:
        found = [test(row) for test in tests]
        return False if False in found else None if None in found else True

    return compute


def some(tests: Sequence[Value]) -> Value:
    def compute(row: Row) -> bool | None:
        found = [test(row) for test in tests]
        return True if True in found else None if None in found else False

    return compute


def negated(test: Value, negated: bool = True) -> Value:
    return lifted(operators.not_, test) if negated else test


TRUTHS: dict[str, Callable[[Sequence[Value]], Value]] = {
    "and": every,
    "or": some,
    "not": lambda tests: negated(tests[0]),
}


# --- comparisons -----------------------------------------------------------------------------------------------------

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operators.eq,
    "<>": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def comparison(name: str, one: Typed, other: Typed) -> Callable[[Row], bool | None]:
    left, right = comparable(name, one, other)
    return lifted_two(COMPARISONS[name], left, right)


def comparable(name: str, one: Typed, other: Typed) -> tuple[Value, Value]:
    """Both sides as Python compares them: numbers as they are shown, days and moments; nothing for text."""
    kinds = {one.type, other.type}
    if "unknown" in kinds:
        return one.value, other.value
    if kinds == {UNSIGNED} or kinds <= {*INTEGERS, UNSIGNED}:
        return one.value, other.value
    if kinds <= NUMBERS:
        kind = meeting((one, other), name)
        one, other = one._replace(value=rounded(one)), other._replace(value=rounded(other))
        return as_kind(one, kind), as_kind(other, kind)
    if one.type in TIMES or other.type in TIMES:
        return _moments(name, one), _moments(name, other)
    raise unvetted_expression(f"the comparison {name} of {' and '.join(sorted(kinds))}")


def _moments(name: str, part: Typed) -> Value:
    if part.type == "text" and part.constant is not None:
        # Only as written in full: '2024-1-1' is a day too, but that is the server's to read.
        moment = read_text("timestamp", part.constant)
        return lambda row: moment
    if part.type == "date":
        return lifted(lambda day: datetime.datetime.combine(day, datetime.time.min), part.value)
    if part.type == "timestamp":
        return part.value
    raise unvetted_expression(f"the comparison {name} of {part.type} and a time")


def same(one: Typed, other: Typed) -> Callable[[Row], bool]:
    left, right = comparable("<=>", one, other)

    def test(row: Row) -> bool:
        first, second = left(row), right(row)
        return first is second if first is None or second is None else bool(first == second)

    return test
