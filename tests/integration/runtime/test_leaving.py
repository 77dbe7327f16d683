"""A commit that a replica shows and its primary does not yet: a session that has seen it never loses it again.

The primary waits for a synchronous replica that does not exist: its commits are in the log, and on the replica, but
not visible, for as long as the test likes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.route import Token
from outgrow.runtime import leaving
from outgrow.topology import Node
from tests import pgbouncer
from tests.servers import Servers

READ = "SELECT name FROM customers WHERE customer_id = %s"
WRITE = "INSERT INTO customers VALUES (%s, %s, 'DE') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name"
SYNCHRONOUS = "synchronous_standby_names"


@pytest.fixture(params=["direct", "pooled"])
def open_fleet(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Fleet]:
    if request.param == "direct":
        yield fleet
        return
    with pgbouncer.before(fleet.topology) as started:
        assert started.topology is not None
        with outgrow.open(started.topology) as opened:
            yield opened


class Shard:
    """The shard s1, whose primary does not show what was committed last."""

    def __init__(self, fleet: Fleet, servers: Servers) -> None:
        self.fleet, self.servers = fleet, servers
        shard = fleet.topology.domains[0].shard("s1")
        self.primary, self.replica = shard.primary, shard.replicas[0]
        keys = (key for key in range(1000) if fleet.explain(READ, [key]).to_dict()["shards"]["shards"] == ["s1"])
        self.key, self.other = next(keys), next(keys)
        self.threads: list[threading.Thread] = []

    def committing(self, sql: str) -> None:
        """Run it past outgrow; the replica shows it soon, the primary only when `over`."""
        node = self.primary.direct or self.primary
        self.threads.append(threading.Thread(target=_run, args=(node, sql)))
        self.threads[-1].start()

    def begin(self) -> None:
        """Commits wait from now on; backends do so only once the checkpointer has read the setting, too."""
        self.servers.sql(self.primary, f"ALTER SYSTEM SET {SYNCHRONOUS} = 'nobody'", database="postgres")
        self.servers.reload(self.primary.direct or self.primary, SYNCHRONOUS, "nobody")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        while True:
            self.committing("SELECT pg_logical_emit_message(true, 'test', 'x')")
            while self.threads[-1].is_alive():
                if self.servers.sql(self.primary, waiting) != [(0,)]:
                    return

    def over(self) -> None:
        self.servers.sql(self.primary, f"ALTER SYSTEM RESET {SYNCHRONOUS}", database="postgres")
        self.servers.reload((self.primary.direct or self.primary), SYNCHRONOUS, "")
        for thread in self.threads:
            thread.join(20)

    def session_that_saw(self, wanted: str) -> Session:
        until = time.monotonic() + 20
        while True:
            session = self.fleet.session()
            result = session.execute(READ, [self.key])
            if "replica" in str(result.node) and result.fetchall() == [(wanted,)]:
                return session
            assert time.monotonic() < until, "no replica shows it"
            time.sleep(0.01)


def _run(node: Node, sql: str) -> None:
    with psycopg.connect(node.dsn, autocommit=True) as link:
        link.execute(sql.encode())


@pytest.fixture
def shard(open_fleet: Fleet, fleet_servers: Servers) -> Iterator[Shard]:
    shard = Shard(open_fleet, fleet_servers)
    open_fleet.execute(WRITE, [shard.key, "old"])
    open_fleet.execute(WRITE, [shard.other, "other"])
    fleet_servers.wait_replayed()
    with fleet_servers.restored():
        try:
            shard.begin()
            shard.committing(f"UPDATE customers SET name = 'new' WHERE customer_id = {shard.key}")
            yield shard
        finally:
            shard.over()


def _moved(shard: Shard, session: Session) -> Session:
    """It has seen the same, and something written since that the replica does not have: the primary is read."""
    shard.servers.sql(shard.replica, "SELECT pg_wal_replay_pause()", database="postgres")
    with shard.fleet.session() as writer:
        writer.execute("SET synchronous_commit = local")
        writer.execute(WRITE, [shard.other, "again"])
        behind = writer.token()
    secret = shard.fleet.topology.secret
    assert secret is not None
    merged = Token.read(session.token(), secret).merged(Token.read(behind, secret))
    return shard.fleet.session(token=merged.sign(secret))


def _by_a_read(shard: Shard, session: Session) -> list[tuple[object, ...]]:
    with _moved(shard, session) as later:
        result = later.execute(READ, [shard.key], timeout_seconds=0.6)
        assert "primary" in str(result.node)
        return result.fetchall()


def _by_a_stream(shard: Shard, session: Session) -> list[tuple[object, ...]]:
    with _moved(shard, session) as later:
        return list(later.stream(READ, [shard.key], timeout_seconds=0.6))


def _in_a_transaction(shard: Shard, session: Session) -> list[tuple[object, ...]]:
    with session.transaction():
        return session.execute(READ, [shard.key], timeout_seconds=0.6).fetchall()


def _by_a_write(shard: Shard, session: Session) -> list[tuple[object, ...]]:
    session.execute("SET synchronous_commit = local")
    sql = f"UPDATE customers SET country = (SELECT name FROM customers WHERE customer_id = {shard.key}) "
    sql += f"WHERE customer_id = {shard.other} RETURNING country"
    return session.execute(sql, shard="s1", timeout_seconds=0.6).fetchall()


WAYS = [_by_a_read, _in_a_transaction, _by_a_write, _by_a_stream]


@pytest.mark.parametrize("way", WAYS)
def test_the_primary_is_waited_for(shard: Shard, way: Callable[[Shard, Session], list[tuple[object, ...]]]) -> None:
    session = shard.session_that_saw("new")
    with shard.fleet.session(level="strong") as strong:
        assert strong.execute(READ, [shard.key]).fetchall() == [("old",)], "the primary shows it already"
    with contextlib.closing(session):
        told = shard.fleet.explain(WRITE, [shard.key, "x"], session=session)
        assert "must show what this session has seen" in str(told)
        timer = threading.Timer(0.2, shard.over)
        timer.start()
        assert way(shard, session) == [("new",)]
        timer.join()


def test_what_is_not_shown_in_time_is_an_error(shard: Shard) -> None:
    session = shard.session_that_saw("new")
    with pytest.raises(outgrow.OperationalError) as caught, session.transaction():
        session.execute(READ, [shard.key], timeout_seconds=0.3)
    assert caught.value.code == "OG-RUN-015"
    # The session goes on where it was.
    assert session.execute(READ, [shard.key]).fetchall() == [("new",)]


def test_nobody_waits_for_a_transaction_that_is_only_open(shard: Shard) -> None:
    """What the replica does not know to be over, it cannot have shown."""
    shard.over()
    link = psycopg.connect((shard.primary.direct or shard.primary).dsn)
    link.execute(f"UPDATE customers SET name = 'never' WHERE customer_id = {shard.other}".encode())
    shard.committing(f"UPDATE customers SET country = 'FR' WHERE customer_id = {shard.key}")
    with contextlib.closing(link), contextlib.closing(shard.session_that_saw("new")) as session:
        started = time.monotonic()
        assert _in_a_transaction(shard, session) == [("new",)]
        assert time.monotonic() - started < leaving.UNKNOWN_SECONDS / 2


def test_a_lost_replica_can_say_nothing_and_is_not_waited_for_long(shard: Shard) -> None:
    session = shard.session_that_saw("new")
    shard.servers.kill(shard.replica)
    timer = threading.Timer(0.2, shard.over)
    timer.start()
    with contextlib.closing(session), session.transaction():
        assert session.execute(READ, [shard.key]).fetchall() == [("new",)]
    timer.join()
