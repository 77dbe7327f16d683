"""outgrow's own tables in MariaDB databases: installed, interrupted, seen by nobody, and stronger than the file."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import outgrow
from outgrow import errors, ledger
from outgrow.nodes import Rows, drive
from outgrow.runtime import snapshot
from outgrow.topology import Copied, ShardMap, TableName, parse
from outgrow.waits import Steps
from tests import mariadb

TABLES = "{orders: {shard_by: id}, countries: {copy: everywhere}, 'settings': {single: s2}}"


def topology_of(text: str):
    return parse(text, environment={"SECRET": "x" * 32})


def test_what_is_installed_can_be_read_and_wins_over_the_file(mariadb_servers):
    text = mariadb_servers.fresh(3, TABLES)
    with pytest.raises(errors.ConfigurationError, match="OG-RUN-040"):
        outgrow.open(topology_of(text))
    with mariadb_servers.open(text) as fleet:
        [domain] = fleet.topology.domains
        first = fleet._states["sales"].picture
        assert first.map == ShardMap.first(domain)
        assert first.domain.tables == domain.tables
        assert first.schema.tables == {}
    other = text.replace("slots: 64", "slots: 128").replace("countries: {copy: everywhere}, ", "")
    with mariadb_servers.open(other) as fleet:
        picture = fleet._states["sales"].picture
        assert (picture.domain.slots, picture.map) == (64, first.map)
        assert picture.domain.tables[TableName("public", "countries")] == Copied()


def test_a_shard_that_the_ledger_needs_must_be_in_the_file(mariadb_servers):
    text = mariadb_servers.fresh(2)
    mariadb_servers.open(text).close()
    fewer = "\n".join(line for line in text.splitlines() if "s2:" not in line)
    with pytest.raises(errors.ConfigurationError, match="OG-LEDGER-003"):
        mariadb_servers.open(fewer)


def test_tables_that_are_called_like_ours_are_left_alone(mariadb_servers):
    text = mariadb_servers.fresh(2)
    database = topology_of(text).domains[0].shards[0].primary.dsn.rpartition("/")[2]
    mariadb_servers.sql(0, "CREATE TABLE outgrow_meta (a int)", database)
    with pytest.raises(errors.ConfigurationError, match=r"OG-LEDGER-009.*outgrow_meta"):
        mariadb_servers.open(text)
    assert mariadb_servers.sql(0, "SHOW TABLES", database) == [("outgrow_meta",)]


def test_a_database_serves_one_domain(mariadb_servers):
    text = mariadb_servers.fresh(2)
    mariadb_servers.open(text).close()
    with pytest.raises(errors.ConfigurationError, match="OG-LEDGER-004"):
        mariadb_servers.open(text.replace("  sales:", "  stock:"))


@dataclass
class Cut:
    """A runner whose connection is cut behind so many statements, before the reply or after it."""

    link: Any
    budget: list[int]
    engine: str = "mariadb"

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Rows]:
        rows = yield from self.link.run_steps(sql, params)
        self.budget[0] -= 1
        if self.budget[0] == 0:
            self.link.close()
        return rows


def test_an_installation_cut_anywhere_is_finished_by_the_next(mariadb_servers, request):
    text = mariadb_servers.fresh(1, "{orders: {shard_by: id}}")
    leap = 1 if request.config.getoption("--long") else 4
    [domain] = topology_of(text).domains
    first = ShardMap.first(domain)
    nodes = snapshot.Nodes(topology_of(text))

    def install(budget: int) -> bool:
        runners = {}
        for shard in domain.shards:
            link = drive(nodes.pool(shard.primary).take_steps(None))
            runners[shard.name] = Cut(link, spent if budget else [0])
        try:
            drive(ledger.install_steps(runners, domain, first))
            return True
        except errors.Error:
            return False
        finally:
            for runner in runners.values():
                nodes.pool(runner.link.node).give(runner.link)

    budget = 3
    while True:
        for number, shard in enumerate(domain.shards):
            database = shard.primary.dsn.rpartition("/")[2]
            mariadb_servers.sql(number, f"DROP DATABASE {database}")
            mariadb_servers.sql(number, f"CREATE DATABASE {database}")
        spent = [budget]
        whole = install(budget)
        assert install(0), budget
        with mariadb_servers.open(text) as fleet:
            assert fleet._states["sales"].picture.map == first
        if whole:
            break
        budget += leap
    nodes.close()


def test_many_install_at_once_and_every_raise_counts(mariadb_servers):
    text = mariadb_servers.fresh(2, TABLES)
    fleets: list[outgrow.Fleet] = []
    threads = [threading.Thread(target=lambda: fleets.append(mariadb_servers.open(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fleets) == 4
    states = [fleet._states["sales"] for fleet in fleets]
    epochs: list[int] = []

    def raise_all(state):
        for _ in range(25):
            ask = state.on_home_steps(lambda link: ledger.raise_schema_epoch_steps(link, "sales"), None)
            epochs.append(drive(ask))

    threads = [threading.Thread(target=raise_all, args=(state,)) for state in states]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(epochs) == list(range(2, 102))
    for fleet in fleets:
        fleet.close()


def test_another_process_raises_the_epoch_and_this_one_looks_again(mariadb_servers):
    text = mariadb_servers.fresh(2, "{t: {shard_by: id}}")
    with mariadb_servers.open(text) as fleet, mariadb_servers.open(text) as other:
        state = fleet._states["sales"]
        for number, database in enumerate(mariadb.databases_of(fleet)):
            mariadb_servers.sql(number, "CREATE TABLE t (id int PRIMARY KEY)", database)
        ask = other._states["sales"].on_home_steps(lambda link: ledger.raise_schema_epoch_steps(link, "sales"), None)
        assert drive(ask) == 2
        state.epochs_due = 0.0
        assert fleet.execute("SELECT id FROM t").fetchall() == []
        assert state.picture.schema.epoch == 2


def test_a_server_with_another_id_begins_a_generation(mariadb_servers):
    """As after a promotion: places of the old server say nothing any more."""
    text = mariadb_servers.fresh(1, "{t: {shard_by: id}}")
    with mariadb_servers.open(text) as fleet, fleet.session() as session:
        [database] = mariadb.databases_of(fleet)
        mariadb_servers.sql(0, "CREATE TABLE t (id int PRIMARY KEY)", database)
        session.execute("INSERT INTO t VALUES (1)")
        assert session._conversation.footing("s1").floor.generation == 1
        mariadb_servers.sql(0, "UPDATE outgrow_generation SET timeline = 77", database)
        session.execute("INSERT INTO t VALUES (2)")
        assert session._conversation.footing("s1").floor.generation == 2
        assert mariadb_servers.sql(0, "SELECT counter, timeline FROM outgrow_generation", database) == [(2, 1)]
