"""What shards would compute differently is computed once, on one of them, and passed to all as parameters.

`now()` and its kin mean the moment of the transaction (or statement), which begins at another time on each shard; a
default such as `now()` does too.  For copied tables also what is volatile is computed once, so that the copies stay
alike.  The values travel as text, which every type can be read back from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeGuard, TypeVar

from outgrow.plan.walking import everything_below, within_block
from outgrow.schema import Column, Schema, Volatility
from outgrow.statement import Kind, bind, name_sql, render, transform
from outgrow.statement.tree import Call, Cast, ColumnRef, Expr, Literal, Operation, Parameter, Template, Tree

#: Functions of a moment → their type.
_FUNCTIONS = {
    **dict.fromkeys(("now", "transaction_timestamp", "statement_timestamp"), "timestamptz"),
    # MariaDB's, which may have a precision, and are no words of the grammar.
    **dict.fromkeys(("current_timestamp", "localtime", "localtimestamp", "utc_timestamp"), "timestamp"),
    **dict.fromkeys(("curdate", "current_date", "utc_date"), "date"),
    **dict.fromkeys(("curtime", "current_time", "utc_time"), "time"),
    "unix_timestamp": "numeric",
}
#: The same as words of the grammar, which may have a precision.
_WORDS = {
    "current_timestamp": "timestamptz",
    "localtimestamp": "timestamp",
    "current_date": "date",
    "current_time": "timetz",
    "localtime": "time",
}
_WORD = re.compile(r"(\w+)\s*(\(\d+\))?")
#: Volatile functions without arguments → their type.
_DRAWN = {
    "random": "float8",
    "gen_random_uuid": "uuid",
    "uuidv4": "uuid",
    "uuidv7": "uuid",
    "clock_timestamp": "timestamptz",
    "timeofday": "text",
}
#: Types that read words such as 'now' as a moment, alone or inside of an array or range.
_TIMED = re.compile(r"date|time|ts(tz)?(multi)?range")
_MOMENT_WORD = re.compile(r"\b(now|today|tomorrow|yesterday)\b", re.I)


T = TypeVar("T", bound=Tree)


class Once:
    """Gathers what is evaluated once: each expression becomes a parameter behind the statement's own."""

    def __init__(self, statement_params: int) -> None:
        self._first = statement_params + 1
        self.sql: list[str] = []
        #: Of defaults: whether every shard computes the same.
        self._same: dict[str, bool] = {}

    def parameter(self, sql: str, type_sql: str, shared: bool = True) -> Expr:
        """The parameter for an expression; `shared`: the same text is the same value."""
        if not shared or sql not in self.sql:
            self.sql.append(sql)
            return Cast(Parameter(self._first + len(self.sql) - 1), type_sql)
        return Cast(Parameter(self._first + self.sql.index(sql)), type_sql)

    def moments(self, tree: T) -> T:
        """The tree with its moments replaced."""

        def change(node: object) -> object:
            kind = moment_type(node)
            return self.parameter(render(node), kind) if kind is not None and isinstance(node, Expr) else node

        return transform(tree, change)

    def drawn(self, expr: Expr) -> Expr:
        """The expression with its volatile calls replaced, each by a value of its own; not those in subqueries."""
        own = {id(node) for node in within_block(expr)}

        def change(node: object) -> object:
            if isinstance(node, Call) and node.builtin and node.name in _DRAWN and not node.args and id(node) in own:
                return self.parameter(render(node), _DRAWN[node.name], shared=False)
            return node

        return transform(expr, change)

    def default(self, column: Column, schema: Schema, draw: bool) -> Expr | None:
        """The value of the column's default; None where it stays DEFAULT, also volatile ones without `draw`."""
        default = column.default
        if default is None or column.serial or column.generated:
            return None
        volatile = column.default_volatile
        if volatile and not draw:
            return None
        if not volatile and default not in self._same:
            self._same[default] = _same_everywhere(default, schema)
        if self._same.get(default):
            return None
        return self.parameter(default, type_sql(column.type), shared=not volatile)


def moment_type(node: object) -> str | None:
    """The type of a function of the moment; None for any other node."""
    if (
        isinstance(node, Call)
        and node.builtin
        and all(isinstance(arg, Literal) and arg.kind == "number" for arg in node.args)
    ):
        return _FUNCTIONS.get(node.name)
    if isinstance(node, Template) and not node.holes:
        word = _WORD.fullmatch(node.pieces[0].strip())
        if word is not None and word[1].lower() in _WORDS:
            return _WORDS[word[1].lower()] + (word[2] or "")
    return None


def tells_time(node: object) -> bool:
    """What it means depends on when its transaction (or statement) began."""
    return moment_type(node) is not None or is_moment_word(node) or _is_age_by_now(node)


def _is_age_by_now(node: object) -> bool:
    return isinstance(node, Call) and node.builtin and node.name == "age" and len(node.args) == 1


def type_sql(name: str) -> str:
    """A type as the schema names it, as SQL."""
    schema, dot, own = name.partition(".")
    return f"{name_sql(schema)}.{name_sql(own)}" if dot else name_sql(name)


def _same_everywhere(default: str, schema: Schema) -> bool:
    """The default is made of constants and immutable functions."""
    bound = bind(f"SELECT {default}", schema, parameters=False)
    if bound.kind is not Kind.QUERY or bound.effects or bound.tree is None:
        return False
    for node in everything_below(bound.tree):
        if isinstance(node, Call | Template) and node.volatility is not Volatility.IMMUTABLE:
            return False
        if is_moment_word(node):
            return False
    return True


def is_timed(type_name: str | None) -> bool:
    """Words such as 'now' are moments to this type."""
    return type_name is not None and _TIMED.search(type_name) is not None


def is_moment_word(node: object) -> TypeGuard[Literal]:
    return isinstance(node, Literal) and node.kind == "string" and says_moment(node.text)


def says_moment(value: object) -> bool:
    """A text with such a word in it, alone or in an array."""
    return isinstance(value, str | list | tuple) and _MOMENT_WORD.search(str(value)) is not None


def timed_parameters(tree: Tree, assigned: Iterable[tuple[str, Expr]]) -> tuple[int, ...]:
    """Parameters that are read as a time; `assigned` are the types of columns with what is assigned to them."""
    found = {expr.index for type_, expr in assigned if isinstance(expr, Parameter) and is_timed(type_)}
    for node in everything_below(tree):
        if isinstance(node, Cast) and isinstance(node.operand, Parameter) and is_timed(node.type):
            found.add(node.operand.index)
        elif isinstance(node, Operation) and any(
            isinstance(operand, ColumnRef | Cast) and is_timed(operand.type) for operand in node.operands
        ):
            found.update(operand.index for operand in node.operands if isinstance(operand, Parameter))
    return tuple(sorted(found))
