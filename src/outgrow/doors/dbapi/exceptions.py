"""PEP 249's exceptions: outgrow's own are named and ordered as the PEP asks; it wants a Warning beside them."""

from __future__ import annotations

import builtins

from outgrow.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
]


class Warning(builtins.Warning):
    """What a statement had to say although it went well; found in `cursor.messages`, never raised."""


class Exceptions:
    """The same as attributes of a connection, so that code which is handed one can catch what it raises."""

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError
