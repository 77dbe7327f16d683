"""A shard's snapshot on PostgreSQL, and the gate: what `agreement` asks of servers, as statements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from outgrow import ledger
from outgrow.errors import Error
from outgrow.transactions import failures
from outgrow.transactions.agreement import STAMPS_MAX, Mark, Seen
from outgrow.transactions.model import owner_of, presence_of
from outgrow.transactions.shards import answered
from outgrow.transactions.wire import Asked, Wire, Wires
from outgrow.transactions.xid import read_marker
from outgrow.waits import Steps

_SQL = ledger.queries()
_BEGIN: Asked = ("BEGIN ISOLATION LEVEL READ COMMITTED", None)
_COMMIT: Asked = ("COMMIT", None)
_LOCK_TIMEOUT = "55P03"

#: The rows of a statement that is run in a new snapshot, which takes the place of the one before; ahead of it, in a
#: transaction of their own, the others.
AnewSteps = Callable[[Asked, Sequence[Asked]], Steps[Sequence[tuple[Any, ...]]]]


class PostgresView:
    """See `agreement.View`."""

    def __init__(self, shard: str, link: Callable[[], Wire], anew_steps: AnewSteps, until: float | None) -> None:
        self.shard = shard
        self._link = link
        self._anew_steps = anew_steps
        self._until = until

    def mark_steps(self) -> Steps[Mark]:
        rows = yield from self._link().run_steps(_SQL["mark"], None, until=self._until)
        return Mark(*rows.rows[0])

    def in_doubt_steps(self) -> Steps[Collection[UUID]]:
        rows = yield from self._link().run_steps(_SQL["prepared_names"], None, until=self._until)
        return {number for (gid,) in rows.rows if (number := _number_of(gid)) is not None}

    def open_steps(self, since: Mark, named: Collection[UUID], lacking: Collection[UUID]) -> Steps[Seen]:
        asked: Asked = (_SQL["see"], [since.snapshot, list(named), STAMPS_MAX])
        ends: list[Asked] = (
            [_BEGIN, (_SQL["await_ends"], [list(map(presence_of, lacking))]), _COMMIT] if lacking else []
        )
        try:
            rows = yield from self._anew_steps(asked, ends)
        except Error as error:
            if error.sqlstate != _LOCK_TIMEOUT or not lacking:
                raise
            # It takes longer; whoever looks on decides how long to wait.
            rows = yield from self._anew_steps(asked, ())
        ((snapshot, incarnation, lasting, stamps),) = rows
        if not lasting:
            raise failures.not_agreed(
                "the transaction's snapshot lasts for one statement", "leave its isolation level at REPEATABLE READ"
            )
        return Seen(Mark(snapshot, incarnation), dict(map(_stamp, stamps)))


class PostgresGate:
    """See `agreement.Gate`.  On connections of its own: a snapshot is taken by the statement that waits for a lock."""

    def __init__(self, names: Sequence[str], wires: Wires) -> None:
        #: All shards in their order, in which every reader goes.
        self._names = names
        self._wires = wires
        self._links: list[Wire] = []

    def close_steps(self, shards: Collection[str], until: float) -> Steps[None]:
        for name in self._names:
            if name in shards:
                link = yield from self._wires.connect_steps(name, until)
                self._links.append(link)
                closing: list[Asked] = [_BEGIN, (_SQL["gate_close"], ["1s"])]
                for outcome in (yield from link.run_many_steps(closing, until=until, chained=True)):
                    answered(outcome)

    def open_steps(self) -> Steps[None]:
        links, self._links = self._links, []
        for link in links:
            try:
                yield from link.run_steps("ROLLBACK", None)
            except Error:
                # It was given up by the server meanwhile.
                continue
            finally:
                link.close()

    def abandon(self) -> None:
        for link in self._links:
            link.close()


def _stamp(text: str) -> tuple[UUID, tuple[str, ...]]:
    number, *shards = text.split(" ")
    return UUID(number), tuple(shards)


def _number_of(gid: str) -> UUID | None:
    id, marker = owner_of(gid), read_marker(gid)
    return id.number if id is not None else marker.number if marker is not None else None
