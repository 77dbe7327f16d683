"""PEP 249 (DB-API 2.0) over a fleet.

from outgrow.doors import dbapi

with dbapi.connect("fleet.yaml") as connection, connection.cursor() as cursor:
    cursor.execute("SELECT … WHERE customer_id = %s", [42])
    cursor.fetchall()
"""

from __future__ import annotations

from pathlib import Path

from outgrow.doors.dbapi.connection import Connection, Cursor
from outgrow.doors.dbapi.exceptions import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from outgrow.doors.dbapi.fleets import opened, speaking
from outgrow.doors.dbapi.types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Column,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
    TypeObject,
)
from outgrow.runtime import Fleet, Level
from outgrow.topology import Topology

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Column",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "TypeObject",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

apilevel = "2.0"
#: Threads share the module and a Fleet, not connections.
threadsafety = 1
#: `%(name)s`; and `%s`, as format has it.
paramstyle = "pyformat"


def connect(
    source: str | Path | Topology | Fleet | None = None,
    *,
    domain: str | None = None,
    level: str | Level = "session",
    autocommit: bool = False,
    scatter: str | None = None,
) -> Connection:
    """A connection to a domain (the first one) of a fleet.

    `source` is the path of a fleet.yaml, an open Fleet (which stays open), or None for the local fleet.  Connections
    of a process to one path share its pools; the last one that is closed closes them.
    """
    fleet, let_go = opened(source)
    return Connection(speaking(fleet, let_go, domain, level, autocommit, scatter), let_go)
