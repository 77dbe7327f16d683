"""A topology as the text of a `fleet.yaml` that reads back as the same topology."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import yaml

from outgrow.topology.model import (
    Copied,
    Domain,
    FinishLimits,
    Node,
    Observe,
    Placement,
    PoolLimits,
    Ranges,
    Reads,
    Sharded,
    Single,
    TableName,
    Topology,
)


def write(topology: Topology, *, secret: Mapping[str, str] | None = None) -> str:
    """`fleet.yaml` for a topology.  It holds the DSNs with their passwords: keep the file private.

    The token secret is never written; `secret` says where it is to be found: `{"env": NAME}` or `{"file": PATH}`.
    """
    document: dict[str, Any] = {
        "fleet": topology.fleet,
        "domains": {domain.name: _domain(domain) for domain in topology.domains},
    }
    if topology.observe != Observe():
        document["observe"] = {name: value for name, value in asdict(topology.observe).items() if value is not None}
    if secret is not None:
        document["secret"] = dict(secret)
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))


class _Dumper(yaml.SafeDumper):
    """Writes text that is not plainly printable with escapes: in other styles PyYAML loses line breaks such as NEL."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _text)


def _domain(domain: Domain) -> dict[str, Any]:
    shards = {}
    for shard in domain.shards:
        nodes: dict[str, Any] = {"primary": _node(shard.primary)}
        if shard.replicas:
            nodes["replicas"] = [_node(node) for node in shard.replicas]
        shards[shard.name] = nodes
    document: dict[str, Any] = {"engine": domain.engine}
    if domain.strategy != "hash":
        document["strategy"] = domain.strategy
    document["slots"] = domain.slots
    if domain.ranges:
        document["ranges"] = {ranges.splits.type: _ranges(ranges) for ranges in domain.ranges}
    if domain.directory:
        document["directory"] = {listing.type: {"assign": listing.assign} for listing in domain.directory}
    document["shards"] = shards
    if domain.pool != PoolLimits():
        document["pool"] = {name: value for name, value in asdict(domain.pool).items() if value is not None}
    if domain.reads != Reads():
        document["reads"] = _reads(domain.reads)
    if domain.finish != FinishLimits():
        document["finish"] = _finish(domain.finish)
    if domain.scatter != "allow":
        document["scatter"] = domain.scatter
    if domain.tables:
        document["tables"] = {_table(name): _placement(placement) for name, placement in domain.tables.items()}
    return document


def _finish(limits: FinishLimits) -> dict[str, Any]:
    usual = FinishLimits()
    document = {name: value for name, value in asdict(limits).items() if value != getattr(usual, name)}
    if "memory_bytes" in document:
        document["memory"] = f"{document.pop('memory_bytes') // 2**20}MB"
    if "spill_directory" in document:
        document["spill_directory"] = _dollars(limits.spill_directory)
    return document


def _node(node: Node) -> str | dict[str, Any]:
    more: dict[str, Any] = {"weight": node.weight} if node.weight != 1 else {}
    if node.zone:
        more["zone"] = _dollars(node.zone)
    if node.pooled:
        more["pooler"] = node.pooler
    if node.direct is not None:
        more["direct"] = {"dsn": _dollars(node.direct.dsn)}
    return {"dsn": _dollars(node.dsn), **more} if more else _dollars(node.dsn)


def _reads(reads: Reads) -> dict[str, Any]:
    document: dict[str, Any] = {"balance": reads.balance}
    if reads.lag_max_seconds is not None:
        document["lag_max_seconds"] = reads.lag_max_seconds
    if reads.lag_max_bytes is not None:
        document["lag_max_bytes"] = reads.lag_max_bytes
    if reads.zone:
        document["zone"] = _dollars(reads.zone)
    return document


def _ranges(ranges: Ranges) -> list[dict[str, str]]:
    points = ranges.splits.points
    written: list[dict[str, str]] = []
    for low, high, shard in zip((None, *points), (*points, None), ranges.shards, strict=True):
        between = {name: point for name, point in (("from", low), ("to", high)) if point is not None}
        written.append({**between, "shard": shard})
    return written


def _placement(placement: Placement) -> dict[str, Any]:
    match placement:
        case Sharded(columns):
            return {"shard_by": columns[0] if len(columns) == 1 else list(columns)}
        case Copied():
            return {"copy": "everywhere"}
        case Single(shard):
            return {"single": shard}


def _table(table: TableName) -> str:
    name = _part(table.name)
    return name if table.schema == "public" else f"{_part(table.schema)}.{name}"


def _part(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[".]', name) else name


def _dollars(dsn: str) -> str:
    """A `$` of the DSN itself must not be read back as a reference to the environment."""
    return dsn.replace("$", "$$")
