"""PEP 249's two-phase extension: an application's own coordinator, and a fleet as one of its participants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from outgrow.doors import dbapi
from outgrow.runtime.transaction import foreign
from tests.conformance.dbapi.conftest import Door

INSERT = "INSERT INTO customers (customer_id) VALUES (%s)"
COUNT = "SELECT count(*) FROM customers"


@pytest.fixture(autouse=True)
def none_left(door: Door) -> Iterator[None]:
    """Locks of a prepared transaction would stop whoever comes next."""
    yield
    with dbapi.connect(door.fleet) as connection:
        for xid in connection.tpc_recover():
            connection.tpc_rollback(xid)


def count(door: Door) -> int:
    with door.connect() as connection, connection.cursor() as cursor:
        cursor.execute(COUNT)
        (number,) = cursor.fetchone()
    return int(number)


def begun(door: Door, name: str, keys: list[int]) -> Any:
    """A connection in a transaction of that name, which has written these rows."""
    connection = door.connect()
    connection.tpc_begin(connection.xid(7, name, "a"))
    cursor = connection.cursor()
    for key in keys:
        cursor.execute(INSERT, [key])
    return connection


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("commit", [True, False])
def test_prepared_then_decided_by_the_same_connection(door: Door, shards: int, commit: bool) -> None:
    connection = begun(door, "own", door.apart()[:shards])
    connection.tpc_prepare()
    assert count(door) == 0
    assert connection.tpc_recover() == [(7, "own", "a")]
    (connection.tpc_commit if commit else connection.tpc_rollback)()
    assert count(door) == (shards if commit else 0)
    assert connection.tpc_recover() == []
    # It is an ordinary connection again, and sees what it has written.
    cursor = connection.cursor()
    cursor.execute(COUNT)
    assert cursor.fetchone() == (shards if commit else 0,)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("commit", [True, False])
def test_decided_by_another_connection(door: Door, commit: bool) -> None:
    connection = begun(door, "other", door.apart(2))
    connection.tpc_prepare()
    connection.close()
    with door.connect() as other:
        (xid,) = other.tpc_recover()
        assert tuple(xid) == (7, "other", "a")
        (other.tpc_commit if commit else other.tpc_rollback)(xid)
        assert other.tpc_recover() == []
        with pytest.raises(dbapi.ProgrammingError) as raised:
            other.tpc_commit(xid)
        assert raised.value.code == "OG-TX-021"
    assert count(door) == (4 if commit else 0)


@pytest.mark.parametrize("commit", [True, False])
def test_one_phase_is_enough(door: Door, commit: bool) -> None:
    connection = begun(door, "short", door.apart())
    (connection.tpc_commit if commit else connection.tpc_rollback)()
    assert count(door) == (2 if commit else 0)
    assert connection.tpc_recover() == []
    connection.close()


def test_who_has_only_read_is_through_when_prepared(door: Door) -> None:
    connection = door.connect()
    connection.tpc_begin(connection.xid(7, "reads", ""))
    connection.cursor().execute(COUNT)
    connection.tpc_prepare()
    assert connection.tpc_recover() == []
    connection.tpc_commit()
    connection.tpc_begin(connection.xid(7, "nothing", ""))
    connection.tpc_prepare()
    connection.tpc_rollback()
    connection.close()


def test_several_wait_side_by_side_and_the_oldest_is_told_first(door: Door) -> None:
    keys = door.apart(2)
    for number in range(3):
        connection = begun(door, f"tx {number}/é'\\%", [keys[number]])
        connection.tpc_prepare()
        connection.close()
    with door.connect() as connection:
        waiting = connection.tpc_recover()
        assert [xid[1] for xid in waiting] == [f"tx {number}/é'\\%" for number in range(3)]
        connection.tpc_commit((7, "tx 1/é'\\%", "a"))
        assert [xid[1][3] for xid in connection.tpc_recover()] == ["0", "2"]
    assert count(door) == 1


def test_a_name_is_taken_once(door: Door) -> None:
    keys = door.apart()
    first, second = begun(door, "same", keys[:1]), begun(door, "same", keys[1:])
    first.tpc_prepare()
    with pytest.raises(dbapi.ProgrammingError) as raised:
        second.tpc_prepare()
    assert raised.value.code == "OG-TX-022"
    first.tpc_commit()
    assert count(door) == 1
    # The second is rolled back, and its connection is free.
    second.cursor().execute(INSERT, keys[1:])
    second.commit()
    assert count(door) == 2
    first.close()
    second.close()


def test_calls_out_of_order_are_programming_errors(door: Door, connection: Any, cursor: Any) -> None:
    xid = connection.xid(1, "g", "b")
    for call in (connection.tpc_prepare, connection.tpc_commit, connection.tpc_rollback):
        with pytest.raises(dbapi.ProgrammingError):
            call()
    cursor.execute("SELECT 1")
    for call in (connection.tpc_begin, connection.tpc_commit, connection.tpc_rollback):
        with pytest.raises(dbapi.ProgrammingError):
            call(xid)
    connection.rollback()
    for wrong in (None, "text", (1, "g")):
        with pytest.raises(dbapi.ProgrammingError):
            connection.tpc_begin(wrong)
    connection.tpc_begin(xid)
    cursor.execute(INSERT, door.apart()[:1])
    for call in (connection.commit, connection.rollback, lambda: connection.tpc_begin(xid)):
        with pytest.raises(dbapi.ProgrammingError):
            call()
    for text in ("COMMIT", "ROLLBACK", "BEGIN"):
        with pytest.raises(dbapi.ProgrammingError):
            cursor.execute(text)
    with pytest.raises(dbapi.ProgrammingError):
        connection.autocommit = True
    connection.tpc_prepare()
    for call in (
        connection.commit,
        connection.rollback,
        connection.tpc_prepare,
        lambda: connection.tpc_begin(xid),
        lambda: connection.tpc_commit(xid),
        lambda: cursor.execute("SELECT 1"),
        lambda: cursor.executemany(INSERT, [[1]]),
    ):
        with pytest.raises(dbapi.ProgrammingError):
            call()
    connection.tpc_rollback()
    assert count(door) == 0


def test_it_needs_transactions(door: Door) -> None:
    with door.connect(autocommit=True) as connection, pytest.raises(dbapi.ProgrammingError):
        connection.tpc_begin(connection.xid(1, "g", "b"))


def test_a_block_leaves_what_is_prepared_and_undoes_what_is_not(door: Door) -> None:
    keys = door.apart()
    with begun(door, "kept", keys[:1]) as connection:
        connection.tpc_prepare()
    with pytest.raises(dbapi.ProgrammingError), begun(door, "undone", keys[1:]):
        pass
    with pytest.raises(ZeroDivisionError), begun(door, "failed", keys[1:]):
        1 / 0  # noqa: B018
    with door.connect() as other:
        assert other.tpc_recover() == [(7, "kept", "a")]
        other.tpc_commit((7, "kept", "a"))
    assert count(door) == 1


def test_what_failed_or_defines_is_not_prepared(door: Door) -> None:
    keys = door.apart()
    connection = begun(door, "failed", keys)
    with pytest.raises(dbapi.IntegrityError):
        connection.cursor().execute(INSERT, keys[:1])
    with pytest.raises(dbapi.OperationalError):
        connection.tpc_prepare()
    connection.tpc_begin(connection.xid(1, "ddl", ""))
    connection.cursor().execute("ALTER TABLE countries ADD COLUMN more text")
    with pytest.raises(dbapi.NotSupportedError) as raised:
        connection.tpc_prepare()
    assert raised.value.code == "OG-TX-028"
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM countries")
    assert [column.name for column in cursor.description] == ["code", "name"]
    assert connection.tpc_recover() == []
    connection.close()


@pytest.mark.parametrize(
    ("format_id", "gtrid", "bqual"),
    [(-1, "g", "b"), (1 << 31, "g", "b"), ("1", "g", "b"), (1, 5, "b"), (1, "g" * 65, "b"), (1, "é" * 64, "é" * 64)],
)
def test_names_that_are_none(connection: Any, format_id: Any, gtrid: Any, bqual: Any) -> None:
    with pytest.raises(dbapi.ProgrammingError) as raised:
        connection.xid(format_id, gtrid, bqual)
    assert raised.value.code == "OG-TX-020"


def test_a_name_is_a_sequence_of_its_parts(connection: Any) -> None:
    xid = connection.xid(0x7FFFFFFF, "g" * 64, "b" * 64)
    assert list(xid) == [0x7FFFFFFF, "g" * 64, "b" * 64] and len(xid) == 3


def test_a_domain_whose_engine_cannot_says_so(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "possible", lambda state: False)
    with dbapi.connect(door.fleet) as connection:
        xid = connection.xid(1, "g", "b")
        for call in (
            lambda: connection.tpc_begin(xid),
            lambda: connection.tpc_commit(xid),
            lambda: connection.tpc_rollback(xid),
            connection.tpc_recover,
        ):
            with pytest.raises(dbapi.NotSupportedError) as raised:
                call()
            assert raised.value.code == "OG-DBAPI-009"
        monkeypatch.undo()
