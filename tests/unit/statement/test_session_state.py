"""What a statement would leave on its connection is named; a SET for the session is said for one transaction."""

from __future__ import annotations

import pytest

from outgrow.statement import bind, local_settings, session_state, sets_role
from tests.unit.statement.shop import SCHEMA


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("SELECT pg_advisory_lock(1)", "pg_advisory_lock"),
        ("SELECT pg_catalog.Pg_Try_Advisory_Lock_Shared(1, 2)", "pg_try_advisory_lock_shared"),
        ("SELECT 1 WHERE pg_advisory_unlock_all() IS NULL", "pg_advisory_unlock_all"),
        ('SELECT "pg_advisory_lock"(1)', "pg_advisory_lock"),
        ("DO $$ BEGIN PERFORM pg_advisory_lock(1); END $$", "pg_advisory_lock"),
        ("SELECT pg_advisory_xact_lock(1)", ""),
        ("SELECT 'pg_advisory_lock(1)'", ""),
        ("SELECT currval('s')", "currval"),
        ("SELECT lastval()", "lastval"),
        ("SELECT setseed(0.5)", "setseed"),
        ("SELECT set_config('a.b', 'x', false)", "set_config"),
        ("SELECT set_config('a.b', concat('x', 'y'), $1)", "set_config"),
        ("SELECT set_config('a.b', 'true', 1 = 1 OR true)", "set_config"),
        ("SELECT set_config('a.b', concat('x', (SELECT 'y')), true)", ""),
        ("SELECT set_config('a.b', 'x', TRUE), 1", ""),
        ("LISTEN news", "LISTEN"),
        ("UNLISTEN *", "UNLISTEN"),
        ("NOTIFY news", ""),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("PREPARE TRANSACTION 'x'", ""),
        ("EXECUTE p", "EXECUTE"),
        ("DEALLOCATE ALL", "DEALLOCATE"),
        ("LOAD 'x'", "LOAD"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "WITH HOLD"),
        ("DECLARE c CURSOR FOR SELECT 1", ""),
        ("SET a.b = 1", "SET"),
        ("SET LOCAL a.b = 1", ""),
        ("RESET ALL", "RESET"),
        ("DISCARD ALL", "DISCARD"),
        ("SHOW ALL", ""),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock(1)'", ""),
    ],
)
def test_what_stays_on_the_connection_is_named(text: str, word: str) -> None:
    found = session_state(bind(text, SCHEMA))
    assert (word in found) if word else found == ""


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("SET work_mem = '1MB'", ["SET LOCAL work_mem = '1MB'"]),
        ("set session work_mem to 5;", ["SET LOCAL work_mem to 5"]),
        ("/* a */ SET -- b\n work_mem = 5 ; ", ["SET LOCAL work_mem = 5"]),
        ("SET TIME ZONE 'UTC'", ["SET LOCAL TIME ZONE 'UTC'"]),
        ("SET SESSION TIME ZONE LOCAL", ["SET LOCAL TIME ZONE LOCAL"]),
        ("SET SESSION AUTHORIZATION joe", ["SET LOCAL SESSION AUTHORIZATION joe"]),
        ("SET SESSION SESSION AUTHORIZATION joe", ["SET LOCAL SESSION AUTHORIZATION joe"]),
        ("SET ROLE joe", ["SET LOCAL ROLE joe"]),
        ("SET my.setting = 'a;b'", ["SET LOCAL my.setting = 'a;b'"]),
        (
            "SET default_transaction_isolation TO 'serializable'",
            [
                "SET LOCAL default_transaction_isolation TO 'serializable'",
                "SET LOCAL transaction_isolation TO 'serializable'",
            ],
        ),
        (
            "SET SESSION default_transaction_read_only=on",
            ["SET LOCAL default_transaction_read_only=on", "SET LOCAL transaction_read_only =on"],
        ),
        ("SET default_transaction_read_only TO DEFAULT", ["SET LOCAL default_transaction_read_only TO DEFAULT"]),
    ],
)
def test_a_setting_is_said_for_one_transaction(text: str, local: list[str]) -> None:
    assert list(local_settings(text)) == local


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("SET ROLE joe", True),
        ("SET LOCAL /* x */ ROLE joe", True),
        ("SET SESSION ROLE joe", True),
        ("set session authorization joe", True),
        ("SET LOCAL SESSION AUTHORIZATION joe", True),
        ("SET LOCAL work_mem = 1", False),
        ("SET LOCAL my.role = 'x'", False),
        ("SET TRANSACTION READ ONLY", False),
    ],
)
def test_who_changes_the_role(text: str, does: bool) -> None:
    assert sets_role(text) is does
