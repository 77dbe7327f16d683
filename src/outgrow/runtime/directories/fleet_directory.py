"""`fleet.directory()`: a domain's directory for the application itself: who is where, assigned by hand, and migrated.

Two thin shells over the same steps, as `Session` and `AsyncSession` are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.errors import InterfaceError, NotSupportedError, OperationalError, ProgrammingError
from outgrow.keyspace import KINDS, Entry, NoRow, Unknowable, coerce, key_text
from outgrow.nodes import Link, drive, drive_async, together
from outgrow.runtime import snapshot
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.keyed_rows import keyed_rows
from outgrow.runtime.directories.migrating import Migrated, migrate_steps
from outgrow.topology import Listing
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: How long a migration waits for transactions to end.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A key and the shard that has its rows.  `type` is as `fleet.yaml` names it."""

    type: str
    key: str
    shard: str
    #: When its first row was written, or it was assigned by hand; as the server prints it.
    assigned_at: str


@dataclass(frozen=True, slots=True)
class DirectoryPart:
    """One type of keys: how new ones get their shard, and how many each shard has."""

    type: str
    assign: str
    keys: Mapping[str, int]


class FleetDirectory:
    """A domain's directory, as the ledger has it.  Shared by threads.

    Keys are given as values (an int, a str, a UUID) or as their text; `type` is needed where the directory has keys of
    several types and the value does not tell which.
    """

    def __init__(self, state: DomainState) -> None:
        self._state = state

    def parts(self) -> tuple[DirectoryPart, ...]:
        """The types of keys that stand in it."""
        return drive(_parts_steps(self._state))

    def show(self, *keys: object, type: str | None = None) -> tuple[DirectoryEntry, ...]:
        """The entries of these keys; those that have none are left out."""
        return drive(_show_steps(self._state, keys, type))

    def keys(
        self, shard: str | None = None, *, type: str | None = None, limit: int = 1000, after: str | None = None
    ) -> tuple[DirectoryEntry, ...]:
        """At most `limit` entries (of one shard), in the order of their keys' text, behind the one given as `after`."""
        return drive(_keys_steps(self._state, shard, type, limit, after))

    def assign(self, key: object, shard: str, *, type: str | None = None) -> DirectoryEntry:
        """Make an entry for a key that has none and no rows."""
        return drive(_assign_steps(self._state, key, shard, type))

    def migrate(
        self, key: object, shard: str, *, type: str | None = None, patience_seconds: float = PATIENCE_SECONDS
    ) -> Migrated:
        """Move a key with all its rows to another shard, in one transaction.

        Meanwhile writes of the directory's keys on both shards wait.  Transactions that are open there are waited for
        as long as `patience_seconds`.
        """
        return drive(_migrate_steps(self._state, key, shard, type, patience_seconds))


class AsyncFleetDirectory:
    """`FleetDirectory` for asyncio."""

    def __init__(self, state: DomainState) -> None:
        self._state = state

    async def parts(self) -> tuple[DirectoryPart, ...]:
        return await drive_async(_parts_steps(self._state))

    async def show(self, *keys: object, type: str | None = None) -> tuple[DirectoryEntry, ...]:
        return await drive_async(_show_steps(self._state, keys, type))

    async def keys(
        self, shard: str | None = None, *, type: str | None = None, limit: int = 1000, after: str | None = None
    ) -> tuple[DirectoryEntry, ...]:
        return await drive_async(_keys_steps(self._state, shard, type, limit, after))

    async def assign(self, key: object, shard: str, *, type: str | None = None) -> DirectoryEntry:
        return await drive_async(_assign_steps(self._state, key, shard, type))

    async def migrate(
        self, key: object, shard: str, *, type: str | None = None, patience_seconds: float = PATIENCE_SECONDS
    ) -> Migrated:
        return await drive_async(_migrate_steps(self._state, key, shard, type, patience_seconds))


# -- steps -----------------------------------------------------------------------------------------------------------


def _parts_steps(state: DomainState) -> Steps[tuple[DirectoryPart, ...]]:
    listings = {KINDS[listing.type].family: listing for listing in _listings(state)}
    families = list(listings)
    counted = yield from directory.home_steps(state, lambda link: ledger.count_directory_steps(link, families), None)
    placer = state.picture.placer
    parts = []
    for family, listing in listings.items():
        keys = dict.fromkeys(placer.shards, 0)
        for (of, slot), count in counted.items():
            if of == family:
                keys[placer.owners[slot]] += count
        parts.append(DirectoryPart(listing.type, listing.assign, keys))
    return tuple(parts)


def _show_steps(state: DomainState, keys: Sequence[object], type: str | None) -> Steps[tuple[DirectoryEntry, ...]]:
    wanted = [(family, key_text(family, value)) for family, value in (_entry(state, key, type) for key in keys)]
    rows = yield from directory.home_steps(state, lambda link: ledger.directory_entries_steps(link, wanted), None)
    return _shown(state, rows)


def _keys_steps(
    state: DomainState, shard: str | None, type: str | None, limit: int, after: str | None
) -> Steps[tuple[DirectoryEntry, ...]]:
    placer = state.picture.placer
    listings = [listing for listing in _listings(state) if type in (None, listing.type)]
    if not listings:
        raise _unknown_type(state, type)
    families = [KINDS[listing.type].family for listing in listings]
    slots = [placer.listed_slot(name) for name in placer.shards if shard in (None, name)]
    if not slots:
        raise _unknown_shard(state, shard)
    rows = yield from directory.home_steps(
        state, lambda link: ledger.directory_keys_steps(link, families, slots, after or "", limit), None
    )
    return _shown(state, rows)


def _shown(state: DomainState, rows: Sequence[ledger.EntryRow]) -> tuple[DirectoryEntry, ...]:
    types = {KINDS[listing.type].family: listing.type for listing in _listings(state)}
    owners = state.picture.placer.owners
    return tuple(
        DirectoryEntry(types[family], key, owners[slot], at) for family, key, slot, at in rows if family in types
    )


def _assign_steps(state: DomainState, key: object, shard: str, type: str | None) -> Steps[DirectoryEntry]:
    entry = _entry(state, key, type)
    wanted = (entry[0], key_text(*entry))
    if shard not in state.picture.placer.shards:
        raise _unknown_shard(state, shard)

    def shown_steps() -> Steps[Sequence[ledger.EntryRow]]:
        return directory.home_steps(state, lambda link: ledger.directory_entries_steps(link, [wanted]), None)

    if not (yield from shown_steps()):
        yield from _check_rows_steps(state, entry, shard)
        slot = state.picture.placer.listed_slot(shard)
        yield from directory.home_steps(state, lambda link: ledger.assign_directory_steps(link, [(wanted, slot)]), None)
    (found,) = _shown(state, (yield from shown_steps()))
    if found.shard != shard:
        raise ProgrammingError(
            "OG-RUN-115",
            f"the key {found.key!r} ({found.type}) has an entry: it lives on {found.shard}",
            cure=f"move it with its rows: outgrow directory migrate {found.key} {shard}",
        )
    return found


def _check_rows_steps(state: DomainState, entry: Entry, shard: str) -> Steps[None]:
    """A key without an entry should have no rows; where it has, they must be on the shard that it gets."""
    yield from state.refresh_steps(None)
    tables = keyed_rows(state.picture, *entry)
    others = [other for other in state.picture.placer.shards if other != shard]

    def there_steps(other: str) -> Steps[str]:
        node = state.health.seats(state.name, other).primary

        def ask_steps(link: Link) -> Steps[str]:
            for table in tables:
                if (yield from link.run_steps(table.any, None, prepare=False)).rows[0][0]:
                    return f"{other} has rows of {table.name}"
            return ""

        return (yield from snapshot.on_node_steps(state.nodes, node, None, ask_steps))

    found = [told for told in (yield from together([there_steps(other) for other in others])) if told]
    if found:
        raise OperationalError(
            "OG-RUN-116",
            f"the key {key_text(*entry)!r} has no entry, but {found[0]} with it: they would not be found on {shard}",
            cure="assign it to the shard that has its rows, then migrate it",
        )


def _migrate_steps(
    state: DomainState, key: object, shard: str, type: str | None, patience_seconds: float
) -> Steps[Migrated]:
    entry = _entry(state, key, type)
    if shard not in state.picture.placer.shards:
        raise _unknown_shard(state, shard)
    state.need_recovery()
    migrated = yield from migrate_steps(state, entry, shard, patience_seconds, None)
    yield from directory.refresh_steps(state, None)
    return migrated


# -- what is given ---------------------------------------------------------------------------------------------------


def _listings(state: DomainState) -> tuple[Listing, ...]:
    found = state.picture.domain.directory
    if not found:
        raise NotSupportedError(
            "OG-RUN-117",
            f"the domain {state.name} has no directory: its keys lie by {state.picture.domain.strategy}",
            cure="`strategy: directory` is chosen before a domain is installed; docs/strategies.md compares",
        )
    return found


def _entry(state: DomainState, key: object, type: str | None) -> Entry:
    fitting = [listing for listing in _listings(state) if type in (None, listing.type)]
    if not fitting:
        raise _unknown_type(state, type)
    if len(fitting) > 1:
        wanted = {int: "integer", str: "text"}.get(key.__class__, "uuid")
        fitting = [listing for listing in fitting if KINDS[listing.type].family == wanted] or fitting[:1]
    listed = fitting[0].type
    try:
        value = coerce(listed, key)
    except (NoRow, Unknowable):
        value = None
    if value is None:
        raise InterfaceError(
            "OG-RUN-118", f"{key!r} is no key of type {listed}", cure="give a value of that type, or name another type"
        )
    return KINDS[listed].family, value


def _unknown_type(state: DomainState, type: str | None) -> InterfaceError:
    return InterfaceError(
        "OG-RUN-118",
        f"no keys of type {type!r} stand in the directory of {state.name}",
        cure=f"one of: {', '.join(listing.type for listing in _listings(state))}",
    )


def _unknown_shard(state: DomainState, shard: str | None) -> InterfaceError:
    return InterfaceError(
        "OG-RUN-007",
        f"the domain {state.name} has no shard {shard!r}",
        cure=f"one of: {', '.join(state.picture.placer.shards)}",
    )
