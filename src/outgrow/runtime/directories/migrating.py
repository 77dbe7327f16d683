"""A key of the directory goes to another shard with all its rows: one transaction over both shards and the ledger.

    lock definitions, and the entry, on the home shard       nobody defines anything, nobody else migrates the key
    close both shards                                        who writes there ends first, others wait for the end
    copy the key's rows of every table, and delete them
    the entry, both editions (on the shards and at home)     who knows the old ones must ask again
    commit, the source first

The source decides: where the key was, its rows are gone before anybody can see or change them where it is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, OperationalError, ProgrammingError
from outgrow.keyspace import Entry, key_text
from outgrow.nodes import Link
from outgrow.runtime import snapshot
from outgrow.runtime.definitions.exclusive import exclusively_steps
from outgrow.runtime.directories import mariadb_rows
from outgrow.runtime.directories.keyed_rows import KeyedRows, keyed_rows, messages
from outgrow.runtime.footing import Footing
from outgrow.runtime.transaction.branches import Transaction
from outgrow.runtime.uniqueness import settling
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: How long one try waits for a lock: everybody who comes later waits behind it.
_TRY_MS_FIRST, _TRY_MS_LAST = 100, 2000
#: The lock was not had in time; a deadlock that the server saw.
_BUSY = ("55P03", "40P01")
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did; no rows where the key was on its target already."""

    key: str
    source: str
    target: str
    rows: Mapping[str, int] = field(default_factory=dict)
    #: Shards that have not confirmed their part of the commit yet; it stands, and recovery goes on.
    pending: tuple[str, ...] = ()


class _Again(Exception):
    """Somebody else is at work: roll back, and try again."""


def migrate_steps(
    state: DomainState, entry: Entry, target: str, patience_seconds: float, until: float | None
) -> Steps[Migrated]:
    """Move the key's rows to the shard `target`.

    Raises ProgrammingError OG-RUN-111 for a key without an entry, OperationalError OG-RUN-112 where transactions do
    not end within `patience_seconds`, NotSupportedError OG-RUN-113 for rows that cannot be moved so.
    """
    limit = monotonic() + patience_seconds
    if until is not None:
        limit = min(limit, until)
    if not state.engine.commits_ddl:
        return (yield from _tries_steps(state, entry, target, patience_seconds, limit, until))

    def alone_steps(link: Link) -> Steps[Migrated]:
        return (yield from _tries_steps(state, entry, target, patience_seconds, limit, until))

    # A transaction holds no such lock there, but a connection does.
    return (yield from exclusively_steps(state, until, alone_steps))


def _tries_steps(
    state: DomainState, entry: Entry, target: str, patience_seconds: float, limit: float, until: float | None
) -> Steps[Migrated]:
    wait_ms = _TRY_MS_FIRST
    while True:
        transaction = Transaction(state, _BEGIN, (), {s.name: Footing() for s in state.picture.domain.shards})
        # A failover that loses half of it would leave the key on both shards or on none.
        transaction.replicated = True
        if not state.engine.commits_ddl:
            transaction.prologue.set(f"SET LOCAL lock_timeout = '{wait_ms}ms'")
        busy: Error | None = None
        try:
            migrated = yield from _Migration(state, transaction, entry, target, until).run_steps()
            if transaction.branches:
                yield from transaction.commit_steps(until)
            return _confirmed(transaction, migrated)
        except GeneratorExit:
            transaction.abandon()
            raise
        except _Again:
            yield from transaction.rollback_steps(None)
        except Error as error:
            yield from transaction.rollback_steps(None)
            if error.sqlstate not in _BUSY:
                raise
            busy = error
        except BaseException:
            yield from transaction.rollback_steps(None)
            raise
        if monotonic() > limit:
            raise (yield from _busy_steps(state, busy, patience_seconds))
        wait_ms = min(2 * wait_ms, _TRY_MS_LAST)
        yield Until(monotonic() + random.uniform(0.02, 0.1))


def _confirmed(transaction: Transaction, migrated: Migrated) -> Migrated:
    pending = tuple(transaction.commit.pending) if transaction.commit is not None else ()
    return Migrated(migrated.key, migrated.source, migrated.target, migrated.rows, pending)


class _Migration:
    """One try."""

    def __init__(
        self, state: DomainState, transaction: Transaction, entry: Entry, target: str, until: float | None
    ) -> None:
        self.state = state
        self.transaction = transaction
        self.family, self.value = entry
        self.key = key_text(*entry)
        self.target = target
        self.until = until
        self.queries = ledger.queries(state.picture.domain.engine)
        #: MariaDB: the shard that is touched first decides.
        self.first = state.engine.named_early

    def run_steps(self) -> Steps[Migrated]:
        """Everything but the commit."""
        home = self.state.picture.domain.home.name
        begun = yield from self._begun_steps() if self.first else _nowhere_steps()
        yield from self._lock_steps(home)
        slot = yield from self._slot_steps(home)
        placer = self.state.picture.placer
        source = placer.owners[slot]
        if begun not in (None, source):
            raise _Again
        if source == self.target:
            yield from self.transaction.rollback_steps(self.until)
            return Migrated(self.key, source, self.target)
        tables = [
            *keyed_rows(self.state.picture, self.family, self.value),
            *messages(self.state.picture, self.family, self.value),
        ]
        both = [shard for shard in placer.shards if shard in (source, self.target)]
        for shard in both:
            yield from self._ask_steps(shard, "edition_close")
        rows = yield from self._move_steps(tables, source)
        yield from settling.settle_steps(self.transaction, self.until)
        rows = {name: count for name, count in rows.items() if count or not name.startswith("outgrow.")}
        yield from self._turn_steps(home, both, slot, sum(rows.values()))
        self.transaction.decider = source
        return Migrated(self.key, source, self.target, rows)

    def _ask_steps(self, shard: str, query: str, params: list[object] | None = None) -> Steps[ledger.Answer]:
        (answer,) = yield from self.transaction.run_steps([(shard, self.queries[query])], params, True, self.until)
        return answer

    def _begun_steps(self) -> Steps[str | None]:
        """The branch on the shard that has the key now, before any other."""
        state = self.state
        ask = partial(ledger.directory_entries_steps, keys=[(self.family, self.key)])
        found = yield from state.on_home_steps(ask, self.until)
        if not found:
            return None
        source = state.picture.placer.owners[found[0][2]]
        yield from self.transaction.open_steps([source], self.until)
        return source

    def _lock_steps(self, home: str) -> Steps[None]:
        """Nobody else defines or migrates until the end, and the picture is what the servers have now."""
        link = yield from self.transaction.link_steps(home, True, self.until)
        answer = yield from link.run_steps(self.queries["definition_lock_in_block"], None, until=self.until)
        if not answer.rows[0][0]:
            raise _Again
        map_epoch, schema_epoch = yield from ledger.read_epochs_steps(link, self.state.name)
        picture = self.state.picture
        if (map_epoch, schema_epoch) != (picture.map.epoch, picture.schema.epoch):
            yield from self.state.refresh_steps(self.until)
            raise _Again

    def _slot_steps(self, home: str) -> Steps[int]:
        answer = yield from self._ask_steps(home, "migration_entry", [self.family, self.key])
        if not answer.rows:
            raise ProgrammingError(
                "OG-RUN-111",
                f"the directory has no entry for the key {self.key!r} ({self.family}): it has no rows to migrate",
                cure=f"say where its rows shall live: outgrow directory assign {self.key} {self.target}",
            )
        slot: int = answer.rows[0][0]
        return slot

    def _move_steps(self, tables: list[KeyedRows], source: str) -> Steps[dict[str, int]]:
        """Parents first on the new shard, children first on the old one."""
        links = {}
        for shard in (source, self.target):
            links[shard] = yield from self.transaction.link_steps(shard, True, self.until)
            for query in ("migration_settings", "migration_deferred"):
                yield from links[shard].run_steps(self.queries[query], None, until=self.until)
            if "outbox_keep" in self.queries:
                held = [self.family, self.key]
                yield from links[shard].run_steps(self.queries["outbox_keep"], held, until=self.until)
        counts = {}
        for table in tables:
            counts[str(table.name)] = yield from self._copy_steps(table, links[source], links[self.target])
        for table in reversed(tables):
            answer = yield from links[source].run_steps(table.delete, None, until=self.until)
            if answer.count != counts[str(table.name)]:
                raise self._miscounted(table, f"{counts[str(table.name)]} copied, {answer.count} deleted")
        for table in tables:
            answer = yield from links[source].run_steps(table.left, None, until=self.until)
            if answer.rows[0][0]:
                raise self._miscounted(table, "some are left, in tables that inherit from it")
        return counts

    def _copy_steps(self, table: KeyedRows, source: Link, target: Link) -> Steps[int]:
        if source.engine == "mariadb":
            read, written = yield from mariadb_rows.copy_steps(
                table.copy_out, table.copy_in, source, target, self.until
            )
            if read != written:
                raise self._miscounted(table, f"{read} read, {written} written")
            return written
        out, into = source.copy_out(until=self.until), target.copy_in(until=self.until)
        yield from out.begin_steps(table.copy_out)
        try:
            yield from into.begin_steps(table.copy_in)
            try:
                while (block := (yield from out.more_steps())) is not None:
                    yield from into.send_steps(block)
            except Error:
                yield from into.abort_steps("the rows cannot be read")
                raise
            taken = yield from into.finish_steps()
        except Error:
            yield from out.close_steps()
            raise
        if taken != out.count:
            raise self._miscounted(table, f"{out.count} read, {taken} written")
        return taken

    def _miscounted(self, table: KeyedRows, what: str) -> Error:
        return OperationalError(
            "OG-RUN-114",
            f"rows of {table.name} with the key {self.key!r} would have been lost or doubled: {what}",
            cure="nothing was moved; see who writes the table past outgrow, then try again",
        )

    def _turn_steps(self, home: str, both: list[str], slot: int, rows: int) -> Steps[None]:
        """The entry, and another edition for both shards: on each of them, and in the ledger."""
        edition = random.SystemRandom().randrange(1, 2**63)
        target = self.state.picture.placer.listed_slot(self.target)
        for shard in both:
            yield from self._ask_steps(shard, "edition_turn", [edition])
        listed = ledger.words_of(self.state.picture.domain.engine).listed
        yield from self._ask_steps(home, "migration_turn", [listed(both), edition])
        yield from self._ask_steps(home, "migration_place", [self.family, self.key, target])
        recorded: list[object] = [edition, self.family, self.key, slot, target, rows]
        yield from self._ask_steps(home, "migration_record", recorded)


def _nowhere_steps() -> Steps[str | None]:
    yield from ()
    return None


def _busy_steps(state: DomainState, busy: Error | None, patience_seconds: float) -> Steps[Error]:
    """Who is in the way, as far as the server tells."""
    who = "another migration or a DDL of this domain is under way"
    shard = busy.shard if busy is not None else None
    if shard is not None:
        node = state.health.seats(state.name, shard).primary

        def holders_steps(link: Link) -> Steps[list[str]]:
            answer = yield from link.run_steps(ledger.queries(link.engine)["edition_holders"], None)
            return [_holder(*row) for row in answer.rows]

        found = yield from snapshot.on_node_steps(state.nodes, node, monotonic() + 5, holders_steps)
        who = "transactions that write there have not ended: " + ("; ".join(found[:3]) or "they were many")
    return OperationalError(
        "OG-RUN-112",
        f"the key could not be migrated within {patience_seconds:g} s: {who}",
        cure="try again, with more patience; or end those transactions first",
        shard=shard,
    )


def _holder(pid: int, application: str, address: str, since: str, query: str) -> str:
    return f"backend {pid} ({application or 'unnamed'}, from {address}, since {since}): {query}"
