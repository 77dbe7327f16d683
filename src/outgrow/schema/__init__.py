"""A frozen picture of one domain's schema, versioned by an epoch.  Ships the catalogue queries; runs none."""

from outgrow.schema.model import Column, Function, Order, Schema, Table, TableKind, Volatility

__all__ = ["Column", "Function", "Order", "Schema", "Table", "TableKind", "Volatility"]
