"""executemany: one transaction, few round trips, effects in the order given."""

from __future__ import annotations

from typing import Any

import pytest

from outgrow.doors import dbapi
from outgrow.nodes import Link
from tests.conformance.dbapi.conftest import Door

INSERT = "INSERT INTO customers (customer_id, name, total) VALUES (%s, %s, 0)"


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each flush holds; single statements count as 1."""
    flushes: list[int] = []
    many, single = Link.run_many_steps, Link.run_steps

    def run_many(self: Link, asked: Any, **told: Any) -> Any:
        flushes.append(len(asked))
        return many(self, asked, **told)

    def run(self: Link, *args: Any, **told: Any) -> Any:
        flushes.append(1)
        return single(self, *args, **told)

    monkeypatch.setattr(Link, "run_many_steps", run_many)
    monkeypatch.setattr(Link, "run_steps", run)
    return flushes


def test_rowcount_is_the_sum(cursor: Any) -> None:
    cursor.executemany(INSERT, [(n, "a") for n in range(30)])
    assert cursor.rowcount == 30
    cursor.executemany("UPDATE customers SET name = %s WHERE customer_id < %s", [("b", 10), ("c", 5)])
    assert cursor.rowcount == 15
    cursor.executemany("UPDATE customers SET name = 'x' WHERE customer_id = %(key)s", [{"key": 1}, {"key": 999}])
    assert cursor.rowcount == 1


def test_few_flushes(door: Door, cursor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor.executemany(INSERT, [(n, "a") for n in door.apart(20)])
    flushes = counted(monkeypatch)
    cursor.executemany("UPDATE customers SET name = 'b' WHERE customer_id = %s", [(n,) for n in door.apart(20)])
    # (Single ones are the fleet's own, in the background.)
    assert [flush for flush in flushes if flush > 1] == [20, 20]


def test_effects_on_one_row_keep_their_order(door: Door, cursor: Any) -> None:
    keys = door.apart()
    cursor.executemany(INSERT, [(key, "") for key in keys])
    letters = [(letter, key) for letter in "abcdefghijkl" for key in keys]
    cursor.executemany("UPDATE customers SET name = name || %s WHERE customer_id = %s", letters)
    assert cursor.execute("SELECT name FROM customers").fetchall() == [("abcdefghijkl",)] * 2


def test_a_set_over_all_shards_keeps_its_place_among_the_others(door: Door, cursor: Any) -> None:
    keys = door.apart()
    cursor.executemany(INSERT, [(key, "") for key in keys])
    # The second set's keys lie on two shards.
    sets = [("a", [keys[0]]), ("b", list(keys)), ("c", [keys[0]])]
    cursor.executemany("UPDATE customers SET name = name || %s WHERE customer_id = ANY (%s)", sets)
    assert dict(cursor.execute("SELECT customer_id, name FROM customers").fetchall()) == {keys[0]: "abc", keys[1]: "b"}


def test_a_copied_table_has_all_rows_everywhere(door: Door, connection: Any, cursor: Any) -> None:
    cursor.executemany("INSERT INTO countries VALUES (%s, %s)", [("nl", "Nederland"), ("fr", "France")])
    assert cursor.rowcount == 2
    connection.commit()
    with door.fleet.session(level="strong") as session:
        for shard in ("s1", "s2"):
            assert session.execute("SELECT count(*) FROM countries", shard=shard).fetchone() == (2,)


@pytest.mark.parametrize("autocommit", [False, True])
def test_one_failing_set_leaves_nothing(door: Door, autocommit: bool) -> None:
    one, other = door.apart()
    with door.connect(autocommit=True) as connection:
        connection.autocommit = autocommit
        cursor = connection.cursor()
        with pytest.raises(dbapi.IntegrityError) as raised:
            cursor.executemany(INSERT, [(one, "a"), (other, "b"), (one, "again")])
        assert raised.value.sqlstate == "23505"
        connection.rollback()
        assert cursor.execute("SELECT * FROM customers").fetchall() == []


def test_with_autocommit_all_are_committed(door: Door) -> None:
    with door.connect(autocommit=True) as connection:
        connection.cursor().executemany(INSERT, [(key, "a") for key in door.apart(3)])
        connection.rollback()
        assert connection.cursor().execute("SELECT count(*) FROM customers").fetchone() == (6,)


def test_many_more_than_one_flush_holds(cursor: Any) -> None:
    cursor.executemany(INSERT, ((n, "a") for n in range(2500)))
    assert cursor.rowcount == 2500
    assert cursor.execute("SELECT count(*), sum(customer_id) FROM customers").fetchone() == (2500, 2499 * 1250)


def test_one_statement_is_prepared_once_per_connection(door: Door, cursor: Any) -> None:
    cursor.executemany(INSERT, [(key, "a") for key in door.apart(60)])
    sql = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO customers%%' AND %s"
    cursor.execute(sql, [True])
    # One per list of parameter types; keys from 1000 on are int2 here.
    assert cursor.fetchone() == (1,)


def test_a_wrong_set_is_an_error_before_anything_of_it_runs(cursor: Any) -> None:
    with pytest.raises(dbapi.ProgrammingError):
        cursor.executemany(INSERT, [(1,)])
