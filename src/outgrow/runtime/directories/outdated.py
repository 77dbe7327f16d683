"""When a shard does not have the keys that it had when they were looked up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from outgrow.errors import Error
from outgrow.nodes import Rows

#: Shard → the edition under which the keys of a statement were looked up; none: its keys stand in no directory.
Editions = Mapping[str, int]
NO_EDITIONS: Editions = MappingProxyType({})

#: A division by zero; on MariaDB, a subquery of two rows.
_APART = ("22012", "21000")


class Outdated(Exception):
    """Nothing was done: the directory must be asked again, and the statement placed anew.

    Never the application's: whoever places a statement by the directory catches it.
    """

    def __init__(self, shard: str) -> None:
        super().__init__(shard)
        self.shard = shard


def check_held(hold: Rows | Error, check: Rows | Error, shard: str) -> None:
    """Raises Outdated where the comparison behind the lock failed."""
    if isinstance(check, Error) and not isinstance(hold, Error) and check.sqlstate in _APART:
        raise Outdated(shard)


def edition_of(answer: Rows | Error) -> int:
    if isinstance(answer, Error):
        raise answer
    edition: int = answer.rows[0][0]
    return edition
