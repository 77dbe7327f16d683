"""What each table of a statement is in its domain: sharded, copied, single, a catalogue, or not listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from outgrow.plan.blocks import family
from outgrow.plan.refusals import Refused, refuse
from outgrow.schema import Column, Schema, Table, TableKind
from outgrow.topology import Copied, Domain, Placement, Sharded, Single, TableName

_CATALOGUES = frozenset(("pg_catalog", "information_schema"))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A table of the server itself: each shard has its own."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """`fleet.yaml` says nothing about it."""


Standing = Placement | Catalogue | Unlisted


@dataclass(frozen=True, slots=True)
class Places:
    schema: Schema
    domain: Domain

    def of(self, name: TableName) -> Standing:
        if name.schema in _CATALOGUES:
            return Catalogue()
        found = self.domain.tables.get(name)
        if found is not None:
            return found
        return Single(self.domain.home.name) if len(self.domain.shards) == 1 else Unlisted()

    def table(self, name: TableName) -> Table | None:
        return self.schema.tables.get(name)

    def key_columns(self, name: TableName) -> tuple[Column, ...]:
        """The key columns of a sharded table; () for others.  Refused when one does not exist."""
        standing = self.of(name)
        if not isinstance(standing, Sharded):
            return ()
        table = self.table(name)
        found: list[Column] = []
        for wanted in standing.columns:
            column = table.column(wanted) if table is not None else None
            if column is None:
                raise Refused(refuse("unknown key column", str(name), wanted))
            found.append(column)
        return tuple(found)

    @property
    def ranged(self) -> frozenset[str]:
        """The families of types whose keys lie by range."""
        return _families(ranges.splits.type for ranges in self.domain.ranges)

    @property
    def listed(self) -> frozenset[str]:
        """The families of types whose keys stand in the directory."""
        return _families(listing.type for listing in self.domain.directory)

    def proposal(self, name: TableName) -> str:
        """A placement to begin with: by the primary key's first column, or a copy where there is none."""
        table = self.table(name)
        if table is not None and table.primary_key:
            return f"{name}: {{shard_by: {table.primary_key[0]}}}"
        return f"{name}: {{copy: everywhere}}"

    def kind(self, name: TableName) -> TableKind:
        table = self.table(name)
        return table.kind if table is not None else TableKind.TABLE


def _families(types: Iterable[str]) -> frozenset[str]:
    families = (family(type) for type in types)
    return frozenset(each for each in families if each is not None)


__all__ = ["Catalogue", "Copied", "Places", "Sharded", "Single", "Standing", "Unlisted"]
