"""Key → slot → shard: a strategy composed with the shard map of one epoch."""

from __future__ import annotations

from outgrow.errors import ConfigurationError
from outgrow.keyspace.crc32 import Crc32
from outgrow.keyspace.hash import Hash, Key
from outgrow.keyspace.ring import ring_owners
from outgrow.topology import Domain, ShardMap

#: Engine → the hash that its servers compute.
_HASHES: dict[str, type[Hash] | type[Crc32]] = {"postgresql": Hash, "mariadb": Crc32}


def first_map(domain: Domain) -> ShardMap:
    """The map of a new domain by its strategy; once it is installed, the ledger's map is the one that counts."""
    if domain.strategy == "ring":
        names = tuple(shard.name for shard in domain.shards)
        return ShardMap(domain.name, 1, names, ring_owners(names, domain.slots))
    return ShardMap.first(domain)


class Keyspace:
    """One domain's keys at one epoch of its shard map.  Immutable but for its cache of strategies.

    Raises ConfigurationError OG-KEY-003 for a wrong number of slots, OG-KEY-004 when the map has another number.
    """

    __slots__ = ("_hash", "_strategies", "map", "owners", "shards", "slots")

    def __init__(self, slots: int, shard_map: ShardMap, engine: str = "postgresql") -> None:
        if len(shard_map.owners) != slots:
            raise ConfigurationError(
                "OG-KEY-004",
                f"domain {shard_map.domain} has {slots} slots, but its shard map of epoch {shard_map.epoch} has "
                f"{len(shard_map.owners)}",
                cure="a domain's number of slots is fixed once it is installed: put the old number back",
            )
        self.slots = slots
        self.map = shard_map
        #: All shards of the domain, also those that own no slot.
        self.shards = shard_map.shards
        #: slot → name of its shard.
        self.owners = tuple(shard_map.shards[owner] for owner in shard_map.owners)
        self._hash = _HASHES[engine]
        self._strategies: dict[tuple[str, ...], Hash | Crc32] = {}

    def strategy(self, types: tuple[str, ...]) -> Hash | Crc32:
        """How keys of these types are placed."""
        found = self._strategies.get(types)
        if found is None:
            found = self._strategies[types] = self._hash(types, self.slots)
        return found

    def slot(self, types: tuple[str, ...], key: Key) -> int:
        """The slot of a key whose values have been through `coerce`."""
        return (self._strategies.get(types) or self.strategy(types)).slot(key)

    def shard(self, types: tuple[str, ...], key: Key) -> str:
        """The name of the shard that owns a key."""
        return self.owners[(self._strategies.get(types) or self.strategy(types)).slot(key)]

    #: What `plan` calls the same question.
    shards_for = shard
