"""Reads of a MariaDB domain on replicas: a session sees its own writes, by GTID numbers."""

from __future__ import annotations

import contextlib
import time

import pytest

import outgrow
from outgrow import local
from outgrow.topology import parse
from tests import mariadb


@pytest.fixture(scope="module")
def fleet():
    mariadb.required()
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(local.temporary_mariadb(1, replicas=1))
        [replica] = servers[0].replicas
        text = f"""
fleet: shop
domains:
  sales:
    engine: mariadb
    slots: 64
    shards:
      s1: {{primary: "{servers[0].dsn()}", replicas: ["{replica.dsn()}"]}}
    tables:
      t: {{shard_by: id}}
secret: {{env: SECRET}}
"""
        made = stack.enter_context(outgrow.open(parse(text, environment={"SECRET": "x" * 32}), install=True))
        with made.session() as session:
            session.execute("CREATE TABLE t (id int PRIMARY KEY, n int)", shard="s1")
            session.execute("INSERT INTO t VALUES (1, 0)")
        yield made


def linked(node):
    import pymysql

    from outgrow.topology import parameters

    place = parameters(node.dsn)
    return contextlib.closing(
        pymysql.connect(
            host=place["host"], port=int(place["port"]), user="app", password=place["password"], database="app"
        )
    )


def written_and_read(fleet, sign: int) -> None:
    """300 writes, each read at once; and the replica answers some of the reads."""
    nodes = set()
    with fleet.session() as session:
        for number in range(300):
            session.execute("UPDATE t SET n = %s WHERE id = 1", [sign * number])
            result = session.execute("SELECT n FROM t WHERE id = %s", [1])
            assert result.fetchone() == (sign * number,)
            nodes.update(result.nodes)
        until = time.monotonic() + 5
        while "sales/s1/replica1" not in nodes and time.monotonic() < until:
            time.sleep(0.05)
            nodes.update(session.execute("SELECT n FROM t WHERE id = 1").nodes)
    assert "sales/s1/replica1" in nodes


def test_a_session_sees_its_own_writes_and_replicas_answer(fleet):
    written_and_read(fleet, 1)


def test_a_token_makes_another_session_see_it(fleet):
    for number in range(1000, 1100):
        with fleet.session() as writer:
            writer.execute("UPDATE t SET n = %s WHERE id = 1", [number])
            token = writer.token()
        with fleet.session(token=token) as reader:
            assert reader.execute("SELECT n FROM t WHERE id = 1").fetchone() == (number,)


def test_another_gtid_domain_above_its_own_changes_nothing(fleet):
    """The last domain of a log is the greatest, which need not be the shard's: its numbers are not our writes'."""
    with linked(fleet.topology.domains[0].shards[0].primary) as link, link.cursor() as cursor:
        cursor.execute("SET SESSION gtid_domain_id = 99")
        cursor.execute("CREATE TABLE elsewhere (a int)")
        for number in range(800):
            cursor.execute("INSERT INTO elsewhere VALUES (%s)", [number])
            link.commit()
        cursor.execute("SELECT @@gtid_binlog_pos")
        assert ",99-" in cursor.fetchone()[0]
    time.sleep(0.3)
    written_and_read(fleet, -1)


def test_servers_of_a_shard_with_different_domains_mean_the_same(fleet):
    """Places are numbers of the primary's domain, which is in the ledger, and another one begins another generation."""
    [shard] = fleet.topology.domains[0].shards
    for node in (shard.replicas[0], shard.primary):
        with linked(node) as link, link.cursor() as cursor:
            cursor.execute("SET GLOBAL gtid_domain_id = 99")
        try:
            with outgrow.open(fleet.topology) as other:
                written_and_read(other, 1)
        finally:
            with linked(node) as link, link.cursor() as cursor:
                cursor.execute("SET GLOBAL gtid_domain_id = 1")
    with outgrow.open(fleet.topology) as other:
        written_and_read(other, -1)


def test_a_replica_takes_no_writes(fleet):
    """Also not from a user with all privileges but that one."""
    import pymysql

    [replica] = fleet.topology.domains[0].shards[0].replicas
    with linked(replica) as link, link.cursor() as cursor, pytest.raises(pymysql.err.OperationalError) as caught:
        cursor.execute("INSERT INTO t VALUES (9, 9)")
    assert caught.value.args[0] == 1290
