"""Outer joins that a condition turns into inner ones, for analysis only."""

from __future__ import annotations

import dataclasses

from outgrow.plan.blocks import alias_of, bare_column, leaves_of
from outgrow.plan.walking import conjuncts
from outgrow.statement.tree import Expr, InList, Join, JoinKind, Operation, Quantified, Query, Relation

_STRICT = frozenset(("=", "<>", "<", "<=", ">", ">=", "like", "ilike", "between", "is not null"))


def strict_aliases(where: Expr | None, merged: set[str]) -> set[str]:
    """FROM items of this block whose columns cannot all be NULL where the condition is true."""
    found: set[str] = set()
    for conjunct in conjuncts(where):
        operands: tuple[Expr, ...] = ()
        if isinstance(conjunct, Operation) and conjunct.operator in _STRICT:
            operands = conjunct.operands
        elif isinstance(conjunct, InList) or (
            isinstance(conjunct, Quantified) and conjunct.quantifier == "any" and not isinstance(conjunct.of, Query)
        ):
            operands = (conjunct.operand,)
        for operand in operands:
            column = bare_column(operand)
            if column is not None and column.depth == 0 and not (column.bare and column.name in merged):
                found.add(column.relation)
    return found


def reduced(relation: Relation | None, where: Expr | None, merged: set[str]) -> Relation | None:
    """The FROM clause with LEFT, RIGHT and FULL weakened where `where` drops their padded rows."""
    strict = strict_aliases(where, merged)
    return _reduce(relation, strict) if strict and relation is not None else relation


def _reduce(relation: Relation, strict: set[str]) -> Relation:
    if not isinstance(relation, Join):
        return relation
    left, right = _reduce(relation.left, strict), _reduce(relation.right, strict)
    left_real = any(alias_of(leaf) in strict for leaf in leaves_of(left))
    right_real = any(alias_of(leaf) in strict for leaf in leaves_of(right))
    kind = relation.kind
    if kind is JoinKind.FULL:
        if left_real:
            kind = JoinKind.INNER if right_real else JoinKind.LEFT
        elif right_real:
            kind = JoinKind.RIGHT
    elif (kind is JoinKind.LEFT and right_real) or (kind is JoinKind.RIGHT and left_real):
        kind = JoinKind.INNER
    return dataclasses.replace(relation, kind=kind, left=left, right=right)
