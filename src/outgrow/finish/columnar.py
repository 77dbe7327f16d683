"""The process's DuckDB databases: one for each set of limits, made when first needed, for that takes 10 ms and more.

So memory is limited for all queries together that have these limits.  Each query has a connection of its own, whose
tables are temporary and go with it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from typing import Any, NamedTuple

from .errors import no_spill_directory

_SETTINGS = (
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL ieee_floating_point_ops = false",
    "SET GLOBAL default_null_order = 'postgres'",
    "SET GLOBAL integer_division = false",
    "SET GLOBAL error_on_division_by_zero = true",
    "SET GLOBAL scalar_subquery_error_on_multiple_rows = true",
)


class Limits(NamedTuple):
    """`memory_bytes` is DuckDB's own; rows on their way into it and out of it are this process's."""

    memory_bytes: int
    #: "": the system's directory for temporary files.
    spill_directory: str = ""
    #: 0: one for each core.
    threads: int = 0

    @property
    def directory(self) -> str:
        return self.spill_directory or tempfile.gettempdir()


class _Database(NamedTuple):
    connection: Any
    #: A directory of its own below the one that was named, so that it can go as a whole.
    spill: str


_databases: dict[Limits, _Database] = {}
_lock = threading.Lock()


def connected(limits: Limits) -> Any:
    """A new connection to the database with these limits."""
    with _lock:
        found = _databases.get(limits)
        if found is not None and not os.path.isdir(found.spill):
            # Whoever uses it still keeps it open; what is spilled from now on has a place again.
            found = None
        if found is None:
            found = _databases[limits] = _opened(limits)
        return found.connection.cursor()


def _opened(limits: Limits) -> _Database:
    import duckdb

    try:
        spill = tempfile.mkdtemp(prefix="outgrow-finish-", dir=limits.directory)
    except OSError as error:
        raise no_spill_directory(limits.directory, error.strerror or str(error)) from error
    config: dict[str, Any] = {
        "memory_limit": f"{limits.memory_bytes}B",
        "temp_directory": spill,
        # Nothing is looked for in the network.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if limits.threads:
        config["threads"] = limits.threads
    connection = duckdb.connect(":memory:", config=config)
    for setting in _SETTINGS:
        connection.execute(setting)
    return _Database(connection, spill)


@atexit.register
def _leave() -> None:
    for database in _databases.values():
        shutil.rmtree(database.spill, ignore_errors=True)


def _disown() -> None:
    """In a forked child: threads of the parent's databases are not here, and its files are not ours to remove."""
    global _lock
    _lock = threading.Lock()
    _disowned.append(dict(_databases))
    _databases.clear()


#: Kept for ever, as closing them would wait for threads that there are not.
_disowned: list[dict[Limits, _Database]] = []
os.register_at_fork(after_in_child=_disown)
