"""The directory as this process knows it: keys looked up in the ledger, and assigned there on their first insert.

An entry is made by a connection of its own, as numbers are drawn: no rollback takes back what another process may have
read, and it is on disk before a row of its key is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import DataError
from outgrow.keyspace import Entry, Keyspace, Known, Lookup, Page, assigned, key_text, key_value
from outgrow.keyspace import family as family_of
from outgrow.ledger import DirectoryPage, ListedKey
from outgrow.plan import Located
from outgrow.runtime.prepared import Prepared
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

T = TypeVar("T")

#: How long the numbers of keys per shard are taken for granted, with the own ones added.
_COUNTS_SECONDS = 5.0
#: Policies that ask how many keys each shard has.
_COUNTING = frozenset(("least_keys", "round_robin"))


class Assigning:
    """What a domain's policies go by: how many keys each shard has, counted now and then."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.counted_at = -_COUNTS_SECONDS

    def note(self, chosen: Iterable[tuple[Entry, str]]) -> None:
        for (family, _), shard in chosen:
            self.counts.setdefault(family, Counter())[shard] += 1


def located_steps(state: DomainState, prepared: Prepared, values: Sequence[Any], until: float | None) -> Steps[Located]:
    """The shards for these parameters; keys that rows are given for get one."""
    return (yield from resolved_steps(state, lambda placer, absent: prepared.locate(values, placer, absent), until))


def resolved_steps(
    state: DomainState, place: Callable[[Keyspace, frozenset[Entry]], T], until: float | None
) -> Steps[T]:
    """What `place` answers once all keys that it needs are known, or known to be absent: its second argument."""
    absent: frozenset[Entry] = frozenset()
    while True:
        placer = state.picture.placer
        try:
            return place(placer, absent)
        except Lookup as lookup:
            wanted = lookup
        absent |= yield from look_up_steps(state, placer, wanted, until)


def assign_steps(state: DomainState, placer: Keyspace, lookup: Lookup) -> Steps[None]:
    """Find out where keys lie that rows are given for; new ones are assigned."""
    yield from look_up_steps(state, placer, Lookup(lookup.keys, given=lookup.keys), None)


def look_up_steps(state: DomainState, placer: Keyspace, lookup: Lookup, until: float | None) -> Steps[frozenset[Entry]]:
    """Ask the ledger, note what it says in the placer's book, and assign what is given; the keys without an entry."""
    texts = _texts(lookup)
    looked = yield from _look_steps(state, placer, list(texts.values()), until)
    new = [entry for entry in lookup.given if texts[entry] not in looked.slots]
    if new:
        chosen = yield from _chosen_steps(state, placer, new, until)
        slots = [(texts[entry], placer.listed_slot(shard)) for entry, shard in chosen.items()]
        yield from _home_steps(state, lambda link: ledger.assign_directory_steps(link, slots), until)
        state.assigning.note(chosen.items())
        looked = yield from _look_steps(state, placer, list(texts.values()), until)
    return frozenset(entry for entry in lookup.keys if texts.get(entry) not in looked.slots)


def _texts(lookup: Lookup) -> dict[Entry, ListedKey]:
    """What the ledger calls the keys; one that it cannot hold has no entry, and gets none."""
    texts: dict[Entry, ListedKey] = {}
    for entry in lookup.keys:
        try:
            texts[entry] = (entry[0], key_text(*entry))
        except DataError:
            if entry in lookup.given:
                raise
    return texts


def _look_steps(
    state: DomainState, placer: Keyspace, keys: Sequence[ListedKey], until: float | None
) -> Steps[DirectoryPage]:
    """What the ledger says of the keys, noted in the domain's book."""
    while True:
        before = placer.book.page
        ask = partial(ledger.look_directory_steps, keys=keys, number=before.number, edition=before.edition)
        looked = yield from _home_steps(state, ask, until)
        if _noted(placer, before, looked):
            return looked


def _noted(placer: Keyspace, before: Page, looked: DirectoryPage) -> bool:
    """Note in the book what was looked up from its page `before`; False where that is no longer its page."""
    page = placer.book.page
    same = (looked.number, looked.edition) == (page.number, page.edition)
    if not same and page is not before:
        return False
    if not same:
        known = {}
        for family in page.known:
            gone = [key_value(family, text) for of, text in looked.migrated if of == family]
            known[family] = page.known[family].without(gone) if looked.followed else Known()
        page = Page(known, looked.editions, looked.number, looked.edition)
    found: dict[str, dict[Any, int]] = {}
    for (family, text), slot in looked.slots.items():
        found.setdefault(family, {})[key_value(family, text)] = slot
    for family, slots in found.items():
        page.known[family].add(slots)
    placer.book.page = page
    return True


def _chosen_steps(
    state: DomainState, placer: Keyspace, new: Sequence[Entry], until: float | None
) -> Steps[dict[Entry, str]]:
    policies = {family_of(listing.type): listing.assign for listing in state.picture.domain.directory}
    assigning = state.assigning
    counting = [family for family, policy in policies.items() if policy in _COUNTING]
    if counting and monotonic() >= assigning.counted_at + _COUNTS_SECONDS:
        counted = yield from _home_steps(state, lambda link: ledger.count_directory_steps(link, counting), until)
        counts: dict[str, Counter[str]] = {}
        for (family, slot), count in counted.items():
            if slot < len(placer.owners):
                counts.setdefault(family, Counter())[placer.owners[slot]] += count
        assigning.counts, assigning.counted_at = counts, monotonic()
    return assigned(new, policies, assigning.counts, placer.shards, placer.hashed)


def _home_steps(state: DomainState, ask: Callable[[ledger.Runner], Steps[T]], until: float | None) -> Steps[T]:
    home = state.picture.domain.home.name
    answer, _ = yield from state.sequences.on_primary_steps(home, ask, until)
    return answer
