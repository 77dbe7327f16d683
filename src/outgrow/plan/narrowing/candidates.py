"""What a candidate of a key set stands for, once the parameters are known: values, or places in an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.errors import DataError
from outgrow.keyspace import NoRow, Unknowable, bounds, bounds_of, carried, coerce, stored
from outgrow.plan.blocks import family, plain_type
from outgrow.plan.narrowing.keyset import Candidate, Elements, Held, Null, Span
from outgrow.plan.narrowing.literals import python_value
from outgrow.statement.tree import Cast, Expr, Literal, Operation, Parameter

Params = Sequence[Any]
#: The least and the greatest place at which a value can stand.
Bounds = tuple[Any, Any]


def candidate_values(candidate: Candidate, type: str, params: Params, typmod: int | None) -> list[Any]:
    """The values of a key column that a candidate stands for; Unknowable where they cannot be told one by one.

    `typmod` is given where values are written, not compared.
    """
    if isinstance(candidate, Span):
        raise Unknowable
    if isinstance(candidate, Null):
        return [None]
    if isinstance(candidate, Held):
        source = candidate.known.type
        values = candidate_values(candidate.known, source, params, None)
        return [kept for value in values for kept in _carried(value, source, type, -1 if typmod is None else typmod)]
    if isinstance(candidate, Elements):
        return [value for item in _elements(candidate, params) for value in _compared(item, candidate.type, type)]
    if typmod is not None:
        return [_written(candidate.expr, type, typmod, params)]
    if isinstance(candidate.expr, Cast):
        value = _cast(candidate.expr, params)
        return _narrowed(value, plain_type(candidate.expr.type), type)
    return _compared(_value(candidate.expr, params), candidate.type, type)


def _compared(value: Any, compared: str, type: str) -> list[Any]:
    """What a value that is compared with a column of type `compared` means for a column of type `type`."""
    try:
        coerced = coerce(compared, value)
        if coerced is None:
            return []
        return [coerced] if compared == type else _narrowed(coerced, compared, type)
    except NoRow:
        return []


def _carried(value: Any, source: str, type: str, typmod: int) -> list[Any]:
    """What a key column holds that is written from a column of type `source` with this value."""
    try:
        return [carried(type, typmod, source, value)]
    except DataError:
        # The server refuses the row, where there is one.
        return []


def _narrowed(value: Any, source: str, type: str) -> list[Any]:
    if value is None:
        return []
    if source == type or (family(source) == family(type) == "text"):
        return [value]
    if {family(source), family(type)} <= {"int", "numeric"}:
        try:
            return [coerce(type, value)]
        except NoRow:
            return []
    raise Unknowable


def span_bounds(end: Expr, compared: str, type: str, params: Params) -> Bounds | None:
    """Where one end of a span stands in the order of a column of this type; None for NULL, which is no end.

    `compared` is the type of the column that it was compared with.
    """
    if isinstance(end, Cast):
        source = plain_type(end.type)
        try:
            held = _cast(end, params)
            return None if held is None else bounds_of(type, source, held)
        except Unknowable:
            # A moment that is cast to one with a zone has the session's, as if it were compared.
            if source != "timestamptz" or type != source:
                raise
        end = end.operand
    value = _value(end, params)
    return None if value is None else bounds(compared, value)


def _value(expr: Expr, params: Params) -> Any:
    if isinstance(expr, Parameter):
        return params[expr.index - 1]
    return python_value(expr)


#: Python types whose cast to a type only reads them; anything else may be rounded, truncated or formatted.
_READS: dict[str, tuple[type, ...]] = {
    "int": (int, str),
    "text": (str,),
    "bool": (bool, str),
}


def _cast(expr: Cast, params: Params) -> Any:
    """The value of a cast constant, as `coerce` has it for the cast's own type; None for NULL."""
    target = plain_type(expr.type)
    kind = family(target)
    if kind is None or not isinstance(expr.operand, Literal | Parameter | Operation):
        raise Unknowable
    value = _value(expr.operand, params)
    if value is None:
        return None
    if kind in _READS and (type(value) not in _READS[kind]):
        raise Unknowable
    try:
        return coerce(target, value)
    except (NoRow, DataError):
        # A cast rounds where a comparison finds no row, and what it refuses the server shall refuse.
        raise Unknowable from None


def _written(expr: Expr, type: str, typmod: int, params: Params) -> Any:
    if not isinstance(expr, Cast):
        return stored(type, typmod, _value(expr, params))
    value, source = _cast(expr, params), plain_type(expr.type)
    if value is None or (source == type and typmod == -1):
        return value
    if family(type) != family(source) or family(type) not in ("int", "text", "uuid", "bool", "numeric"):
        raise Unknowable
    return stored(type, typmod, value)


def _elements(candidate: Elements, params: Params) -> list[Any]:
    """The elements of an array parameter; an array written as text is the server's to read."""
    expr = candidate.expr
    if isinstance(expr, Cast):
        element = plain_type(expr.type.removesuffix("[]")) if expr.type.endswith("[]") else ""
        if family(element) is None or family(element) != family(candidate.type):
            raise Unknowable
        expr = expr.operand
    value = _value(expr, params)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Unknowable
    flat: list[Any] = []
    stack: list[Any] = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, list | tuple):
            stack.extend(here)
        elif here is not None:
            flat.append(here)
    return flat
