"""A statement of a transaction over shards that waits for long: is it waiting for its own transaction?

Nothing runs for that while nobody waits: the statement's own wait is interrupted after a second, and whoever it belongs
to looks at all shards, on other connections.  Each of a deadlock's transactions does so; the youngest gives up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from outgrow import ledger, transactions
from outgrow.clock import monotonic
from outgrow.errors import Error, OperationalError
from outgrow.nodes import together
from outgrow.runtime.transaction import atomic
from outgrow.transactions import branch as limits
from outgrow.transactions import deadlocks
from outgrow.waits import Socket, Steps

if TYPE_CHECKING:
    from outgrow.runtime.transaction.branches import Transaction

T = TypeVar("T")

#: How long a statement waits before somebody looks, and between two looks.
LOOK_SECONDS = 1.0
#: How long one look may take.
_ASK_SECONDS = 1.0
#: So many looks later than the youngest the next one gives up: the youngest may be asleep, or not look.
_LOOKS_APART = 3
_WAITS = ledger.queries()["waits"]


def watched_steps(transaction: Transaction, steps: Steps[T]) -> Steps[T]:
    """Run a statement of a branch.  Raises OG-TX-063 where it is the one to give up, OG-TX-008 after ten seconds."""
    if len(transaction.branches) < 2:
        return (yield from steps)
    started = monotonic()
    try:
        if transaction.state.engine.tells_waits:
            return (yield from _looking_steps(transaction, steps, started + LOOK_SECONDS))
        return (yield from steps)
    except Error as error:
        # (A statement that did not want to wait, NOWAIT, fails at once.)
        if error.sqlstate == "55P03" and monotonic() - started > limits.LOCK_TIMEOUT_SECONDS / 2:
            raise transactions.lock_timeout(error) from error
        raise


def _looking_steps(transaction: Transaction, steps: Steps[T], due: float) -> Steps[T]:
    watch, looks = _Watch(transaction), True
    try:
        wait = steps.send(None)
        while True:
            try:
                mine = looks and isinstance(wait, Socket) and (wait.until is None or wait.until > due)
                ready = yield wait._replace(until=due) if mine and isinstance(wait, Socket) else wait
                if mine and not ready:
                    yield from watch.look_steps()
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

    def look_steps(self) -> Steps[None]:
        yield from self._show_steps()
        before = yield from self._ask_steps()
        if not deadlocks.cycle(before, before, self._presence):
            return
        after = yield from self._ask_steps()
        found = deadlocks.cycle(before, after, self._presence)
        if not found:
            return
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
        answer = yield from shards.look_steps(name, _WAITS, None, monotonic() + _ASK_SECONDS)
    except Error:
        return []
    return [deadlocks.Backend(*row) for row in answer.rows]
