"""A transaction over one or more shards: one branch each, opened at first touch.

Every branch replays the open savepoints, so that SAVEPOINT, RELEASE and ROLLBACK TO mean the same on all of them.
One branch ends with an ordinary COMMIT; how several end together is the business of `transactions`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow import transactions
from outgrow.clock import monotonic, wall_ns
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Asked, Link, Rows, together
from outgrow.route import Position
from outgrow.runtime import pooled
from outgrow.runtime.asking import answered
from outgrow.runtime.definitions.defined import Defined
from outgrow.runtime.directories.held import holding
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions, Outdated, check_held, edition_of
from outgrow.runtime.dress import Dress, taken_steps
from outgrow.runtime.footing import Footing
from outgrow.runtime.transaction import atomic, failing, waiting
from outgrow.runtime.transaction.branch import Branch, places_steps
from outgrow.runtime.transaction.prologue import Prologue
from outgrow.transactions import Commit, TransactionId, Xid, foreign_failures
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_COPY = re.compile(r"\bcopy\b", re.I)

#: Command tags that count the rows that were written.
_COUNTING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


class Transaction:
    """Open from BEGIN to COMMIT or ROLLBACK.  `failed` holds the error after which only a rollback helps.

    Whatever stops a statement, an interruption too, some branches may have run and others not, or are let go: none of
    them tells the others, so the transaction itself has failed.
    """

    def __init__(self, state: DomainState, begin: str, dress: Dress, footings: Mapping[str, Footing]) -> None:
        self.state = state
        self.footings = footings
        self.begin = begin
        self.dress = dress
        #: Settings and savepoints, replayed on branches that open later.
        self.prologue = Prologue()
        self.branches: dict[str, Branch] = {}
        self.failed: Error | None = None
        #: Its session has ended it.
        self.over = False
        #: How many pieces of statements have been sent that may write.
        self.written = 0
        #: How many DDL statements ran, and what they changed: statements are planned without knowing it.
        self.definitions = 0
        self.defined = Defined()
        #: Whether a new picture of the schema is to be had: not where it waits for what the transaction has locked.
        self.looks = True
        #: Every shard that had a branch.
        self.touched: set[str] = set()
        #: What will tell this transaction from all others, and when its beginning was told of.
        self.chance = os.urandom(10)
        self.begun = wall_ns() // 1_000_000
        self.told_at: float | None = None
        #: The shard that was touched first, and what the transaction is called, once it has a name.
        self.first: str | None = None
        self.id: TransactionId | None = None
        #: It is committed on several shards only as replicas have got it: `TransactionId.replicated`.
        self.replicated = False
        #: The shard whose commit decides, where it matters; and how far the commit of several branches has come.
        self.decider: str | None = None
        self.commit: Commit | None = None

    def run_steps(
        self,
        asked: Sequence[tuple[str, str]],
        params: Sequence[Any] | None,
        writes: bool,
        until: float | None,
        editions: Editions = NO_EDITIONS,
    ) -> Steps[list[Rows]]:
        """Run `(shard, sql)` pairs, each on its branch; all at once where there are several.

        Raises Outdated, and has run nothing, where a shard's edition is not the one given.
        """
        self.check_usable()
        try:
            if len(asked) > 1 and editions:
                yield from self._held_steps(editions, until)
            yield from self._open_all_steps([shard for shard, _ in asked if shard not in self.branches], until)
            self._expect(editions)
            if len(asked) == 1:
                shard, sql = asked[0]
                return [(yield from self._on_branch_steps(shard, sql, params, writes, until))]
            return (
                yield from together([self._on_branch_steps(shard, sql, params, writes, until) for shard, sql in asked])
            )
        except Outdated:
            raise
        except BaseException as error:
            self.fail(error)
            raise

    def run_many_steps(
        self, asked: Mapping[str, list[Asked]], until: float | None, writes: bool = True
    ) -> Steps[list[Rows]]:
        """Run many statements, each shard's in their order and in one flush, all shards at once."""
        self.check_usable()
        try:
            yield from self._open_all_steps([shard for shard in asked if shard not in self.branches], until)
            many = [self._many_on_branch_steps(shard, todo, writes, until) for shard, todo in asked.items()]
            return [rows for answers in (yield from together(many)) for rows in answers]
        except BaseException as error:
            self.fail(error)
            raise

    def open_steps(self, shards: Sequence[str], until: float | None, editions: Editions = NO_EDITIONS) -> Steps[None]:
        """Branches on all of these, before statements of their own run on each at once."""
        self.check_usable()
        try:
            yield from self._open_all_steps([shard for shard in shards if shard not in self.branches], until)
            if editions:
                yield from self._held_steps(editions, until)
        except Outdated:
            raise
        except BaseException as error:
            self.fail(error)
            raise

    def hold_steps(self, editions: Editions, until: float | None) -> Steps[None]:
        """Branches on these shards, whose editions are these, and stay so; else Outdated, and nothing was run."""
        yield from self.open_steps(list(editions), until, editions)

    def _held_steps(self, editions: Editions, until: float | None) -> Steps[None]:
        yield from self._open_all_steps([shard for shard in editions if shard not in self.branches], until)
        self._expect(editions)
        unsent = [shard for shard in editions if self.branches[shard].edition is None]
        if unsent:
            yield from together([self.ask_steps(shard, [], until) for shard in unsent])

    def _expect(self, editions: Editions) -> None:
        for shard, edition in editions.items():
            if shard in self.branches:
                self.branches[shard].expect(edition)

    def link_steps(self, shard: str, writes: bool, until: float | None) -> Steps[Link]:
        """The branch's own connection, for a stream inside the transaction."""
        self.check_usable()
        try:
            yield from self._open_all_steps([shard] if shard not in self.branches else [], until)
            yield from self.ask_steps(shard, [], until)
        except BaseException as error:
            self.fail(error)
            raise
        branch = self.branches[shard]
        branch.wrote |= writes
        self.written += writes
        self._note(shard, [], [], monotonic(), None)
        return branch.link

    def _on_branch_steps(
        self, shard: str, sql: str, params: Sequence[Any] | None, writes: bool, until: float | None
    ) -> Steps[Rows]:
        (rows,) = yield from self._many_on_branch_steps(shard, [(sql, params)], writes, until)
        return rows

    def _many_on_branch_steps(
        self, shard: str, asked: list[Asked], writes: bool, until: float | None
    ) -> Steps[list[Rows]]:
        started = monotonic()
        self.written += writes
        try:
            answers = yield from waiting.watched_steps(self, self.ask_steps(shard, asked, until))
        except Error as error:
            self._note(shard, asked, [], started, error)
            raise
        finally:
            if writes and shard in self.branches:
                self.branches[shard].wrote = True
        assert len(answers) == len(asked), "each statement has its answer"
        if writes and any(rows.count > 0 and rows.status in _COUNTING for rows in answers):
            self.branches[shard].certain = True
        self._note(shard, asked, answers, started, None)
        return answers

    def _note(self, shard: str, asked: list[Asked], answers: list[Rows], started: float, error: Error | None) -> None:
        if shard in self.branches:
            node = self.branches[shard].node
            self.footings[shard].noting.on_branch(self.state, node, asked, answers, started, error)

    def ask_steps(self, shard: str, asked: list[Asked], until: float | None) -> Steps[list[Rows]]:
        """Run statements on a branch, in one flush with what has to go ahead of them (BEGIN, mostly).

        As long as nothing has run on the branch, a lost connection has rolled back nothing: another may be tried.
        """
        for last_try in (False, False, True):
            branch = self.branches[shard]
            at, ahead = branch.edition_at, self._ahead(branch)
            if not ahead and len(asked) < 2:
                return [(yield from branch.link.run_steps(*asked[0], until=until))] if asked else []
            try:
                # What COPY answers has no place in a pipeline.  It comes by itself: of several, none is one.
                alone = len(asked) == 1 and _COPY.search(asked[0][0]) is not None
                outcomes = yield from branch.link.run_many_steps(
                    ahead if alone else [*ahead, *asked], until=until, chained=True
                )
                if at is not None:
                    check_held(outcomes[at - 1], outcomes[at], shard)
                if branch.fresh and branch.link.pooled:
                    pooled.check_opened(branch.node, outcomes[: len(ahead)])
                answers = [answered(outcome) for outcome in outcomes]
            except NodeLost:
                if not branch.fresh or last_try:
                    raise
                self._release(branch)
                yield from self.state.survey_steps(shard, until)
                yield from self._open_steps(shard, until)
                if at is not None and (other := self.branches[shard]).edition_at is not None:
                    other.ahead[other.edition_at] = ahead[at]
                continue
            except BaseException as error:
                yield from self._failed_steps(branch, error)
                raise
            branch.fresh = False
            if at is not None:
                branch.edition, branch.edition_at = edition_of(answers[at]), None
            if alone:
                return [(yield from branch.link.run_steps(*asked[0], until=until))]
            return answers[len(ahead) :]
        return []

    def _failed_steps(self, branch: Branch, error: BaseException) -> Steps[None]:
        """What went ahead of a statement that failed, or was stopped before it was sent, may have run or not.

        A branch on which nothing has succeeded yet is let go: after ROLLBACK TO a savepoint, another takes its place.
        """
        if not branch.fresh:
            return
        try:
            if isinstance(error, (Error, Outdated)) and not branch.link.broken:
                yield from branch.rollback_steps(None)
        finally:
            self._release(branch)

    def _ahead(self, branch: Branch) -> list[Asked]:
        """What goes before the branch's next statement, and is then sent."""
        if not branch.attended and len(self.branches) > 1:
            self.check_owner(self.prologue.settings)
            branch.attended = True
            branch.ahead += branch.attending(transactions.presence(self.chance))
        ahead, branch.ahead = branch.ahead, []
        return ahead

    def _open_all_steps(self, shards: Sequence[str], until: float | None) -> Steps[None]:
        if shards:
            self.first = self.first or shards[0]
            yield from together([self._open_steps(shard, until) for shard in shards])

    def _name(self, shard: str) -> TransactionId | None:
        """The name that a branch begins under; None for the first, and where names come at the end."""
        if not self.state.engine.named_early or shard == self.first:
            return None
        return self._named(self.first or shard)

    def _named(self, decider: str) -> TransactionId:
        if self.id is None:
            self.id = atomic.named(self.state, decider, self.chance, self.replicated)
        return self.id

    def _open_steps(self, shard: str, until: float | None) -> Steps[None]:
        """A branch on the shard's primary; its BEGIN goes ahead of the first statement."""
        state, id = self.state, self._name(shard)
        begin = state.engine.beginning(self.begin, shard, id)
        held = holding(state.picture.domain.engine, self.begin) if state.picture.domain.directory else []
        if self.footings[shard].pending:
            yield from state.settle_steps(shard, self.footings[shard], until)
        for last_try in (False, False, True):
            node = state.health.seats(state.name, shard).primary
            try:
                yield from self.footings[shard].leave_steps(state, shard, until)
                link = yield from taken_steps(state, node, self.dress, until)
            except NodeLost:
                yield from state.survey_steps(shard, until)
                if last_try:
                    raise
                continue
            break
        if self.over:
            # Nobody would ever end what this began.
            state.nodes.pool(node).give(link)
            raise failing.ended()
        first = self.prologue.first()
        ahead: list[Asked] = [(sql, None) for sql in (*begin, *first)]
        if link.pooled:
            ahead = pooled.opening(self.dress, self.begin, first)
        ahead += held
        edition_at = len(ahead) - 1 if held else None
        quoted = state.engine.quoted
        ahead += [(f"SAVEPOINT {quoted(said)}" if mark else said, None) for said, mark in self.prologue.others()]
        # Where there is no replica, nobody compares places; a token asks by itself.
        compared = bool(state.health.seats(state.name, shard).replicas)
        place_sql = state.engine.questions.place if compared else None
        self.branches[shard] = branch = state.engine.branch(shard, link.node, link, ahead, place_sql)
        branch.id, branch.edition_at, branch.begun = id, edition_at, self.begun
        self.touched.add(shard)

    def commit_steps(self, until: float | None, xid: Xid | None = None) -> Steps[dict[str, Position]]:
        """Commit everywhere; returns the place behind the writer's commit, per shard.

        With an `xid` it is only prepared, for a coordinator of the application's to decide.
        """
        if self.failed is not None:
            yield from self.rollback_steps(until)
            raise failing.not_committed(self.failed)
        try:
            yield from self._end_steps(until, xid)
        except GeneratorExit:
            self.abandon()
            raise
        except BaseException:
            yield from self.rollback_steps(until)
            raise
        try:
            return (yield from places_steps(self.state, list(self.branches.values())))
        finally:
            for branch in list(self.branches.values()):
                self._release(branch)

    def _end_steps(self, until: float | None, xid: Xid | None) -> Steps[None]:
        if xid is not None:
            self.check_owner(self.prologue.settings)
            if self.definitions:
                raise foreign_failures.defines()
        for branch in [branch for branch in self.branches.values() if branch.fresh]:
            self._release(branch)
        if xid is None and len(self.branches) < 2:
            for branch in self.branches.values():
                yield from branch.commit_steps(until)
            return
        if self.id is not None and self.id.decider not in self.branches:
            # Nothing has come of it, but the others' names say that it decides.
            yield from self._open_steps(self.id.decider, until)
        many = list(self.branches.values())
        commit = self.commit = atomic.commit(self.state, many, self._named, until, xid, self.decider)
        self.state.need_recovery()
        yield from commit.run_steps()

    def abandon(self) -> None:
        """Nobody waits any more: close what is open; what is prepared is left to recovery."""
        for branch in list(self.branches.values()):
            branch.link.close()
            self._release(branch)

    def rollback_steps(self, until: float | None) -> Steps[None]:
        """Roll back everywhere; a branch whose server is gone is rolled back by its absence."""
        for branch in list(self.branches.values()):
            try:
                if not branch.link.broken:
                    yield from branch.rollback_steps(until)
            except Error:
                branch.link.close()
            except BaseException:
                # Interrupted once more: nobody comes back for the others, and what they hold.
                self.abandon()
                raise
            self._release(branch)

    def check_owner(self, settings: Sequence[str]) -> None:
        """Raises where, behind poolers, these would keep several branches from being ended together."""
        pooled.check_owner(self.dress, settings, [branch.node for branch in self.branches.values()])

    def fail(self, error: BaseException) -> None:
        """It has failed with this; where it had already, with what came first."""
        self.failed = self.failed or failing.reason(error)

    def check_usable(self) -> None:
        """Raises OperationalError OG-RUN-023 where it has failed."""
        if self.failed is not None:
            raise failing.ignored(self.failed)

    def _release(self, branch: Branch) -> None:
        self.branches.pop(branch.shard, None)
        self.state.nodes.pool(branch.node).give(branch.link)
