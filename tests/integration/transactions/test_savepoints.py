"""Savepoints and settings over shards: the same on all branches, whenever they open and whatever stops a command."""

from __future__ import annotations

from contextlib import suppress

import pytest

from outgrow import Fleet, Session
from outgrow.errors import Error, OperationalError, ProgrammingError
from outgrow.nodes import drive
from tests.integration.transactions.coordinators import UPDATE
from tests.integration.transactions.test_halves import Stop

SHARDS = ("s1", "s2")
ALL = "UPDATE accounts SET amount = amount + 1"
STOPS = [Stop(KeyboardInterrupt), Stop(KeyboardInterrupt, late=True), Stop(None)]


def stopped(session: Session, sql: str, stop: Stop, at: int) -> bool:
    """Whether it came so far."""
    with suppress(KeyboardInterrupt, OperationalError):
        return drive(stop.steps(session._conversation.execute_steps(sql, None, 60.0, None), at))
    return True


def zones(session: Session) -> list[str]:
    answers = [session.execute("SELECT current_setting('TimeZone')", shard=shard) for shard in SHARDS]
    return [answer.fetchall()[0][0] for answer in answers]


@pytest.mark.parametrize(
    ("before", "command"),
    [
        (("SAVEPOINT a", ALL), "ROLLBACK TO a"),
        (("SAVEPOINT a", ALL), "SAVEPOINT a"),
        (("SAVEPOINT a", ALL), "SAVEPOINT b"),
        (("SAVEPOINT a", ALL, "SAVEPOINT a", ALL), "RELEASE a"),
        (("SAVEPOINT a", ALL, "SAVEPOINT b", ALL), "RELEASE b"),
    ],
)
def test_a_savepoint_command_that_was_stopped(
    fleet: Fleet, keys: tuple[int, int], before: tuple[str, ...], command: str
) -> None:
    """Some branches have heard it and some not: the transaction has failed, and goes back as a whole or not at all."""
    for stop in STOPS:
        for then in ("", "ROLLBACK TO a", "ROLLBACK TO b"):
            for at in range(20):
                with fleet.session() as session:
                    session.execute("BEGIN")
                    session.execute(UPDATE, [0, keys[0]])
                    session.execute(UPDATE, [0, keys[1]])
                    for sql in before:
                        session.execute(sql)
                    came = stopped(session, command, stop, at)
                    with suppress(ProgrammingError, OperationalError):
                        if then:
                            session.execute(then)
                    with suppress(OperationalError):
                        session.execute("COMMIT")
                    seen = session.execute("SELECT amount, count(*) FROM accounts GROUP BY 1").fetchall()
                    assert len(seen) == 1, (stop, then, at, seen)
                if not came:
                    break
            else:
                pytest.fail("a savepoint does not wait so often")


def test_a_failed_release_leaves_the_savepoint(fleet: Fleet, keys: tuple[int, int]) -> None:
    """As in one PostgreSQL: RELEASE is ignored too, on the branches that have not failed as on the one that has."""
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute(ALL)
        session.execute("SAVEPOINT a")
        with pytest.raises(Error, match="OG-NODE-113"):
            session.execute(UPDATE, [-1000, keys[1]])
        with pytest.raises(OperationalError, match="OG-RUN-023"):
            session.execute("RELEASE a")
        session.execute("ROLLBACK TO a")
        session.execute(ALL)
        session.execute("COMMIT")
        assert session.execute("SELECT amount, count(*) FROM accounts GROUP BY 1").fetchall() == [(102, 40)]


def test_settings_go_back_on_branches_that_open_later(fleet: Fleet) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("SELECT 1", shard="s1")
        session.execute("SAVEPOINT a")
        session.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        session.execute("ROLLBACK TO a")
        assert zones(session)[0] != "Asia/Tokyo"
        assert len(set(zones(session))) == 1


def test_settings_go_back_on_a_branch_that_opened_meanwhile(fleet: Fleet) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("SET LOCAL TimeZone = 'Asia/Kolkata'")
        session.execute("SELECT 1", shard="s1")
        session.execute("SAVEPOINT a")
        session.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        session.execute("SELECT 1", shard="s2")
        assert zones(session) == ["Asia/Tokyo", "Asia/Tokyo"]
        session.execute("ROLLBACK TO a")
        assert zones(session) == ["Asia/Kolkata", "Asia/Kolkata"]


def test_what_is_released_stays_set(fleet: Fleet) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("SAVEPOINT a")
        session.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        session.execute("SAVEPOINT b")
        session.execute("RELEASE a")
        assert zones(session) == ["Asia/Tokyo", "Asia/Tokyo"]
        with pytest.raises(ProgrammingError, match="OG-RUN-022"):
            session.execute("ROLLBACK TO b")


@pytest.mark.parametrize("stop", STOPS)
def test_a_setting_that_was_stopped(fleet: Fleet, stop: Stop) -> None:
    for at in range(20):
        with fleet.session() as session:
            session.execute("BEGIN")
            zones(session)
            came = stopped(session, "SET LOCAL TimeZone = 'Asia/Tokyo'", stop, at)
            with suppress(OperationalError):
                assert len(set(zones(session))) == 1, at
        if not came:
            return
    pytest.fail("a setting does not wait so often")


def test_a_setting_that_no_server_takes(fleet: Fleet) -> None:
    """Its branch has failed, so all have."""
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute(ALL)
        with pytest.raises(Error, match="OG-NODE-120"):
            session.execute("SET LOCAL TimeZone = 'Nowhere/At_all'")
        with pytest.raises(OperationalError, match="OG-RUN-023"):
            session.execute(ALL)
        with pytest.raises(OperationalError, match="OG-RUN-020"):
            session.execute("COMMIT")
