"""A domain with `strategy: ring` on real servers: file → ledger → routing → explain → load, and growing on it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.keyspace import Hash, Keyspace, first_map
from outgrow.topology import Sharded, ShardMap, TableName, Topology, parse, write
from tests.servers import Servers

COUNT = 2_000
#: The slot of a row as the server computes it.
SLOT = Hash(("int8",), 1024).sql(["id"])


@pytest.fixture
def topology(fleet_servers: Servers) -> Iterator[Topology]:
    made = fleet_servers.fresh({TableName("public", "t"): Sharded(("id",))})
    ringed = replace(made, domains=(replace(made.domains[0], strategy="ring", slots=1024),))
    read_back = parse(write(ringed))
    assert read_back.domains[0].strategy == "ring"
    try:
        yield read_back
    finally:
        fleet_servers.drop(made)


@pytest.fixture
def fleet(topology: Topology) -> Iterator[Fleet]:
    with outgrow.open(topology, install=True) as opened:
        with opened.session() as session:
            session.execute("CREATE TABLE t (id int8 PRIMARY KEY, v text)")
        yield opened


def slots_by_shard(topology: Topology) -> dict[str, set[int]]:
    found = {}
    for shard in topology.domains[0].shards:
        with psycopg.connect(shard.primary.dsn) as connection:
            found[shard.name] = {row[0] for row in connection.execute(f"SELECT {SLOT} FROM t")}
    return found


def check_places(topology: Topology, shard_map: ShardMap, rows: int) -> None:
    """Every row lies where the server's own formula and the map say."""
    with outgrow.open(topology) as opened, opened.session(level="strong") as session:
        assert session.execute("SELECT count(*) FROM t").fetchone() == (rows,)
    for shard, slots in slots_by_shard(topology).items():
        assert slots
        assert {shard_map.shard_of(slot) for slot in slots} == {shard}


def test_written_loaded_and_explained_by_the_ring(topology: Topology, fleet: Fleet) -> None:
    domain = topology.domains[0]
    ring = first_map(domain)
    assert ring != ShardMap.first(domain)
    placed = Keyspace(domain.slots, ring)
    lines = "".join(f"{key},loaded\n" for key in range(COUNT))
    with fleet.session() as session:
        session.load(io.BytesIO(f"id,v\n{lines}".encode()), "t")
        session.execute(
            "INSERT INTO t (id, v) VALUES " + ", ".join(f"({key}, 'written')" for key in range(COUNT, COUNT + 200))
        )
        for key in (1, 7, 42, COUNT + 3):
            assert session.execute("SELECT id FROM t WHERE id = %s", [key]).fetchall() == [(key,)]
            explained = fleet.explain("SELECT id FROM t WHERE id = %s", [key]).to_dict()
            assert explained["shards"]["shards"] == [placed.shard(("int8",), (key,))]
    check_places(topology, ring, COUNT + 200)


def test_the_installed_map_wins_over_the_files_strategy(topology: Topology, fleet: Fleet) -> None:
    ring = first_map(topology.domains[0])
    hashed = replace(topology, domains=(replace(topology.domains[0], strategy="hash"),))
    with outgrow.open(hashed, install=True) as opened, opened.session() as session:
        session.execute("INSERT INTO t (id, v) VALUES " + ", ".join(f"({key}, 'w')" for key in range(300)))
    check_places(topology, ring, 300)
