"""The doctor on a directory: rows that its entries do not lead to, and shards that the ledger does not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from outgrow import Fleet
from outgrow.runtime.doctor import listed_rows
from outgrow.topology import Topology
from tests.integration.keyspace.directory_world import made, on, opened, shard_of, topology_of
from tests.servers import Servers


@pytest.fixture
def topology(fleet_servers: Servers) -> Iterator[Topology]:
    with topology_of(fleet_servers) as found:
        yield found


@pytest.fixture
def fleet(topology: Topology) -> Iterator[Fleet]:
    with opened(topology, install=True) as found:
        made(found)
        yield found


def found(fleet: Fleet, all_rows: bool = False) -> list[tuple[str, str]]:
    findings = fleet.doctor(all_rows=all_rows)
    assert [each for each in findings if each.check == "not made"] == []
    return [(each.where, each.what) for each in findings if each.check == "directory"]


def test_rows_that_entries_do_not_lead_to(topology: Topology, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_rows, "_KEYS", 3)
    with fleet.session() as session:
        session.execute("INSERT INTO t SELECT 1, 1")
        session.execute("INSERT INTO t VALUES " + ", ".join(f"({key}, 0)" for key in range(2, 20)))
        session.execute("INSERT INTO logs VALUES (1, '2025-01-01', ''), (NULL, '2025-01-01', '')")
        session.execute("INSERT INTO words VALUES ('a', 1)")
    fleet.directory().migrate(7, "s2", type="int8")
    for all_rows in (False, True):
        assert found(fleet, all_rows) == []
    on(shard_of(topology, "s2"), "INSERT INTO t VALUES (3, 0), (4, 0), (999, 0)")
    on(shard_of(topology, "s2"), "INSERT INTO logs VALUES (NULL, '2025-01-01', '')")
    on(shard_of(topology, "s1"), "INSERT INTO words VALUES ('a', 2)")
    for all_rows in (False, True):
        lost = "statements by their key do not find them"
        assert sorted(found(fleet, all_rows)) == [
            ("app/s1/primary", f"1 rows of words have keys such as a, which live on s2: {lost}"),
            ("app/s2/primary", f"1 rows of logs have keys such as NULL, which live on s1: {lost}"),
            ("app/s2/primary", f"1 rows of t have keys such as 999, which have no entry: {lost}"),
            ("app/s2/primary", f"2 rows of t have keys such as 3, 4, which live on s1: {lost}"),
        ]


def test_a_shard_that_the_ledger_does_not_know(topology: Topology, fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("INSERT INTO t VALUES (1, 1)")
    fleet.directory().migrate(1, "s2", type="int8")
    assert found(fleet) == []
    on(shard_of(topology, "s2"), "UPDATE outgrow.edition SET edition = 5")
    ((where, what),) = found(fleet)
    assert where == "app/s2/primary"
    assert what.startswith("its edition of the directory is 5, the ledger says ")


@pytest.mark.parametrize(("file", "other"), [("ring", "hash"), ("hash", "ring")])
def test_a_file_with_another_strategy_than_the_map(fleet_servers: Servers, file: str, other: str) -> None:
    empty = fleet_servers.fresh()
    try:
        installed = replace(empty, domains=(replace(empty.domains[0], strategy=other),))
        with opened(installed, install=True) as fleet:
            assert [each for each in fleet.doctor() if each.check == "ledger"] == []
        edited = replace(empty, domains=(replace(empty.domains[0], strategy=file),))
        with opened(edited) as fleet:
            (finding,) = [each for each in fleet.doctor() if each.check == "ledger"]
            assert finding.what == f"OG-LEDGER-015: strategy: {file} in the file, {other} in the ledger"
            assert f"strategy: {other}" in finding.cure
    finally:
        fleet_servers.drop(empty)
