"""A frozen picture of one domain's schema, versioned by an epoch.  Ships the catalogue queries; runs none."""

from outgrow.schema.build import build, queries
from outgrow.schema.differences import Difference, differences, with_tables_of
from outgrow.schema.model import (
    Column,
    ForeignKey,
    Function,
    Order,
    Schema,
    SequenceDefinition,
    Table,
    TableKind,
    Volatility,
)

__all__ = [
    "Column",
    "Difference",
    "ForeignKey",
    "Function",
    "Order",
    "Schema",
    "SequenceDefinition",
    "Table",
    "TableKind",
    "Volatility",
    "build",
    "differences",
    "queries",
    "with_tables_of",
]
