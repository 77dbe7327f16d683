"""The name PostgreSQL gives an output column without alias (`FigureColname` in parse_target.c)."""

from __future__ import annotations

from outgrow.statement.tree import (
    ArrayOf,
    Call,
    Case,
    Cast,
    Collate,
    ColumnRef,
    Exists,
    Expr,
    Query,
    RowOf,
    RowPart,
    ScalarQuery,
    Select,
    SetOperation,
    Template,
    WholeRow,
)
from outgrow.statement.typenames import bare_name

_NONE = ("?column?", 0)


def output_name(expr: Expr) -> tuple[str, int]:
    """(name, strength): 2 a real name, 1 a weak one (a type, `case`), 0 `?column?`."""
    if isinstance(expr, ColumnRef | Call):
        return expr.name, 2
    if isinstance(expr, WholeRow):
        return expr.relation, 2
    if isinstance(expr, Cast):
        inner = output_name(expr.operand)
        return inner if inner[1] == 2 else (bare_name(expr.type), 1)
    if isinstance(expr, Collate):
        return output_name(expr.operand)
    if isinstance(expr, Case):
        inner = output_name(expr.default) if expr.default is not None else _NONE
        return inner if inner[1] == 2 else ("case", 1)
    if isinstance(expr, ScalarQuery):
        return ("array", 2) if expr.array else _query_name(expr.query)
    if isinstance(expr, Template):
        return (expr.name, 2) if expr.name and expr.name != "?column?" else _NONE
    if isinstance(expr, Exists):
        return "exists", 2
    if isinstance(expr, ArrayOf):
        return "array", 2
    if isinstance(expr, RowOf):
        return "row", 2
    if isinstance(expr, RowPart):
        return output_name(expr.source)
    return _NONE


def _query_name(query: Query) -> tuple[str, int]:
    if isinstance(query, Select) and query.items:
        return (query.items[0].name, 2) if query.items[0].name != "?column?" else _NONE
    if isinstance(query, SetOperation):
        return _query_name(query.left)
    return "column1", 2
