"""The picture of a domain: all that planning depends on, at one epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outgrow.errors import Error
from outgrow.keyspace import Keyspace
from outgrow.runtime.prepared import PlanCache
from outgrow.schema import Schema
from outgrow.topology import Domain, ShardMap, TableName


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything planning depends on, replaced whole when any of it changes."""

    domain: Domain
    schema: Schema
    map: ShardMap
    placer: Keyspace
    #: Tables that some shard lacks or defines otherwise; only statements that touch them fail.
    disagreements: Mapping[TableName, Error]
    plans: PlanCache
