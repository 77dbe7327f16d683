"""A model of PostgreSQL as far as atomic commit needs one: transactions, prepared ones, a unique key, locks, death.

A backend works its messages off one by one, each at a moment of the world's choosing; so what a dead client has sent
may still run, late.  Nothing here knows the protocol.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from outgrow.errors import IntegrityError, NodeLost, OperationalError

if TYPE_CHECKING:
    from tests.unit.transactions.world import World

# Raised again and again, so each time without the traces of before: they would grow for ever.
LOST = NodeLost("OG-NODE-011", "lost")
REFUSED = IntegrityError("OG-NODE-113", "refused", sqlstate="23514")
TAKEN = IntegrityError("OG-NODE-110", "taken", sqlstate="23505")
CANCELLED = OperationalError("OG-NODE-012", "cancelled", sqlstate="57014")
TIMED_OUT = OperationalError("OG-NODE-191", "lock timeout", sqlstate="55P03")
NO_SUCH = OperationalError("OG-NODE-101", "no such prepared transaction", sqlstate="42704")
BUSY = OperationalError("OG-NODE-191", "busy", sqlstate="55000")


class Blocked(Exception):
    """The statement waits for a lock."""


#: Rows, stamps, decisions, what is prepared; and where in the log that is.
Got = tuple[set["UUID | int"], set[UUID], dict[UUID, str], dict[str, "tuple[Txn, float, Backend]"], int]


@dataclass(slots=True, eq=False)
class Txn:
    """What one backend has done since BEGIN."""

    #: Whether it changed the user's row here.
    wrote: bool
    #: A deferred constraint that says no at the end.
    refused: bool = False
    stamp: UUID | None = None
    decision: tuple[UUID, str] | None = None
    presence: UUID | None = None
    failed: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """Statements in one flush."""

    backend: Backend
    asked: deque[Callable[[], Any]]
    until: float | None
    outcomes: list[Any] = field(default_factory=list)
    done: bool = False


@dataclass(slots=True, eq=False)
class Backend:
    server: Server
    txn: Txn | None = None
    calls: deque[Call] = field(default_factory=deque)
    #: The client is gone; what it has sent is still worked off.
    orphan: bool = False
    closed: bool = False

    @property
    def broken(self) -> bool:
        return self.orphan or self.closed

    def work(self) -> bool:
        """Run the next statement; False when it waits for a lock."""
        call = self.calls[0]
        try:
            outcome = call.asked[0]()
        except Blocked:
            # `lock_timeout` ends it some time.
            if self.server.world.chance() > 0.05:
                return False
            outcome = TIMED_OUT.with_traceback(None)
            if self.txn is not None:
                self.txn.failed = True
        except (OperationalError, IntegrityError) as error:
            outcome = error
            if self.txn is not None:
                self.txn.failed = True
        call.asked.popleft()
        call.outcomes.append(outcome)
        if not call.asked:
            call.done = True
            self.calls.popleft()
        return True

    def drop(self) -> None:
        """Cancelled: what has not run yet does not, and the transaction fails (a COMMIT or PREPARE rolls back)."""
        for call in self.calls:
            call.outcomes += [CANCELLED] * len(call.asked)
            call.done = True
        self.calls.clear()
        if self.txn is not None:
            self.txn.failed = True

    def end(self) -> None:
        """The backend is gone, and with it what was open."""
        self.closed = True
        self.txn = None
        for call in self.calls:
            call.outcomes += [LOST] * len(call.asked)
            call.done = True
        self.calls.clear()


class Server:
    """One shard's database."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.up = True
        self.rows: set[UUID | int] = set()
        self.stamps: set[UUID] = set()
        self.decisions: dict[UUID, str] = {}
        #: Name → what was done, when it was prepared, and by whom.
        self.prepared: dict[str, tuple[Txn, float, Backend]] = {}
        self.backends: list[Backend] = []
        #: How much has happened here, in this generation of primaries.
        self.generation, self.log = 0, 0
        #: What its replica has, and how far that is.
        self.got: Got = (set(), set(), {}, {}, 0)
        #: Decisions that were there when it became primary.
        self.outlived: set[UUID] = set()

    def connect(self) -> Backend:
        if not self.up:
            raise LOST.with_traceback(None)
        backend = Backend(self)
        self.backends.append(backend)
        return backend

    def die(self) -> None:
        self.up = False
        for backend in self.backends:
            backend.end()
        self.backends.clear()

    # -- its replica ------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """The replica gets all."""
        if self.got[4] != self.log:
            self.got = (set(self.rows), set(self.stamps), dict(self.decisions), dict(self.prepared), self.log)

    def reached(self, place: tuple[int, int]) -> bool:
        generation, log = place
        return generation == self.generation and self.got[4] >= log

    def fail_over(self) -> None:
        """The replica takes over, with what it has."""
        self.die()
        for number, outcome in self.decisions.items():
            if number not in self.got[2]:
                self.world.rulings[number].remove(outcome)
        rows, stamps, decisions, prepared, self.log = self.got
        self.rows, self.stamps, self.decisions, self.prepared = set(rows), set(stamps), dict(decisions), dict(prepared)
        self.outlived = set(decisions)
        self.generation += 1
        self.up = True

    def holds(self, backend: Backend) -> bool:
        """Whether something is prepared that only this connection can finish."""
        return self.world.xa and any(holder is backend for _, _, holder in self.prepared.values())

    # -- statements -------------------------------------------------------------------------------------------------

    def stamp(self, backend: Backend, number: UUID) -> None:
        txn = _usable(backend)
        txn.stamp = number

    def attend(self, backend: Backend, number: UUID) -> None:
        _usable(backend).presence = number

    def prepare(self, backend: Backend, gid: str) -> str:
        txn, backend.txn = backend.txn, None
        if txn is None or txn.failed:
            return "ROLLBACK"
        if txn.refused:
            raise REFUSED.with_traceback(None)
        self.prepared[gid] = (txn, self.world.now, backend)
        self.log += 1
        return "PREPARE TRANSACTION"

    def decide(self, backend: Backend, number: UUID) -> None:
        txn = _usable(backend)
        if self.world.unique and any(_decides(held, number) for held, *_ in self.prepared.values()):
            raise Blocked
        if number in self.decisions and self.world.unique:
            raise TAKEN.with_traceback(None)
        txn.stamp = number
        txn.decision = (number, "committed")

    def commit(self, backend: Backend) -> str:
        txn, backend.txn = backend.txn, None
        if txn is None or txn.failed:
            return "ROLLBACK"
        if txn.refused:
            raise REFUSED.with_traceback(None)
        self._apply(txn)
        return "COMMIT"

    def rollback(self, backend: Backend) -> None:
        backend.txn = None

    def finish(self, gid: str, commit: bool, backend: Backend) -> None:
        if gid not in self.prepared:
            raise NO_SUCH.with_traceback(None)
        holder = self.prepared[gid][2]
        if self.world.xa and holder is not backend and not holder.closed:
            # As long as the connection that prepared it stands, nobody else may; but that can be ended.
            if self.world.chance() < 0.5:
                holder.end()
                self.backends.remove(holder)
            raise BUSY.with_traceback(None)
        if self.world.chance() < 0.05:
            raise BUSY.with_traceback(None)
        txn, *_ = self.prepared.pop(gid)
        self.log += 1
        if commit:
            self._apply(txn)

    def rule(self, number: UUID, insist: bool) -> str | None:
        """In a transaction of its own: abort where nothing stands and nobody is about to decide."""
        # What is prepared keeps its keys and its locks.
        others = [b.txn for b in self.backends if b.txn is not None] + [held for held, *_ in self.prepared.values()]
        if not insist and any(t.presence == number for t in others):
            return self.decisions.get(number)
        if self.world.unique and any(_decides(t, number) for t in others):
            raise Blocked
        if number not in self.decisions:
            if not self.world.tombstones:
                return "aborted"
            self.decided(number, "aborted")
        return self.decisions.get(number)

    def _apply(self, txn: Txn) -> None:
        self.log += 1
        if txn.stamp is not None:
            self.stamps.add(txn.stamp)
            if txn.wrote:
                self.rows.add(txn.stamp)
        if txn.decision is not None:
            self.decided(*txn.decision)

    def decided(self, number: UUID, outcome: str) -> None:
        self.world.rulings.setdefault(number, []).append(outcome)
        self.decisions[number] = outcome
        self.log += 1


def _decides(txn: Txn, number: UUID) -> bool:
    return txn.decision is not None and txn.decision[0] == number


def _usable(backend: Backend) -> Txn:
    if backend.txn is None or backend.txn.failed:
        raise CANCELLED.with_traceback(None)
    return backend.txn
