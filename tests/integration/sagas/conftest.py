"""A shop on two shards: stock sharded by product, and a ledger of what was told to the world outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import outgrow
from outgrow.topology import Sharded, Single, TableName, Topology
from tests.servers import Servers

TABLES = {
    TableName("public", "stock"): Sharded(("product",)),
    TableName("public", "outside"): Single("s2"),
}
DDL = (
    "CREATE TABLE stock (product int8 PRIMARY KEY, there int8 NOT NULL CHECK (there >= 0))",
    "CREATE TABLE outside (number int8 GENERATED ALWAYS AS IDENTITY, key text, what text)",
)
PRODUCTS = range(8)


@dataclass
class Shop:
    """The fleet, with what tests look at."""

    fleet: outgrow.Fleet
    topology: Topology
    servers: Servers
    told: list[Any] = field(default_factory=list)

    def stock(self) -> dict[int, int]:
        with self.fleet.session(level="strong") as session:
            return dict(session.execute("SELECT product, there FROM stock ORDER BY product").fetchall())

    def on_shard(self, sql: str, shard: int = 0) -> list[Any]:
        """Outgrow's own tables, past outgrow."""
        return self.servers.sql(self.topology.domains[0].shards[shard].primary, sql)

    def marks(self, saga: object) -> list[Any]:
        sql = f"SELECT step, kind, tombstone, result FROM outgrow.applied WHERE saga = '{saga}'"
        return sorted([*self.on_shard(sql, 0), *self.on_shard(sql, 1)], key=str)

    def row(self, saga: object, columns: str) -> Any:
        (row,) = self.on_shard(f"SELECT {columns} FROM outgrow.sagas WHERE id = '{saga}'")
        return row

    def set(self, saga: object, assignment: str) -> None:
        self.on_shard(f"UPDATE outgrow.sagas SET {assignment} WHERE id = '{saga}'")


@pytest.fixture
def shop(fleet_servers: Servers) -> Iterator[Shop]:
    topology = fleet_servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as fleet:
        with fleet.session() as session:
            for sql in DDL:
                session.execute(sql)
            for product in PRODUCTS:
                session.execute("INSERT INTO stock VALUES (%s, 10)", [product])
        yield Shop(fleet, topology, fleet_servers)
    fleet_servers.drop(topology)
