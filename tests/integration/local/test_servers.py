"""The fixtures that other tests stand on."""

from __future__ import annotations

import os
import pwd

import psycopg
import pytest

from outgrow.errors import OperationalError
from outgrow.local import places
from outgrow.topology import Topology
from tests.servers import Servers


def test_fresh_databases_are_empty_and_replicated(fleet_servers: Servers, fresh_topology: Topology) -> None:
    [domain] = fresh_topology.domains
    assert [shard.name for shard in domain.shards] == ["s1", "s2"]
    for shard in domain.shards:
        [replica] = shard.replicas
        with psycopg.connect(shard.primary.dsn, autocommit=True) as link:
            assert link.execute(
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            ).fetchone() == (0,)
            link.execute("CREATE TABLE t AS SELECT 1 AS one")
        fleet_servers.wait_replayed()
        with psycopg.connect(replica.dsn, autocommit=True) as link:
            assert link.execute("SELECT pg_is_in_recovery(), one, current_user FROM t").fetchone() == (True, 1, "app")


def database(topology: Topology) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(topology.domains[0].shards[0].primary.dsn)["dbname"])


def test_a_database_is_used_again_only_if_it_is_as_new(fleet_servers: Servers) -> None:
    used = fleet_servers.fresh()
    fleet_servers.drop(used)
    for left, again in (
        ("CREATE TABLE t (n int); CREATE SCHEMA more; CREATE TYPE more.mood AS ENUM ('good')", True),
        ("CREATE CAST (text AS int8) WITH INOUT AS ASSIGNMENT", False),
        ("REVOKE EXECUTE ON FUNCTION pg_catalog.lower(text) FROM PUBLIC", False),
        ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 99', current_database()); END $$", False),
    ):
        topology = fleet_servers.fresh()
        primary = topology.domains[0].shards[1].primary
        with psycopg.connect(primary.dsn, autocommit=True) as busy:
            busy.execute("SELECT 1")
            fleet_servers.sql(primary, left)
            fleet_servers.drop(topology)
            assert (database(topology) in fleet_servers.spare) is again, left
    topology = fleet_servers.fresh()
    assert fleet_servers.sql(topology.domains[0].shards[1].primary, "SELECT to_regclass('t'), to_regtype('mood')") == [
        (None, None)
    ]
    fleet_servers.drop(topology)


def test_tcp_asks_for_the_password(fleet_servers: Servers) -> None:
    topology = fleet_servers.with_database("app", tcp=True)
    primary = topology.domains[0].shards[0].primary
    with psycopg.connect(primary.dsn) as link:
        assert link.execute("SELECT inet_client_addr() IS NOT NULL").fetchone() == (True,)
    parts = psycopg.conninfo.conninfo_to_dict(primary.dsn)
    assert str(parts["password"]) not in primary.shown
    for wrong in ({"password": "wrong"}, {"user": "postgres", "password": ""}):
        try:
            psycopg.connect(psycopg.conninfo.make_conninfo(primary.dsn, **wrong)).close()
        except psycopg.OperationalError:
            continue
        raise AssertionError(f"let in with {wrong}")


def test_a_user_without_a_name_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    places.require_named(places.owner())

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(OperationalError, match=f"OG-LOCAL-034.*uid {os.geteuid() or 65534} has no name"):
        places.require_named(places.owner())
