"""`Nodes`: the pools of one process, one per node, made when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from outgrow.errors import Error
from outgrow.events import ConnectionEvent
from outgrow.nodes.engines import opening
from outgrow.nodes.link import Link
from outgrow.nodes.pool import Connect, Pool, PoolStats
from outgrow.nodes.settings import LinkSettings, PoolAges
from outgrow.topology import Node, PoolLimits, Topology
from outgrow.waits import Steps


class Nodes:
    """All servers that a topology names."""

    def __init__(
        self,
        topology: Topology,
        *,
        settings: LinkSettings | None = None,
        ages: PoolAges | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._limits: Mapping[str, PoolLimits] = {domain.name: domain.pool for domain in topology.domains}
        self._settings = settings or LinkSettings()
        self._ages = ages or PoolAges()
        #: Domain → how its links are opened.
        self._connects: Mapping[str, Connect] = {
            domain.name: connect or opening(domain.engine) for domain in topology.domains
        }
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._tell: Callable[[ConnectionEvent], None] | None = None

    def tell_to(self, tell: Callable[[ConnectionEvent], None] | None) -> None:
        """Who is told of the pools' connections from now on: one, or nobody."""
        with self._lock:
            self._tell = tell
            for pool in self._pools.values():
                pool.tell = tell

    def pool(self, node: Node) -> Pool:
        return self._pools.get(node.name) or self._made(node, self._limits.get(node.domain))

    def _made(self, node: Node, limits: PoolLimits | None) -> Pool:
        pool = self._pools.get(node.name)
        if pool is None:
            with self._lock:
                pool = self._pools.get(node.name)
                if pool is None:
                    pool = Pool(node, limits, self._settings, self._ages, self._connects[node.domain])
                    pool.tell = self._tell
                    if self._closed:
                        pool.close()
                    self._pools[node.name] = pool
        return pool

    def past(self, node: Node) -> Pool:
        """The pool that leads past the node's pooler, where its direct address is known; else the node's own.

        It keeps no connections for their own sake: there are few of them to be had.
        """
        if node.direct is None:
            return self.pool(node)
        return self._made(node.direct, replace(self._limits.get(node.domain) or PoolLimits(), size_min=0))

    def connect_steps(self, node: Node, until: float | None) -> Steps[Link]:
        """A link outside the pool, for whoever asks a node whether it lives: it gives up on silence at once.

        Through its pooler, if there is one, unless `node.direct` is asked for.  The caller closes it.
        """
        # A pooler's silence is most often its server's, which no cancel request would reach either.
        settings = replace(self._settings, cancel_timeout_seconds=0.0 if node.pooled else 0.05)
        return self._connects[node.domain](node, settings, self.pool(node).names, until)

    def tend_steps(self) -> Steps[None]:
        """Let go of what lay idle too long and open what pools are to have at least; never raises for a node."""
        for pool in list(self._pools.values()):
            try:
                yield from pool.tend_steps()
            except Error:
                # A node out of reach is the health table's business.
                continue

    def stats(self) -> dict[str, PoolStats]:
        """Node name → counts, for the nodes that were used."""
        return {name: pool.stats() for name, pool in list(self._pools.items())}

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()
