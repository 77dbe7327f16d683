"""Faults planted in a MariaDB fleet, each found by name; the healthy fleet has none."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

import outgrow
from outgrow import local
from outgrow.local.mariadb import MariadbServer
from outgrow.runtime.doctor import Finding, patience, reading
from outgrow.topology import Topology, parse
from tests import mariadb
from tests.integration.mariadb.faults import FAULTS, MADE, World


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[dict[str, MariadbServer], Topology]]:
    mariadb.required()
    with contextlib.ExitStack() as stack:
        primaries = stack.enter_context(local.temporary_mariadb(2, replicas=1))
        servers, lines = {}, []
        for n, primary in enumerate(primaries, 1):
            [replica] = primary.replicas
            servers |= {f"s{n}/primary": primary, f"s{n}/replica1": replica}
            lines.append(f'      s{n}: {{primary: "{primary.dsn()}", replicas: ["{replica.dsn()}"]}}')
        text = "\n".join(
            (
                *("fleet: shop", "domains:", "  sales:", "    engine: mariadb", "    slots: 64"),
                *("    pool: {size_max: 20}", "    shards:", *lines),
                *("    tables:", "      customers: {shard_by: id}", "      orders: {shard_by: id}"),
                *("      countries: {copy: everywhere}", "      settings: {single: s1}"),
                "secret: {env: SECRET}",
            )
        )
        topology = parse(text, environment={"SECRET": "x" * 32})
        world = World(servers, topology, pytest.MonkeyPatch())
        for name in servers:
            world.sql(name, "SET GLOBAL sync_binlog = 1", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        world.everywhere(*MADE)
        with outgrow.open(topology, install=True, rows_in_place=True) as fleet, fleet.session() as session:
            for id in range(200):
                session.execute("INSERT INTO customers VALUES (%s, %s)", [id, f"c{id}"])
                session.execute("INSERT INTO orders VALUES (%s, 1)", [id])
            session.execute("INSERT INTO settings VALUES ('a', 'b')")
        yield servers, topology


@pytest.fixture
def world(made, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(*made, monkeypatch)
    world.wait_replayed()
    return world


def summary(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.severity.value, finding.check, finding.where) for finding in findings]


def test_a_healthy_fleet_has_no_finding(world: World) -> None:
    assert world.findings() == []
    assert world.findings(all_rows=True) == []
    with outgrow.open(world.topology) as fleet:
        assert [finding for finding in fleet.doctor() if finding.severity != "info"] == []


#: One of each kind in the ordinary run.
SHORT = ("loose GTIDs", "a stopped replica", "another column", "a row on the wrong shard", "a copy that differs")


@pytest.mark.parametrize(
    "fault", [fault if fault in SHORT else pytest.param(fault, marks=pytest.mark.long) for fault in FAULTS]
)
def test_a_fault_is_found_and_nothing_else(world: World, fault: str) -> None:
    plant, expected = FAULTS[fault]
    with plant(world):
        found = world.findings(all_rows=fault == "a row on the wrong shard")
        assert summary(found) == [one[:3] for one in expected]
        for finding, (_, _, _, said) in zip(found, expected, strict=True):
            assert said in finding.what
            assert finding.cure


def test_the_user_of_a_replica_is_bound_by_read_only(world: World) -> None:
    world.sql("s1/primary", "GRANT READ ONLY ADMIN ON *.* TO app@127.0.0.1")
    try:
        world.wait_replayed()
        [found] = world.findings()
        assert (found.check, found.where) == ("overrides", "sales/s1/replica1")
        assert "has READ_ONLY ADMIN" in found.what
    finally:
        world.sql("s1/primary", "REVOKE READ ONLY ADMIN ON *.* FROM app@127.0.0.1")


def test_a_user_who_may_not_ask_where_the_log_ends(world: World) -> None:
    world.sql("s1/primary", "REVOKE BINLOG MONITOR, SUPER ON *.* FROM app@127.0.0.1")
    try:
        world.wait_replayed()
        [found] = world.findings()
        assert (found.severity, found.check, found.where) == ("error", "log position", "sales/s1/primary")
        assert "BINLOG MONITOR" in found.cure
    finally:
        world.sql("s1/primary", "GRANT BINLOG MONITOR, SUPER ON *.* TO app@127.0.0.1")


def test_rights_that_are_missing(world: World) -> None:
    world.sql(
        "s2/primary",
        *("CREATE USER few@127.0.0.1 IDENTIFIED BY 'x'", "GRANT SELECT ON app.* TO few@127.0.0.1"),
        "GRANT INSERT, UPDATE ON app.orders TO few@127.0.0.1",
    )
    server = world.servers["s2/primary"]
    [domain] = world.topology.domains
    first, second = domain.shards
    dsn = f"mariadb://few:x@127.0.0.1:{server.port}/app"
    wrong = replace(second, primary=replace(second.primary, dsn=dsn), replicas=())
    found = world.findings(topology=replace(world.topology, domains=(replace(domain, shards=(first, wrong)),)))
    rights = [finding for finding in found if finding.check == "rights"]
    assert summary(rights) == [("warning", "rights", "sales/s2/primary")]
    assert "may not write countries, customers" in rights[0].what
    world.sql("s2/primary", "DROP USER few@127.0.0.1")


def test_two_addresses_of_one_server(world: World) -> None:
    [domain] = world.topology.domains
    first, second = domain.shards
    [replica] = second.replicas
    wrong = replace(second, replicas=(replace(replica, dsn=world.servers["s1/replica1"].dsn()),))
    topology = replace(world.topology, domains=(replace(domain, shards=(first, wrong)),))
    found = world.findings(topology=topology)
    assert ("error", "identity", "sales/s2/replica1") in summary(found)
    assert any("is the same server and database as sales/s1/replica1" in finding.what for finding in found)


def test_a_server_that_says_nothing_is_given_up(world: World) -> None:
    world.monkeypatch.setattr(patience, "ANSWER_SECONDS", 0.5)
    process = world.servers["s2/primary"].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        found = world.findings()
    finally:
        process.send_signal(signal.SIGCONT)
    assert ("error", "servers", "sales/s2/primary") in summary(found)
    assert any(finding.check == "not made" and "rows" in finding.what for finding in found)


def test_large_tables_are_sampled_unless_all_rows_are_asked_for(world: World) -> None:
    """The stray row lies in the middle of the primary key; samples are of its ends."""
    world.monkeypatch.setattr(reading, "_SAMPLE_PAGES", 1)
    world.monkeypatch.setattr(reading, "_ROWS_A_PAGE", 20)
    world.everywhere("ANALYZE TABLE customers")
    with world.connected("s2/primary") as link, link.cursor() as cursor:
        cursor.execute("SELECT id FROM customers WHERE id BETWEEN 90 AND 110 LIMIT 1")
        [id] = cursor.fetchone()
    world.sql("s1/primary", f"INSERT INTO customers VALUES ({id}, 'stray')")
    try:
        assert world.findings() == []
        [found] = world.findings(all_rows=True)
        assert (found.check, found.where) == ("rows", "sales/s1/primary")
        assert found.what.startswith("1 of ") and f"keys such as ({id})" in found.what
    finally:
        world.sql("s1/primary", f"DELETE FROM customers WHERE id = {id}")


def test_a_key_with_most_rows(world: World) -> None:
    with world.connected("s2/primary") as link, link.cursor() as cursor:
        cursor.execute("SELECT id FROM customers LIMIT 1")
        [id] = cursor.fetchone()
    world.sql("s2/primary", f"INSERT INTO orders SELECT {id}, seq FROM seq_100_to_2000")
    try:
        found = world.findings()
        assert {finding.check for finding in found} == {"rows"}
        assert any("it has 9" in finding.what and "of the 2,101 rows of orders" in finding.what for finding in found)
        assert any(f"the key ({id}) alone has about" in finding.what for finding in found)
    finally:
        world.sql("s2/primary", f"DELETE FROM orders WHERE id = {id} AND number >= 100")


def test_the_domain_cannot_be_opened_and_its_servers_are_examined(world: World) -> None:
    """Shards set up apart: the database's collation decides how text is compared."""
    world.sql("s2/primary", "ALTER DATABASE app COLLATE utf8mb4_general_ci")
    world.sql("s2/replica1", "SET GLOBAL default_week_format = 1")
    try:
        found = world.findings()
        checks = {finding.check for finding in found}
        assert {"opening", "meanings", "not made"} <= checks
        assert any("default_week_format" in finding.what for finding in found)
    finally:
        world.sql("s2/primary", "ALTER DATABASE app COLLATE utf8mb4_nopad_bin")
        world.sql("s2/replica1", "SET GLOBAL default_week_format = 0")
