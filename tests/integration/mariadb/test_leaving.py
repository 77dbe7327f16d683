"""A commit that a MariaDB replica shows and its primary does not yet: it stands in the binary log, and waits there."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

import outgrow
from outgrow.topology import parameters
from tests.integration.mariadb.test_replicas import fleet

__all__ = ["fleet"]

READ = "SELECT n FROM t WHERE id = 1"
WAITING = ("rpl_semi_sync_master_wait_no_slave = ON", "rpl_semi_sync_master_timeout = 60000")


def _link(fleet):
    import pymysql

    place = parameters(fleet.topology.domains[0].shards[0].primary.dsn)
    at = {"host": place["host"], "port": int(place["port"]), "database": "app", "autocommit": True}
    return pymysql.connect(user="app", password=place["password"], **at)


@pytest.fixture
def over(fleet):
    """After AFTER_SYNC has been set, commits wait between log and engine; called, they wait no longer."""
    with contextlib.closing(_link(fleet)) as link, link.cursor() as cursor:
        cursor.execute("UPDATE t SET n = 1 WHERE id = 1")
        for setting in (*WAITING, "rpl_semi_sync_master_wait_point = AFTER_SYNC", "rpl_semi_sync_master_enabled = ON"):
            cursor.execute(f"SET GLOBAL {setting}")
        writer = threading.Thread(target=_write, args=(fleet,))
        writer.start()

        def over():
            cursor.execute("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
            writer.join(20)

        try:
            yield over
        finally:
            over()


def _write(fleet):
    with contextlib.closing(_link(fleet)) as link, link.cursor() as cursor:
        cursor.execute("UPDATE t SET n = 2 WHERE id = 1")


def test_the_primary_is_waited_for(fleet, over):
    until = time.monotonic() + 20
    while True:
        session = fleet.session()
        result = session.execute(READ)
        if "replica" in str(result.node) and result.fetchone() == (2,):
            break
        assert time.monotonic() < until, "no replica shows it"
        time.sleep(0.01)
    with fleet.session(level="strong") as strong:
        assert strong.execute(READ).fetchone() == (1,), "the primary shows it already"
    with session:
        with pytest.raises(outgrow.OperationalError) as caught, session.transaction():
            session.execute(READ, timeout_seconds=0.2)
        assert caught.value.code == "OG-RUN-015"
        timer = threading.Timer(0.2, over)
        timer.start()
        with session.transaction():
            assert session.execute(READ).fetchone() == (2,)
        timer.join()
