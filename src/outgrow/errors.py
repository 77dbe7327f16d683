"""Every error a user of outgrow can meet.

    Error
    ├── InterfaceError           the library was used wrongly (closed session, wrong argument)
    └── DatabaseError
        ├── ConfigurationError   fleet.yaml or a setting is wrong
        ├── DataError            a value does not fit
        ├── OperationalError     a server, the network, a pool or a time limit
        │   └── NodeLost         the connection to a server could not be made, or broke
        ├── IntegrityError       a constraint said no
        ├── InternalError        a server or outgrow broke its own rules
        ├── ProgrammingError     the SQL or its parameters are wrong
        └── NotSupportedError    outgrow refuses, by name, what it cannot do rightly

The names are those of PEP 249.  Each error carries a stable `code` (`OG-ROOM-NNN`, one section per code in
`docs/errors/`), the `cure`, and, where they are known, `shard`, `node` and the server's `sqlstate`.
"""

from __future__ import annotations

from collections.abc import Mapping


class Error(Exception):
    """The root: catch it to catch everything outgrow raises on purpose."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        cure: str = "",
        shard: str | None = None,
        node: str | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cure = cure
        self.shard = shard
        self.node = node
        self.sqlstate = sqlstate
        #: What else the server said: detail, hint, constraint, schema, table, column, type, position, context.
        self.details: Mapping[str, str] = {}

    def __str__(self) -> str:
        place = f" (on {self.node or self.shard})" if self.node or self.shard else ""
        cure = f"\n  cure: {self.cure}" if self.cure else ""
        return f"{self.code}: {self.message}{place}{cure}"


class InterfaceError(Error):
    """The library was used wrongly: a closed session, an argument of the wrong kind."""


class DatabaseError(Error):
    """Anything that has to do with the databases."""


class ConfigurationError(DatabaseError):
    """`fleet.yaml`, a setting or the environment is wrong; nothing was started."""


class DataError(DatabaseError):
    """A value does not fit where it should go."""


class ScatterWarning(UserWarning):
    """A statement that several shards must answer, where the domain or the session has `scatter: warn`."""


class OperationalError(DatabaseError):
    """A server, the network, a pool or a time limit; trying again may help."""


class NodeLost(OperationalError):
    """The connection to a server could not be made, or broke; `may_have_run` tells whether it had the statement."""

    may_have_run = False


class IntegrityError(DatabaseError):
    """A constraint of the database said no."""


class InternalError(DatabaseError):
    """A server or outgrow broke its own rules: please report it."""


class ProgrammingError(DatabaseError):
    """The SQL or its parameters are wrong."""


class NotSupportedError(DatabaseError):
    """outgrow refuses what it cannot answer rightly, naming the construct and the cure."""
