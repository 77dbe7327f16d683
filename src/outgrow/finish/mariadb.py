"""The small language over combined rows, typed and evaluated as MariaDB does.

Truth is a number, dividing by zero gives NULL, a quotient has four digits more than its dividend (and keeps others
that it does not show, see `decimals`), and NULL alone has no type.  What is not here is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from outgrow.plan.spec import Apply, Constant, Final, Given, Position

from .combine import Kind, Numbers
from .decimals import DIVISION_DIGITS, SCALE_MAX, divide, exact, shown
from .errors import unvetted_expression
from .evaluate import Typed, Value
from .mariadb_functions import ARITHMETIC, FUNCTIONS
from .mariadb_values import (
    COMPARISONS,
    INTEGERS,
    TRUTHS,
    UNSIGNED,
    comparison,
    constant,
    every,
    given,
    lifted,
    negated,
    number,
    same,
    some,
    tested,
    truth,
)


def _averaged(total: Kind) -> tuple[Kind, Callable[[Any, int], Any]]:
    if total.type == "float8":
        return Kind("float8"), lambda added, count: added / count
    kind = Kind("numeric", min(total.scale + DIVISION_DIGITS, SCALE_MAX), hidden=True)
    return kind, lambda added, count: divide(exact(added), Decimal(count))


MARIADB = Numbers(
    {**dict.fromkeys((*INTEGERS, UNSIGNED, "numeric"), "numeric"), "float8": "float8"},
    _averaged,
)


class MariadbCompiler:
    """Compiles expressions over rows whose columns are of `kinds`."""

    def __init__(self, kinds: Sequence[Kind], params: Sequence[Any]) -> None:
        self.kinds = kinds
        self.params = params

    def output(self, final: Final) -> Typed:
        typed = self.compile(final)
        if typed.type == "unknown":
            raise unvetted_expression("a NULL without type")
        if not typed.hidden:
            return typed
        return typed._replace(value=lifted(lambda found: shown(exact(found), typed.scale), typed.value))

    def condition(self, final: Final) -> Value:
        kept = truth(self.compile(final))
        return lambda row: kept(row) is True

    def compile(self, final: Final) -> Typed:
        match final:
            case Position(index=index):
                kind = self.kinds[index]
                return Typed(lambda row: row[index], kind.type, None, kind.scale, kind.hidden)
            case Constant():
                return constant(final)
            case Given(index=index):
                return given(self.params[index - 1])
            case Apply(operator="-", operands=(Constant(kind="number", text=text),)):
                return number(f"-{text}")
            case Apply(operator="round" | "truncate", operands=(_, digits)) if not isinstance(digits, Constant | Given):
                raise unvetted_expression(f"{final.operator} to other than a plain number of digits")
            case Apply():
                return self._apply(final.operator, [self.compile(operand) for operand in final.operands])
        raise unvetted_expression(type(final).__name__)

    def _apply(self, name: str, parts: list[Typed]) -> Typed:
        if name in COMPARISONS:
            return tested(comparison(name, parts[0], parts[1]))
        if name in TRUTHS:
            return tested(TRUTHS[name]([truth(part) for part in parts]))
        if name in ("is null", "is not null"):
            value, wanted = parts[0].value, name == "is null"
            return tested(lambda row: (value(row) is None) is wanted)
        if name.startswith("is "):
            found, wanted, positive = truth(parts[0]), "true" in name, "not" not in name
            return tested(lambda row: (found(row) is wanted) is positive)
        if name in ("between", "not between"):
            tests = [comparison(">=", parts[0], parts[1]), comparison("<=", parts[0], parts[2])]
            return tested(negated(every(tests), name == "not between"))
        if name in ("in", "not in"):
            tests = [comparison("=", parts[0], part) for part in parts[1:]]
            return tested(negated(some(tests), name == "not in"))
        if name == "is not distinct from":
            return tested(same(parts[0], parts[1]))
        if name in ARITHMETIC and len(parts) == 2:
            return ARITHMETIC[name](name, parts[0], parts[1])
        function = FUNCTIONS.get(name)
        if function is None or (name in ("-", "+") and len(parts) != 1):
            raise unvetted_expression(f"{name}()")
        return function(parts)
