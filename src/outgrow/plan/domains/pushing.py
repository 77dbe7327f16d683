"""Conditions that a server of another domain may be asked instead of the one that finishes.

Only what is the same on both, whatever their settings: a column beside constants, compared as numbers, by bytes, or as
moments that say their zone.  Parameters are looked at when they are known (`fits`); one that does not fit costs rows
on the way, never the answer, because the finish asks every condition once more.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from outgrow.schema import Table
from outgrow.statement.tree import ColumnRef, Expr, InList, Literal, Operation, Parameter, Quantified

_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_FAMILIES = {
    "int2": "number", "int4": "number", "int8": "number", "numeric": "number", "text": "text", "varchar": "text",
    "uuid": "uuid", "bool": "bool", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz",
}  # fmt: skip
#: On MariaDB: numbers that are nothing else there (int2 may be a YEAR, in which 70 is 1970).
WHOLE_NUMBERS = frozenset(("int4", "int8", "mariadb.bigint unsigned"))
_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
_WRITTEN = {
    "text": re.compile(r"[^\x00]*", re.DOTALL),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "date": re.compile(_DATE),
    "timestamp": re.compile(rf"{_DATE}({_TIME})?"),
    "timestamptz": re.compile(rf"{_DATE}{_TIME}(Z|[+-]\d\d(:\d\d)?)"),
}
_INTEGER = re.compile(r"\d{1,18}")


class Check(NamedTuple):
    """`parameter` (1-based) must be of this family; `many`: it is a list of such."""

    parameter: int
    family: str
    many: bool = False


def pushed(expr: Expr, alias: str, theirs: Table, engine: str) -> tuple[Check, ...] | None:
    """What parameters must be for the server to be asked `expr`; None where it may not be asked at all."""
    match expr:
        case Operation(operator="and" | "or", operands=operands):
            parts = [pushed(operand, alias, theirs, engine) for operand in operands]
            return None if any(part is None for part in parts) else tuple(c for part in parts for c in part or ())
        case Operation(operator="is null" | "is not null", operands=(ColumnRef() as column,)):
            # MariaDB has zero dates, which are NULL to this test alone.
            return () if _own(column, alias) and engine == "postgresql" else None
        case Operation(operator=operator, operands=(left, right)) if operator in _COMPARISONS:
            column, constant = (left, right) if isinstance(left, ColumnRef) else (right, left)
            return _compared(column, [constant], operator in ("=", "<>"), alias, theirs, engine)
        case Operation(operator="between", operands=(column, low, high)):
            return _compared(column, [low, high], False, alias, theirs, engine)
        case InList(operand=column, items=items):
            return _compared(column, items, True, alias, theirs, engine)
        case Quantified(operand=column, operator="=", quantifier="any", of=Parameter(index=index)):
            family = _family(column, alias, theirs, engine)
            wanted = family if engine == "postgresql" and family != "number" else ""
            wanted = "integer" if engine == "postgresql" and family == "number" else wanted
            return (Check(index, wanted, many=True),) if wanted else None
    return None


def _own(column: Expr, alias: str) -> bool:
    return isinstance(column, ColumnRef) and column.relation == alias and not column.depth


def _family(column: Expr, alias: str, theirs: Table, engine: str) -> str:
    """What its values are compared as; "" where that is not to be relied on."""
    known = theirs.column(column.name) if isinstance(column, ColumnRef) and _own(column, alias) else None
    if known is None or known.nondeterministic:
        return ""
    if engine != "postgresql":
        return "integer" if known.type in WHOLE_NUMBERS else ""
    return _FAMILIES.get(known.type, "")


def _compared(
    column: Expr, constants: Sequence[Expr], equality: bool, alias: str, theirs: Table, engine: str
) -> tuple[Check, ...] | None:
    family = _family(column, alias, theirs, engine)
    if not family or (family == "text" and not equality):
        return None
    checks = []
    for constant in constants:
        if isinstance(constant, Parameter):
            checks.append(Check(constant.index, family))
        elif not _literal_fits(constant, family):
            return None
    return tuple(checks)


def _literal_fits(expr: Expr, family: str) -> bool:
    if isinstance(expr, Operation) and expr.operator == "-" and len(expr.operands) == 1:
        return family in ("number", "integer") and _literal_fits(expr.operands[0], family)
    if not isinstance(expr, Literal):
        return False
    if family == "number":
        return expr.kind == "number"
    if family == "integer":
        return expr.kind == "number" and _INTEGER.fullmatch(expr.text) is not None
    if family == "bool":
        return expr.kind == "boolean"
    return expr.kind == "string" and _WRITTEN[family].fullmatch(expr.text) is not None


def fits(checks: Sequence[Check], values: Sequence[Any]) -> bool:
    """Whether the values are what the condition was read for."""
    for parameter, family, many in checks:
        value = values[parameter - 1]
        if many:
            if not isinstance(value, list) or not all(_is(item, family) for item in value):
                return False
        elif not _is(value, family):
            return False
    return True


def _is(value: Any, family: str) -> bool:
    match family:
        case "integer":
            return type(value) is int and -(2**63) <= value < 2**63
        case "number":
            return type(value) in (int, float, Decimal)
        case "text":
            return type(value) is str
        case "uuid":
            return type(value) is uuid.UUID
        case "bool":
            return type(value) is bool
        case "date":
            return type(value) is datetime.date
        case "timestamp":
            return type(value) is datetime.datetime and value.tzinfo is None
        case _:
            return type(value) is datetime.datetime and value.tzinfo is not None
