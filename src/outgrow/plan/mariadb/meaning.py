"""What values mean to MariaDB: its collations, its types, its decimals, and GROUP BY as it reads it.

Python orders by code point, so text of a `_nopad_bin` collation sorts as it is, and any other by its WEIGHT_STRING,
which each shard returns beside it.  Values that a collation makes equal and bytes do not are counted apart by their
weights; where one of them would have to be shown, nobody knows which, and that is refused.
"""

from __future__ import annotations

from outgrow.plan.blocks import arms_of
from outgrow.plan.cutting.meaning import Meaning
from outgrow.plan.cutting.vetted import MARIADB
from outgrow.plan.mariadb.forms import check_forms
from outgrow.plan.mariadb.text import (
    Text,
    computes_on_average,
    least_by_bytes,
    one_of,
    quotient,
    sorted_whole,
    text_of,
    weighed,
    weighed_constant,
)
from outgrow.plan.refusals import refused
from outgrow.plan.spec import How
from outgrow.plan.walking import everything_below
from outgrow.schema import Order, Schema
from outgrow.statement import Unvetted, respelt
from outgrow.statement.model import Statement
from outgrow.statement.tree import (
    Call,
    CallKind,
    ColumnRef,
    Expr,
    Item,
    Operation,
    Parameter,
    RowOf,
    Select,
    SetOperation,
    Tree,
)

_AGGREGATES = {
    "count": How.COUNT,
    "sum": How.SUM,
    "min": How.MIN,
    "max": How.MAX,
    "avg": How.AVG,
    "bit_and": How.BIT_AND,
    "bit_or": How.BIT_OR,
    "bit_xor": How.BIT_XOR,
}
#: Types that Python orders as the server does; text of a known collation besides.
_SORTED = frozenset(
    ("int2", "int4", "int8", "mariadb.bigint unsigned", "numeric", "float8", "date", "timestamp", "bytea")
)
#: Types whose equal values are the same value.
_TOLD = _SORTED | {"uuid"}


class MariadbMeaning(Meaning):
    """`Meaning` of MariaDB."""

    language = "mariadb"
    aggregates = _AGGREGATES
    vetted = MARIADB

    def __init__(self, schema: Schema, statement: Statement, tree: Tree) -> None:
        self.schema = schema
        self.given = statement.placeholders.count
        self.text_bytes = False
        #: Decimals with more digits than they show may come out of some derived table.
        self.quotients = any(isinstance(node, Operation) and node.operator == "/" for node in everything_below(tree))

    def check(self, tree: Tree) -> None:
        check_forms(tree, self.schema)

    def in_order(self, select: Select) -> Select:
        # ORDER BY in a subquery without LIMIT says nothing there.
        return select

    def both(self, limit: Expr, offset: Expr) -> Expr | None:
        # LIMIT takes a number or a parameter there, and no sum: it is added beforehand.
        if isinstance(limit, Parameter) and isinstance(offset, Parameter):
            self.sums = ((limit.index, offset.index),)
            return Parameter(self.given + 1)
        return None

    def spelt(self, sql: str) -> str:
        try:
            return respelt(sql)
        except Unvetted as unvetted:
            raise refused("MariaDB scatter", str(unvetted)) from None

    # --- order and equality ----------------------------------------------------------------------------------------

    def sorted_by(self, expr: Expr) -> tuple[Expr, bool]:
        if isinstance(expr, ColumnRef) and expr.type is not None:
            return self._sorted_column(expr, expr.type)
        if isinstance(expr, Call) and expr.kind is CallKind.AGGREGATE and expr.over is None:
            return expr, expr.name in ("min", "max") and least_by_bytes(expr.args[0])
        if text_of(expr) is Text.APART:
            return weighed_constant(expr), True
        # Should it turn out to be text, `finish` refuses it.
        return expr, text_of(expr) is Text.DIGITS or sorted_whole(expr)

    def _sorted_column(self, column: ColumnRef, kind: str) -> tuple[Expr, bool]:
        base = kind.partition("(")[0].partition(" ")[0]
        if kind in _SORTED or base in ("mariadb.datetime", "mariadb.time"):
            return column, True
        if kind == "varchar" and column.order is Order.BYTES:
            return column, True
        by = weighed(column, kind, cut=True)
        if by is None:
            raise refused("MariaDB scatter", f"ORDER BY {column.name} ({kind})")
        return by, True

    def check_least(self, call: Call, shown: str, key_columns: str) -> bool:
        [arg] = call.args
        if isinstance(arg, ColumnRef) and arg.type is not None:
            base = arg.type.partition("(")[0].partition(" ")[0]
            if arg.type in _SORTED or base in ("mariadb.datetime", "mariadb.time") or least_by_bytes(arg):
                return True
            raise refused("MariaDB scatter", f"{call.name} of {arg.name} ({arg.type})")
        if quotient(arg):
            raise refused("MariaDB scatter", f"{call.name} of a quotient")
        return least_by_bytes(arg)

    def check_equality(self, expr: Expr) -> bool:
        if quotient(expr):
            raise refused(
                "MariaDB scatter", "GROUP BY or DISTINCT over a quotient, which has digits that it does not show,"
            )
        if isinstance(expr, ColumnRef) and expr.type is not None:
            if _told_column(expr, expr.type):
                return True
            raise refused("MariaDB scatter", f"GROUP BY or DISTINCT over {expr.name} ({expr.type})")
        return text_of(expr) is not Text.UNKNOWN

    def told_by(self, expr: Expr) -> Expr:
        if isinstance(expr, ColumnRef) and expr.type is not None and not _told_column(expr, expr.type):
            by = weighed(expr, expr.type, cut=False)
            if by is None:
                raise refused("MariaDB scatter", f"DISTINCT over {expr.name} ({expr.type})")
            return by
        if not self.check_equality(expr):
            raise refused("MariaDB scatter", "DISTINCT in an aggregate over an expression of unknown type")
        return expr

    def check_distinct(self, select: Select) -> None:
        items = {item.expr for item in select.items}
        for key in select.order:
            if key.expr not in items:
                raise refused("MariaDB scatter", "DISTINCT that is ordered by what it does not select")
        if any(quotient(item.expr) or _averages(item.expr) for item in select.items):
            raise refused(
                "MariaDB scatter", "DISTINCT over averages or quotients, which have digits that they do not show,"
            )

    def check_groups(self, select: Select) -> None:
        # Such groups are stored before they are sorted, or not, by whether an index gives them; stored, an average
        # has lost what it does not show.
        if all(key.expr in select.group for key in select.order):
            return
        parts = (*(item.expr for item in select.items), select.having, *(key.expr for key in select.order))
        if any(computes_on_average(part) for part in parts):
            what = "computing with avg(…) in groups that an aggregate orders (sum(…) / count(…) would do)"
            raise refused("MariaDB scatter", what)

    def check_sorted_set(self, tree: SetOperation, items: tuple[Item, ...]) -> bool:
        if any(quotient(items[at].expr) for at, _, _ in tree.order):
            raise refused("MariaDB scatter", "ORDER BY over a quotient in a set operation")
        return False

    def suspects(self, tree: SetOperation) -> tuple[int, ...]:
        columns = [[item.expr for item in column] for column in zip(*arms_of(tree), strict=False)]
        for expr in (expr for column in columns for expr in column):
            self.check_equality(expr)
        return tuple(at for at, column in enumerate(columns) if one_of(column) is Text.UNKNOWN)

    # --- aggregates ------------------------------------------------------------------------------------------------

    def check_added(self, call: Call, shown: str, key_columns: str) -> None:
        [arg] = call.args
        if call.name == "avg" and any(isinstance(node, RowOf) for node in everything_below(arg)):
            # The server takes a comparison of rows for one that is never NULL: count(…) counts what avg(…) leaves out.
            raise refused("MariaDB scatter", "avg(…) of a comparison of rows")
        derived = isinstance(arg, ColumnRef) and arg.table is None and self.quotients
        if quotient(arg) or derived:
            raise refused("MariaDB scatter", f"{shown} of a quotient, which has digits that it does not show,")

    def summed(self, argument: Expr) -> Expr:
        return argument

    def check_carried(self, expr: Expr, select: Select) -> None:
        if quotient(expr) and not any(item.expr == expr for item in select.items):
            raise refused("MariaDB scatter", "computing on with a quotient, which has digits that it does not show,")


def _told_column(column: ColumnRef, kind: str) -> bool:
    if kind in ("varchar", "text"):
        return column.order is Order.BYTES
    base = kind.partition("(")[0].partition(" ")[0]
    return kind in _TOLD or base in ("mariadb.datetime", "mariadb.time", "mariadb.enum")


def _averages(expr: Expr) -> bool:
    return any(isinstance(node, Call) and node.name == "avg" for node in everything_below(expr))
