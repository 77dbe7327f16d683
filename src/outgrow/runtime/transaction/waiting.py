"""A statement that waits for long: for its own transaction, or for one that nobody finishes?

Nothing runs for that while nobody waits: the statement's own wait is interrupted after a second, and whoever it belongs
to looks at all shards, on other connections.  Each of a deadlock's transactions does so; the youngest gives up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from outgrow import ledger, transactions
from outgrow.clock import monotonic
from outgrow.errors import Error, OperationalError
from outgrow.nodes import together
from outgrow.runtime.transaction import atomic
from outgrow.transactions import branch as limits
from outgrow.transactions import deadlocks
from outgrow.waits import Future, Socket, Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.transaction.branches import Transaction

T = TypeVar("T")

#: How long a statement waits before somebody looks, and between two looks.
LOOK_SECONDS = 1.0
#: How long one look may take.
_ASK_SECONDS = 1.0
#: So many looks later than the youngest the next one gives up: the youngest may be asleep, or not look.
_LOOKS_APART = 3
_WAITS = ledger.queries()["waits"]
#: What can be waited for in pieces.
_BOUNDED = (Socket, Future)


def watched_steps(transaction: Transaction, steps: Steps[T]) -> Steps[T]:
    """Run a statement of a branch.  Raises OG-TX-063 where it is the one to give up, OG-TX-008 after ten seconds."""
    state = transaction.state
    if len(transaction.branches) < 2:
        return (yield from noticed_steps(state, steps))
    started = monotonic()
    try:
        if state.engine.tells_waits:
            return (yield from _looking_steps(steps, _Watch(transaction).look_steps))
        return (yield from noticed_steps(state, steps))
    except Error as error:
        # (A statement that did not want to wait, NOWAIT, fails at once.)
        if error.sqlstate == "55P03" and monotonic() - started > limits.LOCK_TIMEOUT_SECONDS / 2:
            raise transactions.lock_timeout(error) from error
        raise


def noticed_steps(state: DomainState, steps: Steps[T]) -> Steps[T]:
    """Run a statement on a primary.  What it waits for may be rows of a transaction that nobody finishes: recover then.

    All who knew of that transaction may be dead, and the processes of now may never commit over shards.
    """
    if len(state.picture.domain.shards) < 2:
        return (yield from steps)

    def notice_steps() -> Steps[bool]:
        state.need_recovery()
        return False
        yield

    try:
        return (yield from _looking_steps(steps, notice_steps))
    except Error as error:
        note_refused(state, error)
        raise


def note_refused(state: DomainState, error: Error) -> None:
    """With a limit of its own a statement may never wait for so long."""
    if error.sqlstate == "55P03" and len(state.picture.domain.shards) > 1:
        state.need_recovery()


def _looking_steps(steps: Steps[T], look_steps: Callable[[], Steps[bool]]) -> Steps[T]:
    """Run a statement; while it waits, look every second, as long as the last look says so."""
    due, looks = monotonic() + LOOK_SECONDS, True
    try:
        wait = steps.send(None)
        while True:
            mine = looks and isinstance(wait, _BOUNDED) and (wait.until is None or wait.until > due)
            try:
                ready = yield wait._replace(until=due) if mine and isinstance(wait, _BOUNDED) else wait
                if mine and not ready:
                    looks = yield from look_steps()
                    due = monotonic() + LOOK_SECONDS
                    continue
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as interruption:
                # It cancels what runs on the server first, and nobody looks again: a look that is overdue would break
                # off the very wait for the cancellation.
                looks = False
                wait = steps.throw(interruption)
            else:
                wait = steps.send(ready)
    except StopIteration as stop:
        value: T = stop.value
        return value


class _Watch:
    """One statement's looks."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._presence = transactions.presence(transaction.chance)
        #: How many looks have shown a deadlock.
        self._seen = 0

    def look_steps(self) -> Steps[bool]:
        """Raises where this is the one to give up; else it looks again."""
        # It may be no deadlock, but a transaction that nobody finishes.
        self._transaction.state.need_recovery()
        yield from self._show_steps()
        before = yield from self._ask_steps()
        if not deadlocks.cycle(before, before, self._presence):
            return True
        after = yield from self._ask_steps()
        found = deadlocks.cycle(before, after, self._presence)
        if not found:
            return True
        turn = deadlocks.giving_up(found, after).index(self._presence)
        if self._seen >= turn * _LOOKS_APART:
            raise OperationalError(
                "OG-TX-063",
                f"a deadlock over shards: {deadlocks.told(found, self._presence)}; this one began last, and gave up",
                cure="run the whole transaction again, as `fleet.run` does; touch rows in the same order everywhere",
                shard=found[0].shard,
                sqlstate="40P01",
            )
        self._seen += 1
        return True

    def _show_steps(self) -> Steps[None]:
        """Let all idle branches show whose they are: the first one has had no reason yet."""
        for held in list(self._transaction.branches.values()):
            link = held.link
            idle = not link.broken and link.in_transaction and not link.in_failed_transaction
            if held.attended or held.ahead or not idle:
                continue
            held.attended = True
            yield from link.run_many_steps(held.attending(self._presence), until=monotonic() + _ASK_SECONDS)

    def _ask_steps(self) -> Steps[deadlocks.Look]:
        """What all shards say; one that does not answer says nothing."""
        state = self._transaction.state
        names = [shard.name for shard in state.picture.domain.shards]
        shards = atomic.shards_of(state)
        try:
            many = [_backends_steps(shards, name) for name in names]
            return dict(zip(names, (yield from together(many)), strict=True))
        finally:
            shards.close()


def _backends_steps(shards: transactions.ServerShards, name: str) -> Steps[list[deadlocks.Backend]]:
    try:
        (answer,) = yield from shards.look_steps(name, [(_WAITS, None)], monotonic() + _ASK_SECONDS)
    except Error:
        return []
    return [] if isinstance(answer, Error) else [deadlocks.Backend(*row) for row in answer.rows]
