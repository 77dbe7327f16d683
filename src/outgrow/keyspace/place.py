"""Key → slot → shard: a strategy composed with the shard map of one epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from outgrow.errors import ConfigurationError
from outgrow.keyspace.crc32 import Crc32, mariadb_range
from outgrow.keyspace.directory import Book, Directory, Entry
from outgrow.keyspace.hash import Hash, Key
from outgrow.keyspace.kinds import KINDS, family
from outgrow.keyspace.range import Range, Spelling
from outgrow.keyspace.ring import ring_owners
from outgrow.topology import Domain, ShardMap, Splits

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy import uint16

    from outgrow.keyspace.columns import Column


class Strategy(Protocol):
    """How keys of some types get their slots: one by one, as columns, as the server computes them, and by order.

    The first two may raise `Lookup`.
    """

    @property
    def slot(self) -> Callable[[Key], int]:
        """(a key whose values have been through `coerce`) → its slot."""
        ...

    def slot_column(self, columns: Sequence[Column | Sequence[Any]]) -> npt.NDArray[uint16]: ...

    def sql(self, columns: Sequence[str]) -> str | None:
        """The slot as SQL text over these columns; None where no server can compute it by itself."""
        ...

    def between(self, low: Any, high: Any, high_open: bool) -> range | None:
        """The slots of keys between two places in the order of the first column; None where order says nothing."""
        ...


#: Family → a type of it.
_HASHED_AS = {known.family: type for type, known in KINDS.items()}

#: Engine → the hash that its servers compute, and how a range's slot is spelt there.
_HASHES: dict[str, type[Hash] | type[Crc32]] = {"postgresql": Hash, "mariadb": Crc32}
_SPELLINGS: dict[str, Spelling | None] = {"postgresql": None, "mariadb": mariadb_range}


def first_map(domain: Domain) -> ShardMap:
    """The map of a new domain by its strategy; once it is installed, the ledger's map is the one that counts."""
    names = tuple(shard.name for shard in domain.shards)
    if domain.strategy == "ring":
        return ShardMap(domain.name, 1, names, ring_owners(names, domain.slots))
    hashed = ShardMap.first(domain)
    if domain.directory:
        types = tuple(listing.type for listing in domain.directory)
        return ShardMap(domain.name, 1, names, (*hashed.owners, *range(len(names))), directory=types)
    if not domain.ranges:
        return hashed
    ranged = tuple(names.index(shard) for ranges in domain.ranges for shard in ranges.shards)
    splits = tuple(ranges.splits for ranges in domain.ranges)
    return ShardMap(domain.name, 1, names, hashed.owners + ranged, splits)


class Keyspace:
    """One domain's keys at one epoch of its shard map.  Immutable but for its cache of strategies and its book.

    Raises ConfigurationError OG-KEY-003 for a wrong number of slots, OG-KEY-004 when the map has another number.
    """

    __slots__ = ("_hash", "_listed", "_ranged", "_spelt", "_strategies", "book", "map", "owners", "shards", "slots")

    def __init__(self, slots: int, shard_map: ShardMap, engine: str = "postgresql") -> None:
        if shard_map.hashed != slots:
            raise ConfigurationError(
                "OG-KEY-004",
                f"domain {shard_map.domain} has {slots} slots, but its shard map of epoch {shard_map.epoch} has "
                f"{shard_map.hashed}",
                cure="a domain's number of slots is fixed once it is installed: put the old number back",
            )
        self.slots = slots
        self.map = shard_map
        #: All shards of the domain, also those that own no slot.
        self.shards = shard_map.shards
        #: slot → name of its shard.
        self.owners = tuple(shard_map.shards[owner] for owner in shard_map.owners)
        self._hash = _HASHES[engine]
        self._spelt = _SPELLINGS[engine]
        self._strategies: dict[tuple[str, ...], Strategy] = {}
        #: Family of types → its split points, and the slot of its first range.
        self._ranged: dict[str, tuple[Splits, int]] = {}
        first = slots
        for splits in shard_map.splits:
            self._ranged[family(splits.type)] = (splits, first)
            first += splits.count
        #: Families whose keys stand in the directory, and what is known of it.
        self._listed = frozenset(family(type) for type in shard_map.directory)
        self.book = Book(self._listed)

    def strategy(self, types: tuple[str, ...]) -> Strategy:
        """How keys of these types are placed."""
        found = self._strategies.get(types)
        if found is None:
            known = KINDS.get(types[0]) if types else None
            splits, first = self._ranged.get(known.family, (None, 0)) if known is not None else (None, 0)
            if self.lists(types):
                found = Directory(types, self.book, self.map.listed, len(self.shards))
            elif splits is None:
                found = self._hash(types, self.slots)
            else:
                found = Range(types, splits, first, self._spelt)
            self._strategies[types] = found
        return found

    def lists(self, types: tuple[str, ...]) -> bool:
        """Whether keys of these types stand in the directory."""
        known = KINDS.get(types[0]) if types and self._listed else None
        return known is not None and known.family in self._listed

    def hashed(self, entry: Entry) -> str:
        """The shard that a key of the directory would have by its hash."""
        return self.owners[self._hash((_HASHED_AS[entry[0]],), self.slots).slot((entry[1],))]

    def listed_slot(self, shard: str) -> int:
        """The slot of the keys that the directory places on this shard."""
        return self.map.listed + self.shards.index(shard)

    def slot(self, types: tuple[str, ...], key: Key) -> int:
        """The slot of a key whose values have been through `coerce`."""
        return (self._strategies.get(types) or self.strategy(types)).slot(key)

    def shard(self, types: tuple[str, ...], key: Key) -> str:
        """The name of the shard that owns a key."""
        return self.owners[(self._strategies.get(types) or self.strategy(types)).slot(key)]

    #: What `plan` calls the same question.
    shards_for = shard

    def slots_between(self, types: tuple[str, ...], low: Any, high: Any, high_open: bool) -> range | None:
        """The slots of keys from `low` to `high`, as `bounds` has them; None where the order says nothing: all."""
        return self.strategy(types).between(low, high, high_open)
