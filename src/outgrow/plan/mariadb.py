"""What a plan over several shards of a MariaDB domain may hold.

Everything else in this room was argued for PostgreSQL: which aggregates combine, which expressions Python evaluates as
the server does, which text sorts by bytes.  So a list of what holds for MariaDB as well stands here, and the rest is
refused by name: a construct joins the list with a proof and a differential test.
"""

from __future__ import annotations

from dataclasses import replace

from outgrow.schema import Order, Volatility
from outgrow.statement import Unvetted, respelt
from outgrow.statement.tree import (
    Call,
    CallKind,
    Case,
    ColumnRef,
    Expr,
    InList,
    Join,
    JoinKind,
    Literal,
    Operation,
    Parameter,
    Relation,
    Scan,
    Select,
    Tree,
)

from .model import Plan, Reason
from .refusals import Refused, refuse, refused
from .walking import children

#: Types whose values Python compares as the server does; text besides, where it is ordered by bytes.
_SORTED = frozenset(("int2", "int4", "int8", "numeric", "date", "timestamp"))
_SUMMED = frozenset(("int2", "int4", "int8", "numeric"))
_PREDICATES = frozenset(
    (
        *("and", "or", "not", "=", "<>", "!=", "<", "<=", ">", ">=", "like", "not like", "between", "not between"),
        *("is null", "is not null", "is true", "is not true", "is false", "is not false"),
    )
)
_COMPARISONS = _PREDICATES - {"and", "or", "not"}
_ARITHMETIC = frozenset(("+", "-", "*", "/", "%"))
_JOINS = frozenset((JoinKind.INNER, JoinKind.LEFT, JoinKind.CROSS))


def over_mariadb(plan: Plan) -> Plan:
    """The plan with what it may do over several shards of MariaDB, or the refusal."""
    if plan.change is not None or plan.move is not None or (plan.fragment_sql and plan.access == "write"):
        return _without(plan, refused("MariaDB write", plan.statement.command))
    if plan.fragment_sql is None:
        return plan
    try:
        assert plan.statement.tree is not None
        _check(plan.statement.tree)
        return replace(plan, fragment_sql=respelt(plan.fragment_sql))
    except Unvetted as unvetted:
        return _without(plan, refused("MariaDB scatter", str(unvetted)))
    except Refused as refusal:
        return _without(plan, refusal)


def _without(plan: Plan, refusal: Refused) -> Plan:
    reason = Reason("plan.mariadb", f"over several shards it is refused: {refusal.error.message}")
    return replace(
        plan, change=None, move=None, fragment_sql=None, finish=None, refusal=refusal.error,
        reasons=(*plan.reasons, reason),
    )  # fmt: skip


def _no(what: str) -> Refused:
    return Refused(refuse("MariaDB scatter", what))


def _check(tree: Tree) -> None:
    if not isinstance(tree, Select):
        raise _no("a set operation")
    for part, what in (
        (tree.with_.ctes, "WITH"),
        (tree.distinct_on, "DISTINCT ON"),
        (tree.windows, "WINDOW"),
        (tree.grouping_sets, "grouping sets"),
        (tree.having, "HAVING"),
        (tree.locking, tree.locking),
    ):
        if part:
            raise _no(what)
    _check_source(tree.source)
    if tree.where is not None:
        _check_expr(tree.where)
    grouped = bool(tree.group) or any(_aggregate(item.expr) for item in tree.items)
    for key in tree.group:
        _check_sorted(key, "GROUP BY")
    for item in tree.items:
        if _aggregate(item.expr):
            _check_aggregate(item.expr)
        elif grouped and item.expr not in tree.group:
            raise _no(f"{item.name} beside aggregates, which is not grouped by,")
        elif tree.distinct:
            _check_sorted(item.expr, "DISTINCT")
        else:
            _check_expr(item.expr)
        if not isinstance(item.expr, ColumnRef) and item.alias is None:
            raise _no("an expression without alias, whose name depends on a parameter,")
    for sort in tree.order:
        if not any(item.expr == sort.expr and _aggregate(item.expr) for item in tree.items):
            _check_sorted(sort.expr, "ORDER BY")
    for count in (tree.limit, tree.offset):
        if count is not None and not isinstance(count, Literal | Parameter):
            raise _no("a LIMIT that is no number")


def _check_source(relation: Relation | None) -> None:
    if isinstance(relation, Join):
        if relation.kind not in _JOINS or relation.using or relation.natural:
            raise _no(f"a {relation.kind} join" if relation.kind not in _JOINS else "a join by USING")
        _check_source(relation.left)
        _check_source(relation.right)
        if relation.on is not None:
            _check_expr(relation.on)
    elif not isinstance(relation, Scan):
        raise _no("a FROM item that is no table")


def _aggregate(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.kind is CallKind.AGGREGATE


def _check_aggregate(call: Expr) -> None:
    assert isinstance(call, Call)
    if call.distinct or call.filter is not None or call.over is not None or call.order or call.within_group:
        raise _no(f"{call.name} with DISTINCT or OVER")
    if call.name == "count" and (call.star or len(call.args) == 1):
        for arg in call.args:
            _check_expr(arg)
        return
    if call.name in ("sum", "min", "max") and len(call.args) == 1:
        [arg] = call.args
        if call.name == "sum":
            if not isinstance(arg, ColumnRef) or arg.type not in _SUMMED:
                raise _no("sum of anything but a whole or decimal column")
            return
        _check_sorted(arg, call.name)
        return
    raise _no(f"the aggregate {call.name}")


def _check_sorted(expr: Expr, where: str) -> None:
    """Values that Python compares: a column of a type whose order is known."""
    if isinstance(expr, ColumnRef):
        if expr.type in _SORTED or (expr.type in ("text", "varchar") and expr.order is Order.BYTES):
            return
        raise _no(f"{where} of {expr.name} ({expr.type})")
    raise _no(f"{where} of an expression")


def _check_expr(expr: Expr) -> None:
    """What each shard computes for itself: only its reading must be certain."""
    match expr:
        case ColumnRef() | Literal() | Parameter() | InList() | Case():
            pass
        case Operation(operator=operator) if operator in _ARITHMETIC or operator in _PREDICATES:
            # In MariaDB all comparisons bind alike, and from the left.
            if operator in _COMPARISONS and any(_predicate(operand) for operand in expr.operands):
                raise _no("a comparison of comparisons")
        case Call() if expr.builtin and expr.kind is CallKind.SCALAR and expr.volatility is Volatility.IMMUTABLE:
            pass
        case _:
            raise _no(_shown(expr))
    for child in children(expr):
        _check_expr(child)


def _predicate(expr: Expr) -> bool:
    return isinstance(expr, InList) or (isinstance(expr, Operation) and expr.operator in _PREDICATES)


def _shown(expr: Expr) -> str:
    if isinstance(expr, Operation):
        return f"the operator {expr.operator}"
    return f"the function {expr.name}" if isinstance(expr, Call) else f"the construct {type(expr).__name__}"
