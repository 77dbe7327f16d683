"""A key of the directory goes to another shard with its rows, and whoever knows its old place finds the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from outgrow import Fleet, Session
from outgrow.topology import Topology
from tests.integration.keyspace.directory_world import (
    editions,
    made,
    opened,
    rows_by_shard,
    topology_of,
)
from tests.servers import Servers


@pytest.fixture(scope="module")
def topology(fleet_servers: Servers) -> Iterator[Topology]:
    with topology_of(fleet_servers) as found:
        yield found


@pytest.fixture(scope="module")
def fleet(topology: Topology) -> Iterator[Fleet]:
    with opened(topology, install=True) as found:
        made(found)
        filled(found)
        yield found


@pytest.fixture(scope="module")
def other(topology: Topology, fleet: Fleet) -> Iterator[Fleet]:
    """Another process, as far as what it remembers goes."""
    with opened(topology) as found:
        yield found


ORDER = """INSERT INTO orders (owner, total, at, during, noted, tags, f, doc) VALUES (%s, %s,
    '2025-01-01 12:00', '1 mon -3 days 04:05:06.7', '\\xdeadbeef', ARRAY[E'a\\tb', NULL, E'\\\\N'],
    0.1::float8 + 0.2, '{"a": [1, null]}')"""
LINE = "INSERT INTO lines SELECT owner, number, {line}, E'a\\nb', {above} FROM orders WHERE owner = %s"


def filled(fleet: Fleet) -> None:
    with fleet.session() as session:
        for key in (1, 2):
            session.execute("INSERT INTO t VALUES (%s, %s)", [key, key * 10])
            for total in ("1.5", "NaN", None):
                session.execute(ORDER, [key, total])
            session.execute(LINE.format(line=1, above="NULL"), [key])
            session.execute(LINE.format(line=2, above=1), [key])
            session.execute("INSERT INTO logs VALUES (%s, '2024-06-01', 'old'), (%s, '2025-06-01', 'new')", [key, key])


TABLES = ("t", "orders", "lines", "logs")


def held(topology: Topology) -> dict[str, dict[str, list[Any]]]:
    return {table: rows_by_shard(topology, f"SELECT {table}::text FROM {table}") for table in TABLES}


def test_a_key_goes_with_all_its_rows_and_comes_back(topology: Topology, fleet: Fleet) -> None:
    before = held(topology)
    assert all(not parts["s2"] for parts in before.values())
    migrated = fleet.directory().migrate(1, "s2", type="int8")
    assert (migrated.key, migrated.source, migrated.target, migrated.pending) == ("1", "s1", "s2", ())
    assert migrated.rows == {"t": 1, "orders": 3, "lines": 6, "logs": 2}
    after = held(topology)
    for table in TABLES:
        assert sorted(after[table]["s1"] + after[table]["s2"]) == sorted(before[table]["s1"])
        assert len(after[table]["s2"]) * 2 == len(before[table]["s1"])
    told, seen = editions(topology)
    assert told == seen
    assert seen["s1"] == seen["s2"] != 0
    assert [(e.key, e.shard) for e in fleet.directory().show(1, 2, 3)] == [("1", "s2"), ("2", "s1")]
    again = fleet.directory().migrate("1", "s2", type="int8")
    assert (again.rows, again.source) == ({}, "s2")
    assert editions(topology) == (told, seen)
    fleet.directory().migrate(1, "s1")
    assert held(topology) == before
    assert editions(topology)[0] == editions(topology)[1] != told
    with fleet.session() as session:
        session.execute("INSERT INTO orders (owner) VALUES (1)")
        session.execute("DELETE FROM orders WHERE owner = 1 AND total IS NULL AND doc IS NULL")


#: Its rows are brought to one server.
BROUGHT = "SELECT count(*), sum(a.v), sum(b.v) FROM t AS a JOIN t AS b ON a.v <= b.v"
ASKED: dict[str, Callable[[Session], Any]] = {
    "read": lambda s: s.execute("SELECT v FROM t WHERE id = 1").fetchall(),
    "with a parameter": lambda s: s.execute("SELECT v FROM t WHERE id = %s", [1]).fetchall(),
    "several keys": lambda s: s.execute("SELECT sum(v) FROM t WHERE id IN (1, 2)").fetchall(),
    "all": lambda s: s.execute("SELECT count(*), sum(v) FROM t").fetchall(),
    "join": lambda s: s.execute(
        "SELECT count(*) FROM orders JOIN lines USING (owner, number) WHERE orders.owner = 1"
    ).fetchall(),
    "join beside the key": lambda s: s.execute(BROUGHT).fetchall(),
    "join of some beside the key": lambda s: s.execute(f"{BROUGHT} WHERE a.id = %s AND b.id IN (1, 2)", [1]).fetchall(),
    "stream of a join beside the key": lambda s: list(s.stream(BROUGHT)),
    "stream": lambda s: list(s.stream("SELECT v FROM t WHERE id = %s", [1])),
    "stream of all": lambda s: sorted(s.stream("SELECT v FROM t")),
    "locking": lambda s: s.execute("SELECT v FROM t WHERE id = 1 FOR UPDATE").fetchall(),
    "locking stream": lambda s: list(s.stream("SELECT v FROM t WHERE id = 1 FOR UPDATE")),
    "update": lambda s: s.execute("UPDATE t SET v = v WHERE id = 1").rowcount,
    "update of several": lambda s: s.execute("UPDATE t SET v = v WHERE id IN (1, 2)").rowcount,
    "update of all": lambda s: s.execute("UPDATE t SET v = v").rowcount,
    "delete and insert": lambda s: (
        s.execute("DELETE FROM t WHERE id = 1").rowcount,
        s.execute("INSERT INTO t VALUES (%s, 10)", [1]).rowcount,
    ),
    "upsert": lambda s: s.execute("INSERT INTO t VALUES (1, 0) ON CONFLICT (id) DO NOTHING").rowcount,
    "copy out": lambda s: copied(s, "COPY (SELECT v FROM t WHERE id = 1) TO STDOUT"),
    "copy all out": lambda s: sorted(copied(s, "COPY t TO STDOUT").splitlines()),
    "copy in": lambda s: (poured(s), s.execute("DELETE FROM logs WHERE owner = 1 AND said = 'in'").rowcount),
    "key move": lambda s: (
        s.execute("UPDATE t SET id = id + 10 WHERE id IN (1, 2)").rowcount,
        s.execute("UPDATE t SET id = id - 10 WHERE id IN (11, 12)").rowcount,
    ),
}


def copied(session: Session, sql: str) -> bytes:
    with session.copy(sql) as out:
        return b"".join(bytes(piece) for piece in out)


def poured(session: Session) -> int:
    with session.copy("COPY logs FROM STDIN") as copy:
        copy.write_row((1, "2025-05-05", "in"))
    return copy.rowcount


def asked_around_migrations(fleet: Fleet, session: Session, ask: Callable[[Session], Any], block: bool) -> None:
    """Each answer is the one from before the migration."""

    def answer() -> Any:
        if not block:
            return ask(session)
        with session.transaction():
            return ask(session)

    expected = answer()
    fleet.directory().migrate(1, "s2", type="int8")
    assert answer() == expected
    fleet.directory().migrate(2, "s2", type="int8")
    fleet.directory().migrate(1, "s1", type="int8")
    assert answer() == expected
    fleet.directory().migrate(2, "s1", type="int8")


@pytest.mark.parametrize(
    "level", ["session", *(pytest.param(level, marks=pytest.mark.long) for level in ("strong", "eventual"))]
)
@pytest.mark.parametrize("block", [False, True], ids=["by itself", "in a transaction"])
@pytest.mark.parametrize("asked", ASKED)
def test_who_knows_an_old_place_finds_the_new_one(
    topology: Topology, fleet: Fleet, other: Fleet, asked: str, block: bool, level: str
) -> None:
    with other.session(level=level) as session:
        asked_around_migrations(fleet, session, ASKED[asked], block)
    # No row is where it does not belong.
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(1, 10), (2, 20)], "s2": []}
