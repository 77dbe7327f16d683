"""In a transaction too, rows that come first say which of the others matter, where that sees what it should."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.errors import DataError, OperationalError
from outgrow.plan.bringing import staging
from outgrow.runtime.reading import ground
from outgrow.runtime.reading.ground import Ground
from outgrow.runtime.reading.staged import NoEstimate, Staging
from outgrow.topology import Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "goods"): Sharded(("id",)),
    TableName("public", "sales"): Sharded(("buyer",)),
}
SQL = "SELECT g.label, s.note, s.buyer FROM goods g JOIN sales s ON s.good = g.id WHERE g.id IN (2, 3) ORDER BY 3"
CHANGE = ("UPDATE goods SET label = 'late' WHERE id IN (2, 3)", "UPDATE sales SET note = 'late' WHERE good IN (2, 3)")
FIXED = ("REPEATABLE READ", "SERIALIZABLE")


@pytest.fixture(scope="module")
def shop(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as fleet:
        fleet.execute("CREATE TABLE goods (id int8 PRIMARY KEY, label text)")
        fleet.execute("CREATE TABLE sales (buyer int8, good int8, note text)")
        yield fleet
    fleet_servers.drop(topology)


@pytest.fixture
def fleet(shop: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setattr(staging, "FEW_ROWS", 0)
    monkeypatch.setattr(staging, "TIMES_FEWER", 0)
    for table in ("goods", "sales"):
        shop.execute(f"DELETE FROM {table}")
    for n in range(1, 9):
        shop.execute("INSERT INTO goods VALUES (%s, %s)", [n, f"good {n}"])
        shop.execute("INSERT INTO sales VALUES (%s, %s, %s)", [n, n % 5, f"note {n}"])
    return shop


@pytest.fixture
def grounds(monkeypatch: pytest.MonkeyPatch) -> list[Ground]:
    """Where each execution stood that came in stages."""
    seen: list[Ground] = []
    whole = Staging.run_steps

    def noted(self: Staging, *arguments: Any) -> Any:
        rows = yield from whole(self, *arguments)
        seen.append(self._ground)
        return rows

    monkeypatch.setattr(Staging, "run_steps", noted)
    return seen


@contextlib.contextmanager
def between_stages(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> Iterator[None]:
    whole = Staging._stage_steps

    def disturbed(self: Staging, *arguments: Any) -> Any:
        yield from whole(self, *arguments)
        change()

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "_stage_steps", disturbed)
        yield


def committed(fleet: Fleet) -> None:
    """By somebody else, on each shard in a transaction of its own."""
    for sql in CHANGE:
        fleet.execute(sql)


def labels(session: Session, sql: str = SQL) -> set[tuple[str, str]]:
    return {(label.split()[0], note.split()[0]) for label, note, _ in session.execute(sql).fetchall()}


def test_a_transaction_that_has_written_nothing_stands_beside_itself(fleet: Fleet, grounds: list[Ground]) -> None:
    expected = fleet.execute(SQL).fetchall()
    with fleet.session() as session, session.transaction():
        assert session.execute(SQL).fetchall() == expected
        committed(fleet)
        # READ COMMITTED: the next statement sees what has been committed meanwhile.
        assert labels(session) == {("late", "late")}
    assert grounds == [Ground.ALONE, Ground.BESIDE, Ground.BESIDE]


def test_what_it_reads_beside_itself_it_does_not_unsee(fleet: Fleet) -> None:
    with fleet.session() as session:
        with session.transaction():
            committed(fleet)
            assert labels(session) == {("late", "late")}
        # From replicas, if they are as far.
        assert labels(session) == {("late", "late")}


@pytest.mark.parametrize("first", ["UPDATE goods SET label = 'own x' WHERE id IN (2, 3)", "SET LOCAL work_mem = '1MB'"])
def test_one_that_has_something_of_its_own_is_asked_on_its_branches(
    fleet: Fleet, grounds: list[Ground], first: str
) -> None:
    with fleet.session() as session, session.transaction():
        session.execute(first)
        assert labels(session) == ({("own", "note")} if "own" in first else {("good", "note")})
    assert grounds == []


def test_one_that_has_locked_a_table_does_not_wait_for_itself(fleet: Fleet, grounds: list[Ground]) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("LOCK TABLE sales IN ACCESS EXCLUSIVE MODE", shard="s1")
        assert labels(session) == {("good", "note")}
    assert grounds == []


@pytest.mark.parametrize("when", ["now()", "current_date", "'now'::timestamptz", "age(timestamptz '2020-01-01')"])
def test_the_moment_is_the_transactions(fleet: Fleet, grounds: list[Ground], when: str) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("SELECT label FROM goods WHERE id = 2")
        session.execute(SQL.replace("s.buyer FROM", f"s.buyer, {when} FROM"))
        session.execute(SQL.replace("ORDER", "AND now() >= %s ORDER"), ["now"])
    assert grounds == []


def test_a_parameter_that_says_now_is_the_transactions(fleet: Fleet, grounds: list[Ground]) -> None:
    with fleet.session() as session, session.transaction():
        session.execute(SQL.replace("ORDER", "AND timestamptz '2020-01-01' < %s::timestamptz ORDER"), ["now"])
    assert grounds == []


@pytest.mark.parametrize("isolation", FIXED)
def test_snapshots_stay_what_they_are(
    fleet: Fleet, grounds: list[Ground], isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fleet.session() as session:
        with session.transaction(isolation), between_stages(monkeypatch, lambda: committed(fleet)):
            assert labels(session) == {("good", "note")}
            assert labels(session) == {("good", "note")}
            shards = fleet.topology.domains[0].shards
            for name in ("enable_mergejoin", "enable_nestloop"):
                told = [session.execute(f"SHOW {name}", shard=shard.name).fetchall() for shard in shards]
                assert told == [[("on",)]] * len(shards)
        assert labels(session) == {("late", "late")}
    assert grounds == [Ground.WITHIN, Ground.WITHIN, Ground.ALONE]


def test_its_own_writes_are_in_its_snapshots(fleet: Fleet, grounds: list[Ground]) -> None:
    with fleet.session() as session, session.transaction("REPEATABLE READ"):
        session.execute("UPDATE goods SET label = 'own x' WHERE id IN (2, 3)")
        assert labels(session) == {("own", "note")}
    assert grounds == [Ground.WITHIN]


def test_beside_itself_each_shard_is_seen_at_one_moment(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with fleet.session() as session, session.transaction():
        with between_stages(monkeypatch, lambda: committed(fleet)):
            assert labels(session) == {("good", "note")}
        assert labels(session) == {("late", "late")}


def test_its_isolation_may_still_be_set_behind_it(fleet: Fleet, grounds: list[Ground]) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert labels(session) == {("good", "note")}
        committed(fleet)
        assert labels(session) == {("good", "note")}
        session.execute("COMMIT")
    assert grounds == [Ground.WITHIN, Ground.WITHIN]


@pytest.mark.parametrize("isolation", ["READ COMMITTED", *FIXED])
def test_without_estimates_the_transaction_goes_on(
    fleet: Fleet, grounds: list[Ground], isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(self: Staging, *arguments: Any) -> Any:
        raise NoEstimate
        yield

    monkeypatch.setattr(Staging, "_estimate_steps", silent)
    with fleet.session() as session, session.transaction(isolation):
        assert labels(session, SQL + f" -- {isolation}") == {("good", "note")}
        session.execute("UPDATE goods SET label = 'own x' WHERE id = 2")
    assert grounds == []


@pytest.mark.parametrize("isolation", ["READ COMMITTED", *FIXED])
def test_an_error_fails_the_transaction_as_any_would(fleet: Fleet, isolation: str) -> None:
    with fleet.session() as session:
        session.execute(f"BEGIN ISOLATION LEVEL {isolation}")
        with pytest.raises(DataError):
            session.execute(SQL.replace("ORDER", "AND 1 / (g.id - 2) > 0 ORDER"))
        with pytest.raises(OperationalError, match="OG-RUN-023"):
            session.execute("SELECT 1")
        session.execute("ROLLBACK")
        assert labels(session) == {("good", "note")}


def test_who_would_have_to_wait_for_connections_asks_on_its_branches(
    fleet: Fleet, grounds: list[Ground], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgrow.nodes.Pool, "spare", False)
    with fleet.session() as session, session.transaction():
        assert labels(session) == {("good", "note")}
    assert grounds == []


def test_a_careless_ground_is_noticed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above rest on: beside a transaction that has written, its writes are missed."""
    monkeypatch.setattr(ground, "_has_nothing_of_its_own", lambda *_: True)
    with fleet.session() as session, session.transaction():
        session.execute("UPDATE goods SET label = 'own x' WHERE id IN (2, 3)")
        assert labels(session) != {("own", "note")}
