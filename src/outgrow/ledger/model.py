"""What the ledger says, as values, and how a fleet file and a ledger are brought together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from outgrow.errors import ConfigurationError
from outgrow.topology import Copied, Domain, Listing, Placement, Ranges, Sharded, ShardMap, Single, Splits, TableName


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
    slots = state.shard_map.hashed
    if slots != domain.slots:
        cure = f"write `slots: {slots}` in the file"
        found.append(Difference("OG-LEDGER-010", "slots", str(domain.slots), str(slots), cure))
    found += _splits_differ([ranges.splits for ranges in domain.ranges], state.shard_map.splits)
    found += _listed_differ({listing.type for listing in domain.directory}, set(state.shard_map.directory))
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
    if state.shard_map.directory and any(node.pooled for shard in domain.shards for node in shard.nodes):
        raise ConfigurationError(
            "OG-LEDGER-016",
            f"keys of domain {domain.name} stand in a directory, and it has nodes behind a transaction pooler",
            cure="write the servers' own addresses into the fleet file, without `pooler:`",
        )
    tables = MappingProxyType({**domain.tables, **state.placements})
    ranges = _ranges(state.shard_map)
    strategy = "hash" if domain.strategy in ("range", "directory") else domain.strategy
    strategy = "range" if ranges else "directory" if state.shard_map.directory else strategy
    # How new keys are assigned is the file's affair, as long as it speaks of them.
    policies = {listing.type: listing.assign for listing in domain.directory}
    directory = tuple(Listing(type, policies.get(type, "refuse")) for type in state.shard_map.directory)
    slots = state.shard_map.hashed
    return replace(domain, slots=slots, tables=tables, strategy=strategy, ranges=ranges, directory=directory)


def _splits_differ(file: Sequence[Splits], known: Sequence[Splits]) -> Iterator[Difference]:
    """By type; the order in which the types stand in the file says nothing once they are installed."""
    ours, theirs = ({each.type: each.points for each in splits} for splits in (file, known))
    for type in sorted(ours.keys() | theirs.keys()):
        if ours.get(type) != theirs.get(type):
            cure = (
                "write the ledger's split points into the file: rows lie where they say"
                if type in theirs
                else f"take the ranges of {type} out of the file: rows with such keys lie by their hash"
            )
            yield Difference("OG-LEDGER-013", f"ranges of {type}", _cut(ours.get(type)), _cut(theirs.get(type)), cure)


def _listed_differ(file: set[str], known: set[str]) -> Iterator[Difference]:
    for type in sorted(file ^ known):
        cure = (
            f"write `directory: {{{type}: {{assign: …}}}}` into the file; until then new keys are refused"
            if type in known
            else f"take {type} out of the file's directory: rows with such keys lie by their hash"
        )
        what = f"directory of {type}"
        yield Difference("OG-LEDGER-014", what, "there" * (type in file), "there" * (type in known), cure)


def _cut(points: Sequence[str] | None) -> str:
    if points is None:
        return ""
    return f"split at {', '.join(points)}" if points else "one range"


def _ranges(shard_map: ShardMap) -> tuple[Ranges, ...]:
    """The ranges of a map with the shards that have them now."""
    owners = [shard_map.shards[owner] for owner in shard_map.owners]
    found, first = [], shard_map.hashed
    for splits in shard_map.splits:
        found.append(Ranges(splits, tuple(owners[first : first + splits.count])))
        first += splits.count
    return tuple(found)


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
