"""SET belongs to the session, whichever connection serves it."""

from __future__ import annotations

import pytest

import outgrow
from outgrow import Fleet


def zones(session: outgrow.Session) -> set[str]:
    """What each shard's connection thinks the time zone is."""
    return {session.execute("SHOW timezone", shard=shard).fetchall()[0][0] for shard in ("s1", "s2")}


def test_a_setting_goes_along_to_every_shard_and_stays_with_its_session(fleet: Fleet) -> None:
    with fleet.session(level="strong") as one, fleet.session(level="strong") as other:
        before = zones(other)
        one.execute("SET timezone = 'Asia/Tokyo'")
        assert zones(one) == {"Asia/Tokyo"}
        assert zones(other) == before
        assert zones(one) == {"Asia/Tokyo"}
        one.execute("RESET timezone")
        assert zones(one) == before


def test_the_last_of_two_settings_wins_and_reset_all_ends_them(fleet: Fleet) -> None:
    with fleet.session(level="strong") as session:
        before = zones(session)
        session.execute("SET timezone = 'Asia/Tokyo'")
        session.execute("SET timezone TO 'Europe/Rome'")
        assert zones(session) == {"Europe/Rome"}
        session.execute("RESET ALL")
        assert zones(session) == before


def test_a_setting_that_the_server_refuses_is_not_kept(fleet: Fleet) -> None:
    with fleet.session() as session:
        with pytest.raises(outgrow.Error):
            session.execute("SET timezone = 'Nowhere/Land'")
        assert session.execute("SELECT 1").fetchall() == [(1,)]


def test_set_local_ends_with_its_transaction(fleet: Fleet) -> None:
    with fleet.session(level="strong") as session:
        before = zones(session)
        with session.transaction():
            session.execute("SET LOCAL timezone = 'Asia/Tokyo'")
            assert zones(session) == {"Asia/Tokyo"}
        assert zones(session) == before


def test_times_are_read_in_the_sessions_zone(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("SET timezone = 'Asia/Tokyo'")
        (row,) = session.execute("SELECT '2024-01-01 00:00+00'::timestamptz").fetchall()
        assert row[0].isoformat() == "2024-01-01T09:00:00+09:00"


@pytest.mark.parametrize("sql", ["SET search_path = other", "SET client_encoding = 'LATIN1'"])
def test_settings_that_change_meaning_are_refused(fleet: Fleet, sql: str) -> None:
    with fleet.session() as session, pytest.raises(outgrow.NotSupportedError, match="OG-RUN-033"):
        session.execute(sql)


def test_session_commands_of_one_connection_are_refused(fleet: Fleet) -> None:
    with fleet.session() as session:
        for sql in ("LISTEN news", "PREPARE TRANSACTION 'x'", "COPY customers FROM STDIN"):
            with pytest.raises(outgrow.Error) as caught:
                session.execute(sql)
            assert caught.value.cure
