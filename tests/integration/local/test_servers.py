"""The fixtures that other tests stand on."""

from __future__ import annotations

import psycopg

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
