"""A promoted MariaDB replica is noticed by itself: writes go on, no session goes back, no number comes twice."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import outgrow
from outgrow import local
from outgrow.errors import OperationalError
from outgrow.local.mariadb import MariadbServer
from outgrow.runtime.numbers import ids
from outgrow.topology import Topology, parse
from outgrow.transactions import MariadbBranch, commit
from tests import mariadb

TABLES = (
    "CREATE TABLE t (id bigint PRIMARY KEY, n int)",
    "CREATE TABLE o (id bigint AUTO_INCREMENT PRIMARY KEY, n int)",
)


@dataclass
class World:
    """Two shards, each a primary and a replica."""

    primaries: list[MariadbServer]
    topology: Topology

    def sql(self, server: MariadbServer, *statements: str) -> list:
        """As root, whom read_only does not bind."""
        import pymysql

        place = {"unix_socket": str(server.socket), "user": "root", "password": server.password, "database": "app"}
        with contextlib.closing(pymysql.connect(**place, autocommit=True)) as link, link.cursor() as cursor:
            for text in statements:
                cursor.execute(text)
            return list(cursor.fetchall())

    def replica(self, shard: int) -> MariadbServer:
        [found] = self.primaries[shard].replicas
        return found

    def wait_replayed(self) -> None:
        for primary in self.primaries:
            [[place]] = self.sql(primary, "SELECT @@gtid_binlog_pos")
            [replica] = primary.replicas
            assert self.sql(replica, f"SELECT MASTER_GTID_WAIT('{place}', 20)") == [(0,)]

    def promote(self, shard: int) -> None:
        self.sql(self.replica(shard), "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0")

    def demote(self, shard: int) -> None:
        """The old primary follows the new one."""
        old, new = self.primaries[shard], self.replica(shard)
        self.sql(
            old,
            "SET GLOBAL read_only = 1",
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={new.port}, MASTER_USER='app', "
            f"MASTER_PASSWORD='{new.password}', MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=current_pos",
            "START SLAVE",
        )


@contextlib.contextmanager
def standing(strategy: str = "") -> Iterator[World]:
    mariadb.required()
    with local.temporary_mariadb(2, replicas=1) as primaries:
        lines = ""
        for number, primary in enumerate(primaries, 1):
            [replica] = primary.replicas
            lines += f'      s{number}: {{primary: "{primary.dsn()}", replicas: ["{replica.dsn()}"]}}\n'
        head = f"fleet: shop\ndomains:\n  sales:\n    engine: mariadb\n    slots: 64\n{strategy}    shards:\n{lines}"
        text = head + "    tables: {t: {shard_by: id}, o: {shard_by: id}}\nsecret: {env: SECRET}\n"
        made = World(primaries, parse(text, environment={"SECRET": "x" * 32}))
        with outgrow.open(made.topology, install=True) as fleet, fleet.session() as session:
            for sql in TABLES:
                session.execute(sql)
            for id in range(40):
                session.execute("INSERT INTO t VALUES (%s, 0)", [id])
        made.wait_replayed()
        yield made


@pytest.fixture
def world() -> Iterator[World]:
    with standing() as made:
        yield made


@pytest.fixture
def listed() -> Iterator[World]:
    """Keys stand in a directory; all lie on the first shard."""
    with standing("    strategy: directory\n    directory: {int8: {assign: s1}}\n") as made:
        yield made


def written(session, n: int) -> None:
    """Every row, each as soon as its shard has a primary again."""
    until = time.monotonic() + 20
    for id in range(40):
        while True:
            try:
                assert session.execute("UPDATE t SET n = %s WHERE id = %s", [n, id]).rowcount == 1
                break
            except outgrow.Error:
                assert time.monotonic() < until, "the promoted replica was never found"
                time.sleep(0.05)


def all_are(session, n: int) -> set[str]:
    nodes: set[str] = set()
    for id in range(40):
        result = session.execute("SELECT n FROM t WHERE id = %s", [id])
        assert result.fetchall() == [(n,)]
        nodes.update(result.nodes)
    return nodes


def test_a_killed_primary_s_replica_takes_over_and_the_old_one_comes_back(world: World) -> None:
    with outgrow.open(world.topology) as fleet, fleet.session() as session:
        written(session, 1)
        token = session.token()
        world.wait_replayed()
        world.primaries[0].stop(at_once=True)
        world.promote(0)
        written(session, 2)
        assert "sales/s1/replica1" in all_are(session, 2)
        floor = session._conversation.footing("s1").floor
        assert floor is not None and floor.generation == 2
        with fleet.session(token=token) as other:
            all_are(other, 2)
        # It comes back as it was, and takes itself for a primary: nobody writes there.
        world.primaries[0].start()
        written(session, 3)
        all_are(session, 3)
        assert world.sql(world.primaries[0], "SELECT MAX(n) FROM t") == [(1,)]
        world.demote(0)
        # Whoever comes with the file of before goes where the servers say.
        token = session.token()
        with outgrow.open(world.topology) as late, late.session(token=token) as other:
            all_are(other, 3)
            written(other, 4)
            all_are(other, 4)
        nodes: set[str] = set()
        until = time.monotonic() + 20
        while "sales/s1/primary" not in nodes and time.monotonic() < until:
            nodes |= all_are(session, 4) if session.execute("SELECT MIN(n) FROM t").fetchone() == (4,) else set()
        assert "sales/s1/primary" in nodes
        written(session, 5)
        all_are(session, 5)


def test_a_planned_switch_loses_nothing(world: World) -> None:
    with outgrow.open(world.topology) as fleet, fleet.session() as session:
        written(session, 1)
        world.sql(world.primaries[0], "SET GLOBAL read_only = 1")
        world.wait_replayed()
        world.promote(0)
        world.demote(0)
        written(session, 2)
        all_are(session, 2)
        with session.transaction():
            session.execute("UPDATE t SET n = 3")
        all_are(session, 3)
        world.sql(world.primaries[0], "STOP SLAVE")
        written(session, 4)
        for level in ("strong", "session"):
            with outgrow.open(world.topology) as late, late.session(level=level, token=session.token()) as other:
                all_are(other, 4)
        world.sql(world.primaries[0], "START SLAVE")
        written(session, 3)
        assert world.sql(world.replica(0), "SELECT MIN(n), MAX(n) FROM t") == [(3, 3)]


def test_numbers_whose_leases_are_lost_come_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = ids.wall_ns()
    monkeypatch.setattr(ids, "wall_ns", lambda: moment)
    with outgrow.open(world.topology) as before:
        drawn = before.sequence("o.id").take(3)
        minted = [before.new_id() for _ in range(3)]
        world.wait_replayed()
        # The replica is cut off: what comes now is lost with the primary.
        world.sql(world.replica(0), "STOP SLAVE")
        drawn += before.sequence("o.id").take(500)
        with outgrow.open(world.topology) as lost:
            minted += [lost.new_id() for _ in range(3)]
            forgotten = lost.sequence("o.id")
            drawn += [forgotten.next()]
            world.primaries[0].stop(at_once=True)
            world.promote(0)
            with outgrow.open(world.topology) as after:
                drawn += after.sequence("o.id").take(2000)
                minted += [after.new_id() for _ in range(3)]
            # These two still hold what they leased, until they meet the new primary.
            drawn += forgotten.take(60)
            minted += [lost.new_id() for _ in range(3)]
            drawn += before.sequence("o.id").take(60)
            minted += [before.new_id() for _ in range(3)]
    assert len(set(drawn)) == len(drawn) == 3 + 500 + 1 + 2000 + 120
    assert len(set(minted)) == len(minted) == 15


def test_a_key_migrates_only_as_replicas_get_it(listed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is prepared nowhere else is taken back; on a decision that no replica has, nobody acts."""
    monkeypatch.setattr(commit, "FOLLOW_SECONDS", 0.5)
    # (Recovery leaves alone what is younger than a second.)
    monkeypatch.setattr(commit, "SETTLE_SECONDS", 1.2)
    with outgrow.open(listed.topology) as fleet, fleet.session() as session:
        migrate = fleet.directory().migrate
        listed.sql(listed.replica(1), "STOP SLAVE")
        with pytest.raises(OperationalError, match="no replica of s2 has got") as caught:
            migrate(1, "s2", type="int8")
        assert caught.value.code == "OG-TX-012"
        listed.sql(listed.replica(1), "START SLAVE")
        assert migrate(1, "s2", type="int8").pending == ()
        decide = MariadbBranch.decide_steps

        def alone(self, *args):
            listed.sql(listed.replica(0), "STOP SLAVE")
            yield from decide(self, *args)

        monkeypatch.setattr(MariadbBranch, "decide_steps", alone)
        with pytest.raises(OperationalError, match="no replica of s1 has got the decision"):
            migrate(2, "s2", type="int8")
        assert {left.shard for left in fleet.recover().left} == {"s2"}
        listed.sql(listed.replica(0), "START SLAVE")
        listed.wait_replayed()
        until = time.monotonic() + 20
        while fleet.recover().left:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert session.execute("SELECT id, n FROM t WHERE id IN (1, 2)").fetchall() == [(1, 0), (2, 0)]
    for shard, rows in ((0, []), (1, [(1,), (2,)])):
        assert listed.sql(listed.primaries[shard], "SELECT id FROM t WHERE id IN (1, 2) ORDER BY id") == rows
