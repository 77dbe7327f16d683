"""Whether text compares by code point, which Python can do too, or by a language's rules."""

from __future__ import annotations

from outgrow.plan.refusals import refused
from outgrow.plan.spec import ORDERED_TYPES, TEXT_TYPES
from outgrow.plan.walking import everything_below
from outgrow.schema import Order, Schema
from outgrow.statement import order_of, type_of
from outgrow.statement.tree import Collate, ColumnRef, Expr, Join, Query, RowPart, Scan, Tree, WholeRow

_ROWS = (RowPart, WholeRow)
_NO_TEXT = ORDERED_TYPES - TEXT_TYPES


class TextOrder:
    """What is known of text order in one statement."""

    def __init__(self, schema: Schema, tree: Tree) -> None:
        self.default = schema.default_order
        self.default_bytes = schema.default_order is Order.BYTES
        tables = {node.table for node in everything_below(tree) if isinstance(node, Scan)}
        columns = [column for name in tables if name in schema.tables for column in schema.tables[name].columns]
        collations = [node for node in everything_below(tree) if isinstance(node, Collate)]
        #: All text that the statement can meet compares by code point.
        orders = [column.order for column in columns] + [collation.order for collation in collations]
        self.all_bytes = self.default_bytes and Order.LINGUISTIC not in orders
        self._nondeterministic = {
            (name, column.name)
            for name in tables
            if name in schema.tables
            for column in schema.tables[name].columns
            if column.nondeterministic
        }
        #: Some value may have such a collation though the tree does not say which: it came through another FROM item.
        self._hidden = any(node.order is not Order.BYTES for node in collations) or (
            bool(self._nondeterministic) and any(map(self._passes_on, everything_below(tree)))
        )

    def _passes_on(self, node: object) -> bool:
        """A column of such a collation becomes one of a derived table, of an alias, of a join's USING or of a row."""
        match node:
            case ColumnRef():
                return (node.table, node.name) in self._nondeterministic
            case Scan(column_aliases=aliases):
                return bool(aliases) and any(node.table == table for table, _ in self._nondeterministic)
            case Join():
                return node.natural or any(name in node.using for _, name in self._nondeterministic)
        return isinstance(node, _ROWS)

    def by_bytes(self, expr: Expr) -> bool:
        """If the expression is text, its order is by code point; False where that is not known.

        Refused where it is known to be a language's.
        """
        if isinstance(expr, Collate):
            if expr.order is not Order.BYTES:
                raise refused("text order", f"the collation {expr.collation}", "…")
            return True
        if isinstance(expr, ColumnRef):
            if expr.order is Order.LINGUISTIC and (expr.type is None or expr.type in TEXT_TYPES):
                raise refused("text order", f"the column {expr.name}", expr.name)
            if expr.order is Order.BYTES:
                return True
        if self.all_bytes:
            return True
        kind = type_of(expr)
        if kind is not None and kind not in TEXT_TYPES and kind != "unknown":
            return True
        if kind in TEXT_TYPES and order_of(expr, self.default) is Order.LINGUISTIC:
            raise refused("text order", "an expression", "…")
        nodes = list(everything_below(expr))
        if not self.default_bytes or any(isinstance(node, Query) for node in nodes):
            return False
        orders = [node.order for node in nodes if isinstance(node, ColumnRef | Collate)]
        # (Nor is it known what a row is made of, and which of its columns this is.)
        untyped = [
            node for node in nodes if isinstance(node, _ROWS) or (isinstance(node, ColumnRef) and node.type is None)
        ]
        return Order.LINGUISTIC not in orders and not untyped

    def check_equality(self, expr: Expr) -> None:
        """Equal values must be equal bytes, or shards and Python would group differently."""
        for node in everything_below(expr):
            if isinstance(node, Collate) and node.order is not Order.BYTES:
                # Collations of one's own may call equal what is not; which do, the tree does not know.
                raise refused("text order", f"the collation {node.collation}", "…")
            if isinstance(node, ColumnRef) and (node.table, node.name) in self._nondeterministic:
                raise refused("text order", f"the nondeterministic collation of {node.name}", node.name)
            if self._hidden and _hides_collation(node):
                raise refused("text order", "a value that may have a nondeterministic collation", "…")


def _hides_collation(node: object) -> bool:
    """It could be any text column of any table in the statement."""
    if isinstance(node, ColumnRef):
        return node.table is None and node.type not in _NO_TEXT
    return isinstance(node, _ROWS)
