"""The fleet that is shaken, its accounts, and what its servers have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import psycopg

import outgrow
from outgrow.topology import Node, Placement, Shard, Sharded, TableName, Topology
from tests import pgbouncer
from tests.servers import Servers

#: So few that transfers meet, so many that a row held by a dead coordinator does not stop everyone.
ACCOUNTS = 300
FIRST_BALANCE = 1_000

TABLES: dict[TableName, Placement] = {
    TableName("public", "accounts"): Sharded(("id",)),
    TableName("public", "transfers"): Sharded(("account",)),
}
DDL = (
    "CREATE TABLE accounts (id int8 PRIMARY KEY, balance int8 NOT NULL)",
    # One row for each account of a transfer, where the account is: half a transfer shows.
    "CREATE TABLE transfers (account int8, transfer text, amount int8 NOT NULL, PRIMARY KEY (account, transfer))",
)


@dataclass(frozen=True, slots=True)
class Held:
    """What all servers have at rest."""

    balances: Mapping[int, int]
    #: transfer → {account: amount}
    transfers: Mapping[str, Mapping[int, int]]
    #: (shard, gid)
    prepared: frozenset[tuple[str, str]]


class World:
    """One set of databases on a running fleet."""

    def __init__(self, servers: Servers, topology: Topology, asked: Topology) -> None:
        self.servers = servers
        self.topology = topology
        #: What the workers open: the same, behind a pooler perhaps.
        self.asked = asked
        #: shard → the accounts there
        self.accounts: dict[str, list[int]] = {}
        with outgrow.open(asked, install=True) as fleet, fleet.session() as session:
            for statement in DDL:
                session.execute(statement)
            for account in range(1, ACCOUNTS + 1):
                session.execute("INSERT INTO accounts VALUES (%s, %s)", [account, FIRST_BALANCE])
        for shard in self.shards:
            rows = servers.sql(shard.primary, "SELECT id FROM accounts ORDER BY id")
            self.accounts[shard.name] = [row[0] for row in rows]

    @property
    def shards(self) -> tuple[Shard, ...]:
        return self.topology.domains[0].shards

    def primary(self, shard: str) -> Node:
        return self.topology.domains[0].shard(shard).primary

    def held(self) -> Held:
        balances: dict[int, int] = {}
        transfers: dict[str, dict[int, int]] = {}
        for shard in self.shards:
            balances |= dict(self.servers.sql(shard.primary, "SELECT id, balance FROM accounts"))
            for account, transfer, amount in self.servers.sql(
                shard.primary, "SELECT account, transfer, amount FROM transfers"
            ):
                transfers.setdefault(transfer, {})[account] = amount
        return Held(balances, transfers, self.in_doubt())

    def in_doubt(self) -> frozenset[tuple[str, str]]:
        return frozenset((shard.name, gid) for shard in self.shards for gid in self.prepared(shard.primary))

    def prepared(self, primary: Node) -> set[str]:
        """What is prepared in our database there."""
        rows = self.servers.sql(primary, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        return {gid for (gid,) in rows}

    def answering(self, primary: Node) -> bool:
        try:
            self.servers.sql(primary, "SELECT 1")
        except psycopg.Error:
            return False
        return True


def named(topology: Topology, name: str) -> Topology:
    """The topology with an application name in every address, so that the servers say whose connection is whose."""

    def address(node: Node) -> Node:
        direct = None if node.direct is None else address(node.direct)
        return replace(node, dsn=psycopg.conninfo.make_conninfo(node.dsn, application_name=name), direct=direct)

    def shard(one: Shard) -> Shard:
        return Shard(one.name, address(one.primary), tuple(map(address, one.replicas)))

    domain = topology.domains[0]
    return replace(topology, domains=(replace(domain, shards=tuple(map(shard, domain.shards))),))


@contextlib.contextmanager
def world(servers: Servers, behind: str = "") -> Iterator[World]:
    """Fresh databases with accounts in them.  The servers run again afterwards, whatever happened."""
    topology = servers.fresh(TABLES)
    with contextlib.ExitStack() as stack:
        asked = topology
        if behind:
            pooler = stack.enter_context(pgbouncer.before(topology, pool_size=5, wait_seconds=5))
            assert pooler.topology is not None
            asked = pooler.topology
        made = World(servers, topology, asked)
        stack.callback(_put_right, made)
        yield made


def _put_right(made: World) -> None:
    with made.servers.restored():
        pass
    for shard in made.shards:
        for gid in made.prepared(shard.primary):
            # A run that failed may leave some; nobody could drop the database otherwise.
            made.servers.sql(shard.primary, f"ROLLBACK PREPARED '{gid}'")
    made.servers.drop(made.topology)
