"""What a branch is on every engine; its verbs (`port.Participant`) are each engine's own."""

from __future__ import annotations

from typing import Any

from outgrow.errors import Error, OperationalError
from outgrow.transactions.model import TransactionId
from outgrow.transactions.wire import Asked, Wire
from outgrow.waits import Steps

#: A branch of several waits this long for a lock, unless the user has set another limit: no server sees a deadlock
#: over shards.
LOCK_TIMEOUT_SECONDS = 10.0


class Branch:
    """A participant on the connection that holds its branch."""

    def __init__(self, shard: str, link: Wire) -> None:
        self.shard = shard
        self.link = link
        #: The transaction's, where the branch began under its name.
        self.id: TransactionId | None = None
        #: When the transaction began, in milliseconds by this process's clock.
        self.begun = 0
        #: Statements of the branch's own that go ahead of whatever is sent next.
        self.ahead: list[Asked] = []
        #: It has begun as `attending` says.
        self.attended = False
        #: It may have written.
        self.wrote = False
        #: Rows were counted: there is no need to ask.
        self.certain = False
        #: Somebody will compare the server's place behind the commit with a replica's.
        self.placed = True
        #: What the server said of it.
        self.place: Any = None

    @property
    def decides(self) -> bool:
        """See `port.Participant`."""
        return False

    def attending(self, presence: int) -> list[Asked]:
        """What every branch of several begins with; `presence` as `model.presence` has it."""
        raise NotImplementedError

    def parting(self) -> list[Asked]:
        """What follows its end, whatever that was."""
        return []

    def attend_steps(self, id: TransactionId, until: float | None) -> Steps[None]:
        asked, self.ahead = [*self.ahead, *self.attending(id.presence)], []
        for outcome in (yield from self.link.run_many_steps(asked, until=until, chained=True)):
            if isinstance(outcome, Error):
                raise outcome

    def rollback_steps(self, until: float | None) -> Steps[None]:
        """Roll back what is open."""
        if self.link.in_transaction:
            yield from self.link.run_steps("ROLLBACK", None, until=until)
        if parting := self.parting():
            yield from self.link.run_many_steps(parting, until=until)


def retold(kind: type[OperationalError], error: Error) -> OperationalError:
    """The same error, as the kernel knows it."""
    return kind(error.code, error.message, cure=error.cure, shard=error.shard, node=error.node, sqlstate=error.sqlstate)
