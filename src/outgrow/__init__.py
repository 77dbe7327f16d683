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
    ScatterWarning,
)

if TYPE_CHECKING:
    from outgrow.runtime import (
        AsyncSession,
        Fleet,
        Message,
        Rejected,
        Result,
        Retry,
        Saga,
        SagaContext,
        SagaFailed,
        SagaRecord,
        SagaResult,
        Session,
        uuid7,
    )
    from outgrow.topology import Observe, Topology

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
    "Message",
    "NodeLost",
    "NotSupportedError",
    "Observe",
    "OperationalError",
    "ProgrammingError",
    "Rejected",
    "Result",
    "Retry",
    "Saga",
    "SagaContext",
    "SagaFailed",
    "SagaRecord",
    "SagaResult",
    "ScatterWarning",
    "Session",
    "open",
    "uuid7",
]

_OF_RUNTIME = frozenset(
    (
        "AsyncSession Fleet Message Rejected Result Retry Saga SagaContext SagaFailed SagaRecord SagaResult "
        "Session uuid7"
    ).split()
)


def open(
    source: str | Path | Topology | None = None,
    *,
    install: bool = False,
    rows_in_place: bool = False,
    observe: Observe | None = None,
) -> Fleet:
    """Open the fleet of a `fleet.yaml` (or a Topology); without an argument, the local fleet of `outgrow up`.

    `install=True` first puts outgrow's ledger into the databases where it is missing, or upgrades it (as `outgrow init`
    does); it raises OG-RUN-156 where tables of the file have rows that would not be found.  `rows_in_place=True`: they
    would, and you know it.
    `observe` says what is logged and traced of statements, instead of the file's `observe:`.
    """
    from outgrow.runtime import open_fleet

    if source is None:
        from outgrow.local import directory_of

        source = directory_of() / "fleet.yaml"
    fleet = open_fleet(source, install=install, rows_in_place=rows_in_place, observe=observe)
    chosen = fleet.topology.observe
    if chosen.opentelemetry or chosen.slow_statement_seconds is not None:
        from outgrow.watch import attach

        try:
            attach(fleet)
        except BaseException:
            fleet.close()
            raise
    return fleet


def __getattr__(name: str) -> object:
    """What the runtime has is imported when first named: `import outgrow` alone stays light for the CLI."""
    if name in _OF_RUNTIME:
        import outgrow.runtime

        return getattr(outgrow.runtime, name)
    if name == "Observe":
        from outgrow.topology import Observe

        return Observe
    raise AttributeError(f"module 'outgrow' has no attribute {name!r}")
