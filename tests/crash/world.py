"""The fleet that is shaken, its accounts, and what its servers have."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

import outgrow
from outgrow.topology import Node, Placement, Shard, Sharded, TableName, Topology
from tests import pgbouncer
from tests.crash.ground import Ground
from tests.crash.proxy import Proxy

#: So few that transfers meet, so many that a row held by a dead coordinator does not stop everyone.
ACCOUNTS = 300
FIRST_BALANCE = 1_000
#: The last accounts go to other shards, where keys can.
MOVING = 30

TABLES: dict[TableName, Placement] = {
    TableName("public", "accounts"): Sharded(("id",)),
    TableName("public", "transfers"): Sharded(("account",)),
}
DDL = (
    "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL)",
    # One row for each account of a transfer, where the account is: half a transfer shows.
    "CREATE TABLE transfers (account bigint, transfer varchar(40), amount bigint NOT NULL, "
    "PRIMARY KEY (account, transfer))",
)


@dataclass(frozen=True, slots=True)
class Held:
    """What all servers have at rest."""

    balances: Mapping[int, int]
    #: transfer → {account: amount}
    transfers: Mapping[str, Mapping[int, int]]
    #: (shard, name)
    prepared: frozenset[tuple[str, str]]
    #: (number, outcome, shards) of every decision that stands, wherever it does
    decisions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    #: shard → the transactions that have left a stamp there
    stamps: Mapping[str, Set[str]] = field(default_factory=dict)
    #: Accounts that several shards have.
    doubled: frozenset[int] = frozenset()


class World:
    """One set of databases on a running fleet, and the proxy before its servers."""

    def __init__(self, ground: Ground, topology: Topology, asked: Topology, proxy: Proxy) -> None:
        self.ground = ground
        self.topology = topology
        #: What the workers reach through the proxy: the same, behind a pooler perhaps.
        self.asked = asked
        self.proxy = proxy
        #: shard → its primary now
        self.primaries = {shard.name: shard.primary for shard in topology.domains[0].shards}
        #: shard → the accounts there
        self.accounts: dict[str, list[int]] = {}
        with outgrow.open(asked, install=True) as fleet, fleet.session() as session:
            for statement in DDL:
                session.execute(statement)
            for account in range(1, ACCOUNTS + 1):
                session.execute("INSERT INTO accounts VALUES (%s, %s)", [account, FIRST_BALANCE])
        for shard in self.shards:
            rows = ground.sql(shard.primary, "SELECT id FROM accounts ORDER BY id")
            self.accounts[shard.name] = [row[0] for row in rows]
        #: A thread's own eye.
        self.eye = ground.eye_on(self)

    @property
    def shards(self) -> tuple[Shard, ...]:
        return self.topology.domains[0].shards

    @property
    def moves(self) -> bool:
        """Keys can go to other shards."""
        return self.topology.domains[0].strategy == "directory"

    def primary(self, shard: str) -> Node:
        return self.primaries[shard]

    def migration(self, rng: random.Random) -> tuple[int, str]:
        """An account, and a shard where it is not."""
        account = rng.randint(ACCOUNTS - MOVING + 1, ACCOUNTS)
        query = f"SELECT 1 FROM accounts WHERE id = {account}"
        elsewhere = [one.name for one in self.shards if not self.ground.sql(self.primary(one.name), query)]
        return account, rng.choice(elsewhere)

    def doors(self, worker: int, name: str) -> Topology:
        """The topology as that worker reaches it; `name` tells servers whose connection it is, where they ask."""

        def way(node: Node) -> Node:
            port = self.proxy.door(worker, node.name, self.ground.target(node))
            direct = None if node.direct is None else way(node.direct)
            return replace(node, dsn=self.ground.through(node, port, name), direct=direct)

        def shard(one: Shard) -> Shard:
            return Shard(one.name, way(one.primary), tuple(map(way, one.replicas)))

        domain = self.asked.domains[0]
        return replace(self.asked, domains=(replace(domain, shards=tuple(map(shard, domain.shards))),))

    # -- servers -------------------------------------------------------------------------------------------------------

    def kill(self, node: Node) -> None:
        self.ground.kill(node)

    def start(self, node: Node) -> None:
        self.ground.start(node)

    def promote(self, shard: str) -> None:
        """The replica of a dead primary takes over."""
        (replica,) = (node for node in self._nodes(shard) if node.name != self.primaries[shard].name)
        self.ground.promote(replica)
        self.primaries[shard] = replica

    def rebuild(self, node: Node) -> None:
        """A primary that was follows the one that is."""
        self.ground.rebuild(node, self.primaries[node.shard])

    def lag(self) -> contextlib.AbstractContextManager[object]:
        """Replicas get nothing."""
        return self.ground.lag(list(self.primaries.values()))

    def _nodes(self, shard: str) -> tuple[Node, ...]:
        return self.topology.domains[0].shard(shard).nodes

    # -- what they have ------------------------------------------------------------------------------------------------

    def held(self) -> Held:
        balances: dict[int, int] = {}
        doubled: set[int] = set()
        transfers: dict[str, dict[int, int]] = {}
        decisions: list[tuple[str, str, tuple[str, ...]]] = []
        for shard in self.shards:
            primary = self.primary(shard.name)
            decisions += [(number, what, tuple(names)) for number, what, names in self.ground.decisions(primary)]
            here = dict(self.ground.sql(primary, "SELECT id, balance FROM accounts"))
            doubled |= balances.keys() & here.keys()
            balances |= here
            for account, transfer, amount in self.ground.sql(
                primary, "SELECT account, transfer, amount FROM transfers"
            ):
                transfers.setdefault(transfer, {})[account] = amount
        stamps = {shard.name: self.ground.stamps(self.primary(shard.name)) for shard in self.shards}
        return Held(balances, transfers, self.in_doubt(), tuple(decisions), stamps, frozenset(doubled))

    def in_doubt(self) -> frozenset[tuple[str, str]]:
        return frozenset((shard.name, name) for shard in self.shards for name in self.prepared(shard.name))

    def open_work(self) -> list[str]:
        """Transactions that clients have open at this moment."""
        primaries = self.primaries.items()
        return [f"{shard}: {one}" for shard, node in primaries for one in self.ground.open_work(node)]

    def prepared(self, shard: str) -> set[str]:
        """What is prepared in our database there."""
        return self.ground.prepared(self.primary(shard))

    def number(self, name: str) -> str:
        """The transaction that a prepared branch belongs to."""
        return self.ground.number(name)

    def decider(self, number: str) -> str | None:
        """The shard that decides the transaction, as far as the branches that are prepared can tell."""
        return self.ground.decider(self, number)


@contextlib.contextmanager
def world(ground: Ground, *, strategy: str = "hash", behind: str = "") -> Iterator[World]:
    """Fresh databases with accounts in them.  The servers run again afterwards, whatever happened."""
    topology = ground.fresh(TABLES, strategy)
    with contextlib.ExitStack() as stack:
        asked = topology
        if behind:
            pooler = stack.enter_context(pgbouncer.before(topology, pool_size=5, wait_seconds=5))
            assert pooler.topology is not None
            asked = pooler.topology
        proxy = stack.enter_context(Proxy(ground.engine))
        made = World(ground, topology, asked, proxy)
        stack.callback(ground.put_right, topology, made.primaries)
        yield made
