"""Foreign keys between rows that may lie on different shards: a server checks a row against its own rows only.

One that DDL makes is refused; the doctor finds those that came otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outgrow import sqlfile
from outgrow.errors import NotSupportedError
from outgrow.keyspace import KINDS, family
from outgrow.nodes import Link
from outgrow.topology import Copied, Placement, Sharded, Single, TableName
from outgrow.waits import Steps

_REFERENCES_SQL = sqlfile.load("outgrow.runtime")["references"]


@dataclass(frozen=True, slots=True)
class Reference:
    """`columns` (of these types) of `table` refer to `referenced` of `parent`."""

    name: str
    table: TableName
    columns: tuple[str, ...]
    types: tuple[str, ...]
    parent: TableName
    referenced: tuple[str, ...]
    referenced_types: tuple[str, ...]


def references_steps(link: Link) -> Steps[dict[int, Reference]]:
    """All foreign keys by OID, as this connection's transaction sees them now; those of partitions are left out."""
    answer = yield from link.run_steps(_REFERENCES_SQL, None)
    return {
        oid: Reference(name, TableName(*table), tuple(own), tuple(types), TableName(*parent), tuple(to), tuple(theirs))
        for oid, name, table, own, types, parent, to, theirs in answer.rows
    }


def check_references(
    placements: Mapping[TableName, Placement], before: Mapping[int, Reference], after: Mapping[int, Reference]
) -> None:
    """Raises NotSupportedError OG-RUN-155 for a new foreign key whose rows may lie on different shards."""
    for oid, reference in after.items():
        placed = placements.get(reference.table)
        if oid in before or placed is None:
            continue
        why = apart(reference, placed, placements.get(reference.parent))
        if why is not None:
            raise NotSupportedError(
                "OG-RUN-155",
                f"the foreign key {reference.name} ({', '.join(reference.columns)}) of {reference.table} to "
                f"{reference.parent} could not hold: {why}; each shard would look for the row among its own",
                cure=f"copy {reference.parent} everywhere, or shard both tables by columns of the foreign key; "
                "or leave it out",
            )


def apart(reference: Reference, placed: Placement, other: Placement | None) -> str | None:
    """Why a row and the one that it refers to may lie on different shards; None where they cannot."""
    match placed, other:
        case (_, None) | (_, Copied()):
            return None
        case Single(here), Single(there):
            return None if here == there else f"one lives on {here}, the other on {there}"
        case Sharded(columns), Sharded(others):
            pairs = dict(zip(reference.columns, reference.referenced, strict=True))
            if [pairs.get(column) for column in columns] != list(others):
                return f"it does not lead from the shard key {', '.join(columns)} to the shard key {', '.join(others)}"
            return None if _alike(reference, columns) else "the two shard keys' types hash differently"
        case Single(here), Sharded():
            return f"one lives on {here}, the other is sharded"
        case Sharded() | Copied(), Single(there):
            return f"one is on every shard, the other lives on {there}"
        case Copied(), Sharded():
            return "one is copied to every shard, the other is sharded"
    return None


def _alike(reference: Reference, key: tuple[str, ...]) -> bool:
    """The shard key's values, in both tables."""
    types = zip(reference.columns, reference.types, reference.referenced_types, strict=True)
    return all(
        one == other or (one in KINDS and other in KINDS and family(one) == family(other))
        for name, one, other in types
        if name in key
    )
