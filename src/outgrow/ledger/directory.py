"""The directory: which slot a key has, read and written as step generators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outgrow.ledger.steps import Runner, ask_steps, words
from outgrow.waits import Steps

#: A family of keys, and a key's text.
ListedKey = tuple[str, str]
#: Family, key, slot, and when it was assigned, as the server prints it.
EntryRow = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """What the ledger says of some keys, as of one moment."""

    #: Of the keys asked for, those that have an entry.
    slots: dict[ListedKey, int] = field(default_factory=dict)
    #: Shard → edition; 0 where it is not there.
    editions: dict[str, int] = field(default_factory=dict)
    #: The keys that were migrated since the migration that the reader knew.
    migrated: set[ListedKey] = field(default_factory=set)
    #: The reader's latest migration is one of this ledger's; else nothing that it knows counts.
    followed: bool = False
    #: The latest migration, and the edition that it brought.
    number: int = 0
    edition: int = 0


def look_directory_steps(
    home: Runner, keys: Sequence[ListedKey], number: int = 0, edition: int = 0
) -> Steps[DirectoryPage]:
    """What stands there of `keys`, for a reader who knows it as of the migration `number` with its `edition`."""
    families, texts = [family for family, _ in keys], [text for _, text in keys]
    said = words(home)
    asked = [said.listed(families), said.texts(texts), number, edition]
    answer = yield from ask_steps(home, "directory_look", asked)
    slots: dict[ListedKey, int] = {}
    editions: dict[str, int] = {}
    migrated: set[ListedKey] = set()
    followed, latest = False, (0, 0)
    for what, one, other, value in answer.rows:
        if what == "entry":
            slots[one, other] = value
        elif what == "edition":
            editions[other] = value
        elif what == "migrated":
            migrated.add((one, other))
        elif what == "since":
            followed = True
        else:
            latest = (int(one), value)
    return DirectoryPage(slots, editions, migrated, followed, *latest)


def assign_directory_steps(home: Runner, slots: Sequence[tuple[ListedKey, int]]) -> Steps[None]:
    """Entries for those keys that have none yet.  What stands afterwards `look_directory_steps` tells."""
    families = [key[0] for key, _ in slots]
    texts = [key[1] for key, _ in slots]
    said = words(home)
    parameters = [said.listed(families), said.texts(texts), said.listed([slot for _, slot in slots])]
    yield from ask_steps(home, "directory_assign", parameters)


def count_directory_steps(home: Runner, families: Sequence[str]) -> Steps[dict[tuple[str, int], int]]:
    """(family, slot) → how many keys it has."""
    answer = yield from ask_steps(home, "directory_counts", [words(home).listed(list(families))])
    return {(family, slot): count for family, slot, count in answer.rows}


def directory_entries_steps(home: Runner, keys: Sequence[ListedKey]) -> Steps[list[EntryRow]]:
    """Those of these keys that have an entry, in the order given."""
    said = words(home)
    parameters = [said.listed([family for family, _ in keys]), said.texts([text for _, text in keys])]
    answer = yield from ask_steps(home, "directory_entries", parameters)
    return [(family, key, slot, at) for family, key, slot, at in answer.rows]


def directory_keys_steps(
    home: Runner, families: Sequence[str], slots: Sequence[int], after: str, limit: int
) -> Steps[list[EntryRow]]:
    """Entries of these families on these slots, in the order of their keys' text, behind `after`."""
    listed = words(home).listed
    parameters = [listed(list(families)), listed(list(slots)), after, limit]
    answer = yield from ask_steps(home, "directory_keys", parameters)
    return [(family, key, slot, at) for family, key, slot, at in answer.rows]
