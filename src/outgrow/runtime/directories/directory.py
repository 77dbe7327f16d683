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
from outgrow.errors import DataError, OperationalError
from outgrow.keyspace import Entry, Keyspace, Known, Lookup, Page, assigned, key_text, key_value
from outgrow.keyspace import family as family_of
from outgrow.ledger import DirectoryPage, ListedKey
from outgrow.plan import Located
from outgrow.runtime.directories.outdated import Editions, Outdated
from outgrow.runtime.prepared import Prepared
from outgrow.topology import Sharded
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.moving import LoadTable
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.transaction.branches import Transaction

T = TypeVar("T")

#: How long the numbers of keys per shard are taken for granted, with the own ones added.
_COUNTS_SECONDS = 5.0
#: How long a statement waits for a migration to be committed everywhere, and how long between two looks.
_PATIENCE_SECONDS = 10.0
_REST_SECONDS = 0.001
_REST_LONGEST_SECONDS = 0.1
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


def located_steps(
    state: DomainState, prepared: Prepared, values: Sequence[Any], until: float | None
) -> Steps[tuple[Located, Page]]:
    """The shards for these parameters, and the page of the directory that says so.

    Keys that rows are given for get one.
    """
    return (yield from resolved_steps(state, lambda placer, absent: prepared.locate(values, placer, absent), until))


def resolved_steps(
    state: DomainState, place: Callable[[Keyspace, frozenset[Entry]], T], until: float | None
) -> Steps[tuple[T, Page]]:
    """What `place` answers once all keys that it needs are known, or known to be absent: its second argument.

    With the one page that it was read off.
    """
    absent: frozenset[Entry] = frozenset()
    while True:
        placer = state.picture.placer
        # A domain without a directory has nothing to look up, and its ledger perhaps no words for it.
        if placer.map.directory and placer.book.page.number < (due := state.migrations_due):
            yield from _look_steps(state, placer, [], until)
            # Heard once: a ledger restored from a backup may never get there.
            if state.migrations_due == due:
                state.migrations_due = 0
        page = placer.book.page
        try:
            placed = place(placer, absent)
        except Lookup as lookup:
            absent |= yield from look_up_steps(state, placer, lookup, until)
            continue
        if placer.book.page is page:
            return placed, page


def lists(placer: Keyspace, target: LoadTable) -> bool:
    """Whether the keys of a table that is read or written in bulk stand in the directory."""
    if not isinstance(target.placement, Sharded):
        return False
    types = {column.name: column.type for column in target.columns}
    return placer.lists((types.get(target.placement.columns[0], ""),))


def settled_steps(state: DomainState, placer: Keyspace, transaction: Transaction, shards: Sequence[str]) -> Steps[None]:
    """Branches on these shards, and a page of the directory that stays true of them as long as those are open."""
    patience = Patience(state, None)
    while True:
        page = placer.book.page
        try:
            yield from transaction.hold_steps(editions_of(page, shards), None)
            return
        except Outdated as outdated:
            yield from patience.again_steps(outdated, page, placer)


def editions_of(page: Page, shards: Iterable[str]) -> Editions:
    """What these shards must have so that the page is true of them."""
    return {shard: page.editions.get(shard, 0) for shard in shards}


class Patience:
    """For a statement that was placed by a page that is not true (any more) of the shards: what to do before it is
    placed again.

    Mostly a key was migrated, and the ledger knows; then it is placed again at once.  Where the ledger says the same as
    before, a migration is being committed: its shards, the home shard among them, do not commit in one moment.
    """

    def __init__(self, state: DomainState, until: float | None) -> None:
        self._state = state
        self._until = until
        self._since: float | None = None
        self._rest = _REST_SECONDS
        #: It was placed before.
        self.tried = False

    def again_steps(self, outdated: Outdated, page: Page, placer: Keyspace | None = None) -> Steps[None]:
        """Wait until placing it again can be of use.

        Raises OperationalError OG-RUN-110 when that has taken too long, or as long as the statement may.
        """
        state, now = self._state, monotonic()
        placer = placer or state.picture.placer
        self.tried = True
        if self._since is None:
            self._since = now
        limit = self._since + _PATIENCE_SECONDS
        if self._until is not None:
            limit = min(limit, self._until)
        if now >= limit:
            raise _on_the_move(outdated.shard, now - self._since)
        if placer.book.page is page:
            yield from _look_steps(state, placer, [], self._until)
        if placer.book.page is page:
            # Whoever committed it may be dead: then recovery goes on for it.
            state.need_recovery()
            yield Until(min(now + self._rest, limit))
            self._rest = min(2 * self._rest, _REST_LONGEST_SECONDS)


def _on_the_move(shard: str, seconds: float) -> OperationalError:
    return OperationalError(
        "OG-RUN-110",
        f"for {seconds:.1f} s the shard {shard} and the ledger have not agreed on which keys it has",
        cure="a migration has not been committed on all of its shards: `outgrow recover`; or one of them was restored "
        "from an older backup: `outgrow doctor` tells",
        shard=shard,
    )


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
        yield from home_steps(state, lambda link: ledger.assign_directory_steps(link, slots), until)
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
        looked = yield from home_steps(state, ask, until)
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
        counted = yield from home_steps(state, lambda link: ledger.count_directory_steps(link, counting), until)
        counts: dict[str, Counter[str]] = {}
        for (family, slot), count in counted.items():
            if slot < len(placer.owners):
                counts.setdefault(family, Counter())[placer.owners[slot]] += count
        assigning.counts, assigning.counted_at = counts, monotonic()
    return assigned(new, policies, assigning.counts, placer.shards, placer.hashed)


def refresh_steps(state: DomainState, until: float | None) -> Steps[None]:
    """Turn to the directory's latest page."""
    yield from _look_steps(state, state.picture.placer, [], until)


def home_steps(state: DomainState, ask: Callable[[ledger.Runner], Steps[T]], until: float | None) -> Steps[T]:
    home = state.picture.domain.home.name
    answer, _ = yield from state.sequences.on_primary_steps(home, ask, until)
    return answer
