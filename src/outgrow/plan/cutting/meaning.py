"""What values mean to an engine: how they sort, what tells them apart, which aggregates combine.

The rest of this room asks here and does not know that there are several engines; this is PostgreSQL's answer, and the
words of the question.
"""

from __future__ import annotations

from collections.abc import Callable

from outgrow.plan.blocks import arms_of, plain_type
from outgrow.plan.cutting.handed import in_order
from outgrow.plan.cutting.ordering import TextOrder
from outgrow.plan.cutting.vetted import POSTGRESQL, Language, translate
from outgrow.plan.refusals import refused
from outgrow.plan.spec import ORDERED_TYPES, Final, How
from outgrow.schema import Schema
from outgrow.statement.model import Statement
from outgrow.statement.tree import Call, Cast, ColumnRef, Expr, Item, Operation, Query, Select, SetOperation, Tree

_PLAIN = {
    "count": How.COUNT,
    "sum": How.SUM,
    "min": How.MIN,
    "max": How.MAX,
    "avg": How.AVG,
    "bool_and": How.ALL,
    "every": How.ALL,
    "bool_or": How.ANY,
}


class Meaning:
    """For one statement."""

    #: Whose arithmetic `finish` follows.
    language = "postgresql"
    aggregates = _PLAIN
    vetted: Language = POSTGRESQL

    #: Parameters behind the statement's own, each the sum of two of those.
    sums: tuple[tuple[int, int], ...] = ()

    def __init__(self, schema: Schema, statement: Statement, tree: Tree) -> None:
        self.order = TextOrder(schema, tree)
        self.text_bytes = self.order.all_bytes

    def check(self, tree: Tree) -> None:
        """Raises Refused for what no fragment may hold."""

    def fragment(self, query: Query) -> Query:
        """The fragment as it is rendered."""
        return query

    def both(self, limit: Expr, offset: Expr) -> Expr | None:
        """LIMIT + OFFSET as the LIMIT of a fragment."""
        return Operation("+", (Cast(limit, "int8"), Cast(offset, "int8")))

    def spelt(self, sql: str) -> str:
        """Rendered SQL as the engine spells it."""
        return sql

    def in_order(self, select: Select) -> Select:
        """The block in the order in which its FROM item hands on its rows, where it chooses among them."""
        return in_order(select, self.order.default)

    # --- order and equality ----------------------------------------------------------------------------------------

    def sorted_by(self, expr: Expr) -> tuple[Expr, bool]:
        """What a shard returns for Python to sort by, in the order that the server gives `expr`; and whether it goes
        by code point, should it be text.  Refused where that is not known."""
        kind = getattr(expr, "type", None)
        if isinstance(kind, str) and not isinstance(expr, Cast) and kind not in ORDERED_TYPES:
            raise refused("expression", f"the order of type {kind}")
        return expr, self.order.by_bytes(expr)

    def check_least(self, call: Call, shown: str, key_columns: str) -> bool:
        """Python finds the least or the greatest of what the aggregate is given: whether by code point."""
        return self.order.by_bytes(call.args[0])

    def check_equality(self, expr: Expr) -> bool:
        """Equal values are the same value.  False: only if they are no text, which is not known.  Or refused."""
        self.order.check_equality(expr)
        return True

    def told_by(self, expr: Expr) -> Expr:
        """What is equal for equal values, and the same value then.  Raises Refused."""
        self.order.check_equality(expr)
        return expr

    def check_distinct(self, select: Select) -> None:
        """DISTINCT's rows can be sorted as the statement says."""

    def check_groups(self, select: Select) -> None:
        """Groups that span shards can be computed and sorted as the statement says."""

    def check_sorted_set(self, tree: SetOperation, items: tuple[Item, ...]) -> bool:
        """The columns of a set operation may be sorted by: whether text among them goes by code point."""
        if not self.order.all_bytes and tree.order:
            # Which collation a column of a set operation has is decided over all of its arms.
            raise refused("text order", "ORDER BY over a set operation", "…")
        for at, _, _ in tree.order:
            self.sorted_by(items[at].expr)
        return True

    def suspects(self, tree: SetOperation) -> tuple[int, ...]:
        """Columns of a UNION of which it is not known that equal values are the same, should they be text."""
        for items in arms_of(tree):
            for item in items:
                self.check_equality(item.expr)
        return ()

    # --- aggregates and what is computed from them -----------------------------------------------------------------

    def check_added(self, call: Call, shown: str, key_columns: str) -> None:
        """The shards' sums of this sum() or avg() add up to its own.  Raises Refused."""
        if call.name == "sum" and _type(call.args[0]) == "float4":
            raise refused("aggregate", f"{shown} of real, whose additions round,", key_columns)

    def summed(self, argument: Expr) -> Expr:
        """What avg() adds: avg(real) adds in double precision, sum(real) does not."""
        return Cast(argument, "float8") if _type(argument) == "float4" else argument

    def check_carried(self, expr: Expr, select: Select) -> None:
        """A value that a shard computes may be computed on with."""

    def translate(self, expr: Expr, below: Callable[[Expr], Final]) -> Final:
        return translate(expr, below, self.vetted)


def _type(expr: Expr) -> str | None:
    if isinstance(expr, ColumnRef):
        return expr.type
    return plain_type(expr.type) if isinstance(expr, Cast) else None
