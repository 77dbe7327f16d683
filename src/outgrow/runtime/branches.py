"""A transaction over one or more shards: one branch each, opened at first touch.

Every branch replays the open savepoints, so that SAVEPOINT, RELEASE and ROLLBACK TO mean the same on all of them.
One branch ends with an ordinary COMMIT; how several end together is the business of `transactions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow import ledger, transactions
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost, OperationalError, ProgrammingError
from outgrow.nodes import Asked, Link, Rows, together
from outgrow.route import Position
from outgrow.runtime import atomic, generation
from outgrow.runtime.asking import Footing, stand_steps
from outgrow.runtime.dress import Dress, dressed_steps
from outgrow.topology import Node
from outgrow.transactions import Commit
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


#: A branch of several waits this long for a lock, unless the user has set another limit: no server sees a deadlock
#: over shards.
LOCK_TIMEOUT_SECONDS = 10.0

_LIMITS = (ledger.queries()["branch_limits"], [f"{LOCK_TIMEOUT_SECONDS * 1000:.0f}ms"])


#: Command tags that count the rows that were written.
_COUNTING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


class Branch(transactions.Branch):
    """One shard's part of a transaction: a connection that nobody else uses."""

    link: Link

    def __init__(self, shard: str, node: Node, link: Link, limited: bool) -> None:
        super().__init__(shard, link)
        self.node = node
        #: It may have written.
        self.wrote = False
        #: It does not wait for a lock for ever.
        self.limited = limited

    def commit_steps(self, until: float | None) -> Steps[None]:
        """An ordinary COMMIT; where it wrote, the server's place behind it is asked in the same flush."""
        if not self.wrote:
            done: Rows | Error = yield from self.link.run_steps("COMMIT", None, until=until)
        else:
            try:
                done, self.place = yield from self.link.run_many_steps(
                    [("COMMIT", None), (generation.PLACE_SQL, None)], until=until
                )
            except NodeLost as error:
                raise OperationalError(
                    "OG-RUN-021",
                    "the connection broke during COMMIT: the transaction is either wholly done or not done at all",
                    cure="read what it wrote before trying again",
                    shard=self.shard,
                    node=self.node.name,
                ) from error
        if isinstance(done, Error):
            raise done
        if done.status != "COMMIT":
            raise OperationalError(
                "OG-RUN-020",
                "the server rolled the transaction back",
                shard=self.shard,
                sqlstate="25P02",
                cure="run the transaction again",
            )

    def limit_steps(self, until: float | None) -> Steps[None]:
        """From now on it is one of several."""
        yield from self.link.run_steps(*_LIMITS, until=until)
        self.limited = True


class Transaction:
    """Open from BEGIN to COMMIT or ROLLBACK.  `failed` holds the error after which only a rollback helps."""

    def __init__(self, state: DomainState, begin: str, dress: Dress, footings: Mapping[str, Footing]) -> None:
        self.state = state
        self.footings = footings
        self.begin = begin
        self.dress = dress
        #: SET LOCAL and SET TRANSACTION, replayed on branches that open later.
        self.prologue: list[str] = []
        self.branches: dict[str, Branch] = {}
        self.savepoints: list[str] = []
        self.failed: Error | None = None
        #: Every shard that had a branch.
        self.touched: set[str] = set()
        #: How far the commit of several branches has come.
        self.commit: Commit | None = None

    def run_steps(
        self, asked: Sequence[tuple[str, str]], params: Sequence[Any] | None, writes: bool, until: float | None
    ) -> Steps[list[Rows]]:
        """Run `(shard, sql)` pairs, each on its branch; all at once where there are several."""
        self._check_usable()
        try:
            yield from self._open_all_steps([shard for shard, _ in asked if shard not in self.branches], until)
            if len(asked) == 1:
                shard, sql = asked[0]
                return [(yield from self._on_branch_steps(shard, sql, params, writes, until))]
            return (
                yield from together([self._on_branch_steps(shard, sql, params, writes, until) for shard, sql in asked])
            )
        except Error as error:
            self.failed = error
            raise

    def open_steps(self, shards: Sequence[str], until: float | None) -> Steps[None]:
        """Branches on all of these, before statements of their own run on each at once."""
        self._check_usable()
        try:
            yield from self._open_all_steps([shard for shard in shards if shard not in self.branches], until)
        except Error as error:
            self.failed = error
            raise

    def link_steps(self, shard: str, writes: bool, until: float | None) -> Steps[Link]:
        """The branch's own connection, for a stream inside the transaction."""
        self._check_usable()
        yield from self._open_all_steps([shard] if shard not in self.branches else [], until)
        branch = self.branches[shard]
        branch.wrote |= writes
        return branch.link

    def _on_branch_steps(
        self, shard: str, sql: str, params: Sequence[Any] | None, writes: bool, until: float | None
    ) -> Steps[Rows]:
        branch = self.branches[shard]
        if writes:
            branch.wrote = True
        started = monotonic()
        try:
            rows: Rows = yield from branch.link.run_steps(sql, params, until=until)
        except OperationalError as error:
            # (A statement that did not want to wait, NOWAIT, fails at once.)
            if error.sqlstate == "55P03" and branch.limited and monotonic() - started > LOCK_TIMEOUT_SECONDS / 2:
                raise transactions.lock_timeout(error) from error
            raise
        if writes and rows.count > 0 and rows.status in _COUNTING:
            branch.certain = True
        return rows

    def _open_all_steps(self, shards: Sequence[str], until: float | None) -> Steps[None]:
        """Branches on these shards; the second of a transaction changes how the first one waits."""
        if not shards:
            return
        several = len(self.branches) + len(shards) > 1
        limits = [b.limit_steps(until) for b in self.branches.values() if several and not b.limited]
        yield from together([*limits, *(self._open_steps(shard, several, until) for shard in shards)])

    def _open_steps(self, shard: str, several: bool, until: float | None) -> Steps[None]:
        """A branch on the shard's primary.  Nothing has run yet, so a lost connection costs only another try."""
        state = self.state
        if self.footings[shard].pending:
            yield from state.settle_steps(shard, self.footings[shard], until)
        for last_try in (False, False, True):
            node = state.health.seats(state.name, shard).primary
            try:
                link = yield from self._begun_steps(node, several, until)
            except NodeLost as error:
                yield from state.survey_steps(shard, until, cause=error)
                if last_try:
                    raise
                continue
            break
        self.branches[shard] = Branch(shard, link.node, link, several)
        self.touched.add(shard)

    def _begun_steps(self, node: Node, several: bool, until: float | None) -> Steps[Link]:
        pool = self.state.nodes.pool(node)
        link = pool.take_now() or (yield from pool.take_steps(until))
        if link.standby:
            try:
                yield from self.state.not_primary_steps(node, link, until)
            finally:
                pool.give(link)
            seats = self.state.health.seats(self.state.name, node.shard)
            return (yield from self._begun_steps(seats.primary, several, until))
        try:
            if link.dress != self.dress:
                yield from dressed_steps(link, self.dress)
            first = [self.begin, *self.prologue, *(f"SAVEPOINT {_quoted(name)}" for name in self.savepoints)]
            asked: list[Asked] = [(sql, None) for sql in first]
            if several:
                asked.insert(1, _LIMITS)
            if len(asked) == 1:
                yield from link.run_steps(self.begin, None, until=until)
            else:
                for outcome in (yield from link.run_many_steps(asked, until=until)):
                    if isinstance(outcome, Error):
                        raise outcome
        except BaseException:
            pool.give(link)
            raise
        return link

    def commit_steps(self, until: float | None) -> Steps[dict[str, Position]]:
        """Commit everywhere; returns the place behind the writer's commit, per shard."""
        if self.failed is not None:
            failed = self.failed
            yield from self.rollback_steps(until)
            raise OperationalError(
                "OG-RUN-020",
                f"the transaction was rolled back, not committed: it had failed with {failed.code}",
                cure="catch the error inside the transaction with a savepoint, or run the transaction again",
                sqlstate="25P02",
            ) from failed
        try:
            yield from self._end_steps(until)
        except GeneratorExit:
            self._abandon()
            raise
        except BaseException:
            yield from self.rollback_steps(until)
            raise
        places: dict[str, Position] = {}
        for branch in list(self.branches.values()):
            # A place that was not told is asked for when it is needed.
            if branch.place is not None and not isinstance(branch.place, Error):
                footing = Footing()
                yield from stand_steps(self.state, branch.link, footing, branch.place)
                assert footing.floor is not None
                places[branch.shard] = footing.floor
            self._release(branch)
        return places

    def _end_steps(self, until: float | None) -> Steps[None]:
        if len(self.branches) < 2:
            for branch in self.branches.values():
                yield from branch.commit_steps(until)
            return
        commit = self.commit = atomic.commit(self.state, list(self.branches.values()), until)
        self.state.need_recovery()
        yield from commit.run_steps()

    def _abandon(self) -> None:
        """Nobody waits any more: close what is open; what is prepared is left to recovery."""
        for branch in list(self.branches.values()):
            branch.link.close()
            self._release(branch)

    def rollback_steps(self, until: float | None) -> Steps[None]:
        """Roll back everywhere; a branch whose server is gone is rolled back by its absence."""
        for branch in list(self.branches.values()):
            try:
                if branch.link.in_transaction:
                    yield from branch.link.run_steps("ROLLBACK", None, until=until)
            except Error:
                branch.link.close()
            finally:
                self._release(branch)

    def savepoint_steps(self, command: str, name: str, until: float | None) -> Steps[None]:
        """SAVEPOINT, RELEASE or ROLLBACK TO on every open branch, and for those still to come."""
        if command == "SAVEPOINT":
            self._check_usable()
        elif name not in self.savepoints:
            raise ProgrammingError(
                "OG-RUN-022",
                f"there is no savepoint {name!r} in this transaction",
                sqlstate="3B001",
                cure="name a savepoint that was set and not released",
            )
        for branch in self.branches.values():
            yield from branch.link.run_steps(f"{command} {_quoted(name)}", None, until=until)
        if command == "SAVEPOINT":
            self.savepoints.append(name)
            return
        at = len(self.savepoints) - 1 - self.savepoints[::-1].index(name)
        if command == "RELEASE":
            del self.savepoints[at:]
        else:
            del self.savepoints[at + 1 :]
            self.failed = None

    def set_steps(self, sql: str, until: float | None) -> Steps[None]:
        """SET LOCAL or SET TRANSACTION on every branch, and on those still to come."""
        self._check_usable()
        for branch in self.branches.values():
            yield from branch.link.run_steps(sql, None, until=until)
        self.prologue.append(sql)

    def _check_usable(self) -> None:
        if self.failed is not None:
            raise OperationalError(
                "OG-RUN-023",
                "the transaction has failed; statements are ignored until it ends",
                cure="ROLLBACK, or ROLLBACK TO a savepoint set before the failure",
                sqlstate="25P02",
            ) from self.failed

    def _release(self, branch: Branch) -> None:
        self.branches.pop(branch.shard, None)
        self.state.nodes.pool(branch.node).give(branch.link)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
