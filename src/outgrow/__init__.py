"""outgrow: the data layer for Python applications that outgrow one database.

import outgrow

fleet = outgrow.open("fleet.yaml")        # outgrow.open() alone: the local fleet of `outgrow up`
with fleet.session() as session:
    session.execute("SELECT …", [42]).fetchall()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from outgrow.errors import (
    ConfigurationError,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NodeLost,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

if TYPE_CHECKING:
    from outgrow.runtime import AsyncSession, Fleet, Result, Session, uuid7
    from outgrow.topology import Topology

__version__ = "0.1.0"

__all__ = [
    "AsyncSession",
    "ConfigurationError",
    "DataError",
    "DatabaseError",
    "Error",
    "Fleet",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NodeLost",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Result",
    "Session",
    "open",
    "uuid7",
]


def open(source: str | Path | Topology | None = None, *, install: bool = False) -> Fleet:
    """Open the fleet of a `fleet.yaml` (or a Topology); without an argument, the local fleet of `outgrow up`.

    `install=True` first puts outgrow's ledger into the databases where it is missing (as `outgrow init` does).
    """
    from outgrow.runtime import open_fleet

    if source is None:
        from outgrow.local import directory_of

        source = directory_of() / "fleet.yaml"
    return open_fleet(source, install=install)


def __getattr__(name: str) -> object:
    """What the runtime has is imported when first named: `import outgrow` alone stays light for the CLI."""
    if name in ("AsyncSession", "Fleet", "Result", "Session", "uuid7"):
        import outgrow.runtime

        return getattr(outgrow.runtime, name)
    raise AttributeError(f"module 'outgrow' has no attribute {name!r}")
