"""What is noted of a statement while it runs, for those who are told of events; nobody listening, nothing is noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic, wall_ns
from outgrow.errors import Error
from outgrow.events import ErrorFacts, ErrorMet, Visit
from outgrow.route import WHY

if TYPE_CHECKING:
    from outgrow.nodes import Asked, Rows
    from outgrow.plan import Located
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.measuring import Measuring
    from outgrow.topology import Node


class Noting:
    """One session's.  Between `begin` and `end` of a statement its parts say here which servers they have visited."""

    __slots__ = ("began", "domain", "error", "located", "measuring", "open", "transaction", "visits")

    def __init__(self, domain: str = "") -> None:
        #: The session's: shards of others are told of with their domain.
        self.domain = domain
        self.open = False
        self.began = 0.0
        self.visits: dict[str, Visit] = {}
        #: Where the statement goes, where that was settled on the long way.
        self.located: Located | None = None
        #: The transaction that began in it.
        self.transaction: str | None = None
        #: Of a statement that is run to see what its parts take.
        self.measuring: Measuring | None = None
        #: What has been told of already as another's error.
        self.error: BaseException | None = None

    def begin(self) -> None:
        self.open = True
        self.began = monotonic()
        self.visits = {}
        self.located = self.transaction = self.error = None

    def end(self) -> None:
        self.open = False
        self.located = self.error = None

    def anew(self) -> None:
        """What was measured so far was for nothing."""
        if self.measuring is not None:
            self.measuring.begin()

    def phase(self, phase: str, what: str = "") -> None:
        if self.measuring is not None:
            self.measuring.phase(phase, what)

    def measured(self, node: Node, answers: Sequence[Rows], started: float, sent: Sequence[Any] | None = None) -> None:
        """A server has given these rows, for what was `sent` with the question."""
        if self.measuring is not None:
            self.measuring.answered(node.name, answers, monotonic() - started, sent)

    def read(
        self, state: DomainState, node: Node, why: str, rows: Rows, started: float, sent: Sequence[Any] | None
    ) -> None:
        self.visit(state, node, why, rows.count, started)
        self.measured(node, (rows,), started, sent)

    def on_branch(
        self,
        state: DomainState,
        node: Node,
        asked: Sequence[Asked],
        answers: Sequence[Rows],
        started: float,
        error: Error | None,
    ) -> None:
        """A transaction's branch has answered, or failed."""
        if self.open:
            count = sum([rows.count for rows in answers if rows.count >= 0] or [-1])
            self.visit(state, node, "branch", count, started, error)
        if self.measuring is not None and answers:
            self.measured(node, answers, started, [value for _, params in asked for value in params or ()])

    def visit(
        self, state: DomainState, node: Node, why: str, rows: int, started: float, error: BaseException | None = None
    ) -> None:
        """A shard has done its share, or more of it."""
        if not self.open:
            return
        now = monotonic()
        shard = node.shard if node.domain == self.domain else f"{node.domain}/{node.shard}"
        found = self.visits.get(shard)
        failed = None if error is None else facts_of(state, error)
        if found is not None and found.node == node.name:
            began = self.began + found.offset_seconds
            known = max(0, found.rows) + max(0, rows) if max(found.rows, rows) >= 0 else -1
            self.visits[shard] = found._replace(rows=known, seconds=now - began, error=failed)
            return
        role = role_of(state, node)
        why = WHY.get(why, why)
        offset = max(0.0, started - self.began)
        self.visits[shard] = Visit(shard, node.name, role, why, rows, offset, now - started, failed)


def role_of(state: DomainState, node: Node) -> str:
    """Which one it plays now."""
    return "primary" if state.health.seats(state.name, node.shard).primary is node else "replica"


def facts_of(state: DomainState, error: BaseException) -> ErrorFacts:
    """An error as it may be told of."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    with_message = state.subscribers.with_parameters
    if not isinstance(error, Error):
        return ErrorFacts(type(error).__qualname__, kind, message=str(error) if with_message else None)
    from_server = error.sqlstate is not None and error.node is not None
    message = error.message if with_message else None
    return ErrorFacts(error.code, kind, error.sqlstate, error.shard, error.node, from_server, message)


def tell_mended(state: DomainState, error: Error) -> None:
    """A node was lost, and the statement goes on elsewhere."""
    if state.tell is not None:
        state.tell(ErrorMet(facts_of(state, error), state.name, wall_ns(), mended=True))


#: Of footings that no session stands on.
NOBODY = Noting()
