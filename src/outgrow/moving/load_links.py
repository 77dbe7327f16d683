"""A load over the links of a domain's primaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from outgrow.errors import InterfaceError
from outgrow.keyspace import Keyspace
from outgrow.moving.load import CSV, INTO_EMPTY, Loaded, LoadOptions, Progress, load_steps
from outgrow.moving.load_layout import LoadFormat, LoadTable
from outgrow.nodes import Link, Nodes, Rows
from outgrow.topology import Domain
from outgrow.waits import Steps


class LinkTarget:
    """A link as the load's copy target."""

    __slots__ = ("_copy", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._copy = link.copy_in()

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Rows]:
        return self._link.run_steps(sql, params, prepare=False)

    def begin_steps(self, sql: str) -> Steps[None]:
        self._copy = self._link.copy_in()
        return self._copy.begin_steps(sql)

    def send_steps(self, data: bytes | memoryview) -> Steps[None]:
        return self._copy.send_steps(data)

    def finish_steps(self) -> Steps[int]:
        return self._copy.finish_steps()

    def abort_steps(self, reason: str) -> Steps[None]:
        return self._copy.abort_steps(reason)


def load_into_steps(
    nodes: Nodes,
    domain: Domain,
    source: BinaryIO,
    table: LoadTable,
    keyspace: Keyspace,
    format: LoadFormat = CSV,
    options: LoadOptions = INTO_EMPTY,
    progress: Progress | None = None,
) -> Steps[Loaded]:
    """`load_steps` over links from the pools of the domain's primaries, which get them back."""
    pools = {shard.name: nodes.pool(shard.primary) for shard in domain.shards}
    if missing := [shard for shard in keyspace.shards if shard not in pools]:
        raise InterfaceError(
            "OG-LOAD-012",
            f"the shard map names {', '.join(missing)}, which domain {domain.name} does not have",
            cure="open the fleet again: its configuration is older than its shard map",
        )
    links: dict[str, Link] = {}
    try:
        for name, pool in pools.items():
            links[name] = yield from pool.take_steps()
        targets = {name: LinkTarget(link) for name, link in links.items()}
        return (yield from load_steps(source, table, targets, keyspace, format, options, progress))
    finally:
        for name, link in links.items():
            # One that is still in a transaction is closed by its pool.
            pools[name].give(link)
