"""`fleet.unique()`: what is unique in a whole domain, for the application itself: built, shown, checked and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from outgrow.nodes import drive
from outgrow.runtime.definitions.new_tables import asked_table
from outgrow.runtime.uniqueness import building, checking
from outgrow.runtime.uniqueness.building import UniqueIndex
from outgrow.runtime.uniqueness.checking import Compared
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: How long building and dropping wait for transactions to end.
PATIENCE_SECONDS = 30.0


class UniqueIndexes:
    """The unique keys of a domain that lack the shard key and hold in all of it.  Shared by threads."""

    def __init__(self, state: DomainState) -> None:
        self._state = state

    def show(self) -> tuple[UniqueIndex, ...]:
        """All of them, as the ledger has them."""
        return drive(building.indexes_steps(self._state, None))

    def build(
        self, table: str, columns: str | Sequence[str], *, patience_seconds: float = PATIENCE_SECONDS
    ) -> UniqueIndex:
        """Make columns that are unique on each shard unique in the whole domain; or build their index anew.

        Writers of the table wait meanwhile, readers do not.
        """
        wanted = (columns,) if isinstance(columns, str) else tuple(columns)
        return drive(building.build_steps(self._state, asked_table(table), wanted, patience_seconds, None))

    def drop(self, number: int, *, patience_seconds: float = PATIENCE_SECONDS) -> UniqueIndex:
        """Take an index away: its columns are unique on each shard only from then on."""
        return drive(building.drop_steps(self._state, number, patience_seconds, None))

    def check(self) -> tuple[Compared, ...]:
        """Compare every index with the rows of its table, all of them."""
        return drive(_check_steps(self._state))


def _check_steps(state: DomainState) -> Steps[tuple[Compared, ...]]:
    yield from state.refresh_steps(None)
    compared = []
    for table in state.picture.schema.tables.values():
        for unique in table.fleet_unique:
            compared.append((yield from checking.compare_steps(state, unique, table)))
    return tuple(compared)
