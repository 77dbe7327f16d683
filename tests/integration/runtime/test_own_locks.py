"""A transaction that has locked a table: nothing of its own waits for that lock on another connection."""

from __future__ import annotations

import time

import pytest

from outgrow import Fleet
from outgrow.errors import Error, ProgrammingError
from outgrow.runtime.domain import LOOK_SECONDS


@pytest.fixture(autouse=True)
def defaults(fleet: Fleet) -> None:
    """To say what a default is, the catalogue waits for whoever has locked its table."""
    with fleet.session() as session:
        session.execute("ALTER TABLE orders ADD note text DEFAULT 'none'")
        session.execute("SELECT note FROM orders")
        session.execute("INSERT INTO customers VALUES (1, 'a', 'DE'), (2, 'b', 'DE'), (3, 'c', 'DE')")


def test_an_error_of_types_is_told_without_waiting_for_its_own_lock(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("TRUNCATE orders")
        began = time.monotonic()
        with pytest.raises(Error):
            session.execute("INSERT INTO orders (order_id, customer_id) SELECT 1, name FROM customers")
        assert time.monotonic() - began < LOOK_SECONDS + 4
        session.execute("ROLLBACK")
        assert session.execute("SELECT count(*) FROM orders").fetchall() == [(0,)]


def test_an_unknown_name_is_told_without_waiting_for_its_own_lock(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("TRUNCATE orders")
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(ProgrammingError):
                session.execute("SELECT * FROM nowhere")
        # It has waited once.
        assert time.monotonic() - began < LOOK_SECONDS + 4
        session.execute("INSERT INTO orders (customer_id, order_id) VALUES (1, 2)")
        session.execute("COMMIT")
        assert session.execute("SELECT count(*) FROM orders").fetchall() == [(1,)]


def test_what_has_changed_meanwhile_does_not_hold_it_up(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("TRUNCATE orders")
        state = session._conversation.state
        began = time.monotonic()
        for number in range(3):
            state.stale = True
            session.execute(f"SELECT count(*) + {number} FROM orders")
        assert time.monotonic() - began < LOOK_SECONDS + 4
        session.execute("COMMIT")
        session.execute("SELECT count(*) FROM orders")
        assert not state.stale
