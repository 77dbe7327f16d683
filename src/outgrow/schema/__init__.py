"""A frozen picture of one domain's schema, versioned by an epoch.  Ships the catalogue queries; runs none."""

from outgrow.schema.build import build, fleet_unique_text, queries
from outgrow.schema.catalogue import Catalogue, catalogue
from outgrow.schema.differences import Difference, differences, with_apart_of, with_tables_of
from outgrow.schema.federation import Federation, federate
from outgrow.schema.mariadb import FUNCTIONS, SEPARATED
from outgrow.schema.mariadb_objects import mariadb_objects
from outgrow.schema.model import (
    Apart,
    Column,
    FleetUnique,
    ForeignKey,
    Function,
    Order,
    Schema,
    SequenceDefinition,
    StatementTrigger,
    Table,
    TableKind,
    Volatility,
)
from outgrow.schema.objects import Object, ObjectDifference, Objects, compare, object_queries, objects

__all__ = [
    "FUNCTIONS",
    "SEPARATED",
    "Apart",
    "Catalogue",
    "Column",
    "Difference",
    "Federation",
    "FleetUnique",
    "ForeignKey",
    "Function",
    "Object",
    "ObjectDifference",
    "Objects",
    "Order",
    "Schema",
    "SequenceDefinition",
    "StatementTrigger",
    "Table",
    "TableKind",
    "Volatility",
    "build",
    "catalogue",
    "compare",
    "differences",
    "federate",
    "fleet_unique_text",
    "mariadb_objects",
    "object_queries",
    "objects",
    "queries",
    "with_apart_of",
    "with_tables_of",
]
