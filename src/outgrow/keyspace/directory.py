"""The directory strategy: key → slot as the ledger has it, behind the domain's hash slots one slot for each shard.

    slot = first + the number of the key's shard

What is known of the ledger's directory stands in a `Book`; a key that does not raises `Lookup`, which whoever can ask
the ledger answers and tries again.  A NULL key is no entry: it lies on the first shard.  A compound key lies where its
first column says, so that tables are co-located by it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outgrow.errors import DataError
from outgrow.keyspace.hash import Key
from outgrow.keyspace.kinds import kind

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy import uint16

    from outgrow.keyspace.columns import Column

#: A family of types, and a value as `coerce` has it: what stands in the directory.
Entry = tuple[str, Any]

#: Entries of one family that a process remembers, at least; twice as many at most.
KNOWN_MAX = 131_072
#: An index of the ledger must hold the key.
KEY_BYTES_MAX = 2000


class Lookup(Exception):
    """The ledger's directory must be asked for these keys; those of `given` must be assigned where it lacks them."""

    def __init__(self, keys: Iterable[Entry], given: Iterable[Entry] = ()) -> None:
        super().__init__()
        self.keys = frozenset(keys)
        self.given = frozenset(given)


class Known:
    """The entries of one family that are remembered: what is used stays, what is not falls out."""

    __slots__ = ("_old", "_young")

    def __init__(self, slots: Mapping[Any, int] | None = None) -> None:
        self._young: dict[Any, int] = dict(slots or ())
        self._old: dict[Any, int] = {}

    def get(self, value: Any) -> int | None:
        slot = self._young.get(value)
        if slot is None:
            slot = self._old.get(value)
            if slot is not None:
                self._young[value] = slot
        return slot

    def add(self, slots: Mapping[Any, int]) -> None:
        if len(self._young) + len(slots) > KNOWN_MAX:
            self._old, self._young = self._young, {}
        self._young.update(slots)

    def without(self, values: Iterable[Any]) -> Known:
        """The same, a copy that has forgotten these."""
        copy = Known({**self._old, **self._young})
        for value in values:
            copy._young.pop(value, None)
        return copy


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of the directory at one moment of the ledger.  Only entries that hold then are added to it."""

    #: Family → its entries.
    known: Mapping[str, Known] = field(default_factory=dict)
    #: Shard → the edition of its part of the directory: another one with each key that comes or goes.
    editions: Mapping[str, int] = field(default_factory=dict)
    #: The latest migration: its number in the ledger (-1: nothing is known yet), and the edition that it brought.
    number: int = -1
    edition: int = 0


class Book:
    """The page that counts.  It is replaced whole, so who has read two entries off one page has read one moment."""

    __slots__ = ("page",)

    def __init__(self, families: Iterable[str]) -> None:
        self.page = Page({family: Known() for family in families})


class Directory:
    """Keys whose first column is of a family that stands in the directory.  `book` is shared by all of a domain."""

    __slots__ = ("_book", "family", "first", "slot", "slots", "types")

    #: The slot of one key, whose values have been through `coerce`.  Raises Lookup.
    slot: Callable[[Key], int]

    def __init__(self, types: tuple[str, ...], book: Book, first: int, shards: int) -> None:
        for type in types:
            kind(type)
        self.types = types
        self.family = kind(types[0]).family
        self.first = first
        self.slots = shards
        self._book = book
        self.slot = _slot_of(book, self.family, first)

    def known(self, value: Any) -> int | None:
        """The slot of a key that is no NULL, if it is known."""
        return self._book.page.known[self.family].get(value)

    def slot_column(self, columns: Sequence[Column | Sequence[Any]]) -> npt.NDArray[uint16]:
        """The slots of many keys: one column for each key column, as `columns` has them or as lists of values."""
        # numpy is imported by those who place columns only.
        from outgrow.keyspace.directory_columns import slots

        if len(columns) != len(self.types):
            raise ValueError(f"{len(self.types)} key columns, but {len(columns)} given")
        return slots(columns[0], self._book.page.known[self.family], self.family, self.first)

    def sql(self, columns: Sequence[str]) -> None:
        """No formula: only the ledger's home shard knows."""
        return

    def between(self, low: Any, high: Any, high_open: bool) -> range:
        """Any shard can have keys between two others; no hash slot can."""
        return range(self.first, self.first + self.slots)


def _slot_of(book: Book, family: str, first: int) -> Callable[[Key], int]:
    def slot(key: Key) -> int:
        value = key[0]
        if value is None:
            return first
        found = book.page.known[family].get(value)
        if found is None:
            raise Lookup(((family, value),))
        return found

    return slot


def key_text(family: str, value: Any) -> str:
    """A key as the ledger writes it: one text for values that are equal, and for no others."""
    text = str(value)
    if family == "text" and len(text.encode()) > KEY_BYTES_MAX:
        raise DataError(
            "OG-KEY-011",
            f"a key of {len(text.encode()):,} bytes is too long for the directory, which takes {KEY_BYTES_MAX:,}",
            cure="shard by something shorter, such as an id",
        )
    return text


def key_value(family: str, text: str) -> Any:
    """The value that `key_text` has written."""
    if family == "integer":
        return int(text)
    return uuid.UUID(text) if family == "uuid" else text


def assigned(
    entries: Iterable[Entry],
    policies: Mapping[str, str],
    counts: Mapping[str, Counter[str]],
    shards: Sequence[str],
    hashed: Callable[[Entry], str],
) -> dict[Entry, str]:
    """The shard that each new key gets by its family's policy.  `counts` says how many keys of a family each shard has.

    `hashed` answers which shard has the key's hash slot.  Raises DataError OG-KEY-010 where new keys are refused.
    """
    found: dict[Entry, str] = {}
    counted = {family: Counter(counts.get(family, ())) for family in policies}
    for entry in sorted(entries, key=lambda each: (each[0], key_text(*each))):
        family, value = entry
        policy = policies.get(family, "refuse")
        if policy == "refuse":
            shown = key_text(family, value)
            raise DataError(
                "OG-KEY-010",
                f"the directory has no entry for the key {shown!r} ({family}), and new keys are refused",
                cure="say where it lives: outgrow directory assign KEY SHARD; or choose another way to assign new keys",
                sqlstate="23514",
            )
        held = counted[family]
        if policy == "hash":
            shard = hashed(entry)
        elif policy == "least_keys":
            shard = min(shards, key=held.__getitem__)
        elif policy == "round_robin":
            shard = shards[held.total() % len(shards)]
        else:
            shard = policy
        held[shard] += 1
        found[entry] = shard
    return found
