"""How the fleet's side places keys: the strategy that a run asks for, with ranges for every kind of key."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg

from outgrow.keyspace import Keyspace, Lookup, first_map, key_text
from outgrow.topology import Domain, Listing, Placement, Ranges, Splits, TableName
from tests.differential.world import TOKENS

SLOTS = 64
STRATEGIES = ("hash", "ring", "range", "directory")

#: New keys of each kind get their shard in another way.
_LISTINGS = (Listing("int8", "round_robin"), Listing("text", "least_keys"), Listing("uuid", "hash"))

#: Split points that are values of rows, stand between them, and beyond them; shards have more than one range.
_POINTS = {
    "int8": ("3", "7", "21", "35", "1000"),
    "text": ("doc-11", "doc-19", "doc-3", "e", "Ä"),
    "date": ("2024-01-10", "2024-03-30", "2024-06-01", "2024-08-01"),
    "uuid": tuple(sorted(str(token) for token in TOKENS[::7])),
}


def placed(domain: Domain, strategy: str, tables: Mapping[TableName, Placement]) -> Domain:
    """The domain with these tables under that strategy."""
    names = [shard.name for shard in domain.shards]
    ranges = tuple(
        Ranges(Splits(type, points), tuple(names[at % len(names)] for at in range(len(points) + 1)))
        for type, points in _POINTS.items()
    )
    domain = replace(domain, slots=SLOTS, tables=tables, strategy=strategy)
    if strategy == "directory":
        return replace(domain, directory=_LISTINGS)
    return replace(domain, ranges=ranges) if strategy == "range" else domain


class Places:
    """Where keys belong: by the strategy, or as the ledger's directory has them, which the rows there first fill."""

    def __init__(self, domain: Domain) -> None:
        self.keyspace = Keyspace(domain.slots, first_map(domain))
        self._home = domain.home.primary.dsn
        #: Entries that `record` will write into the ledger; afterwards the ledger is asked.
        self._new: dict[tuple[str, str], int] = {}
        self._recorded = False

    def shard(self, types: tuple[str, ...], key: tuple[Any, ...]) -> str:
        try:
            return self.keyspace.shard(types, key)
        except Lookup as lookup:
            ((family, value),) = lookup.keys
        text = key_text(family, value)
        slot = self._asked(family, text) if self._recorded else self._chosen(family, text)
        self.keyspace.book.page.known[family].add({value: slot})
        return self.keyspace.owners[slot]

    def record(self) -> None:
        """Write the entries of the keys that have been placed so far into the ledger, which is there now."""
        self._recorded = True
        with psycopg.connect(self._home, autocommit=True) as connection:
            for (family, text), slot in self._new.items():
                connection.execute(
                    "INSERT INTO outgrow.directory (family, key, slot) VALUES (%s, %s, %s)", [family, text, slot]
                )

    def _chosen(self, family: str, text: str) -> int:
        slot = self.keyspace.map.listed + zlib.crc32(text.encode()) % len(self.keyspace.shards)
        self._new[family, text] = slot
        return slot

    def _asked(self, family: str, text: str) -> int:
        with psycopg.connect(self._home, autocommit=True) as connection:
            found = connection.execute(
                "SELECT slot FROM outgrow.directory WHERE family = %s AND key = %s", [family, text]
            ).fetchone()
        assert found is not None, f"no entry for {text!r}, which has rows"
        return int(found[0])
