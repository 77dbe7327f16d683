"""A coordinator of the application's own, behind a transaction pooler."""

from __future__ import annotations

import pytest

from outgrow import Fleet
from outgrow.doors import dbapi


def test_prepared_by_one_connection_and_ended_by_another(fleet: Fleet) -> None:
    for first, name, end in ((7000, "kept", "tpc_commit"), (7010, "undone", "tpc_rollback")):
        rows = [(key,) for key in range(first, first + 10)]
        with dbapi.connect(fleet) as connection:
            connection.tpc_begin(connection.xid(1, name, ""))
            cursor = connection.cursor()
            cursor.executemany("INSERT INTO customers (customer_id) VALUES (%s)", rows)
            connection.tpc_prepare()
        with dbapi.connect(fleet) as other:
            (xid,) = other.tpc_recover()
            getattr(other, end)(xid)
            assert other.tpc_recover() == []
            cursor = other.cursor()
            cursor.execute("SELECT count(*) FROM customers WHERE customer_id BETWEEN 7000 AND 7019")
            assert cursor.fetchone() == (10,)


def test_a_role_that_could_not_end_it_is_refused(fleet: Fleet) -> None:
    with dbapi.connect(fleet) as connection:
        connection.tpc_begin(connection.xid(1, "role", ""))
        cursor = connection.cursor()
        cursor.execute("SET LOCAL ROLE app")
        cursor.execute("INSERT INTO customers (customer_id) VALUES (77)")
        with pytest.raises(dbapi.NotSupportedError):
            connection.tpc_prepare()
        assert connection.tpc_recover() == []
