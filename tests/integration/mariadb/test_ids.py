"""`new_id` and placements on a MariaDB home: leases that no two processes have, and where tables live."""

from __future__ import annotations

import threading

import pytest

import outgrow
from outgrow import ledger
from outgrow.nodes import drive
from outgrow.topology import Copied, Sharded, TableName
from tests import mariadb


def home(fleet, ask):
    return drive(fleet._states["sales"].on_home_steps(ask, None))


def test_ids_of_many_processes_are_all_different(mariadb_servers):
    text = mariadb_servers.fresh(2)
    fleets = [mariadb_servers.open(text) for _ in range(5)]
    made: list[list[int]] = [[] for _ in fleets]

    def make(fleet, into):
        into += [fleet.new_id() for _ in range(2000)]

    threads = [threading.Thread(target=make, args=pair) for pair in zip(fleets, made, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [id for each in made for id in each]
    assert len(set(ids)) == 10_000
    assert all(each == sorted(each) for each in made)
    assert len({each[0] >> 10 & 0xFFF for each in made}) == 5
    [database, _] = mariadb.databases_of(fleets[0])
    held = "SELECT COUNT(*) FROM outgrow_workers WHERE holder <> ''"
    assert mariadb_servers.sql(0, held, database) == [(5,)]
    for fleet in fleets:
        fleet.close()
    assert mariadb_servers.sql(0, held, database) == [(0,)]


def test_a_number_is_anothers_only_behind_its_last_millisecond(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(1)) as fleet:
        first = home(fleet, lambda link: ledger.take_worker_steps(link, "a", 1000, 2000))
        assert home(fleet, lambda link: ledger.keep_worker_steps(link, first, "a", 1500, 3000))
        assert not home(fleet, lambda link: ledger.keep_worker_steps(link, first, "b", 1500, 9000))
        others = {home(fleet, lambda link: ledger.take_worker_steps(link, "c", 2500, 4000)) for _ in range(1023)}
        assert len(others) == 1023 and first not in others
        assert home(fleet, lambda link: ledger.take_worker_steps(link, "d", 3000, 4000)) is None
        assert home(fleet, lambda link: ledger.take_worker_steps(link, "d", 3001, 4000)) == first
        assert not home(fleet, lambda link: ledger.keep_worker_steps(link, first, "a", 3001, 5000))


def test_a_table_is_placed_and_made_shard_by_shard(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(2)) as fleet, fleet.session() as session:
        fleet.place("orders", shard_by="id")
        fleet.place("countries", copy=True)
        for shard in ("s1", "s2"):
            session.execute("CREATE TABLE orders (id bigint PRIMARY KEY, n int)", shard=shard)
            session.execute("CREATE TABLE countries (code int PRIMARY KEY)", shard=shard)
        assert session.execute("INSERT INTO orders VALUES (1, 1), (2, 2), (3, 3), (4, 4)").rowcount == 4
        assert session.execute("INSERT INTO countries VALUES (1)").rowcount == 1
        tables = fleet._states["sales"].picture.domain.tables
        assert tables[TableName("public", "orders")] == Sharded(("id",))
        assert tables[TableName("public", "countries")] == Copied()
        with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-059"):
            fleet.place("orders", copy=True)
        with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-057"):
            fleet.place("countries", shard_by="id")
