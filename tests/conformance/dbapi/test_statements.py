"""PEP 249: executing and fetching, one test per rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from outgrow.doors import dbapi
from tests.conformance.dbapi.conftest import Door

INSERT = "INSERT INTO customers (customer_id, name) VALUES (%s, %s)"


def filled(cursor: Any, count: int = 10) -> Any:
    cursor.executemany(INSERT, [(n, f"c{n}") for n in range(count)])
    return cursor.execute("SELECT customer_id FROM customers ORDER BY customer_id")


def test_a_statement_begins_a_transaction_that_commit_ends(door: Door, connection: Any, cursor: Any) -> None:
    one, other = door.apart()
    cursor.execute(INSERT, [one, "a"])
    cursor.execute(INSERT, [other, "b"])
    with door.fleet.session(level="strong") as session:
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]
        connection.commit()
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(2,)]


def test_rollback_undoes_on_every_shard(door: Door, connection: Any, cursor: Any) -> None:
    for key in door.apart():
        cursor.execute(INSERT, [key, "a"])
    connection.rollback()
    cursor.execute("SELECT count(*) FROM customers")
    assert cursor.fetchone() == (0,)


def test_close_rolls_back(door: Door) -> None:
    connection = door.connect()
    connection.cursor().execute(INSERT, [1, "a"])
    connection.close()
    assert door.connect(autocommit=True).cursor().execute("SELECT count(*) FROM customers").fetchone() == (0,)


def test_autocommit_commits_each_statement(door: Door, connection: Any, cursor: Any) -> None:
    connection.autocommit = True
    cursor.execute(INSERT, [1, "a"])
    connection.rollback()
    assert cursor.execute("SELECT name FROM customers").fetchall() == [("a",)]


def test_autocommit_cannot_change_inside_a_transaction(connection: Any, cursor: Any) -> None:
    cursor.execute("SELECT 1")
    with pytest.raises(dbapi.ProgrammingError) as refused:
        connection.autocommit = True
    assert refused.value.code == "OG-DBAPI-003"
    connection.commit()
    connection.autocommit = True


def test_settings_are_the_sessions_and_begin_no_transaction(connection: Any, cursor: Any) -> None:
    cursor.execute("SET statement_timeout = '7s'")
    connection.autocommit = True
    connection.autocommit = False
    assert cursor.execute("SHOW statement_timeout").fetchone() == ("7s",)


def test_begin_may_be_said(connection: Any, cursor: Any) -> None:
    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert cursor.execute("SELECT current_setting('transaction_isolation')").fetchone() == ("repeatable read",)
    cursor.execute("COMMIT")


def test_a_with_block_commits_and_closes(door: Door) -> None:
    with door.connect() as connection:
        connection.cursor().execute(INSERT, [1, "a"])
    assert connection.closed
    with pytest.raises(RuntimeError), door.connect() as connection:
        connection.cursor().execute(INSERT, [2, "b"])
        raise RuntimeError
    with door.connect() as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT customer_id FROM customers").fetchall() == [(1,)]


def test_cursors_of_a_connection_share_its_transaction(connection: Any, cursor: Any) -> None:
    cursor.execute(INSERT, [1, "a"])
    assert connection.cursor().execute("SELECT name FROM customers").fetchall() == [("a",)]


def test_after_a_failure_commit_says_that_it_did_not(connection: Any, cursor: Any) -> None:
    cursor.execute(INSERT, [1, "a"])
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute(INSERT, [1, "b"])
    with pytest.raises(dbapi.OperationalError):
        connection.commit()
    assert cursor.execute("SELECT * FROM customers").fetchall() == []


def test_both_parameter_styles(cursor: Any) -> None:
    cursor.execute("INSERT INTO customers (customer_id, name) VALUES (%(key)s, %(name)s)", {"key": 1, "name": "50%"})
    assert cursor.execute(
        "SELECT name FROM customers WHERE name LIKE '50%%' AND customer_id = %s", (1,)
    ).fetchone() == ("50%",)


def test_none_is_null(cursor: Any) -> None:
    cursor.execute(INSERT, [1, None])
    assert cursor.execute("SELECT name FROM customers WHERE name IS NULL").fetchone() == (None,)


def test_constructed_values_go_in_and_come_out(cursor: Any) -> None:
    told = (1, "a", Decimal("9.90"), dbapi.Date(2026, 2, 28), dbapi.Binary(b"\0\xff"))
    cursor.execute("INSERT INTO customers VALUES (%s, %s, %s, %s, %s)", told)
    assert cursor.execute("SELECT * FROM customers").fetchone() == told


def test_rowcount(cursor: Any) -> None:
    assert cursor.rowcount == -1
    assert filled(cursor).rowcount == 10
    cursor.execute("UPDATE customers SET name = 'x' WHERE customer_id < 4")
    assert cursor.rowcount == 4


def test_description_and_type_objects(cursor: Any) -> None:
    assert cursor.description is None
    cursor.execute("SELECT customer_id, name, total, day, raw, 1::oid AS o, '{1}'::int4[] AS many FROM customers")
    assert [len(column) for column in cursor.description] == [7] * 7
    assert [column[0] for column in cursor.description] == ["customer_id", "name", "total", "day", "raw", "o", "many"]
    kinds = [dbapi.NUMBER, dbapi.STRING, dbapi.NUMBER, dbapi.DATETIME, dbapi.BINARY, dbapi.ROWID, dbapi.STRING]
    for kind, column in zip(kinds, cursor.description, strict=True):
        every = (dbapi.STRING, dbapi.BINARY, dbapi.NUMBER, dbapi.DATETIME, dbapi.ROWID)
        assert [other for other in every if column[1] == other] == [kind]
    assert cursor.description[1].display_size == 30
    assert cursor.description[2][4:6] == (10, 2)
    cursor.execute("DELETE FROM customers")
    assert cursor.description is None


def test_fetchone_ends_with_none(cursor: Any) -> None:
    filled(cursor, 2)
    assert [cursor.fetchone(), cursor.fetchone(), cursor.fetchone()] == [(0,), (1,), None]


def test_fetchmany_takes_arraysize_by_itself(cursor: Any) -> None:
    filled(cursor)
    assert cursor.arraysize == 1
    assert cursor.fetchmany() == [(0,)]
    assert cursor.fetchmany(2) == [(1,), (2,)]
    cursor.arraysize = 3
    assert cursor.fetchmany() == [(3,), (4,), (5,)]
    assert cursor.fetchmany(100) == [(6,), (7,), (8,), (9,)]
    assert cursor.fetchmany() == []


def test_fetchall_takes_the_rest(cursor: Any) -> None:
    filled(cursor, 4)
    cursor.fetchone()
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    assert cursor.fetchall() == []


def test_iteration_and_rownumber(cursor: Any) -> None:
    assert cursor.rownumber is None
    filled(cursor, 3)
    assert cursor.rownumber == 0
    assert list(cursor) == [(0,), (1,), (2,)]
    assert cursor.rownumber == 3


def test_scroll(cursor: Any) -> None:
    filled(cursor)
    cursor.scroll(4)
    assert cursor.fetchone() == (4,)
    cursor.scroll(-2)
    assert cursor.fetchone() == (3,)
    cursor.scroll(0, mode="absolute")
    assert cursor.fetchone() == (0,)
    for value, mode in ((10, "absolute"), (-5, "relative")):
        with pytest.raises(IndexError):
            cursor.scroll(value, mode)
    assert cursor.rownumber == 1
    with pytest.raises(dbapi.ProgrammingError):
        cursor.scroll(1, "sideways")


@pytest.mark.parametrize("fetch", ["fetchone", "fetchmany", "fetchall"])
def test_fetching_without_a_result_set_is_an_error(cursor: Any, fetch: str) -> None:
    for before in (lambda: None, lambda: cursor.execute(INSERT, [1, "a"]), lambda: cursor.executemany(INSERT, [])):
        before()
        with pytest.raises(dbapi.Error) as refused:
            getattr(cursor, fetch)()
        assert refused.value.code == "OG-DBAPI-002"


def test_callproc_returns_its_parameters_and_gives_rows(cursor: Any) -> None:
    given = [21]
    returned = cursor.callproc("twice", given)
    assert returned == given and returned is not given
    assert cursor.fetchall() == [(42,)]
    with pytest.raises(dbapi.ProgrammingError):
        cursor.callproc("twice(1); DROP TABLE customers; --", [])


def test_there_is_never_a_next_set(cursor: Any) -> None:
    assert filled(cursor).nextset() is None


def test_sizes_may_be_told(cursor: Any) -> None:
    cursor.setinputsizes([25])
    cursor.setoutputsize(1000)
    cursor.setoutputsize(2000, 0)
    assert filled(cursor, 1).fetchall() == [(0,)]


def test_optional_attributes(connection: Any, cursor: Any) -> None:
    assert cursor.connection == connection
    assert cursor.lastrowid is None
    assert filled(cursor).messages == []


def test_a_closed_cursor_is_of_no_use(connection: Any, cursor: Any) -> None:
    filled(cursor)
    cursor.close()
    cursor.close()
    for call in (
        lambda: cursor.execute("SELECT 1"),
        lambda: cursor.executemany(INSERT, [(100, "a")]),
        lambda: cursor.fetchone(),
        lambda: cursor.callproc("twice", [1]),
        lambda: cursor.nextset(),
        lambda: cursor.setinputsizes([]),
    ):
        with pytest.raises(dbapi.Error):
            call()
    assert connection.cursor().execute("SELECT 1").fetchone() == (1,)


def test_a_closed_connection_is_of_no_use(door: Door) -> None:
    connection = door.connect()
    cursor = connection.cursor()
    connection.close()
    connection.close()
    for call in (connection.commit, connection.rollback, connection.cursor, lambda: cursor.execute("SELECT 1")):
        with pytest.raises(dbapi.Error):
            call()
