"""What others do while a key is being migrated: at each step of it nobody reads or writes where the key is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.doors import dbapi
from outgrow.runtime.directories import fleet_directory, migrating
from outgrow.runtime.directories.migrating import _Migration
from outgrow.topology import Topology
from outgrow.transactions import Commit
from tests.integration.keyspace.directory_world import editions, made, on, opened, rows_by_shard, shard_of, topology_of
from tests.servers import Servers

_WAIT = 20.0


@pytest.fixture(scope="module")
def topology(fleet_servers: Servers) -> Iterator[Topology]:
    with topology_of(fleet_servers) as found:
        yield found


@pytest.fixture(scope="module")
def fleet(topology: Topology) -> Iterator[Fleet]:
    with opened(topology, install=True) as found:
        made(found)
        yield found


@pytest.fixture(scope="module")
def other_fleet(topology: Topology, fleet: Fleet) -> Iterator[Fleet]:
    with opened(topology) as found:
        yield found


@pytest.fixture
def other(fleet: Fleet, other_fleet: Fleet, topology: Topology) -> Iterator[Fleet]:
    """Another process, as far as what it remembers goes: the keys 1 and 2 on s1, each with a row."""
    with fleet.session() as session:
        session.execute("DELETE FROM t")
        session.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    for key in (1, 2):
        fleet.directory().migrate(key, "s1", type="int8")
    with other_fleet.session() as session:
        until = time.monotonic() + 20
        while session.execute("SELECT sum(v) FROM t WHERE id IN (1, 2)").fetchone() != (30,):
            assert time.monotonic() < until, "its replicas do not have the rows"
    yield other_fleet
    told, seen = editions(topology)
    assert all(told.get(shard, 0) == edition for shard, edition in seen.items())


class Halted:
    """Something that runs in a thread and stops where it is told to."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.there, self.go_on = threading.Event(), threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,))

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self.result = work()
        except BaseException as error:
            self.error = error
        finally:
            self.there.set()

    def halt(self) -> None:
        self.there.set()
        assert self.go_on.wait(_WAIT)

    def start(self) -> None:
        self._thread.start()
        assert self.there.wait(_WAIT)

    def end(self) -> Any:
        self.go_on.set()
        self._thread.join(_WAIT)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


@contextmanager
def migrating_to(fleet: Fleet, where: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Halted]:
    """The key 1 on its way from s1 to s2, halted: "begun", "ready" to be committed, or "decided" but not confirmed."""
    halted = Halted(lambda: fleet.directory().migrate(1, "s2", type="int8"))
    with monkeypatch.context() as patch:
        if where == "begun":
            move_steps = _Migration._move_steps

            def moving(self: Any, *args: Any) -> Any:
                halted.halt()
                return (yield from move_steps(self, *args))

            patch.setattr(_Migration, "_move_steps", moving)
        elif where == "ready":
            run_steps = Commit.run_steps

            def committing(self: Any) -> Any:
                halted.halt()
                return (yield from run_steps(self))

            patch.setattr(Commit, "run_steps", committing)
        else:
            phase_two_steps = Commit._phase_two_steps

            def confirming(self: Any, others: Any) -> Any:
                halted.halt()
                return (yield from phase_two_steps(self, others))

            patch.setattr(Commit, "_phase_two_steps", confirming)
        halted.start()
    try:
        assert halted.error is None
        yield halted
    finally:
        halted.end()


def later(work: Callable[[], Any], waits: bool = True) -> Callable[[], Any]:
    """Begin something that has to wait (or may); afterwards its answer."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    if waits:
        thread.join(0.3)
        assert thread.is_alive(), f"it did not wait: {result}"

    def ended() -> Any:
        thread.join(_WAIT)
        assert not thread.is_alive()
        (found,) = result
        if isinstance(found, BaseException):
            raise found
        return found

    return ended


def executed(fleet: Fleet, sql: str, params: list[Any] | None = None, level: str = "session") -> Callable[[], Any]:
    def run() -> Any:
        with fleet.session(level=level) as session:
            result = session.execute(sql, params)
            return result.fetchall() if result.fields else result.rowcount

    return run


READ = "SELECT v FROM t WHERE id = 1"


@pytest.mark.parametrize("where", ["begun", "ready"])
def test_before_the_commit_reads_see_what_was_and_writes_wait(
    topology: Topology, fleet: Fleet, other: Fleet, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with migrating_to(fleet, where, monkeypatch) as migration:
        for level in ("strong", "session", "eventual"):
            assert executed(other, READ, level=level)() == [(10,)]
            assert executed(other, "SELECT sum(v) FROM t", level=level)() == [(30,)]
        updated = later(executed(other, "UPDATE t SET v = v + 1 WHERE id = 1"))
        inserted = later(executed(other, "INSERT INTO t VALUES (3, 30)"))
        migration.end()
        assert updated() == 1
        assert inserted() == 1
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(2, 20), (3, 30)], "s2": [(1, 11)]}


def test_between_the_commits_everybody_waits_and_sees_the_new_state(
    topology: Topology, fleet: Fleet, other: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source has committed, target and ledger have not confirmed: nobody may take one for the whole."""
    with migrating_to(fleet, "decided", monkeypatch) as migration:
        # Committed first where the rows were, if they were not at home; s1 is both.
        assert on(shard_of(topology, "s1"), "SELECT id FROM t ORDER BY id") == [(2,)]
        assert on(shard_of(topology, "s2"), "SELECT id FROM t") == []
        # (Recovery may end what the coordinator does not.)
        waiting = [later(executed(other, READ, level=level), waits=False) for level in ("session", "eventual")]
        waiting.append(later(executed(other, "SELECT v FROM t WHERE id = %s", [1]), waits=False))
        summed = later(executed(other, "SELECT sum(v) FROM t", level="strong"), waits=False)
        updated = later(executed(other, "UPDATE t SET v = v WHERE id = 1"), waits=False)
        waiting.append(later(executed(other, READ, level="strong")))
        migration.end()
        assert [each() for each in waiting] == [[(10,)]] * 4
        assert summed() == [(30,)]
        assert updated() == 1


#: A read that takes a while, whose rows are of the snapshot that it began with.
SLOW = "SELECT t.v FROM (SELECT count(*) FROM generate_series(1, 3000000)) AS slow LEFT JOIN t ON t.id = 1"


def test_a_read_that_began_before_the_rows_arrived_does_not_count(
    topology: Topology, fleet: Fleet, other: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader knows the new place before the rows are there, and they arrive while it reads."""
    with migrating_to(fleet, "decided", monkeypatch) as migration:
        knows = later(executed(other, READ, level="strong"))
        read = later(executed(other, SLOW, level="strong"))
        migration.end()
        assert knows() == [(10,)]
        assert read() == [(10,)]


def test_an_update_moves_rows_to_where_their_new_key_is_now(topology: Topology, fleet: Fleet, other: Fleet) -> None:
    with other.session() as session:
        assert session.execute("UPDATE t SET id = 4 WHERE id = 2").rowcount == 1
        assert session.execute("UPDATE t SET id = 2 WHERE id = 4").rowcount == 1
        fleet.directory().migrate(4, "s2", type="int8")
        assert session.execute("UPDATE t SET id = 4 WHERE id = 2").rowcount == 1
        assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(1, 10)], "s2": [(4, 20)]}
        fleet.directory().migrate(4, "s1", type="int8")
        with session.transaction():
            session.execute("SET LOCAL extra_float_digits = 0")
            assert session.execute("UPDATE t SET id = 2 WHERE id = 4").rowcount == 1
            assert session.execute("SELECT v FROM t WHERE id = 2").fetchall() == [(20,)]
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(1, 10), (2, 20)], "s2": []}


def test_many_sets_go_where_their_keys_are_now(topology: Topology, fleet: Fleet, other: Fleet) -> None:
    connection = dbapi.connect(other)
    cursor = connection.cursor()
    cursor.executemany("UPDATE t SET v = v + %s WHERE id = %s", [(1, 1), (1, 2)])
    connection.commit()
    fleet.directory().migrate(1, "s2", type="int8")
    cursor.executemany("UPDATE t SET v = v + %s WHERE id = %s", [(1, 1), (1, 2)])
    connection.commit()
    connection.close()
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(2, 22)], "s2": [(1, 12)]}


def test_a_migration_whose_coordinator_died_is_finished_by_whoever_waits(
    topology: Topology, fleet: Fleet, other: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self: Any, others: Any) -> Any:
        raise KeyboardInterrupt
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Commit, "_phase_two_steps", dies)
        with pytest.raises(KeyboardInterrupt):
            fleet.directory().migrate(1, "s2", type="int8")
    prepared = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
    assert len(on(shard_of(topology, "s2"), prepared)) == 1
    assert executed(other, READ)() == [(10,)]
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(2, 20)], "s2": [(1, 10)]}


def test_a_transaction_holds_its_keys_and_a_migration_says_who_is_in_its_way(
    topology: Topology, fleet: Fleet, other: Fleet
) -> None:
    with other.session() as session:
        for isolation in ("", "REPEATABLE READ", "SERIALIZABLE"):
            with session.transaction(isolation):
                session.execute(READ)
                with pytest.raises(outgrow.OperationalError, match="OG-RUN-112") as info:
                    fleet.directory().migrate(1, "s2", type="int8", patience_seconds=0.3)
                assert "backend" in info.value.message
                session.execute("INSERT INTO t VALUES (5, 50)")
                assert session.execute("SELECT sum(v) FROM t").fetchone() == (80,)
            session.execute("DELETE FROM t WHERE id = 5")
        with session.transaction():
            session.execute(READ)
            moved = later(lambda: fleet.directory().migrate(1, "s2", type="int8"))
            session.execute("UPDATE t SET v = 11 WHERE id = 1")
        assert moved().rows["t"] == 1
        assert session.execute(READ).fetchall() == [(11,)]


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_no_old_snapshot_hides_a_migration_from_a_write(
    topology: Topology, fleet: Fleet, other: Fleet, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    """A write that waits for the migration begins before it ends: its snapshot must not."""
    setting = f"SET default_transaction_isolation = '{isolation.lower()}'"
    # (A standby takes no serializable transactions.)
    with other.session(level="strong") as session, other.session() as block:
        session.execute(setting)
        assert session.execute("SELECT v FROM t WHERE id = 1").fetchall() == [(10,)]

        def in_block() -> Any:
            with block.transaction(isolation):
                return block.execute("INSERT INTO t VALUES (1, 0) ON CONFLICT (id) DO NOTHING").rowcount

        with migrating_to(fleet, "ready", monkeypatch) as migration:
            alone = later(lambda: session.execute("INSERT INTO t VALUES (1, 0) ON CONFLICT (id) DO NOTHING").rowcount)
            inside = later(in_block)
            migration.end()
            assert alone() == 0
            assert inside() == 0
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [(2, 20)], "s2": [(1, 10)]}


def test_a_branch_that_opens_late_is_placed_again(topology: Topology, fleet: Fleet, other: Fleet) -> None:
    """The transaction has a branch on s2 alone when a key that it remembers on s1 ... has long come to s2."""
    with other.session() as session:
        fleet.directory().migrate(2, "s2", type="int8")
        assert session.execute("SELECT v FROM t WHERE id = 2").fetchall() == [(20,)]
        fleet.directory().migrate(1, "s2", type="int8")
        with session.transaction():
            assert session.execute("UPDATE t SET v = v + 1 WHERE id = 2").rowcount == 1
            session.execute("SAVEPOINT a")
            assert session.execute("UPDATE t SET v = v + 1 WHERE id = 1").rowcount == 1
            session.execute("ROLLBACK TO a")
            assert session.execute("UPDATE t SET v = v + 5 WHERE id = 1").rowcount == 1
    assert rows_by_shard(topology, "SELECT id, v FROM t") == {"s1": [], "s2": [(1, 15), (2, 21)]}


def test_a_token_brings_its_reader_to_where_the_key_is_now(
    fleet_servers: Servers, topology: Topology, fleet: Fleet, other: Fleet
) -> None:
    """The old place's replica has not heard of the migration, and its edition is the one that the reader knows."""
    signing = replace(topology, secret=b"a secret of some length")
    replica = shard_of(topology, "s1").replicas[0]
    with outgrow.open(signing) as writer, outgrow.open(signing) as reader, fleet_servers.restored():
        with reader.session() as session:
            assert session.execute(READ).fetchall() == [(10,)]
        fleet_servers.wait_replayed()
        fleet_servers.sql(replica, "SELECT pg_wal_replay_pause()")
        fleet.directory().migrate(1, "s2", type="int8")
        with writer.session() as session:
            session.execute("UPDATE t SET v = 11 WHERE id = 1")
            token = session.token()
        with reader.session(level="eventual") as session:
            assert session.execute(READ).fetchall() == [(10,)]
        with reader.session(token=token) as session:
            assert session.execute(READ).fetchall() == [(11,)]


def test_what_cannot_be_moved_is_refused_by_name(topology: Topology, fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("INSERT INTO words VALUES ('a', 1)")
        session.execute("CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
        trigger = "CREATE TRIGGER noted BEFORE INSERT ON words FOR EACH ROW EXECUTE FUNCTION noted()"
        secured = "ALTER TABLE words {} ROW LEVEL SECURITY"
        for ddl, undo, said in (
            (trigger, "DROP TRIGGER noted ON words", "trigger"),
            (secured.format("ENABLE"), secured.format("DISABLE"), "row security"),
        ):
            session.execute(ddl)
            with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-113") as info:
                fleet.directory().migrate("a", "s1", type="text")
            assert said in info.value.message
            session.execute(undo)
        with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-111"):
            fleet.directory().migrate("nobody", "s1", type="text")
        with pytest.raises(outgrow.InterfaceError, match="OG-RUN-007"):
            fleet.directory().migrate("a", "s9", type="text")
        assert fleet.directory().migrate("a", "s1", type="text").rows == {"words": 1}


def test_entries_by_hand(topology: Topology, fleet: Fleet) -> None:
    directory = fleet.directory()
    assert directory.assign(77, "s2").shard == "s2"
    assert directory.assign(77, "s2").shard == "s2"
    with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-115"):
        directory.assign(77, "s1")
    with fleet.session() as session:
        session.execute("INSERT INTO t VALUES (77, 0)")
    assert (77,) in on(shard_of(topology, "s2"), "SELECT id FROM t")
    on(shard_of(topology, "s1"), "INSERT INTO t VALUES (78, 0)")
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-116"):
        directory.assign(78, "s2")
    assert directory.assign(78, "s1").shard == "s1"
    with pytest.raises(outgrow.DataError, match="OG-KEY-005"):
        directory.assign("x", "s1", type="int8")
    for key, type in ((1.5, "int8"), (1, "uuid")):
        with pytest.raises(outgrow.InterfaceError, match="OG-RUN-118"):
            directory.assign(key, "s1", type=type)
    assert {part.type: sum(part.keys.values()) for part in directory.parts()}["int8"] >= 2
    assert [entry.key for entry in directory.keys("s2", type="int8", after="76")][:1] == ["77"]
    on(shard_of(topology, "s1"), "DELETE FROM t WHERE id = 78")
    assert fleet_directory.PATIENCE_SECONDS > migrating._TRY_MS_LAST / 1000
