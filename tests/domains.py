"""Fleets of several domains on the servers that tests share: each domain has databases of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from outgrow.topology import Domain, Node, Placement, Shard, TableName, Topology
from tests.servers import Servers

Tables = Mapping[TableName, Placement]


@contextlib.contextmanager
def several(servers: Servers, tables: Mapping[str, tuple[int, Tables]]) -> Iterator[Topology]:
    """A topology with these domains: how many shards each has, and where its tables live."""
    made = {name: servers.fresh(dict(placed)) for name, (_, placed) in tables.items()}
    try:
        domains = tuple(named(made[name].domains[0], name, shards) for name, (shards, _) in tables.items())
        yield replace(servers.topology, domains=domains, secret=b"0123456789abcdef")
    finally:
        for topology in made.values():
            servers.drop(topology)


def named(domain: Domain, name: str, shards: int) -> Domain:
    """The first shards of a domain, as one of another name."""

    def node(one: Node) -> Node:
        return replace(one, name=f"{name}/{one.name.partition('/')[2]}", domain=name)

    parts = tuple(
        Shard(shard.name, node(shard.primary), tuple(node(replica) for replica in shard.replicas))
        for shard in domain.shards[:shards]
    )
    return replace(domain, name=name, shards=parts)
