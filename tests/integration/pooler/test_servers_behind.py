"""Which server answers behind PgBouncer, and whether it is what it was taken for: it may lead elsewhere by now."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import outgrow
from outgrow import Fleet
from outgrow.topology import Node, Shard
from tests import pgbouncer
from tests.integration.pooler.conftest import TABLES, furnished
from tests.integration.pooler.test_sessions import READ, WRITE, keys_of
from tests.pgbouncer import Pooler
from tests.servers import Servers, serving


def test_a_primary_that_has_become_a_replica_is_not_read(fleet: Fleet, pooler: Pooler) -> None:
    """The pooler keeps our connections, whatever it leads them to."""
    shard = fleet.topology.domains[0].shard("s1")
    [key] = keys_of(fleet, "s1")
    primary = pooler.database(shard.primary)
    before = pooler.databases[primary]
    with fleet.session(level="strong") as session:
        session.execute(WRITE, [key, "a"])
        assert shard.replicas[0].direct is not None
        pooler.lead(primary, shard.replicas[0].direct.dsn)
        for ask in (
            lambda: session.execute(READ, [key]).fetchall(),
            lambda: session.execute(WRITE, [key, "b"]),
            lambda: list(session.stream(READ, [key])),
            lambda: session.execute("SELECT count(*) FROM customers").fetchall(),
        ):
            with pytest.raises(outgrow.OperationalError) as caught:
                ask()
            assert caught.value.code in ("OG-RUN-014", "OG-NODE-133"), caught.value
        with pytest.raises(outgrow.OperationalError) as caught, session.transaction():
            session.execute(READ, [key])
        assert caught.value.code == "OG-RUN-014"
        pooler.lead(primary, before)
        until = time.monotonic() + 10
        while True:
            try:
                assert session.execute(READ, [key]).fetchall() == [("a",)]
                break
            except outgrow.OperationalError:
                assert time.monotonic() < until
                time.sleep(0.05)


def test_some_nodes_behind_a_pooler_and_some_not(fleet: Fleet) -> None:
    domain = fleet.topology.domains[0]
    for pooled_primary in (True, False):
        shards = []
        for shard in domain.shards:
            primary, replica = shard.primary, shard.replicas[0]
            assert primary.direct is not None and replica.direct is not None
            replica, primary = (replica.direct, primary) if pooled_primary else (replica, primary.direct)
            shards.append(Shard(shard.name, primary, (replica,)))
        topology = replace(fleet.topology, domains=(replace(domain, shards=tuple(shards)),))
        with outgrow.open(topology) as mixed, mixed.session() as session, mixed.session() as other:
            session.execute("SET TimeZone = 'Asia/Tokyo'")
            for round_ in range(40):
                session.execute(WRITE, [round_ % 5, f"m{round_}"])
                for one, zone in ((session, "Asia/Tokyo"), (other, "UTC")):
                    asked = "SELECT name, current_setting('TimeZone') FROM customers WHERE customer_id = %s"
                    rows = one.execute(asked, [round_ % 5]).fetchall()
                    assert all(found == zone for _, found in rows)
                    # (The other may see what was before.)
                    assert one is other or [name for name, _ in rows] == [f"m{round_}"]
            with session.transaction():
                session.execute("UPDATE customers SET name = 'all'")
            assert session.execute("SELECT DISTINCT name FROM customers").fetchall() == [("all",)]


@pytest.mark.long
def test_a_pooler_that_leads_to_another_replica_turns_no_session_back() -> None:
    with serving(shards=1, replicas=2) as servers:
        topology = servers.fresh(TABLES)
        furnished(topology)
        with pgbouncer.before(topology) as pooler:
            assert pooler.topology is not None
            shard = pooler.topology.domains[0].shards[0]
            fresh, behind = shard.replicas
            with outgrow.open(pooler.topology) as fleet, servers.restored():
                with fleet.session() as writer:
                    writer.execute(WRITE, [1, "old"])
                    servers.wait_replayed()
                    servers.sql(behind, "SELECT pg_wal_replay_pause()")
                    writer.execute(WRITE, [1, "new"])
                assert behind.direct is not None and fresh.direct is not None
                for _ in range(10):
                    session = _having_read_new(fleet, fresh.name)
                    pooler.lead(pooler.database(fresh), behind.direct.dsn)
                    assert session.execute(READ, [1]).fetchall() == [("new",)]
                    pooler.lead(pooler.database(fresh), fresh.direct.dsn)
                    session = _having_read_new(fleet, fresh.name)
                    pooler.lead(pooler.database(fresh), behind.direct.dsn)
                    with fleet.session(token=session.token()) as later:
                        assert later.execute(READ, [1]).fetchall() == [("new",)]
                        assert list(later.stream(READ, [1])) == [("new",)]
                    pooler.lead(pooler.database(fresh), fresh.direct.dsn)


def _having_read_new(fleet: Fleet, node: str) -> outgrow.Session:
    """A session that has read the new row from that node."""
    until = time.monotonic() + 20
    while True:
        session = fleet.session()
        result = session.execute(READ, [1])
        if result.fetchall() == [("new",)] and result.node == node:
            return session
        assert time.monotonic() < until


@pytest.mark.long
def test_a_pooler_that_balances_over_two_replicas_shows_no_stale_row(tmp_path: Path) -> None:
    """One node, two servers behind it, one of which stands still: from one message to the next it may be the other."""
    with serving(shards=1, replicas=2) as servers:
        topology = servers.fresh(TABLES)
        furnished(topology)
        replicas = topology.domains[0].shards[0].replicas
        both = _two_behind_one_address(tmp_path, replicas)
        shard = replace(topology.domains[0].shards[0], replicas=replicas[:1])
        topology = replace(topology, domains=(replace(topology.domains[0], shards=(shard,)),))
        with pgbouncer.before(topology, pool_size=6) as pooler, servers.restored():
            assert pooler.topology is not None
            [node] = pooler.topology.domains[0].shards[0].replicas
            pooler.lead(pooler.database(node), both)
            with outgrow.open(pooler.topology) as fleet:
                fleet.execute(WRITE, [0, "0"])
                servers.wait_replayed()
                servers.sql(replicas[1], "SELECT pg_wal_replay_pause()")
                with ThreadPoolExecutor(4) as pool:
                    answered = [pool.submit(_own_writes, fleet, key) for key in range(4)]
                    names = set().union(*[done.result() for done in answered])
                assert any("replica" in name for name in names)
                asked = "SELECT pg_postmaster_start_time() FROM customers WHERE customer_id = 0"
                with ThreadPoolExecutor(4) as pool:
                    seen = set(pool.map(lambda _: _eventually(fleet, asked), range(200)))
                assert len(seen) == 2, "the pooler led to one server only"


def _two_behind_one_address(place: Path, replicas: tuple[Node, ...]) -> str:
    place.chmod(0o755)
    for folder in list(place.parents)[:3]:
        folder.chmod(0o755)
    hosts = []
    for replica in replicas:
        known = conninfo_to_dict(replica.dsn)
        folder = place / replica.name.rpartition("/")[2]
        folder.mkdir(mode=0o755)
        (folder / ".s.PGSQL.6000").symlink_to(Path(str(known["host"])) / f".s.PGSQL.{known['port']}")
        hosts.append(str(folder))
    return make_conninfo(replicas[0].dsn, host=",".join(hosts), port=6000)


def _own_writes(fleet: Fleet, key: int) -> set[str]:
    nodes = set()
    with fleet.session() as session:
        for round_ in range(150):
            session.execute(WRITE, [key, str(round_)])
            time.sleep(0.005)
            for _ in range(3):
                result = session.execute(READ, [key])
                assert result.fetchall() == [(str(round_),)]
                nodes.add(str(result.node))
    return nodes


def _eventually(fleet: Fleet, sql: str) -> Any:
    with fleet.session(level="eventual") as session:
        return session.execute(sql).fetchall()[0][0]


@pytest.mark.long
def test_a_cancel_that_a_frozen_server_does_not_answer_ends_nobody(
    fleet: Fleet, pooler: Pooler, fleet_servers: Servers
) -> None:
    """PgBouncer 1.18 dies of a cancel request that is hung up on meanwhile, and all its clients with it."""
    with fleet.session(level="strong") as session:
        session.execute("SELECT 1", shard="s1")
        with fleet_servers.restored():
            fleet_servers.freeze(fleet.topology.domains[0].shard("s1").primary)
            with pytest.raises(outgrow.OperationalError):
                session.execute("SELECT 1", shard="s1", timeout_seconds=0.1)
        time.sleep(0.5)
        assert pooler.shown("VERSION")
        until = time.monotonic() + 10
        while True:
            try:
                assert session.execute("SELECT 2", shard="s1").fetchall() == [(2,)]
                break
            except outgrow.OperationalError:
                assert time.monotonic() < until
                time.sleep(0.1)


@pytest.mark.long
@pytest.mark.parametrize("known", ["fleet", "only"], ids=["direct", "pooler only"])
def test_a_busy_pooler_is_not_taken_for_a_dead_server(known: str, request: pytest.FixtureRequest) -> None:
    """Its silence cuts no transaction that is well: all its connections are just in use."""
    fleet: Fleet = request.getfixturevalue(known)
    [held], [read] = keys_of(fleet, "s1"), keys_of(fleet, "s2")
    with ExitStack() as stack:
        sessions = [stack.enter_context(fleet.session()) for _ in range(3)]
        for session in sessions:
            session.execute("BEGIN")
            session.execute("SELECT 1", shard="s1")
        with fleet.session() as other:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                other.execute(READ, [read])
                time.sleep(0.01)
        for session in sessions:
            session.execute(WRITE, [held, "kept"])
            session.execute("COMMIT")
    assert fleet.execute(READ, [held]).fetchall() == [("kept",)]
