"""Each protection of the index taken away: what the other tests look at is then wrong."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from outgrow import DatabaseError, Fleet
from outgrow.nodes import drive
from outgrow.runtime.transaction import writes
from outgrow.runtime.transaction.branches import Transaction
from outgrow.runtime.uniqueness import settling, triggers
from tests.integration.transactions.test_interrupted import interrupted_steps
from tests.integration.uniqueness.test_statements import INSERT, placed, right
from tests.servers import Servers


@pytest.mark.parametrize(
    ("left_out", "instead", "sql"),
    [
        ("AFTER UPDATE", "AFTER TRUNCATE", "UPDATE people SET email = 'b' WHERE id = 1"),
        ("AFTER INSERT OR DELETE", "AFTER INSERT", "DELETE FROM people WHERE id = 1"),
        ("AFTER INSERT OR DELETE", "AFTER DELETE", "INSERT INTO people (id, email) VALUES (2, 'b')"),
        ("BEFORE TRUNCATE", "AFTER TRUNCATE", "TRUNCATE people"),
        ("old.id IS DISTINCT FROM new.id", "false", "UPDATE people SET id = {beside} WHERE id = 1"),
    ],
)
def test_a_write_that_no_trigger_notes(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, left_out: str, instead: str, sql: str
) -> None:
    """(Also a key that changes within one shard: the entry says which row has the value.)"""
    real = triggers.definitions

    def careless(*given: object) -> list[str]:
        made = []
        for each in real(*given):  # type: ignore[arg-type]
            if instead != "AFTER TRUNCATE" or left_out not in each or left_out == "BEFORE TRUNCATE":
                made.append(each.replace(left_out, instead))
        return made

    monkeypatch.setattr(triggers, "definitions", careless)
    fleet.unique().build("people", "email")
    with fleet.session() as session:
        session.execute("INSERT INTO people (id, email) VALUES (1, 'a')")
        beside = next(ids[1] for ids in placed(fleet).values() if ids[0] == 1)
        session.execute(sql.format(beside=beside))
    with pytest.raises(AssertionError):
        right(fleet)


def test_notes_that_nobody_settles(fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses them; without its check the index would lack the value."""
    monkeypatch.setitem(settling.QUERIES, "unique_drain", "SELECT 1, 1, true, 1, '', '' WHERE false")
    with fleet.session() as session:
        with pytest.raises(DatabaseError, match="OG-NODE-160"):
            session.execute(INSERT, [1, "a"])
        session.execute("BEGIN")
        session.execute(INSERT, [1, "a"])
        session.execute(INSERT, [2, "b"])
        session.execute(INSERT, [3, "c"])
        with pytest.raises(DatabaseError, match="OG-NODE-160"):
            session.execute("COMMIT")
        right(fleet, 0)
        for shard in fleet.topology.domains[0].shards:
            fleet_servers.sql(shard.primary, "DROP TRIGGER unique_settled ON outgrow.unique_changes")
        session.execute(INSERT, [1, "a"])
    with pytest.raises(AssertionError):
        right(fleet)


@pytest.mark.parametrize("careful", [True, False])
def test_a_statement_that_is_interrupted_in_a_transaction(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, careful: bool
) -> None:
    """Its notes may have been taken, and not brought: whoever catches the interruption and goes on must not commit."""
    if not careful:
        monkeypatch.setattr(settling, "_all_or_failed", lambda transaction: contextlib.nullcontext())
        # (And what fails every transaction that was interrupted, which stands behind it.)
        monkeypatch.setattr(Transaction, "fail", lambda transaction, error: None)
        monkeypatch.setattr(writes, "whole", lambda transaction: contextlib.nullcontext())
    wrong = 0
    (one, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session:
        for wait in range(20):
            session.execute("DELETE FROM people")
            session.execute("BEGIN")
            session.execute("SELECT count(*) FROM people WHERE id IN (%s, %s)", [one, other])
            came = True
            with contextlib.suppress(KeyboardInterrupt):
                steps = session._conversation.execute_steps(INSERT, [one, f"v {wait}"], None, None)
                came = drive(interrupted_steps(steps, wait, KeyboardInterrupt()))
            with contextlib.suppress(DatabaseError):
                session.execute("COMMIT")
            session.execute("SELECT 1 FROM people WHERE id = %s", [one])
            wrong += not all(compared.right for compared in fleet.unique().check())
            if not careful:
                fleet.unique().build("people", "email")
            if not came:
                break
    assert wrong == 0 if careful else wrong > 0


@pytest.mark.parametrize("waits", [True, False])
def test_an_entry_that_is_about_to_be(
    fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """A row is seen when its branch has committed; its entry's may come a moment later, also for who deletes it."""
    (one, *_), _ = placed(fleet).values()
    s1, s2 = (shard.primary for shard in fleet.topology.domains[0].shards)
    [[value]] = fleet_servers.sql(
        s1, "SELECT 'v' || n FROM generate_series(1, 99) AS n WHERE outgrow.unique_place('v' || n, 2) = 1 LIMIT 1"
    )
    fleet_servers.sql(s1, "SET session_replication_role = replica")
    fleet_servers.sql(s1, INSERT, [one, value])
    fleet_servers.sql(s1, "RESET session_replication_role")
    number = fleet.unique().show()[0].number
    fleet_servers.sql(s2, "BEGIN")
    fleet_servers.sql(s2, "INSERT INTO outgrow.unique_values VALUES (%s, %s, %s)", [number, value, f"{{{one}}}"])
    fleet_servers.sql(s2, "PREPARE TRANSACTION 'about to be'")
    if not waits:
        monkeypatch.setitem(settling.QUERIES, "unique_await", "SELECT $1::int4, $2::text, $3::text")  # type: ignore
    with fleet.session() as session:
        thread = threading.Thread(target=session.execute, args=["DELETE FROM people WHERE id = %s", [one]])
        thread.start()
        time.sleep(0.5)
        assert thread.is_alive() == waits
        fleet_servers.sql(s2, "COMMIT PREPARED 'about to be'")
        thread.join()
    if waits:
        right(fleet, 0)
    else:
        with pytest.raises(AssertionError):
            right(fleet)
