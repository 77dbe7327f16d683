"""What a transaction sets for itself, and what its snapshot does not see: the index is kept, or it is refused."""

from __future__ import annotations

import threading
import time

import pytest

from outgrow import Fleet, IntegrityError, NotSupportedError
from outgrow.errors import DatabaseError
from tests.integration.uniqueness.test_statements import INSERT, placed, refused, right
from tests.servers import Servers


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_truncate_takes_rows_that_an_old_snapshot_does_not_see(fleet: Fleet, isolation: str) -> None:
    """Their entries would stay, so it is refused; at READ COMMITTED the trigger sees them all."""
    (one, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session, fleet.session() as late:
        late.execute(f"BEGIN ISOLATION LEVEL {isolation}")
        late.execute("SELECT count(*) FROM people WHERE id IN (%s, %s)", [one, other])
        session.execute(INSERT, [one, "a"])
        session.execute(INSERT, [other, "b"])
        with pytest.raises(DatabaseError, match="TRUNCATE") as caught:
            late.execute("TRUNCATE people")
        assert isinstance(caught.value, NotSupportedError) and caught.value.sqlstate == "0A000"
        late.execute("ROLLBACK")
        right(fleet, 2)
        late.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        late.execute("SELECT count(*) FROM people WHERE id IN (%s, %s)", [one, other])
        session.execute("UPDATE people SET email = 'c' WHERE id = %s", [one])
        late.execute("TRUNCATE people")
        late.execute("COMMIT")
        right(fleet, 0)
        session.execute(INSERT, [other, "a"])


@pytest.mark.parametrize("block", [False, True])
def test_truncate_that_waits_for_its_lock_sees_what_was_committed_meanwhile(fleet: Fleet, block: bool) -> None:
    (one, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session, fleet.session() as late:
        session.execute("BEGIN")
        session.execute(INSERT, [one, "a"])
        session.execute(INSERT, [other, "b"])
        if block:
            late.execute("BEGIN")
        thread = threading.Thread(target=late.execute, args=["TRUNCATE people"])
        thread.start()
        time.sleep(0.5)
        assert thread.is_alive()
        session.execute("COMMIT")
        thread.join()
        if block:
            late.execute("COMMIT")
        right(fleet, 0)


def test_constraints_that_are_checked_at_once(fleet: Fleet) -> None:
    """ALL means outgrow's own check, too, which has to wait until the statement's values have come to the index."""
    (one, two, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session:
        session.execute(INSERT, [one, "a"])
        session.execute("BEGIN")
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute(INSERT, [two, "b"])
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute(INSERT, [other, "c"])
        refused(session, INSERT, [other + 1000, "a"])
        session.execute("ROLLBACK")
        right(fleet, 1)
        session.execute("BEGIN")
        session.execute("SELECT count(*) FROM people")
        session.execute(INSERT, [two, "b"])
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute(INSERT, [other, "c"])
        session.execute("COMMIT")
        right(fleet, 3)


def test_constraints_that_are_checked_at_once_still_are(fleet: Fleet, fleet_servers: Servers) -> None:
    """(The user's own; and whoever writes past outgrow does not commit.)"""
    (one, two, *_), _ = placed(fleet).values()
    with fleet.session() as session:
        session.execute("ALTER TABLE people ADD COLUMN n int, ADD UNIQUE (id, n) DEFERRABLE INITIALLY DEFERRED")
        session.execute("BEGIN")
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute("INSERT INTO people (id, email, n) VALUES (%s, 'b', 1)", [one])
        with pytest.raises(IntegrityError):
            session.execute("INSERT INTO people (id, email, n) VALUES (%s, 'c', 1)", [one])
        session.execute("ROLLBACK")
    primary = fleet.topology.domains[0].shards[0].primary
    with pytest.raises(Exception, match="without telling its index"):
        fleet_servers.sql(primary, INSERT, [two, "past"])
