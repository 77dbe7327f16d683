"""Each protection of queries over several domains, switched off: then the answer is a wrong one, and is seen to be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import outgrow
from outgrow.plan.domains import across as planning
from outgrow.plan.domains import following, foreign
from outgrow.runtime.reading import across
from tests.integration.across.conftest import Sides


@pytest.fixture
def fresh(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> Iterator[outgrow.Fleet]:
    """A fleet that has planned nothing yet: mutants change plans."""
    with outgrow.open(sides.fleet.topology) as fleet:
        yield fleet


# --- one moment of a transaction -------------------------------------------------------------------------------------


def repeats(fleet: outgrow.Fleet) -> bool:
    """Whether a REPEATABLE READ transaction that may ask reads the same twice."""
    sql = "SELECT count(*) FROM orders o JOIN audit.log l ON l.who = o.customer"
    with fleet.session(level="strong") as session, session.transaction("REPEATABLE READ"):
        try:
            first = session.execute(sql).fetchall()
        except outgrow.NotSupportedError:
            return True
        with fleet.session("users") as writer:
            writer.execute("INSERT INTO audit.log VALUES ('2026-01-01Z', 3, NULL)")
        try:
            return session.execute(sql).fetchall() == first
        finally:
            with fleet.session("users") as writer:
                writer.execute("DELETE FROM audit.log WHERE at = '2026-01-01Z'")


def test_a_transaction_reads_the_same_twice(fresh: outgrow.Fleet) -> None:
    assert repeats(fresh)


def test_mutant_isolation_is_not_asked_for(fresh: outgrow.Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> Any:
        return
        yield

    monkeypatch.setattr(across, "_check_isolation_steps", nothing)
    assert not repeats(fresh)


# --- one moment of a shard -------------------------------------------------------------------------------------------


def torn(fleet: outgrow.Fleet) -> int:
    """How often a query sees half of a transaction of another domain."""
    sql = "SELECT a.country, b.country FROM users a JOIN users b ON b.id = 2 LEFT JOIN orders o ON false WHERE a.id = 1"
    over = threading.Event()

    def write() -> None:
        with fleet.session("users") as session:
            number = 0
            while not over.is_set():
                number += 1
                session.execute("UPDATE users SET country = %s WHERE id IN (1, 2)", [str(number)])

    writer = threading.Thread(target=write)
    with fleet.session("users") as session:
        session.execute("UPDATE users SET country = '0' WHERE id IN (1, 2)")
    writer.start()
    found = 0
    try:
        with fleet.session(level="strong") as session:
            for _ in range(150):
                (row,) = session.execute(sql).fetchall()
                found += row[0] != row[1]
    finally:
        over.set()
        writer.join()
        with fleet.session("users") as session:
            session.execute("UPDATE users SET country = 'FR' WHERE id = 1")
            session.execute("UPDATE users SET country = NULL WHERE id = 2")
    return found


def test_a_shard_is_seen_as_of_one_moment(fresh: outgrow.Fleet) -> None:
    assert torn(fresh) == 0


def test_mutant_a_statement_for_each_occurrence(fresh: outgrow.Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = across._Asking.ask_steps

    def apart(self: Any) -> Any:
        columns, nodes = [], []
        portion = self._portion
        for part in portion.parts:
            self._portion = replace(portion, parts=(part,))
            some, there = yield from whole(self)
            columns += some
            nodes += there
        return columns, nodes

    monkeypatch.setattr(across._Asking, "ask_steps", apart)
    assert torn(fresh) > 0


# --- values, and what compares them ----------------------------------------------------------------------------------


@pytest.fixture
def measures(sides: Sides, fresh: outgrow.Fleet) -> Iterator[outgrow.Fleet]:
    """A table of floats and of text that has an order of its own, on a server that shows few digits."""
    database = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I %s extra_float_digits%s', current_database()); END $$"
    with fresh.session("users") as session:
        session.execute("CREATE COLLATION plain_c (provider = libc, locale = 'C')")
        session.execute("CREATE TABLE measures (x float8, word text COLLATE plain_c)")
        session.execute("INSERT INTO measures VALUES (0.1 + 0.2, 'ä')")
        home = sides.fleet.topology.domain("users").home.primary
        sides.servers.sql(home, (database % ("SET", " = 0")).replace("%%", "%"))
    with outgrow.open(sides.fleet.topology) as fleet:
        yield fleet
    sides.servers.sql(home, (database % ("RESET", "")).replace("%%", "%"))
    with sides.fleet.session("users") as session:
        session.execute("DROP TABLE measures")
        session.execute("DROP COLLATION plain_c")


def exact(fleet: outgrow.Fleet) -> bool:
    try:
        return fleet.execute("SELECT x = 0.1::float8 + 0.2::float8 FROM measures").fetchall() == [(True,)]
    except outgrow.NotSupportedError as error:
        return error.code == "OG-RUN-132"


def test_values_are_exact(measures: outgrow.Fleet) -> None:
    assert exact(measures)


def test_mutant_digits_are_not_looked_at(measures: outgrow.Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_EXACT", "SELECT * FROM (SELECT true) AS exact")
    assert not exact(measures)


def alike(fleet: outgrow.Fleet) -> bool:
    """Whether upper() says of the column what it says in its own domain."""
    sql = "SELECT upper(word) FROM measures"
    own = fleet.execute(sql, domain="users").fetchall()
    try:
        return fleet.execute(sql).fetchall() == own
    except outgrow.NotSupportedError as error:
        return error.code == "OG-PLAN-075"


def test_letters_are_those_of_the_column(measures: outgrow.Fleet) -> None:
    assert alike(measures)


def test_mutant_text_of_another_order_is_taken_for_ones_own(
    measures: outgrow.Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "vet_order", lambda tree: None)
    assert not alike(measures)


# --- whose values say which rows matter ------------------------------------------------------------------------------


def preserved(fleet: outgrow.Fleet) -> bool:
    """Whether a LEFT JOIN keeps all rows of its left side."""
    sql = "SELECT count(*) FROM users u LEFT JOIN orders o ON o.customer = u.id AND o.id = 5"
    return fleet.execute(sql).fetchall() == [(10,)]


def test_a_side_that_is_kept_is_kept(fresh: outgrow.Fleet) -> None:
    assert preserved(fresh)


def test_mutant_a_left_join_is_taken_for_an_inner_one(fresh: outgrow.Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        following._Block,
        "_joins",
        lambda self, join: self._told(join.on, following.kept(join.left) + following.kept(join.right)),
    )
    assert not preserved(fresh)
