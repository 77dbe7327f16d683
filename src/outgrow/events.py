"""What sessions do, told as frozen values: one event for each statement, each transaction's begin and end, each error;
and for each connection that a pool opens or closes, and whoever waits for one.

`fleet.subscribe(callback)` hands them over, in the thread or task that did it, right behind what they tell of.  They
say what a statement is (its fingerprint), where it went and why, and what came of it; never what its literals and
parameters were, unless the fleet was opened with `Observe(with_parameters=True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a statement is, whatever values it has: texts that differ in those alone have the same one."""

    #: 16 hexadecimal digits, the same in every process and on every machine.
    id: str
    #: The text with `?` for every literal and parameter, without comments, in one spelling.
    text: str
    #: Few words, as in `INSERT archive SELECT orders`.
    summary: str


class Visit(NamedTuple):
    """One shard's share of a statement.  (Of these and of statements there are many: a tuple is made faster.)"""

    shard: str
    node: str
    role: str
    #: Why this node: a code, such as `sticky`, `guarded`, `write`, `branch`.
    why: str
    #: Rows returned or affected; -1 where the server did not say.
    rows: int
    #: From the statement's beginning to this share's, and how long that took.
    offset_seconds: float
    seconds: float
    error: ErrorFacts | None = None


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """An error without what it says, because messages quote values."""

    #: outgrow's (`OG-NODE-110`); of another's exception the class's name.
    code: str
    #: The exception's class, as in `outgrow.errors.IntegrityError`.
    kind: str
    sqlstate: str | None = None
    shard: str | None = None
    node: str | None = None
    #: A server answered it, as opposed to outgrow or the network.
    from_server: bool = False
    #: What it says; only where parameters were asked for.
    message: str | None = None


class StatementEnded(NamedTuple):
    """A statement that was run, or failed, or was refused: where it went, why there, and what came of it."""

    fingerprint: Fingerprint
    #: What outgrow takes it for: query, write, ddl, transaction, session, copy, opaque.
    kind: str
    #: The first keyword(s), upper case; LOAD for `session.load`.
    command: str
    domain: str
    level: str
    #: In the order of `visits`, where those were noted.
    shards: tuple[str, ...]
    nodes: tuple[str, ...]
    #: Why these shards: a code, such as `key`, `scatter`, `named`.
    why: str
    #: Returned or affected; -1 where nobody said.
    rows: int
    #: When it began, in nanoseconds since 1970 by this machine's clock.
    began_ns: int
    seconds: float
    visits: tuple[Visit, ...] = ()
    error: ErrorFacts | None = None
    #: The transaction it was part of: `TransactionBegan.transaction`.
    transaction: str | None = None
    #: How many sets of parameters, where one call had several; otherwise 0.
    batch: int = 0
    #: As given; only where parameters were asked for.
    parameters: Sequence[Any] | Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TransactionBegan:
    """A transaction is open: the application's, or that of a statement that several shards write."""

    #: Tells it from all others, in all processes.
    transaction: str
    domain: str
    level: str
    began_ns: int


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A transaction is over."""

    transaction: str
    domain: str
    #: `committed`, `rolled back`, `prepared` (somebody else decides), or `unknown` (the connection broke meanwhile).
    outcome: str
    #: Every shard that it touched.
    shards: tuple[str, ...]
    #: Shards that have not confirmed yet what is committed.
    pending: tuple[str, ...]
    #: For `fleet.outcome`; only where several shards had written.
    id: str | None
    #: When its end began, and how long that took.
    began_ns: int
    seconds: float
    #: From its beginning until it was over.
    open_seconds: float
    error: ErrorFacts | None = None
    #: A statement began and ended it, or ended it; that one's event follows.
    in_statement: bool = False


@dataclass(frozen=True, slots=True)
class ErrorMet:
    """An error that ended a statement or a transaction; or one that was mended without anybody noticing."""

    error: ErrorFacts
    domain: str
    at_ns: int
    #: A node was lost, and the read went to another.
    mended: bool = False
    fingerprint: Fingerprint | None = None
    transaction: str | None = None


@dataclass(frozen=True, slots=True)
class ScatterWarned:
    """A statement that several shards must answer, where `scatter: warn` stands; it is about to be run."""

    fingerprint: Fingerprint
    domain: str
    shards: tuple[str, ...]
    at_ns: int


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A pool has one connection more.  Of connections only those are told who asked for it."""

    node: str
    domain: str
    at_ns: int
    #: How long that took.
    seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """A pool has one connection less."""

    node: str
    domain: str
    at_ns: int
    #: `idle` (nobody needed it), `age`, `broken` (lost, or given back in the middle of something), `silent` (its node
    #: has stopped answering).
    why: str
    lived_seconds: float


@dataclass(frozen=True, slots=True)
class ConnectionWaited:
    """Somebody found all connections of a pool in use, and has waited, or was not let."""

    node: str
    domain: str
    at_ns: int
    #: `served`, `late` (none was given back in time), `refused` (too many waited already), `left` (interrupted).
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class MessagesDelivered:
    """A relay has given messages of the outbox to their target."""

    topic: str
    domain: str
    shard: str
    #: How many the target has taken, and of how many keys it has refused one.
    delivered: int
    refused: int
    #: It took nothing more: all messages of the topic wait.
    unavailable: bool
    #: How long ago the oldest of them was emitted, by the server's clock then and this machine's now.
    oldest_seconds: float
    at_ns: int
    #: From reading them until the target had answered.
    seconds: float


ConnectionEvent = ConnectionOpened | ConnectionClosed | ConnectionWaited
StatementEvent = StatementEnded | TransactionBegan | TransactionEnded | ErrorMet | ScatterWarned
Event = StatementEvent | MessagesDelivered | ConnectionEvent
Callback = Callable[[Event], object]


class Source(Protocol):
    """Whoever tells events: a fleet."""

    def subscribe(self, callback: Callback, *, connections: bool = False) -> Callable[[], None]:
        """From now on `callback` is given every event, those of `connections` if asked; what this returns ends that."""
        ...
