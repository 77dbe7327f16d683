"""Rows that are there before the fleet is: found where they will be looked for, or refused; never silently missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import outgrow
from outgrow.topology import Copied, Placement, Sharded, Single, TableName, Topology
from tests.servers import Servers

T = TableName("public", "t")


@pytest.fixture
def bare(fleet_servers: Servers) -> Iterator[Topology]:
    """Two shards with an empty table each, and no ledger."""
    topology = fleet_servers.fresh()
    for shard in topology.domains[0].shards:
        fleet_servers.sql(shard.primary, "CREATE TABLE t (id int8 PRIMARY KEY, name text)")
        fleet_servers.sql(shard.primary, "ALTER TABLE t OWNER TO app")
    yield topology
    fleet_servers.drop(topology)


def placed(topology: Topology, placement: Placement) -> Topology:
    return replace(topology, domains=(replace(topology.domains[0], tables={T: placement}),))


def fill(servers: Servers, topology: Topology, shard: str) -> None:
    primary = topology.domains[0].shard(shard).primary
    servers.sql(primary, "INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) AS n")


@pytest.mark.parametrize("placement", [Sharded(("id",)), Copied(), Single("s2")])
def test_rows_that_would_be_looked_for_elsewhere_are_refused(
    fleet_servers: Servers, bare: Topology, placement: Placement
) -> None:
    fill(fleet_servers, bare, "s1")
    with pytest.raises(outgrow.ConfigurationError, match=r"OG-RUN-156: t has rows on s1"):
        outgrow.open(placed(bare, placement), install=True)
    with pytest.raises(outgrow.ConfigurationError, match="OG-RUN-040"):
        outgrow.open(placed(bare, placement))


def test_a_single_table_keeps_its_rows(fleet_servers: Servers, bare: Topology) -> None:
    fill(fleet_servers, bare, "s2")
    with outgrow.open(placed(bare, Single("s2")), install=True) as fleet:
        assert fleet.execute("SELECT count(*) FROM t").fetchone() == (100,)


def test_a_table_that_comes_into_the_file_later(fleet_servers: Servers, bare: Topology) -> None:
    outgrow.open(bare, install=True).close()
    fill(fleet_servers, bare, "s1")
    with pytest.raises(outgrow.ConfigurationError, match="OG-RUN-156"):
        outgrow.open(placed(bare, Sharded(("id",))), install=True)


def test_what_the_ledger_records_is_not_asked_again(fleet_servers: Servers, bare: Topology) -> None:
    with outgrow.open(placed(bare, Sharded(("id",))), install=True) as fleet:
        fleet.execute("INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) AS n")
    with outgrow.open(placed(bare, Sharded(("id",))), install=True) as fleet, fleet.session(level="strong") as session:
        assert session.execute("SELECT count(*) FROM t").fetchone() == (100,)


def test_whoever_knows_that_all_lie_in_their_place(fleet_servers: Servers, bare: Topology) -> None:
    """A ledger that was lost, over rows that it had placed."""
    with outgrow.open(placed(bare, Sharded(("id",))), install=True) as fleet:
        fleet.execute("INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) AS n")
    for shard in bare.domains[0].shards:
        fleet_servers.sql(shard.primary, "DROP SCHEMA outgrow CASCADE")
    with pytest.raises(outgrow.ConfigurationError, match="OG-RUN-156"):
        outgrow.open(placed(bare, Sharded(("id",))), install=True)
    with outgrow.open(placed(bare, Sharded(("id",))), install=True, rows_in_place=True) as fleet:
        assert [fleet.execute("SELECT name FROM t WHERE id = %s", [n]).fetchone() for n in range(1, 101)] == [
            ("x",)
        ] * 100


def test_a_shard_that_the_file_names_since(fleet_servers: Servers, bare: Topology) -> None:
    """The map has the first alone: rows there are found, and nothing is read where nobody has filled a copy."""
    domain = bare.domains[0]
    alone = replace(bare, domains=(replace(domain, shards=domain.shards[:1]),))
    fill(fleet_servers, bare, "s1")
    with outgrow.open(placed(alone, Copied()), install=True) as fleet:
        assert fleet.execute("SELECT count(*) FROM t").fetchone() == (100,)
    with outgrow.open(placed(bare, Copied()), install=True) as fleet:
        assert [fleet.execute("SELECT count(*) FROM t").fetchone() for _ in range(4)] == [(100,)] * 4
