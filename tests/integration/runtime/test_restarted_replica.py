"""A replica that was killed comes back with an older state than it has shown: what was known of it counts no more.

PostgreSQL opens a replica again once it is consistent, not once it is where it was.  An apply delay keeps it there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.topology import Node
from tests import pgbouncer
from tests.servers import Servers

READ = "SELECT name FROM customers WHERE customer_id = %s"
WRITE = "INSERT INTO customers VALUES (%s, %s, 'DE') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name"
#: It counts from the commit, so all that comes before the reads must be over by then; nobody waits for it.
DELAY_SECONDS = 30


@pytest.fixture(params=["direct", "pooled"])
def either(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Fleet]:
    if request.param == "direct":
        yield fleet
        return
    with pgbouncer.before(fleet.topology) as started:
        assert started.topology is not None
        with outgrow.open(started.topology) as opened:
            yield opened


def the_server(servers: Servers, replica: Node) -> None:
    servers.kill(replica)
    servers.start()


def one_backend(servers: Servers, replica: Node) -> None:
    """The postmaster lives on, ends all connections, and begins recovery anew."""
    [[pid]] = servers.sql(replica, "SELECT pg_backend_pid()", database="postgres")
    servers.reload(replica.direct or replica, "recovery_min_apply_delay", f"{DELAY_SECONDS}s")
    os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=[the_server, one_backend])
def restart(request: pytest.FixtureRequest, either: Fleet, fleet_servers: Servers) -> Iterator[Callable[[int], None]]:
    """The replica crashes, and is back with what it had at its last restart point."""
    replica = either.topology.domains[0].shard("s1").replicas[0]

    def restart(key: int) -> None:
        setting = f"ALTER SYSTEM SET recovery_min_apply_delay = '{DELAY_SECONDS}s'"
        fleet_servers.sql(replica, setting, database="postgres")
        request.param(fleet_servers, replica)
        until = time.monotonic() + DELAY_SECONDS
        with either.session(level="eventual") as eventual:
            while True:
                result = eventual.execute(READ, [key])
                if "replica" in str(result.node) and result.fetchall() == [("old",)]:
                    return
                assert time.monotonic() < until, "the replica does not answer, or is where it was already"
                time.sleep(0.02)

    with fleet_servers.restored():
        try:
            yield restart
        finally:
            fleet_servers.start()
            fleet_servers.sql(replica, "ALTER SYSTEM RESET recovery_min_apply_delay", database="postgres")
            fleet_servers.reload(replica.direct or replica, "recovery_min_apply_delay", "0")


@pytest.fixture
def key(either: Fleet, fleet_servers: Servers) -> int:
    """A row that is `old` at the replica's restart point, and `new` where it is now."""
    keys = (key for key in range(1000) if either.explain(READ, [key]).to_dict()["shards"]["shards"] == ["s1"])
    key = next(keys)
    shard = either.topology.domains[0].shard("s1")
    either.execute(WRITE, [key, "old"])
    fleet_servers.wait_replayed()
    for node in (shard.primary, shard.replicas[0]):
        fleet_servers.sql(node, "CHECKPOINT", database="postgres")
        fleet_servers.wait_replayed()
    return key


def _new(session: Session, key: int) -> bool:
    return session.execute(READ, [key]).fetchall() == [("new",)]


def _streamed(session: Session, key: int) -> bool:
    return list(session.stream(READ, [key])) == [("new",)]


@pytest.mark.parametrize("read", [_new, _streamed])
@pytest.mark.parametrize("wrote", [True, False], ids=["own write", "seen"])
def test_a_session_does_not_go_back(
    either: Fleet,
    fleet_servers: Servers,
    key: int,
    restart: Callable[[int], None],
    wrote: bool,
    read: Callable[[Session, int], bool],
) -> None:
    with either.session() as writer, either.session() as reader, either.session() as third:
        writer.execute(WRITE, [key, "new"])
        fleet_servers.wait_replayed()
        session = writer if wrote else reader
        for one in (session, third):
            until = time.monotonic() + 10
            while "replica" not in str(one.execute(READ, [key]).node):
                assert time.monotonic() < until, "the replica is not read"
            assert _new(one, key)
        restart(key)
        for _ in range(5):
            assert read(session, key)
        with either.session(token=third.token()) as later:
            assert read(later, key)


@pytest.mark.parametrize("read", [_new, _streamed])
def test_what_was_known_of_it_counts_no_more(
    either: Fleet,
    fleet_servers: Servers,
    key: int,
    restart: Callable[[int], None],
    read: Callable[[Session, int], bool],
) -> None:
    """A session that has not read it, routed by what the process knew of the replica before."""
    health = either._states["app"].health
    replica = either.topology.domains[0].shard("s1").replicas[0]
    with either.session() as writer:
        writer.execute(WRITE, [key, "new"])
        token = writer.token()
    restart(key)
    for _ in range(20):
        with either.session(token=token) as session:
            floor = session._conversation.footings["s1"].floor
            assert floor is not None
            # (The heartbeat learns the truth soon: until then.)
            health.note_replayed(replica, floor, "the run before")
            assert read(session, key)
