"""Two processes behind PgBouncer: what one has written or read, the other sees, by the token that it is handed."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.topology import write
from tests.integration.pooler.test_sessions import READ, WRITE, keys_of, replica_of
from tests.pgbouncer import Pooler
from tests.servers import Servers

#: In the ordinary run, and in the long one.
ROUNDS, ROUNDS_LONG = 50, 500
BUMP = """INSERT INTO customers VALUES (%s, '1', 'DE')
    ON CONFLICT (customer_id) DO UPDATE SET name = (customers.name::int8 + 1)::text RETURNING name"""
ALL = "SELECT customer_id, name FROM customers WHERE customer_id = ANY (%s)"


@pytest.fixture(scope="module")
def path(pooler: Pooler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert pooler.topology is not None and pooler.topology.secret is not None
    folder = tmp_path_factory.mktemp("processes")
    (folder / "secret").write_bytes(pooler.topology.secret)
    (folder / "fleet.yaml").write_text(write(pooler.topology, secret={"file": "secret"}))
    return folder / "fleet.yaml"


def _other(path: Path, end: Connection) -> None:
    """In a process of its own: whatever it is told to do."""
    with outgrow.open(path) as fleet:
        held = fleet.session()
        while (told := end.recv()) is not None:
            what, token, params = told
            session = held if token is None else fleet.session(token=token)
            end.send((_done(session, what, params), session.token()))
    end.close()


def _done(session: Session, what: str, params: list[Any]) -> Any:
    if what == "bump":
        return int(session.execute(BUMP, params).fetchall()[0][0])
    if what == "both":
        with session.transaction():
            return [int(session.execute(BUMP, [key]).fetchall()[0][0]) for key in params]
    return {key: int(name) for key, name in session.execute(ALL, [params]).fetchall()}


class Other:
    def __init__(self, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=_other, args=(path, theirs))
        self._process.start()

    def ask(self, what: str, token: str | None, params: list[Any]) -> tuple[Any, str]:
        self._end.send((what, token, params))
        assert self._end.poll(60), "the other process does not answer"
        done, seen = self._end.recv()
        return done, seen

    def close(self) -> None:
        self._end.send(None)
        self._process.join(20)
        self._process.kill()


@pytest.fixture(scope="module")
def others(path: Path) -> Any:
    both = [Other(path), Other(path)]
    yield both
    for other in both:
        other.close()


@pytest.mark.parametrize("paused", [False, True], ids=["replaying", "paused"])
def test_tokens_between_two_processes(
    paused: bool, others: list[Other], fleet: Fleet, fleet_servers: Servers, seed: int, request: pytest.FixtureRequest
) -> None:
    """Read-your-writes and monotonic reads, over single statements and transactions of both shards."""
    draw = random.Random(seed)
    keys = [keys_of(fleet, "s1")[0], keys_of(fleet, "s2")[0]]
    fleet.execute("DELETE FROM customers")
    known = dict.fromkeys(keys, 0)
    token: str | None = None
    with fleet_servers.restored():
        if paused:
            fleet_servers.sql(replica_of(fleet, "s1"), "SELECT pg_wal_replay_pause()")
        for _ in range(ROUNDS_LONG if request.config.getoption("--long") else ROUNDS):
            writer, reader = draw.sample(others, 2)
            what = draw.choice(("bump", "both", "read", "read"))
            if what == "bump":
                key = draw.choice(keys)
                known[key], token = writer.ask("bump", token, [key])
            elif what == "both":
                values, token = writer.ask("both", token, keys)
                known = dict(zip(keys, values, strict=True))
            for asked in (reader, draw.choice(others)):
                seen, token = asked.ask("read", token, keys)
                assert {key: seen.get(key, 0) for key in keys} == known
    # What they saw they saw together: nobody else has written.
    with fleet.session(level="strong") as strong:
        assert {row[0]: int(row[1]) for row in strong.execute(ALL, [keys]).fetchall()} == known


def test_reads_never_go_back_while_others_write(path: Path, fleet: Fleet) -> None:
    """One process writes without end; sessions of the other one, and of this one, may only see it grow."""
    # (A key of its own: what other tests wrote there may be on a replica still.)
    key = keys_of(fleet, "s2", 2)[1]
    fleet.execute(WRITE, [key, "0"])
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writer = context.Process(target=_write, args=(path, key, stop))
    writer.start()
    try:
        until = time.monotonic() + 60
        while fleet.execute("SELECT name FROM customers WHERE customer_id = %s AND name <> '0'", [key]).rowcount == 0:
            assert time.monotonic() < until, "nothing is written"
        with fleet.session() as session:
            latest, token, nodes, rises = 0, session.token(), set(), 0
            for round_ in itertools.count():
                if round_ % 10 == 0:
                    session.close()
                    session = fleet.session(token=token)
                result = session.execute(READ, [key])
                seen = int(result.fetchall()[0][0])
                assert seen >= latest
                rises += seen > latest
                latest = seen
                nodes.add(str(result.node))
                if round_ % 10 == 5:
                    # What a session writes sends its next reads to the primary, until a replica has it.
                    session.execute(WRITE, [key + 10_000, str(round_)], shard="s2")
                if round_ % 10 == 9:
                    token = session.token()
                if (rises > 50 and len(nodes) > 1) or time.monotonic() > until:
                    break
            session.close()
        assert len(nodes) > 1 and rises > 20, (nodes, rises)
    finally:
        stop.set()
        writer.join(20)
        writer.kill()


def _write(path: Path, key: int, stop: Any) -> None:
    with outgrow.open(path) as fleet, fleet.session() as session:
        while not stop.is_set():
            session.execute("UPDATE customers SET name = (name::int8 + 1)::text WHERE customer_id = %s", [key])
