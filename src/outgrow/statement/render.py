"""A tree as SQL text.

Names are qualified by their relation's alias, so no name is captured by an output column; sort and group keys that
equal an output column, and are no plain column, are written by position, so that the server sees them as the same.
"""

from __future__ import annotations

from collections.abc import Callable

from outgrow.errors import NotSupportedError
from outgrow.statement.keywords import words
from outgrow.statement.naming import output_name
from outgrow.statement.precedence import PRECEDENCE
from outgrow.statement.quoting import name_sql, string_sql
from outgrow.statement.tree import (
    ArrayOf,
    Call,
    Case,
    Cast,
    Collate,
    ColumnRef,
    Delete,
    Exists,
    Expr,
    InList,
    Insert,
    Literal,
    Merge,
    Operation,
    Parameter,
    Quantified,
    Query,
    RowOf,
    RowPart,
    ScalarQuery,
    SortKey,
    Template,
    Update,
    WholeRow,
    Window,
)

_POSTFIX = frozenset(
    ("is null", "is not null", "is true", "is not true", "is false", "is not false"),
)
_ATOM = PRECEDENCE["atom"]
_OTHER = PRECEDENCE["||"]
_TEST = PRECEDENCE["is null"]


def render(node: Query | Expr | Insert | Update | Delete | Merge, dialect: str = "postgresql") -> str:
    """SQL for a query, a writing statement or an expression.  Error OG-STMT-019 for a dialect that is not there."""
    if dialect != "postgresql":
        raise NotSupportedError("OG-STMT-019", f"there is no dialect {dialect!r}", cure="Use 'postgresql'.")
    if isinstance(node, Expr):
        return expr_sql(node)
    from outgrow.statement.render_query import query_sql

    return query_sql(node)


def expr_sql(node: Expr) -> str:
    return _RENDER[type(node)](node)


def in_parentheses(node: Expr, least: float) -> str:
    """`node` as an operand that must bind at least as strongly as `least`."""
    text = expr_sql(node)
    here = _level(node)
    # Not all languages agree on how comparisons bind among each other, so one within another is always in parentheses.
    compared = _TEST <= here < _OTHER and least > _TEST
    return text if here >= least and not compared else f"({text})"


def _level(node: Expr) -> float:
    if isinstance(node, Operation):
        if node.operator in ("-", "+") and len(node.operands) == 1:
            return PRECEDENCE["unary"]
        return PRECEDENCE.get(node.operator, _OTHER)
    if isinstance(node, InList):
        return PRECEDENCE["in"]
    if isinstance(node, Quantified):
        return PRECEDENCE.get(node.operator, _OTHER)
    if isinstance(node, Collate):
        return PRECEDENCE["collate"]
    if isinstance(node, Template):
        return 0 if not node.pieces[0] or not node.pieces[-1] else _ATOM
    if isinstance(node, Cast):
        return PRECEDENCE["::"]
    return _ATOM


def _column(node: ColumnRef) -> str:
    if not node.relation or node.relation == "*VALUES*" or node.shadowed:
        return name_sql(node.name)
    return f"{name_sql(node.relation)}.{name_sql(node.name)}"


def _literal(node: Literal) -> str:
    return string_sql(node.text) if node.kind == "string" else node.text


def _cast(node: Cast) -> str:
    operand = in_parentheses(node.operand, PRECEDENCE["::"])
    return f"{operand}::{node.type}"


def _operation(node: Operation) -> str:
    name, operands = node.operator, node.operands
    here = PRECEDENCE.get(name, _OTHER)
    if name in ("and", "or"):
        return f" {name.upper()} ".join(in_parentheses(operand, here + 1) for operand in operands)
    if name == "not":
        return f"NOT {in_parentheses(operands[0], here)}"
    if name in _POSTFIX:
        return f"{in_parentheses(operands[0], here + 1)} {name.upper()}"
    if "between" in name:
        value, low, high = (in_parentheses(operand, here + 1) for operand in operands)
        return f"{value} {name.upper()} {low} AND {high}"
    if len(operands) == 1:
        least = PRECEDENCE["unary"] + 1 if name in ("-", "+") else here + 1
        space = "" if name in ("-", "+") else " "
        return f"{_symbol(name)}{space}{in_parentheses(operands[0], least)}"
    left = in_parentheses(operands[0], here if name in ("+", "*", "||", "-", "/", "%") else here + 1)
    text = f"{left} {_symbol(name)} {in_parentheses(operands[1], here + 1)}"
    if len(operands) == 3:
        text += f" ESCAPE {in_parentheses(operands[2], here + 1)}"
    return text


def _symbol(name: str) -> str:
    """Words in upper case; `OPERATOR(pg_catalog.+)` keeps its argument."""
    if name.startswith("operator("):
        return "OPERATOR" + name[8:]
    return name.upper() if name[0].isalpha() else name


def _in_list(node: InList) -> str:
    word = "NOT IN" if node.negated else "IN"
    items = ", ".join(expr_sql(item) for item in node.items)
    return f"{in_parentheses(node.operand, PRECEDENCE['in'] + 1)} {word} ({items})"


def _quantified(node: Quantified) -> str:
    least = PRECEDENCE.get(node.operator, _OTHER) + 1
    operand = in_parentheses(node.operand, least)
    if isinstance(node.of, Query):
        return f"{operand} {_symbol(node.operator)} {node.quantifier.upper()} ({render(node.of)})"
    if isinstance(node.of, ScalarQuery) and not node.of.array:
        # In any parentheses the server would take it for the query that ANY ranges over.
        raise NotSupportedError(
            "OG-STMT-020", "ANY over an array from a subquery", cure="Cast the subquery to its type."
        )
    return f"{operand} {_symbol(node.operator)} {node.quantifier.upper()} ({expr_sql(node.of)})"


def _row(node: RowOf) -> str:
    items = ", ".join(expr_sql(item) for item in node.items)
    return f"({items})" if len(node.items) > 1 else f"ROW({items})"


def _array(node: ArrayOf) -> str:
    return f"ARRAY[{', '.join(expr_sql(item) for item in node.items)}]"


def _case(node: Case) -> str:
    text = "CASE"
    if node.operand is not None:
        text += f" {expr_sql(node.operand)}"
    for when, then in node.branches:
        text += f" WHEN {expr_sql(when)} THEN {expr_sql(then)}"
    if node.default is not None:
        text += f" ELSE {expr_sql(node.default)}"
    return text + " END"


def _scalar_query(node: ScalarQuery) -> str:
    return f"{'ARRAY' if node.array else ''}({render(node.query)})"


def sort_sql(keys: tuple[SortKey, ...], shown: Callable[[Expr], str] = expr_sql) -> str:
    """`a DESC, b NULLS FIRST`: the order of NULLs only where it is not the default."""
    parts = []
    for key in keys:
        text = shown(key.expr) + (" DESC" if key.descending else "")
        if key.nulls_first != key.descending:
            text += " NULLS FIRST" if key.nulls_first else " NULLS LAST"
        parts.append(text)
    return ", ".join(parts)


def window_sql(window: Window) -> str:
    """What stands between the parentheses of OVER or WINDOW."""
    parts = [name_sql(window.name)] if window.name else []
    if window.partition:
        parts.append("PARTITION BY " + ", ".join(expr_sql(item) for item in window.partition))
    if window.order:
        parts.append("ORDER BY " + sort_sql(window.order))
    if window.frame:
        parts.append(window.frame)
    return " ".join(parts)


#: The only forms in which these are calls of functions without being names that need quotes.
_UNQUOTED = frozenset(words("coalesce greatest least nullif grouping"))


def _call(node: Call) -> str:
    args = [expr_sql(arg) for arg in node.args]
    if node.star:
        args = ["*"]
    if node.variadic:
        args[-1] = f"VARIADIC {args[-1]}"
    inside = ("DISTINCT " if node.distinct else "") + ", ".join(args)
    if node.order:
        inside += f" ORDER BY {sort_sql(node.order)}"
    name = node.name if node.name in _UNQUOTED else name_sql(node.name)
    text = f"{name_sql(node.schema) + '.' if node.schema else ''}{name}({inside})"
    if node.within_group:
        text += f" WITHIN GROUP (ORDER BY {sort_sql(node.within_group)})"
    if node.filter is not None:
        text += f" FILTER (WHERE {expr_sql(node.filter)})"
    if node.over is not None:
        over = node.over
        only_name = over.name and not (over.partition or over.order or over.frame)
        text += f" OVER {name_sql(over.name)}" if only_name and over.name else f" OVER ({window_sql(over)})"
    return text


def _collate(node: Collate) -> str:
    return f"{in_parentheses(node.operand, PRECEDENCE['collate'])} COLLATE {node.collation}"


def _template(node: Template) -> str:
    text = node.pieces[0]
    for hole, piece in zip(node.holes, node.pieces[1:], strict=True):
        text += in_parentheses(hole, _ATOM) + piece
    return text


def _row_part(node: RowPart) -> str:
    raise NotSupportedError("OG-STMT-020", "a part of a row outside of an assignment", cure="Render the whole UPDATE.")


def explains_itself(expr: Expr, name: str) -> bool:
    """PostgreSQL would call a column of `expr` by `name` without being told."""
    return output_name(expr)[0] == name


_RENDER: dict[type, Callable[..., str]] = {
    ArrayOf: _array,
    Call: _call,
    Case: _case,
    Cast: _cast,
    Collate: _collate,
    ColumnRef: _column,
    Exists: lambda node: f"EXISTS ({render(node.query)})",
    InList: _in_list,
    Literal: _literal,
    Operation: _operation,
    Parameter: lambda node: f"${node.index}",
    Quantified: _quantified,
    RowOf: _row,
    RowPart: _row_part,
    ScalarQuery: _scalar_query,
    Template: _template,
    WholeRow: lambda node: name_sql(node.relation),
}
