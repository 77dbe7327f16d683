"""The fleet as values, read strictly from `fleet.yaml`.  Knows no SQL and no sockets."""

from outgrow.topology.model import (
    Copied,
    Domain,
    Node,
    Placement,
    PoolLimits,
    Role,
    Shard,
    Sharded,
    ShardMap,
    Single,
    TableName,
    Topology,
)

__all__ = [
    "Copied",
    "Domain",
    "Node",
    "Placement",
    "PoolLimits",
    "Role",
    "Shard",
    "ShardMap",
    "Sharded",
    "Single",
    "TableName",
    "Topology",
]
