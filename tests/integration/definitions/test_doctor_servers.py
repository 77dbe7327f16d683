"""Faults of the servers themselves: versions, encodings, what takes a restart, and replicas that do not follow."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from outgrow import local
from outgrow.local import processes
from outgrow.nodes import connect
from outgrow.runtime.doctor import Finding, examine, replication
from outgrow.runtime.doctor.examination import QUERIES
from outgrow.topology import Topology
from tests.integration.definitions.planting import World, addressed, done, made, patched, port, summary, world

__all__ = ["made", "world"]


def told(world: World, check: str, severity: str = "info") -> list[Finding]:
    found = examine(world.topology)
    return [finding for finding in found if finding.check == check and finding.severity == severity]


def instead(world: World, query: str, name: str, expression: str, value: str, when: str = "true") -> None:
    """What one server is told to say of itself, where it cannot be made so."""
    own = f"CASE WHEN current_setting('port') = '{port(world, name)}' AND {when} THEN {value} ELSE {expression} END"
    assert expression in QUERIES[query]
    world.monkeypatch.setitem(QUERIES, query, QUERIES[query].replace(expression, own))


@pytest.mark.parametrize(
    ("difference", "severity", "said"),
    [(10000, "error", "it cannot replay its log"), (1, "info", "is PostgreSQL ")],
)
def test_a_replica_of_another_version(world: World, difference: int, severity: str, said: str) -> None:
    number = "current_setting('server_version_num')::int4"
    instead(world, "identity", "s1/replica1", number, f"{number} + {difference}")
    (found,) = told(world, "versions", severity)
    assert found.where == "app/s1/replica1"
    assert said in found.what


def test_servers_that_are_too_old(world: World) -> None:
    world.monkeypatch.setattr(connect, "SERVER_VERSION_MIN", 990000)
    found = [finding for finding in world.findings() if finding.check == "servers"]
    assert [finding.where for finding in found] == [
        *("app/s1/primary", "app/s1/replica1", "app/s2/primary", "app/s2/replica1")
    ]
    for finding in found:
        assert finding.severity == "error"
        assert finding.what.startswith("cannot be used: the server is PostgreSQL ")


def test_a_server_of_another_major_version(world: World) -> None:
    """A real one: as another shard's primary it is worth knowing, as a replica it can be none."""
    other = next((major for major in local.available() if major != world.servers.major), None)
    if other is None:
        pytest.skip("there is no second PostgreSQL on this machine")
    with local.temporary(1, 0, str(other)) as (topology, _):
        dsn = topology.domains[0].home.primary.dsn
        shards = examine(addressed(world, "s2/primary", dsn))
        replica = examine(addressed(world, "s2/replica1", dsn))
    (mixed,) = [finding for finding in shards if finding.check == "versions" and finding.where == "app"]
    assert mixed.severity == "info"
    assert f"PostgreSQL {other} on s2" in mixed.what
    assert {("error", "identity", "app/s2/replica1"), ("error", "versions", "app/s2/replica1")} <= set(summary(replica))


def test_a_database_that_is_not_utf8(world: World) -> None:
    name = f"{world.database}_ascii"
    world.servers.sql(
        world.node("s2/primary"),
        f"CREATE DATABASE {name} OWNER app TEMPLATE template0 ENCODING 'SQL_ASCII'"
        " LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'",
        database="postgres",
    )
    world.servers.wait_replayed()
    try:
        known = psycopg.conninfo.conninfo_to_dict(world.node("s2/primary").dsn)
        dsn = psycopg.conninfo.make_conninfo(**{**known, "dbname": name})
        found = [finding for finding in examine(addressed(world, "s2/primary", dsn)) if finding.check == "text"]
    finally:
        world.servers.sql(world.node("s2/primary"), f"DROP DATABASE {name} WITH (FORCE)", database="postgres")
    assert summary(found)[0] == ("error", "text", "app/s2/primary")
    assert "the database's encoding is SQL_ASCII" in found[0].what
    assert "text is ordered by C, C (c)" in found[-1].what


@contextlib.contextmanager
def restarted(world: World, name: str, **settings: object) -> Iterator[None]:
    """A server with settings that it takes only when it starts."""
    world.sql(name, *(f"ALTER SYSTEM SET {what} = '{value}'" for what, value in settings.items()))
    try:
        _restart(world, name)
        yield
    finally:
        world.sql(name, *(f"ALTER SYSTEM RESET {what}" for what in settings))
        _restart(world, name)
        world.servers.wait_replayed()


def _restart(world: World, name: str) -> None:
    node = world.node(name)
    pid = world.servers.pid(node)
    world.servers.kill(node, signal.SIGINT)
    until = time.monotonic() + 20
    while processes.postmaster(world.servers.data(node)) == pid:
        assert time.monotonic() < until
        time.sleep(0.01)
    world.servers.start()


def test_settings_that_take_a_restart(world: World) -> None:
    """A primary with room for one replica and few connections, not set up for transactions over shards."""
    wanted = {"max_prepared_transactions": 0, "wal_level": "replica", "max_wal_senders": 1, "max_replication_slots": 1}
    with restarted(world, "s1/primary", **wanted, max_connections=12):
        _until_streaming(world, "s1/primary")
        found = [finding for finding in examine(world.topology) if finding.where == "app/s1/primary"]
    said = [(finding.severity.value, finding.check, finding.what) for finding in found]
    for severity, check, what in (
        ("error", "settings", "max_prepared_transactions is 0: transactions over several shards cannot commit"),
        ("info", "settings", "wal_level is replica: rows can be moved only under logical"),
        ("warning", "settings", "takes 9 connections, and one process's pool may open 10"),
        ("warning", "replication slots", "all 1 of max_wal_senders are taken"),
        ("warning", "replication slots", "all 1 of max_replication_slots are taken"),
    ):
        assert [one for one in said if one[:2] == (severity, check) and one[2].startswith(what)], (what, said)
    assert world.findings() == []


def _until_streaming(world: World, name: str) -> None:
    until = time.monotonic() + 20
    while world.servers.sql(world.node(name), "SELECT count(*) FROM pg_stat_replication") != [(1,)]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_setting_that_waits_for_a_restart(world: World) -> None:
    [[most]] = world.servers.sql(world.node("s2/primary"), "SHOW max_connections")
    does = ("ALTER SYSTEM SET max_connections = 120", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.3)")
    with done(world, "s2/primary", does, ("ALTER SYSTEM RESET max_connections", "SELECT pg_reload_conf()")):
        (found,) = told(world, "settings")
    assert most != "120"
    assert found.where == "app/s2/primary"
    assert found.what == "set, but without effect until the server restarts: max_connections"


def test_settings_that_this_fleet_cannot_have(world: World) -> None:
    """The server says so of itself: a test's fleet has replicas, so its log is never minimal."""
    instead(world, "settings", "s1/primary", "s.setting", "'minimal'", "s.name = 'wal_level'")
    instead(world, "settings", "s1/replica1", "s.setting", "'off'", "s.name = 'data_checksums'")
    found = [finding for finding in examine(world.topology) if finding.check == "settings"]
    assert summary(found) == [("error", "settings", "app/s1/primary"), ("info", "settings", "app/s1/replica1")]
    assert "wal_level is minimal" in found[0].what
    assert "no data checksums" in found[1].what


def test_a_replica_that_lags(world: World) -> None:
    """A reader on the replica stands in the way of a lock that replay has to take."""
    with contextlib.ExitStack() as stack:
        stack.callback(world.servers.wait_replayed)
        reader = stack.enter_context(world.connected("s2/replica1"))
        reader.execute("SELECT FROM countries")
        world.sql("s2/primary", "ALTER TABLE countries ADD COLUMN x int", "ALTER TABLE countries DROP COLUMN x")
        with patched(world, replication, "_LAG_SECONDS", 0.2):
            (found,) = world.findings()
        assert summary([found]) == [("warning", "replication", "app/s2/replica1")]
        assert " bytes behind, its last commit is " in found.what
        # By then the last commit may be old enough by itself.
        world.monkeypatch.setattr(replication, "_LAG_SECONDS", 3600.0)
        assert world.findings() == []
        world.sql("s2/primary", "SELECT pg_logical_emit_message(true, 'x', repeat('x', 17 * 1024 * 1024))::text")
        (found,) = world.findings()
        assert summary([found]) == [("warning", "replication", "app/s2/replica1")]
        assert found.what.startswith("is 1")
        assert " MB behind" in found.what
    assert world.findings() == []


def test_a_replica_that_receives_nothing(world: World) -> None:
    name = "s2/replica1"
    [[before]] = world.servers.sql(world.node(name), "SHOW primary_conninfo")
    world.sql(name, "ALTER SYSTEM SET primary_conninfo = 'host=/nowhere'")
    try:
        world.servers.reload(world.node(name), "primary_conninfo", "host=/nowhere")
        until = time.monotonic() + 20
        while world.servers.sql(world.node(name), "SELECT count(*) FROM pg_stat_wal_receiver") != [(0,)]:
            assert time.monotonic() < until
            time.sleep(0.02)
        (found,) = world.findings()
    finally:
        world.sql(name, "ALTER SYSTEM RESET primary_conninfo")
        world.servers.reload(world.node(name), "primary_conninfo", before)
        _until_streaming(world, "s2/primary")
    assert summary([found]) == [("warning", "replication", "app/s2/replica1")]
    assert found.what.startswith("nothing streams its primary's log to it; it is ")
    assert world.findings() == []


def without_replicas(topology: Topology, shard: str) -> Topology:
    domain = topology.domains[0]
    shards = tuple(replace(one, replicas=()) if one.name == shard else one for one in domain.shards)
    return replace(topology, domains=(replace(domain, shards=shards),))


def test_roles_that_the_file_has_wrong(world: World) -> None:
    primary, replica = world.node("s2/primary").dsn, world.node("s2/replica1").dsn
    swapped = addressed(world, "s2/primary", replica)
    swapped = addressed(replace(world, topology=swapped), "s2/replica1", primary)
    found = [finding for finding in examine(swapped) if finding.check == "servers"]
    assert summary(found) == [("info", "servers", "app/s2/primary"), ("info", "servers", "app/s2/replica1")]
    assert found[0].what == "is a replica, not what the file says"


def test_two_primaries_of_a_shard(world: World) -> None:
    instead(world, "identity", "s2/replica1", "pg_is_in_recovery()", "false")
    (found,) = [finding for finding in world.findings() if finding.check == "identity"]
    assert summary([found]) == [("error", "identity", "app/s2/replica1")]
    assert found.what == "takes writes, and so does app/s2/primary: two primaries of one shard"


def test_a_shard_that_replays_another(world: World) -> None:
    topology = without_replicas(addressed(world, "s2/primary", world.node("s1/replica1").dsn), "s1")
    found = [finding for finding in examine(without_replicas(topology, "s2")) if finding.check == "identity"]
    assert summary(found) == [("error", "identity", "app/s2/primary")]
    assert found[0].what == "replays (or is) the database of app/s1/primary, which is another shard's"


def test_a_replication_slot_that_has_lost_its_log(world: World) -> None:
    instead(world, "slots", "s1/primary", "coalesce(wal_status, '')", "'lost'")
    slot = "SELECT pg_create_physical_replication_slot('nobody', true)"
    with done(world, "s1/primary", (slot,), ("SELECT pg_drop_replication_slot('nobody')",)):
        (found,) = world.findings()
    assert summary([found]) == [("error", "replication slots", "app/s1/primary")]
    assert found.what.startswith("the physical replication slot nobody has lost log")


def test_a_collation_of_a_column_that_has_changed(world: World) -> None:
    version = "UPDATE pg_collation SET collversion = {} WHERE collname = 'POSIX'"
    column = 'ALTER TABLE customers ADD COLUMN posix text COLLATE "POSIX"'
    with done(
        world, "*", (column, version.format("'0'")), (version.format("NULL"), "ALTER TABLE customers DROP posix")
    ):
        world.servers.wait_replayed()
        found = world.findings()
    assert {(finding.severity.value, finding.check) for finding in found} == {("error", "text")}
    assert len(found) == 4
    assert found[0].what.startswith("the collation POSIX has version none on this machine")


def test_a_table_that_is_placed_and_gone(world: World) -> None:
    away, back = "ALTER TABLE countries RENAME TO away", "ALTER TABLE away RENAME TO countries"
    with done(world, "*", (away,), (back,)):
        (found,) = told(world, "placements")
    assert found.what == "placed, but not made yet (or dropped past outgrow): countries"


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        ("version = version + 1", "version = version - 1", "this library knows only"),
        ("domain = 'other'", "domain = 'app'", "its ledger is that of the domain other"),
    ],
)
def test_a_ledger_of_another(world: World, change: str, back: str, said: str) -> None:
    with done(world, "s2/primary", (f"UPDATE outgrow.meta SET {change}",), (f"UPDATE outgrow.meta SET {back}",)):
        found = world.findings()
    assert summary(found)[0] == ("error", "installed", "app/s2/primary")
    assert said in found[0].what
