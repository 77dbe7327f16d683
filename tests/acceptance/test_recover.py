"""`outgrow recover` ends what a dead process has left prepared, as the deciding shard says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import UUID

import psycopg

import outgrow
from outgrow.doors import dbapi
from outgrow.topology import Sharded, TableName, Topology, write
from outgrow.transactions import TransactionId, numbered
from tests.acceptance import program
from tests.servers import Servers


def recover(directory: Path, *more: str) -> tuple[int, str]:
    ended = program.outgrow("recover", "--fleet", str(directory / "fleet.yaml"), *more)
    return ended.returncode, ended.stdout + ended.stderr


def leave(topology: Topology, account: int, number: UUID, *, decided: bool) -> str:
    """What a coordinator leaves that dies before its decision, or behind it."""
    domain = topology.domains[0]
    first, last = domain.shards
    id = TransactionId(domain.name, last.name, number)
    with psycopg.connect(first.primary.dsn, autocommit=True) as link:
        link.execute("BEGIN")
        link.execute("INSERT INTO outgrow.stamps (id, shards) VALUES (%s, %s)", [number, [first.name, last.name]])
        link.execute("INSERT INTO accounts VALUES (%s)", [account])
        link.execute(f"PREPARE TRANSACTION '{id.gid(1)}'".encode())
    if decided:
        with psycopg.connect(last.primary.dsn) as link:
            link.execute("INSERT INTO outgrow.decisions (id, outcome) VALUES (%s, 'committed')", [number])
    return str(id)


def test_what_the_dead_have_left_is_ended(fleet_servers: Servers, tmp_path: Path) -> None:
    topology = fleet_servers.fresh({TableName("public", "accounts"): Sharded(("id",))})
    (tmp_path / "fleet.yaml").write_text(write(topology))
    with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
        session.execute("CREATE TABLE accounts (id int8)")
    assert recover(tmp_path) == (0, "0 committed, 0 aborted, 0 left\n")
    now = time.time()
    done = leave(topology, 1, numbered(now, bytes(10)), decided=True)
    undone = leave(topology, 2, numbered(now, b"\1" * 10), decided=False)
    time.sleep(1.2)
    code, said = recover(tmp_path)
    assert code == 0 and sorted(said.splitlines()) == sorted(
        [f"committed: {done}", f"aborted: {undone}", "1 committed, 1 aborted, 0 left"]
    )
    with psycopg.connect(topology.domains[0].shards[0].primary.dsn) as link:
        assert link.execute("SELECT id FROM accounts").fetchall() == [(1,)]
    assert recover(tmp_path)[1] == "0 committed, 0 aborted, 0 left\n"


def test_what_must_stay_is_named_and_the_exit_code_says_so(fleet_servers: Servers, tmp_path: Path) -> None:
    topology = fleet_servers.fresh({TableName("public", "accounts"): Sharded(("id",))})
    (tmp_path / "fleet.yaml").write_text(write(topology))
    with outgrow.open(topology, install=True) as fleet, fleet.session() as session:
        session.execute("CREATE TABLE accounts (id int8)")
    young = leave(topology, 3, numbered(time.time(), b"\2" * 10), decided=False)
    with psycopg.connect(topology.domains[0].shards[1].primary.dsn) as coordinator:
        # Its coordinator is there: the lock says so.
        key = int.from_bytes(UUID(young.rpartition("/")[2]).bytes[8:], "big", signed=True)
        coordinator.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        time.sleep(1.2)
        code, said = recover(tmp_path, "--json")
        assert code == 1
        assert json.loads(said) == {"committed": [], "aborted": [], "left": [young], "unreachable": [], "foreign": []}
    assert recover(tmp_path, "--json")[0] == 0


def test_what_an_applications_coordinator_decides_is_named_and_left(fleet_servers: Servers, tmp_path: Path) -> None:
    topology = fleet_servers.fresh({TableName("public", "accounts"): Sharded(("id",))})
    (tmp_path / "fleet.yaml").write_text(write(topology))
    with outgrow.open(topology, install=True) as fleet, dbapi.connect(fleet) as connection:
        fleet.execute("CREATE TABLE accounts (id int8)")
        connection.tpc_begin(connection.xid(7, "order 42", "stock"))
        connection.cursor().executemany("INSERT INTO accounts VALUES (%s)", [(id,) for id in range(10)])
        connection.tpc_prepare()
        time.sleep(1.2)
        code, said = recover(tmp_path)
        lines = said.splitlines()
        assert code == 0 and len(lines) == 2
        assert lines[0].startswith("left to the application's coordinator: (7, 'order 42', 'stock'), prepared ")
        assert lines[1] == "0 committed, 0 aborted, 0 left"
        code, said = recover(tmp_path, "--json")
        (waiting,) = json.loads(said)["foreign"]
        assert code == 0 and waiting["xid"] == [7, "order 42", "stock"] and waiting["age_seconds"] > 1
        connection.tpc_commit()
        assert fleet.execute("SELECT count(*) FROM accounts").fetchall() == [(10,)]
