"""What is known about one SQL text once it is bound to a schema."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from outgrow.statement.tree import Tree
from outgrow.topology import TableName


class Kind(enum.StrEnum):
    #: SELECT, VALUES, TABLE, WITH … SELECT: has a `tree`.
    QUERY = "query"
    #: INSERT, UPDATE, DELETE, MERGE (also with writing CTEs, also a SELECT over one): has a `tree`.  TRUNCATE, which
    #: has none.
    WRITE = "write"
    #: CREATE, ALTER, DROP, COMMENT, GRANT, …: runs on every shard.
    DDL = "ddl"
    #: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, …
    TRANSACTION = "transaction"
    #: SET, RESET, SHOW, DISCARD, …
    SESSION = "session"
    #: COPY in any direction.
    COPY = "copy"
    #: VACUUM, ANALYZE, LOCK, NOTIFY, LISTEN, CALL, DO, EXPLAIN, and whatever could not be parsed: a write, to
    #: a shard the user chose explicitly, or an error.
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Effect:
    """One reason why a statement is not a plain read: `what` as in "calls volatile function nextval"."""

    what: str
    #: "volatile", "locking", "writes", "temporary", "advisory", "unvetted"; and three that do not keep a statement off
    #: a replica, but out of a scatter: "catalogue" (reads pg_catalog or information_schema), "local" (the answer
    #: belongs to one server), "opaque-function" (a stable function that may read tables, or unknown columns).
    kind: str


#: Effects of statements that only read.
READING = frozenset(("catalogue", "local", "opaque-function"))


@dataclass(frozen=True, slots=True)
class Placeholders:
    """How the user's parameters become $1 … $n.

    `names` is None for positional parameters (`%s` or `$n`), else the name for each $-index in order.
    """

    count: int
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    #: As the user wrote it.
    text: str
    #: The same with $n placeholders and %% undone: what a single shard is sent.
    sql: str
    placeholders: Placeholders
    kind: Kind
    #: The first keyword(s), upper case: "SELECT", "INSERT", "SAVEPOINT", "CREATE INDEX".
    command: str
    tree: Tree | None = None
    #: Base tables and views read and written, each once, in order of appearance.
    reads: tuple[TableName, ...] = ()
    writes: tuple[TableName, ...] = ()
    effects: tuple[Effect, ...] = ()
    #: The argument of a transaction or session command: savepoint name, setting; TRUNCATE's options; otherwise "".
    argument: str = ""
    #: Whose language it is.
    engine: str = "postgresql"

    @property
    def read_only(self) -> bool:
        """May run on a replica."""
        return self.kind is Kind.QUERY and all(effect.kind in READING for effect in self.effects)
