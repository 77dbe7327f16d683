"""PostgreSQL's operator precedence (`gram.y`), against which the parser's grouping is checked."""

from __future__ import annotations

from sqlglot import exp

#: Weakest first.  Everything that is not named here is one of the "other" operators, with `||`.
PRECEDENCE: dict[str, float] = {
    "or": 1,
    "and": 2,
    "not": 3,
    **dict.fromkeys(
        (
            "is null",
            "is not null",
            "is true",
            "is not true",
            "is false",
            "is not false",
            "is distinct from",
            "is not distinct from",
        ),
        4,
    ),
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), 5),
    **dict.fromkeys(
        (
            "like",
            "ilike",
            "similar to",
            "between",
            "not between",
            "between symmetric",
            "not between symmetric",
            "in",
            "escape",
            "regexp",
            "not regexp",
        ),
        6,
    ),
    "||": 7,
    "+": 8,
    "-": 8,
    "*": 9,
    "/": 9,
    "%": 9,
    "div": 9,
    "^": 10,
    "at": 11,
    "collate": 12,
    "unary": 13,
    "::": 14,
    "atom": 15,
}
_LEVELS: dict[type, float] = {
    exp.Or: 1,
    exp.And: 2,
    exp.Not: 3,
    exp.Is: 4,
    exp.NullSafeEQ: 4,
    exp.NullSafeNEQ: 4,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), 5),
    **dict.fromkeys((exp.Like, exp.ILike, exp.SimilarTo, exp.Between, exp.In), 6),
    exp.DPipe: 7,
    exp.Add: 8,
    exp.Sub: 8,
    exp.Mul: 9,
    exp.Div: 9,
    exp.Mod: 9,
    exp.Pow: 10,
    exp.AtTimeZone: 11,
    exp.Collate: 12,
    exp.Neg: 13,
    exp.BitwiseNot: 13,
    exp.Cast: 14,
}


def level(node: object) -> float:
    """How strongly the parser's node binds as it was written; in parentheses, or a name: the most."""
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Between | exp.In | exp.Is | exp.Like | exp.ILike):
        # NOT BETWEEN and the like arrive as Not(Between); `NOT a BETWEEN …` does too, and means the same.
        return _LEVELS[type(node.this)]
    return _LEVELS.get(type(node), 15)
