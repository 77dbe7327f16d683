"""What the ledger says, as values, and how a fleet file and a ledger are brought together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from outgrow.errors import ConfigurationError
from outgrow.topology import Copied, Domain, Placement, Sharded, ShardMap, Single, TableName


@dataclass(frozen=True, slots=True)
class Generation:
    """One history of a server.  A promotion or a restore begins another; LSNs compare only within one."""

    counter: int
    timeline: int
    #: PostgreSQL's system identifier: another cluster behind the same address has another one.
    system: int


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The ledger of one domain, as its home shard has it."""

    version: int
    shard_map: ShardMap
    placements: Mapping[TableName, Placement]
    schema_epoch: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Where file and ledger disagree.  The ledger wins; `cure` is how to make them agree."""

    code: str
    what: str
    file: str
    ledger: str
    cure: str

    def __str__(self) -> str:
        return f"{self.what}: {self.file or 'absent'} in the file, {self.ledger or 'absent'} in the ledger"


def differs(domain: Domain, state: LedgerState) -> tuple[Difference, ...]:
    """Every disagreement between the domain as the file has it and its ledger; empty when they agree."""
    found = []
    slots = len(state.shard_map.owners)
    if slots != domain.slots:
        cure = f"write `slots: {slots}` in the file"
        found.append(Difference("OG-LEDGER-010", "slots", str(domain.slots), str(slots), cure))
    in_file, in_map = [shard.name for shard in domain.shards], state.shard_map.shards
    for name in in_file:
        if name not in in_map:
            cure = "move slots to it, or take it out of the file; until then it holds only copied and single tables"
            found.append(Difference("OG-LEDGER-011", f"shard {name}", name, "", cure))
    for name in in_map:
        if name not in in_file:
            cure = "put the shard back into the file: it holds rows"
            found.append(Difference("OG-LEDGER-011", f"shard {name}", "", name, cure))
    for table in sorted(domain.tables.keys() | state.placements.keys(), key=str):
        ours, theirs = domain.tables.get(table), state.placements.get(table)
        if ours != theirs:
            cure = "write the ledger's placement into the file" if theirs else "run `outgrow init` to record it"
            found.append(Difference("OG-LEDGER-012", f"table {table}", shown(ours), shown(theirs), cure))
    return tuple(found)


def as_ledger_says(domain: Domain, state: LedgerState) -> Domain:
    """The domain with the ledger's slots and placements; tables that only the file has are kept.

    Raises ConfigurationError OG-LEDGER-003 when the ledger needs a shard that the file does not have.
    """
    known = {shard.name for shard in domain.shards}
    needed = [state.shard_map.shards[index] for index in sorted(set(state.shard_map.owners))]
    needed += [placement.shard for placement in state.placements.values() if isinstance(placement, Single)]
    missing = sorted(set(needed) - known)
    if missing:
        raise ConfigurationError(
            "OG-LEDGER-003",
            f"domain {domain.name} has rows on {', '.join(missing)}, which the fleet file does not name",
            cure="put the shard back into the fleet file; rows leave a shard only by a move",
        )
    tables = MappingProxyType({**domain.tables, **state.placements})
    return replace(domain, slots=len(state.shard_map.owners), tables=tables)


def shown(placement: Placement | None) -> str:
    """A placement as the fleet file would write it."""
    match placement:
        case Sharded(columns):
            return f"shard_by: {columns[0] if len(columns) == 1 else '[' + ', '.join(columns) + ']'}"
        case Copied():
            return "copy: everywhere"
        case Single(shard):
            return f"single: {shard}"
    return ""
