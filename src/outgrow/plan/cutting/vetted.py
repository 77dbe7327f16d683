"""Expressions over combined results that Python evaluates as the server does; everything else is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from outgrow.plan.blocks import plain_type
from outgrow.plan.refusals import refused
from outgrow.plan.spec import Apply, Constant, Convert, Final
from outgrow.statement.tree import Call, Case, Cast, Expr, InList, Literal, Operation, Quantified

_OPERATORS = {
    "and": 0,
    "or": 0,
    "not": 1,
    "=": 2,
    "<>": 2,
    "!=": 2,
    "<": 2,
    "<=": 2,
    ">": 2,
    ">=": 2,
    "+": 0,
    "-": 0,
    "*": 2,
    "/": 2,
    "%": 2,
    "||": 2,
    "is null": 1,
    "is not null": 1,
    "is true": 1,
    "is not true": 1,
    "is false": 1,
    "is not false": 1,
    "is distinct from": 2,
    "is not distinct from": 2,
    "between": 3,
    "not between": 3,
}
_FUNCTIONS = {"coalesce": (1, 99), "nullif": (2, 2), "abs": (1, 1), "round": (1, 2)}


class Language(NamedTuple):
    """Operator → number of operands (0: any), function → least and most arguments, and whether casts are known."""

    operators: Mapping[str, int]
    functions: Mapping[str, tuple[int, int]]
    casts: bool


POSTGRESQL = Language(_OPERATORS, _FUNCTIONS, True)
MARIADB = Language(
    {name: count for name, count in _OPERATORS.items() if name not in ("||", "is distinct from")} | {"div": 2},
    {
        **_FUNCTIONS,
        "ifnull": (2, 2),
        "if": (3, 3),
        "greatest": (2, 99),
        "least": (2, 99),
        "truncate": (2, 2),
    },
    False,
)
_NUMERIC = re.compile(r"numeric\([0-9]+(, ?[0-9]+)?\)")
_CASTS = frozenset(("int2", "int4", "int8", "numeric", "float8", "text"))


def translate(expr: Expr, below: Callable[[Expr], Final], language: Language = POSTGRESQL) -> Final:
    """One node of the expression; `below` translates its operands."""
    match expr:
        case Operation(operator=operator, operands=operands) if operator in language.operators:
            needed = language.operators[operator]
            if needed and len(operands) != needed:
                raise refused("expression", f"the operator {operator}")
            return Apply("<>" if operator == "!=" else operator, tuple(below(operand) for operand in operands))
        case InList():
            items = tuple(below(item) for item in expr.items)
            return Apply("not in" if expr.negated else "in", (below(expr.operand), *items))
        case Case():
            return _case(expr, below)
        case Call() if expr.builtin and expr.name in language.functions and not expr.distinct and expr.over is None:
            least, most = language.functions[expr.name]
            if least <= len(expr.args) <= most:
                return Apply(expr.name, tuple(below(arg) for arg in expr.args))
        case Cast() if language.casts and (plain_type(expr.type) in _CASTS or _NUMERIC.fullmatch(expr.type)):
            return Convert(below(expr.operand), plain_type(expr.type))
    raise refused("expression", _shown(expr))


def _case(expr: Case, below: Callable[[Expr], Final]) -> Final:
    operands: list[Final] = []
    for condition, value in expr.branches:
        if expr.operand is None:
            operands.append(below(condition))
        else:
            operands.append(Apply("=", (below(expr.operand), below(condition))))
        operands.append(below(value))
    operands.append(below(expr.default) if expr.default is not None else Constant("null", "NULL"))
    return Apply("case", tuple(operands))


def _shown(expr: Expr) -> str:
    match expr:
        case Operation():
            return f"the operator {expr.operator}"
        case Call():
            return f"the function {expr.name}"
        case Cast():
            return f"the cast to {expr.type}"
        case Quantified():
            return f"{expr.operator} {expr.quantifier.upper()}"
        case Literal():
            return expr.text
    return f"the construct {type(expr).__name__}"
