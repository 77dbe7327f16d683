"""Named cursors: rows as they arrive, in bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from outgrow.doors import dbapi
from tests.conformance.dbapi.conftest import Door

INSERT = "INSERT INTO customers (customer_id, name) VALUES (%s, %s)"


@pytest.fixture
def named(connection: Any) -> Any:
    connection.cursor().executemany(INSERT, [(n, f"c{n}") for n in range(3000)])
    return connection.cursor("reader")


def test_rows_come_in_order_over_all_shards(named: Any) -> None:
    named.execute("SELECT customer_id FROM customers ORDER BY customer_id")
    assert named.name == "reader"
    assert named.description[0][0] == "customer_id"
    assert named.rowcount == -1
    assert named.fetchone() == (0,)
    assert named.fetchmany(2000) == [(n,) for n in range(1, 2001)]
    assert named.rownumber == 2001
    assert named.fetchall() == [(n,) for n in range(2001, 3000)]
    assert named.fetchone() is None


def test_it_is_iterated(named: Any) -> None:
    named.execute("SELECT customer_id FROM customers WHERE customer_id < %s", [1500])
    assert sorted(named) == [(n,) for n in range(1500)]


def test_nothing_found_is_an_empty_result_set(named: Any) -> None:
    named.execute("SELECT customer_id FROM customers WHERE customer_id < 0")
    assert named.description is not None
    assert named.fetchall() == []


def test_it_does_not_scroll(named: Any) -> None:
    named.execute("SELECT 1")
    with pytest.raises(dbapi.NotSupportedError):
        named.scroll(1)


def test_it_only_reads(named: Any) -> None:
    for call in (
        lambda: named.execute("DELETE FROM customers"),
        lambda: named.executemany(INSERT, [(1, "a")]),
    ):
        with pytest.raises(dbapi.NotSupportedError):
            call()


def test_its_transaction_waits_for_its_end(connection: Any, named: Any) -> None:
    other = connection.cursor()
    named.execute("SELECT customer_id FROM customers ORDER BY customer_id")
    named.fetchone()
    with pytest.raises(dbapi.ProgrammingError) as refused:
        other.execute("SELECT 1")
    assert refused.value.code == "OG-DBAPI-004"
    named.close()
    assert other.execute("SELECT count(*) FROM customers").fetchone() == (3000,)


def test_commit_ends_it(connection: Any, named: Any) -> None:
    named.execute("SELECT customer_id FROM customers ORDER BY customer_id")
    named.fetchone()
    connection.commit()
    assert named.fetchall() == []
    assert connection.cursor().execute("SELECT count(*) FROM customers").fetchone() == (3000,)


def test_with_autocommit_others_go_on(door: Door, connection: Any, named: Any) -> None:
    connection.commit()
    connection.autocommit = True
    named.execute("SELECT customer_id FROM customers ORDER BY customer_id")
    assert connection.cursor().execute("SELECT count(*) FROM customers").fetchone() == (3000,)
    assert len(named.fetchall()) == 3000


def test_memory_is_bounded(connection: Any) -> None:
    reader = connection.cursor("reader")
    reader.execute("SELECT n, repeat('x', 1000) FROM generate_series(1, 60000) AS n")
    tracemalloc.start()
    try:
        assert sum(1 for _ in reader) == 60000
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_its_failure_fails_the_transaction(connection: Any, named: Any) -> None:
    with pytest.raises(dbapi.DataError):
        named.execute("SELECT 1 / (customer_id - 5) FROM customers WHERE customer_id = 5")
    with pytest.raises(dbapi.OperationalError):
        connection.commit()
