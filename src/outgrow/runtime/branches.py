"""A transaction over one or more shards: one branch each, opened at first touch.

Every branch replays the open savepoints, so that SAVEPOINT, RELEASE and ROLLBACK TO mean the same on all of them.
Only one branch may write here; `transactions` brings the atomic commit of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.errors import Error, NodeLost, OperationalError, ProgrammingError
from outgrow.nodes import Link, Rows, together
from outgrow.route import Position
from outgrow.runtime import generation
from outgrow.runtime.asking import Footing, stand_steps
from outgrow.runtime.defined import Defined
from outgrow.runtime.dress import Dress, dressed_steps
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


class Branch:
    """One shard's part of a transaction: a connection that nobody else uses."""

    __slots__ = ("link", "node", "shard", "wrote")

    def __init__(self, shard: str, node: Node, link: Link) -> None:
        self.shard = shard
        self.node = node
        self.link = link
        self.wrote = False


class Transaction:
    """Open from BEGIN to COMMIT or ROLLBACK.  `failed` holds the error after which only a rollback helps."""

    def __init__(self, state: DomainState, begin: str, dress: Dress) -> None:
        self.state = state
        self.begin = begin
        self.dress = dress
        #: SET LOCAL and SET TRANSACTION, replayed on branches that open later.
        self.prologue: list[str] = []
        self.branches: dict[str, Branch] = {}
        self.savepoints: list[str] = []
        self.failed: Error | None = None
        #: How many DDL statements ran, and what they changed: statements are planned without knowing it.
        self.definitions = 0
        self.defined = Defined()
        #: Every shard that had a branch.
        self.touched: set[str] = set()

    def run_steps(
        self, asked: Sequence[tuple[str, str]], params: Sequence[Any] | None, writes: bool, until: float | None
    ) -> Steps[list[Rows]]:
        """Run `(shard, sql)` pairs, each on its branch; all at once where there are several."""
        self._check_usable()
        try:
            if len(asked) == 1:
                shard, sql = asked[0]
                return [(yield from self._on_branch_steps(shard, sql, params, writes, until))]
            return (
                yield from together([self._on_branch_steps(shard, sql, params, writes, until) for shard, sql in asked])
            )
        except Error as error:
            self.failed = error
            raise

    def link_steps(self, shard: str, writes: bool, until: float | None) -> Steps[Link]:
        """The branch's own connection, for a stream inside the transaction."""
        self._check_usable()
        branch = self.branches.get(shard) or (yield from self._open_steps(shard, until))
        branch.wrote |= writes
        return branch.link

    def _on_branch_steps(
        self, shard: str, sql: str, params: Sequence[Any] | None, writes: bool, until: float | None
    ) -> Steps[Rows]:
        branch = self.branches.get(shard)
        if branch is None:
            branch = yield from self._open_steps(shard, until)
        if writes:
            branch.wrote = True
        rows: Rows = yield from branch.link.run_steps(sql, params, until=until)
        return rows

    def _open_steps(self, shard: str, until: float | None) -> Steps[Branch]:
        """A branch on the shard's primary.  Nothing has run yet, so a lost connection costs only another try."""
        state = self.state
        for last_try in (False, False, True):
            node = state.health.seats(state.name, shard).primary
            try:
                link = yield from self._begun_steps(node, until)
            except NodeLost as error:
                yield from state.survey_steps(shard, until, cause=error)
                if last_try:
                    raise
                continue
            break
        branch = self.branches[shard] = Branch(shard, link.node, link)
        self.touched.add(shard)
        return branch

    def _begun_steps(self, node: Node, until: float | None) -> Steps[Link]:
        pool = self.state.nodes.pool(node)
        link = pool.take_now() or (yield from pool.take_steps(until))
        if link.standby:
            try:
                yield from self.state.not_primary_steps(node, link, until)
            finally:
                pool.give(link)
            seats = self.state.health.seats(self.state.name, node.shard)
            return (yield from self._begun_steps(seats.primary, until))
        try:
            if link.dress != self.dress:
                yield from dressed_steps(link, self.dress)
            yield from link.run_steps(self.begin, None, until=until)
            for sql in self.prologue:
                yield from link.run_steps(sql, None, until=until)
            for name in self.savepoints:
                yield from link.run_steps(f"SAVEPOINT {_quoted(name)}", None, until=until)
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
        places: dict[str, Position] = {}
        # The writer first: should it fail, the readers have nothing to lose.
        for branch in sorted(self.branches.values(), key=lambda b: not b.wrote):
            try:
                place = yield from self._commit_branch_steps(branch, until)
            except BaseException:
                yield from self.rollback_steps(until)
                raise
            if place is not None:
                places[branch.shard] = place
            self._release(branch)
        return places

    def _commit_branch_steps(self, branch: Branch, until: float | None) -> Steps[Position | None]:
        if not branch.wrote:
            yield from branch.link.run_steps("COMMIT", None, until=until)
            return None
        try:
            done, place = yield from branch.link.run_two_steps(
                ("COMMIT", None), (generation.PLACE_SQL, None), until=until
            )
        except NodeLost as error:
            raise OperationalError(
                "OG-RUN-021",
                "the connection broke during COMMIT: the transaction is either wholly done or not done at all",
                cure="read what it wrote before trying again",
                shard=branch.shard,
                node=branch.node.name,
            ) from error
        if isinstance(done, Error):
            raise done
        if done.status != "COMMIT":
            raise OperationalError(
                "OG-RUN-020",
                "the server rolled the transaction back",
                shard=branch.shard,
                sqlstate="25P02",
                cure="run the transaction again",
            )
        footing = Footing()
        yield from stand_steps(self.state, branch.link, footing, place)
        return footing.floor

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
