"""Whether text compares by code point, which Python can do too, or by a language's rules."""

from __future__ import annotations

from outgrow.plan.refusals import refused
from outgrow.plan.spec import TEXT_TYPES
from outgrow.plan.walking import everything_below
from outgrow.schema import Order, Schema
from outgrow.statement import order_of, type_of
from outgrow.statement.tree import Collate, ColumnRef, Expr, Query, Scan, Tree


class TextOrder:
    """What is known of text order in one statement."""

    def __init__(self, schema: Schema, tree: Tree) -> None:
        self._default = schema.default_order
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
        if kind in TEXT_TYPES and order_of(expr, self._default) is Order.LINGUISTIC:
            raise refused("text order", "an expression", "…")
        nodes = list(everything_below(expr))
        if not self.default_bytes or any(isinstance(node, Query) for node in nodes):
            return False
        orders = [node.order for node in nodes if isinstance(node, ColumnRef | Collate)]
        untyped = [node for node in nodes if isinstance(node, ColumnRef) and node.type is None]
        return Order.LINGUISTIC not in orders and not untyped

    def check_equality(self, expr: Expr) -> None:
        """Equal values must be equal bytes, or shards and Python would group differently."""
        for node in everything_below(expr):
            if isinstance(node, ColumnRef) and (node.table, node.name) in self._nondeterministic:
                raise refused("text order", f"the nondeterministic collation of {node.name}", node.name)
