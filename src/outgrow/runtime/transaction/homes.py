"""Where rows belong that are about to be written, by the keys that they will have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.keyspace import Entry, Keyspace, Lookup
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import editions_of
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

Key = tuple[Any, ...]


def homes_steps(
    conversation: Conversation, types: tuple[str, ...], keys: Sequence[Key], listed: bool, until: float | None
) -> Steps[list[str]]:
    """The shard of each key, as its columns will hold it; one that the directory lacks is assigned."""
    homes, page = yield from directory.resolved_steps(
        conversation.state, lambda placer, _: _homes(placer, types, set(keys)), until
    )
    if listed and conversation.transaction is not None:
        yield from conversation.transaction.hold_steps(editions_of(page, set(homes.values())), until)
    return [homes[key] for key in keys]


def _homes(placer: Keyspace, types: tuple[str, ...], keys: Iterable[Key]) -> dict[Key, str]:
    homes: dict[Key, str] = {}
    unknown: set[Entry] = set()
    for key in keys:
        try:
            homes[key] = placer.shards_for(types, key)
        except Lookup as lookup:
            unknown |= lookup.keys
    if unknown:
        raise Lookup(unknown, given=unknown)
    return homes
