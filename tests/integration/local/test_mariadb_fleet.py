"""A local fleet of MariaDB: up, down, and up again after everything was killed; replicas follow by GTID."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outgrow import local
from outgrow.errors import ConfigurationError
from outgrow.local import processes, state
from outgrow.local.temporary import reserved
from outgrow.topology import Topology, parameters, read
from tests import mariadb


@pytest.fixture
def place() -> Iterator[Path]:
    mariadb.required()
    with reserved() as directory:
        yield directory
        local.down(directory, delete=True)
        assert processes.of(directory) == []
        assert not directory.exists()


def up(place: Path, shards: int | None = None, replicas: int | None = None, **more: Any) -> Topology:
    return local.up(shards, replicas, place, durable=False, **more)


def asked(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    import pymysql

    found = parameters(dsn)
    where: dict[str, Any] = {"unix_socket": found["socket"]} if "socket" in found else {"host": found["host"]}
    if "port" in found:
        where["port"] = int(found["port"])
    with (
        contextlib.closing(
            pymysql.connect(**where, user="app", password=found.get("password", ""), database="app", autocommit=True)
        ) as link,
        link.cursor() as cursor,
    ):
        cursor.execute(sql)
        return list(cursor.fetchall())


def replayed(primary: str, replica: str) -> None:
    [(place,)] = asked(primary, "SELECT @@gtid_binlog_pos")
    assert asked(replica, f"SELECT MASTER_GTID_WAIT('{place}', 30)") == [(0,)]


def test_up_killed_up_down(place: Path) -> None:
    topology = up(place, 2, 1, engine="mariadb")
    [domain] = topology.domains
    assert domain.engine == "mariadb"
    first = local.status(place)
    assert (first.engine, first.running) == ("MariaDB", True)
    assert [(s.shard, s.name, s.replays) for s in first.servers] == [
        ("s1", "primary", False), ("s1", "replica1", True), ("s2", "primary", False), ("s2", "replica1", True)
    ]  # fmt: skip
    for number, shard in enumerate(domain.shards, 1):
        # A GTID domain for each shard, and servers that nobody takes for each other.
        said = "SELECT @@gtid_domain_id, @@server_id, @@read_only, @@log_bin, @@sql_mode LIKE '%STRICT%'"
        assert asked(shard.primary.dsn, said) == [(number, number * 100 + 1, 0, 1, 1)]
        assert asked(shard.replicas[0].dsn, said)[0][:3] == (number, number * 100 + 2, 1)
        asked(shard.primary.dsn, "CREATE TABLE mark (at INT)")
        asked(shard.primary.dsn, f"INSERT INTO mark VALUES ({number})")
        replayed(shard.primary.dsn, shard.replicas[0].dsn)
        assert asked(shard.replicas[0].dsn, "SELECT at FROM mark") == [(number,)]
        with pytest.raises(Exception, match="read-only"):
            asked(shard.replicas[0].dsn, "INSERT INTO mark VALUES (9)")

    for server in first.servers:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while processes.of(place) and time.monotonic() < until:
        time.sleep(0.05)
    assert [server.condition for server in local.status(place).servers] == ["stopped"] * 4
    # The primary's port is somebody else's now, so it moves, and its replica follows it there.
    import socket

    with socket.create_server(("127.0.0.1", first.servers[0].port)):
        again = up(place)
    assert again.domains[0].shards != domain.shards and again == read(place / "fleet.yaml")
    shard = again.domains[0].shards[0]
    asked(shard.primary.dsn, "INSERT INTO mark VALUES (10)")
    replayed(shard.primary.dsn, shard.replicas[0].dsn)
    assert asked(shard.replicas[0].dsn, "SELECT at FROM mark ORDER BY at") == [(1,), (10,)]

    with pytest.raises(ConfigurationError, match="one of MariaDB"):
        up(place, engine="postgresql")
    assert local.down(place)
    assert not local.down(place)
    assert local.status(place).servers[0].condition == "stopped"


@pytest.mark.long
def test_tcp_needs_the_password(place: Path) -> None:
    [domain] = up(place, 1, 0, engine="mariadb", tcp=True).domains
    dsn = domain.shards[0].primary.dsn
    assert asked(dsn, "SELECT 1") == [(1,)]
    password = parameters(dsn)["password"]
    with pytest.raises(Exception, match="Access denied"):
        asked(dsn.replace(password, "wrong"), "SELECT 1")
    with pytest.raises(Exception, match="Access denied"):
        asked(dsn.replace("app:", "root:").replace(password, ""), "SELECT 1")
    known = state.load(place)
    assert known is not None and known.engine == "mariadb"


@pytest.mark.long
def test_an_up_that_was_killed_can_be_repeated(place: Path) -> None:
    import subprocess
    import sys

    code = "import sys; from outgrow import local; local.up(1, 1, sys.argv[1], durable=False, engine='mariadb')"
    for seconds in (0.5, 1.5, 3.0):
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([sys.executable, "-c", code, str(place)], timeout=seconds, check=False)
    [domain] = up(place, 1, 1, engine="mariadb").domains
    replayed(domain.shards[0].primary.dsn, domain.shards[0].replicas[0].dsn)
    assert local.status(place).running
