"""The fleet as values, read strictly from `fleet.yaml`.  Knows no SQL and no sockets."""

from outgrow.topology.dsn import parameters, without_password
from outgrow.topology.model import (
    Abroad,
    Copied,
    Domain,
    FinishLimits,
    Listing,
    Node,
    Observe,
    Placement,
    PoolLimits,
    Ranges,
    Reads,
    Role,
    Shard,
    Sharded,
    ShardMap,
    Single,
    Splits,
    TableName,
    Topology,
)
from outgrow.topology.reader import parse, read, table_name
from outgrow.topology.writer import write

__all__ = [
    "Abroad",
    "Copied",
    "Domain",
    "FinishLimits",
    "Listing",
    "Node",
    "Observe",
    "Placement",
    "PoolLimits",
    "Ranges",
    "Reads",
    "Role",
    "Shard",
    "ShardMap",
    "Sharded",
    "Single",
    "Splits",
    "TableName",
    "Topology",
    "parameters",
    "parse",
    "read",
    "table_name",
    "without_password",
    "write",
]
