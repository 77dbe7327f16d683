"""What is noted of a statement while it runs, for those who are told of events; nobody listening, nothing is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.clock import monotonic, wall_ns
from outgrow.errors import Error
from outgrow.events import ErrorFacts, ErrorMet, Visit
from outgrow.route import WHY

if TYPE_CHECKING:
    from outgrow.plan import Located
    from outgrow.runtime.domain import DomainState
    from outgrow.topology import Node


class Noting:
    """One session's.  Between `begin` and `end` of a statement its parts say here which servers they have visited."""

    __slots__ = ("began", "domain", "error", "located", "open", "transaction", "visits")

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
