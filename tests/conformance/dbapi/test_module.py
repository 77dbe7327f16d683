"""PEP 249: what the module itself must have."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import pytest

from outgrow.doors import dbapi
from tests.conformance.dbapi.conftest import Door
from tests.servers import Servers

NAMES = (
    *("Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError", "IntegrityError"),
    *("InternalError", "ProgrammingError", "NotSupportedError"),
)


def test_globals() -> None:
    assert dbapi.apilevel == "2.0"
    assert dbapi.threadsafety == 1
    assert dbapi.paramstyle == "pyformat"


def test_the_hierarchy_of_exceptions() -> None:
    assert issubclass(dbapi.Warning, Exception) and not issubclass(dbapi.Warning, dbapi.Error)
    assert issubclass(dbapi.Error, Exception)
    for name in ("InterfaceError", "DatabaseError"):
        assert getattr(dbapi, name).__bases__ == (dbapi.Error,)
    for name in NAMES[4:]:
        assert getattr(dbapi, name).__bases__ == (dbapi.DatabaseError,)


def test_exceptions_are_attributes_of_a_connection(connection: Any) -> None:
    for name in NAMES:
        assert getattr(connection, name) is getattr(dbapi, name)


def test_constructors() -> None:
    assert dbapi.Date(2026, 11, 28) == datetime.date(2026, 11, 28)
    assert dbapi.Time(4, 5, 6) == datetime.time(4, 5, 6)
    assert dbapi.Timestamp(2026, 11, 28, 4, 5, 6) == datetime.datetime(2026, 11, 28, 4, 5, 6)
    ticks = time.mktime((2026, 11, 28, 4, 5, 6, 0, 0, -1))
    assert dbapi.DateFromTicks(ticks) == datetime.date(2026, 11, 28)
    assert dbapi.TimeFromTicks(ticks) == datetime.time(4, 5, 6)
    assert dbapi.TimestampFromTicks(ticks) == datetime.datetime(2026, 11, 28, 4, 5, 6)
    assert dbapi.Binary(bytearray(b"a\0")) == b"a\0"


def test_type_objects_are_unlike_each_other() -> None:
    every = {dbapi.STRING, dbapi.BINARY, dbapi.NUMBER, dbapi.DATETIME, dbapi.ROWID}
    assert len(every) == 5
    assert dbapi.STRING != dbapi.NUMBER and dbapi.NUMBER != 23
    assert dbapi.NUMBER == "int8" and dbapi.STRING == "public.mood" and dbapi.STRING != "int8"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nothing FROM customers", dbapi.ProgrammingError),
        ("SELECT * FROM nowhere", dbapi.ProgrammingError),
        ("SELECT 1/0 FROM customers WHERE customer_id = 1", dbapi.DataError),
        ("INSERT INTO customers (customer_id) VALUES (1), (1)", dbapi.IntegrityError),
        ("CREATE TEMPORARY TABLE t (n int)", dbapi.NotSupportedError),
    ],
)
def test_errors_are_of_their_class(cursor: Any, sql: str, error: type[Exception]) -> None:
    if "1/0" in sql:
        cursor.execute("INSERT INTO customers (customer_id) VALUES (1)")
    with pytest.raises(error) as raised:
        cursor.execute(sql)
    assert raised.value.code.startswith("OG-") and raised.value.cure


def test_connections_to_one_path_share_a_fleet_until_the_last_is_closed(
    door: Door, fleet_servers: Servers, tmp_path: Path
) -> None:
    from outgrow.doors.dbapi import fleets
    from outgrow.topology import write

    path = tmp_path / "fleet.yaml"
    path.write_text(write(door.fleet.topology))
    one, two = door.connect(path), door.connect(str(path))
    ((fleet, count),) = fleets._shared.values()
    assert count == 2
    one.close()
    one.close()
    assert two.cursor().execute("SELECT 1").fetchone() == (1,)
    two.close()
    assert fleets._shared == {}
    with pytest.raises(dbapi.InterfaceError):
        fleet.execute("SELECT 1")


def test_a_wrong_domain_opens_nothing(door: Door) -> None:
    with pytest.raises(dbapi.InterfaceError):
        door.connect(domain="nowhere")
