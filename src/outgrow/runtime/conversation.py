"""What a session says to the servers, as steps: the one code behind `Session` and `AsyncSession`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from outgrow.clock import monotonic
from outgrow.errors import Error, InterfaceError, NotSupportedError, ProgrammingError
from outgrow.plan import Located
from outgrow.route import Level, Token
from outgrow.runtime import asking, bulk, commands, engines, pooled, preparing
from outgrow.runtime.companions import Companions
from outgrow.runtime.directories import listed
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions
from outgrow.runtime.domain import DomainState
from outgrow.runtime.dress import Dress
from outgrow.runtime.events import telling
from outgrow.runtime.events.noting import Noting
from outgrow.runtime.footing import Footing
from outgrow.runtime.numbers.drawing import DrawnValues
from outgrow.runtime.prepared import Parameters, Prepared, values_of
from outgrow.runtime.reading import across, scattering
from outgrow.runtime.result import Result, answer_of
from outgrow.runtime.transaction import agreed, saying
from outgrow.runtime.transaction.branches import Transaction
from outgrow.runtime.uniqueness import settling
from outgrow.statement import Kind
from outgrow.transactions import Xid, owner_of
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.moving import Loaded, LoadFormat, LoadOptions, Progress

#: psycopg's placeholders, left standing because no parameters were given.
_FORGOTTEN = re.compile(r"%s|%\(\w+\)s")


class Conversation:
    """A session's state: its level, what it has seen, its transaction.  One owner at a time."""

    #: Reads over several shards see each transaction wholly or not at all.
    atomic_reads = False

    def __init__(self, state: DomainState, level: Level, token: Token | None, scatter: str | None = None) -> None:
        self.state = state
        self.level = level
        self.transaction: Transaction | None = None
        self.closed = False
        #: The id of the latest transaction that was to be committed on several shards.
        self.last_transaction: str | None = None
        self._busy = False
        #: What a statement writes is brought to the index of what is unique in the whole domain when it is done.
        self.settles = False
        #: A COPY is open.
        self.copying = False
        self.dress: Dress = ()
        self.noting = Noting(state.name)
        #: What becomes of statements that several shards must answer: the session's own word, else the domain's.
        self.scatter = scatter or state.file.scatter
        self.companions = Companions(self, token, scatter)
        token = token or Token()
        state.migrations_due = max(state.migrations_due, token.epochs.get(f"{state.name}/directory", 0))
        self.footings = {}
        for shard in state.picture.domain.shards:
            name = f"{state.name}/{shard.name}"
            footing = self.footings[shard.name] = Footing(token.floors.get(name), self.noting, name in token.ahead)
            footing.pending = token.pending.get(name, ())

    # -- statements ----------------------------------------------------------------------------------------------

    def execute_steps(
        self,
        sql: str,
        parameters: Parameters,
        timeout_seconds: float | None,
        shard: str | None,
        allow_partial: bool = False,
    ) -> Steps[Result]:
        """Route one statement and run it."""
        if self.state.tell is not None and not self.noting.open:
            return (yield from telling.statement_steps(self, sql, parameters, timeout_seconds, shard, allow_partial))
        if self.closed or self._busy:
            raise commands.unusable(self)
        self._busy = True
        try:
            until = None if timeout_seconds is None else monotonic() + timeout_seconds
            state = self.state
            prepared = state.picture.plans.find((sql, parameters is not None))
            if prepared is None or state.stale or monotonic() > state.epochs_due:
                prepared = yield from self.prepared_steps(sql, parameters is not None, until)
            point = prepared.point
            if (
                point is not None
                and isinstance(parameters, (list, tuple))
                and len(parameters) == prepared.parameters
                and shard is None
            ):
                # The hot path: one positional parameter alone says which shard.
                value = parameters[point.at]
                if type(value) is point.python_type:
                    there = point.shard_of(value)
                    if there is not None:
                        return (yield from self.on_one_steps(prepared, there, parameters, until))
            values = values_of(prepared.placeholders, parameters)
            if prepared.drawing is None:
                return (yield from self._dispatch_steps(prepared, values, until, shard, allow_partial))
            values = yield from state.sequences.values_steps(prepared.drawing, values, until)
            result = yield from self._dispatch_steps(prepared, values, until, shard, allow_partial)
            if isinstance(values, DrawnValues) and values.first is not None:
                result.lastrowid = values.first
            return result
        except Error as error:
            settling.note_unsettled(self.state, error)
            raise
        finally:
            self._busy = False

    def prepared_steps(self, sql: str, parameters: bool, until: float | None) -> Steps[Prepared]:
        """The plan of this text, from the cache or made now."""
        return preparing.prepared_steps(self, sql, parameters, until)

    def footing(self, shard: str) -> Footing:
        return self.footings[shard]

    def _dispatch_steps(
        self, prepared: Prepared, values: Sequence[Any], until: float | None, shard: str | None, allow_partial: bool
    ) -> Steps[Result]:
        kind = prepared.statement.kind
        if prepared.plan.across is not None:
            if self.transaction is not None:
                self.transaction.defined.check(prepared.statement)
            return (yield from across.run_steps(self, prepared, values, until, shard))
        if self.transaction is not None:
            engines.check_keeps(self.state.engine, prepared.statement)
        if self.transaction is not None and self.transaction.definitions and kind is not Kind.DDL:
            self.transaction.defined.check(prepared.statement)
        if any(effect.kind == "temporary" for effect in prepared.statement.effects):
            raise NotSupportedError(
                "OG-RUN-034",
                "a temporary table belongs to one connection, and a session has many",
                cure="use an ordinary table (UNLOGGED, if it may be lost), or a CTE",
            )
        if kind is Kind.TRANSACTION:
            return (yield from commands.transaction_steps(self, prepared, until))
        if kind is Kind.DDL and shard is None:
            return (yield from commands.ddl_steps(self, prepared, until))
        if kind in (Kind.SESSION, Kind.COPY) and shard is None:
            return (yield from commands.session_steps(self, prepared, until))
        if kind is Kind.OPAQUE and _FORGOTTEN.search(prepared.sql):
            raise ProgrammingError(
                "OG-RUN-002",
                "the statement has placeholders but was given no parameters",
                cure="pass the parameters as the second argument",
            )
        if shard is not None:
            self._known_shard(shard)
            if self.state.pooled:
                pooled.check_on_shard(prepared)
            if kind is Kind.DDL and self.transaction is None:
                return (yield from commands.ddl_on_steps(self, prepared, shard, until))
            run = partial(self.on_one_steps, prepared, shard, values, until)
            return (yield from (settling.within_steps(self, run, until) if prepared.claims else run()))
        if prepared.plan.listed:
            return (yield from listed.run_steps(self, prepared, values, until, allow_partial))
        located = self.noting.located = prepared.locate(values, self.state.picture.placer)
        return (yield from self.located_steps(prepared, located, values, until, allow_partial, NO_EDITIONS))

    def located_steps(
        self,
        prepared: Prepared,
        located: Located,
        values: Sequence[Any],
        until: float | None,
        allow_partial: bool,
        editions: Editions,
    ) -> Steps[Result]:
        """Run it on the shards that it was placed on.  Raises Outdated where their editions are others."""
        return scattering.located_steps(self, prepared, located, values, until, allow_partial, editions)

    def preferred(self) -> str:
        """The shard for what any shard can answer: one that the transaction holds already, else each in turn.

        Each of the map's: one that the file names since, nobody has filled.
        """
        if self.transaction is not None:
            return next(iter(self.transaction.branches), self.state.picture.domain.home.name)
        shards = self.state.picture.placer.shards
        return shards[self.state.next_turn() % len(shards)]

    def on_one_steps(
        self,
        prepared: Prepared,
        shard: str,
        values: Sequence[Any],
        until: float | None,
        editions: Editions = NO_EDITIONS,
    ) -> Steps[Result]:
        params, edition = values or None, editions.get(shard)
        transaction = self.transaction
        if transaction is not None:
            if transaction.definitions:
                transaction.defined.check(prepared.statement)
            pairs = [(shard, prepared.sql)]
            (rows,) = yield from transaction.run_steps(pairs, params, prepared.writes, until, editions)
            return answer_of(rows, transaction.branches[shard].node.name)
        footing = self.footings[shard]
        if prepared.read_only:
            rows, node = yield from asking.read_steps(
                self.state, shard, footing, self.level, prepared.sql, params, until, edition
            )
        else:
            rows, node = yield from asking.write_steps(self.state, shard, footing, prepared.sql, params, until, edition)
        return answer_of(rows, node.name)

    def load_steps(
        self,
        source: BinaryIO,
        table: str,
        form: LoadFormat | None,
        options: LoadOptions | None,
        progress: Progress | None,
    ) -> Steps[Loaded]:
        """Bulk load, in the session's transaction or in one of its own."""
        self.hold()
        try:
            steps = bulk.load_steps(self, source, table, form, options, progress)
            return (yield from telling.load_steps(self, table, steps))
        finally:
            self.release()

    def hold(self) -> None:
        """Take the session for something of several calls."""
        if self.closed or self._busy:
            raise commands.unusable(self)
        self._busy = True

    def release(self) -> None:
        self._busy = self.copying = False

    @property
    def pending(self) -> dict[str, tuple[str, ...]]:
        return {
            shard: tuple(str(owner_of(gid)) for gid in footing.pending)
            for shard, footing in self.footings.items()
            if footing.pending
        }

    # -- transactions --------------------------------------------------------------------------------------------

    def begin(self, sql: str = "BEGIN") -> None:
        if self.transaction is not None:
            raise ProgrammingError(
                "OG-RUN-025",
                "a transaction is open already",
                cure="use a savepoint, or transaction() again",
                sqlstate="25001",
            )
        self.transaction = agreed.transaction_of(self, sql)
        telling.begun(self, self.transaction)

    def commit_steps(self, until: float | None = None, xid: Xid | None = None) -> Steps[None]:
        """With an `xid` it is only prepared: see `runtime.transaction.foreign`."""
        transaction = self.transaction
        if transaction is None:
            return
        self.transaction = None
        try:
            steps = transaction.commit_steps(until, xid)
            if self.state.tell is not None:
                steps = telling.ending_steps(self, transaction, steps, "committed" if xid is None else "prepared")
            places = yield from steps
        except BaseException as error:
            settling.note_unsettled(self.state, error)
            # It may be committed all the same.
            self.stood_on(transaction.touched)
            raise
        finally:
            transaction.over = True
            self._note_commit(transaction)
            self.state.stale |= transaction.definitions > 0
        for shard, place in places.items():
            self.footings[shard].raise_floor(place)
        for branch_shard in transaction.touched:
            # The primary was read: the floor lies somewhere above what we know, unless COMMIT told it.
            if branch_shard not in places:
                self.footings[branch_shard].unplaced = True
            self.footings[branch_shard].last = None

    def rollback_steps(self, until: float | None = None) -> Steps[None]:
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.over = True
            steps = transaction.rollback_steps(until)
            if self.state.tell is not None:
                steps = telling.ending_steps(self, transaction, steps, "rolled back")
            yield from steps
            self.stood_on(transaction.touched)

    def stood_on(self, shards: Iterable[str]) -> None:
        """Their primaries were read or written: the floor lies somewhere above what we know."""
        for shard in shards:
            self.footings[shard].unplaced = True
            self.footings[shard].last = None

    def _note_commit(self, transaction: Transaction) -> None:
        commit = transaction.commit
        if commit is not None and commit.id is not None:
            self.last_transaction = str(commit.id)
            for shard, gid in commit.pending.items():
                self.footings[shard].pending += (gid,)

    def abandon(self) -> None:
        """Nobody waits for the transaction any more: what is open of it is closed, and recovery ends the rest."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.over = True
            transaction.abandon()
            telling.abandoned(self, transaction)

    def savepoint_steps(self, command: str, name: str, until: float | None = None) -> Steps[None]:
        if self.transaction is None:
            raise ProgrammingError(
                "OG-RUN-026",
                f"{command} needs an open transaction",
                cure="BEGIN, or use session.transaction()",
                sqlstate="25P01",
            )
        yield from saying.savepoint_steps(self.transaction, command, name, until)

    def _known_shard(self, shard: str) -> None:
        if shard not in self.footings:
            raise InterfaceError(
                "OG-RUN-007",
                f"the domain {self.state.name} has no shard {shard!r}",
                cure=f"one of: {', '.join(self.footings)}",
            )

    # -- tokens and ends -----------------------------------------------------------------------------------------

    def token_steps(self, until: float | None = None) -> Steps[Token]:
        """What this session has seen, per shard; asks a server where a read left no place behind."""
        floors = {}
        pending = {f"{self.state.name}/{shard}": f.pending for shard, f in self.footings.items() if f.pending}
        for shard, footing in self.footings.items():
            if footing.pending:
                # Whoever takes the token finds its place there; the shard may be out of reach now.
                pass
            elif footing.unplaced:
                primary = self.state.health.seats(self.state.name, shard).primary
                yield from self.state.sample_steps(primary, footing, until)
            elif footing.last is not None:
                # Where the replica stands now is past all that the session has seen on it.
                yield from self.state.sample_replica_steps(footing.last, footing, until)
            if footing.floor is not None:
                floors[f"{self.state.name}/{shard}"] = footing.floor
        ahead = frozenset(f"{self.state.name}/{shard}" for shard, footing in self.footings.items() if footing.ahead)
        epochs = {self.state.name: self.state.picture.map.epoch}
        if (migrations := self.state.picture.placer.book.page.number) > 0:
            # Whoever reads on must not look for a key where it was before it was migrated.
            epochs[f"{self.state.name}/directory"] = migrations
        own = Token(floors, epochs, pending, ahead)
        return (yield from self.companions.with_own_steps(own, until))

    def close_steps(self) -> Steps[None]:
        self.closed = True
        yield from self.rollback_steps()
