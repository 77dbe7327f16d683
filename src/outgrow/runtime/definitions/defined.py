"""What a transaction has defined by DDL, and the refusal of statements that would meet it."""

from __future__ import annotations

from collections.abc import Iterable

from outgrow.errors import NotSupportedError
from outgrow.statement import Statement
from outgrow.topology import TableName


class Defined:
    """What a transaction has defined so far.  A ROLLBACK TO leaves it: too much caution costs only a refusal."""

    __slots__ = ("everything", "tables")

    def __init__(self) -> None:
        self.tables: set[TableName] = set()
        #: It cannot be told which tables.
        self.everything = False

    def check(self, statement: Statement) -> None:
        """Refuse a statement that would meet what this transaction has defined: it was planned without knowing it."""
        self.check_tables((*statement.reads, *statement.writes))

    def check_tables(self, names: Iterable[TableName]) -> None:
        """The same for what is not a planned statement, such as COPY."""
        named = set(names)
        touched = sorted(str(table) for table in named & self.tables)
        if touched:
            raise unseen(f"{', '.join(touched)} was changed")
        if self.everything and named:
            raise unseen("the schema was changed")


def unseen(what: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-RUN-062",
        f"{what} by DDL in this very transaction, and statements are planned by what is committed",
        cure="COMMIT first, then go on in another transaction; or run the DDL beforehand, on its own",
    )
