"""Events of sessions: made when something is over, and told at once, in the thread or task that did it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow.clock import monotonic, wall_ns
from outgrow.errors import Error
from outgrow.events import ErrorFacts, ErrorMet, Fingerprint, StatementEnded, TransactionBegan, TransactionEnded, Visit
from outgrow.plan import Where
from outgrow.runtime.events.noting import facts_of, role_of
from outgrow.statement import Kind, Statement, fingerprint, fingerprint_of
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.moving import Loaded
    from outgrow.plan import Located
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Parameters, Prepared
    from outgrow.runtime.result import Result
    from outgrow.runtime.transaction.branches import Transaction
    from outgrow.topology import Node

T = TypeVar("T")

_log = logging.getLogger("outgrow.events")

#: After these nobody knows whether the transaction was committed.
_UNKNOWN = frozenset(("OG-RUN-021", "OG-TX-005", "OG-TX-026"))


def statement_steps(
    conversation: Conversation,
    sql: str,
    parameters: Parameters,
    timeout_seconds: float | None,
    shard: str | None,
    allow_partial: bool,
) -> Steps[Result]:
    """`execute_steps` of a session that somebody listens to."""
    telling = Telling(conversation, sql, parameters, named=shard is not None)
    try:
        result = yield from conversation.execute_steps(sql, parameters, timeout_seconds, shard, allow_partial)
    except BaseException as error:
        telling.end(error=error)
        raise
    telling.end(result.rowcount, result.nodes)
    return result


def load_steps(conversation: Conversation, table: str, steps: Steps[Loaded]) -> Steps[Loaded]:
    """The steps of a bulk load, told of where somebody listens."""
    if conversation.state.tell is None:
        return (yield from steps)
    telling = Telling(conversation, f"LOAD {table}", None, command="LOAD", lasting=True)
    try:
        loaded = yield from steps
    except BaseException as error:
        telling.end(error=error)
        raise
    telling.end(loaded.rows)
    return loaded


class Telling:
    """One statement, from its beginning to its end."""

    def __init__(
        self,
        conversation: Conversation,
        sql: str,
        parameters: Parameters,
        *,
        named: bool = False,
        batch: Sequence[Parameters] = (),
        command: str = "",
        alone: bool = False,
        lasting: bool = False,
    ) -> None:
        """`command` for what is no SQL; `alone`: other statements of the session may run meanwhile.

        `lasting`: the shards that it has visited are at it until its end.
        """
        self._conversation = conversation
        self._sql = sql
        self._with = parameters is not None or bool(batch)
        self._parameters: Any = batch or parameters
        self._batch = len(batch)
        self._named = named
        self._command = command
        self._alone = alone
        self._lasting = lasting
        #: Where a stream goes, and whom it asks: `alone`, it notes for itself.
        self.located: Located | None = None
        self._visits: dict[str, Visit] = {}
        #: As bound, of what is in no plan cache.
        self.statement: Statement | None = None
        self._transaction = _id(conversation.transaction)
        self._began_ns = wall_ns()
        self._began = monotonic()
        if not alone:
            conversation.noting.begin()

    def streamed(self, nodes: Sequence[Node]) -> None:
        """These servers' rows came in pieces, all while it lasted."""
        state, seconds = self._conversation.state, monotonic() - self._began
        for node in nodes:
            role = role_of(state, node)
            self._visits[node.shard] = Visit(node.shard, node.name, role, "stream", -1, 0.0, seconds)

    def end(self, rows: int = -1, nodes: Sequence[str] = (), *, error: BaseException | None = None) -> None:
        """It is over: tell.  Whatever may be wrong with that is no business of the statement's."""
        seconds = monotonic() - self._began
        try:
            self._end(seconds, rows, nodes, error)
        except Exception:
            _log.exception("an event could not be told")

    def _end(self, seconds: float, rows: int, nodes: Sequence[str], error: BaseException | None) -> None:
        conversation, noting = self._conversation, self._conversation.noting
        state = conversation.state
        visits, located, told = self._visits, self.located, None
        if not self._alone:
            visits, located, told = noting.visits, noting.located, noting.error
            self._transaction = self._transaction or noting.transaction
            noting.end()
        if state.tell is None:
            return
        prepared = state.picture.plans.find((self._sql, self._with))
        kind, command, fingerprint = self._known(prepared)
        facts = None if error is None else facts_of(state, error)
        if self._lasting:
            visits = {shard: visit._replace(seconds=seconds - visit.offset_seconds) for shard, visit in visits.items()}
        ordered = _in_order(conversation, visits)
        if ordered:
            shards, nodes = tuple(visit.shard for visit in ordered), [visit.node for visit in ordered]
        else:
            shards = _shards(nodes, located, facts)
        event = StatementEnded(
            fingerprint, kind, command, state.name, str(conversation.level), shards, tuple(nodes),
            self._why(kind, prepared, located, bool(shards)), rows, self._began_ns, seconds, ordered, facts,
            self._transaction, self._batch, self._parameters if state.subscribers.with_parameters else None,
        )  # fmt: skip
        if facts is not None and error is not told:
            state.tell(_met(conversation, facts, fingerprint, self._transaction))
        state.tell(event)

    def _known(self, prepared: Prepared | None) -> tuple[str, str, Fingerprint]:
        """Its kind, command and fingerprint, as far as it was understood."""
        if prepared is not None:
            return prepared.statement.kind.value, prepared.statement.command, prepared.fingerprint
        if self.statement is not None:
            return self.statement.kind.value, self.statement.command, fingerprint(self.statement)
        found = fingerprint_of(self._sql, self._with, self._conversation.state.file.engine)
        if self._command:
            return Kind.COPY.value, self._command, Fingerprint(found.id, found.text, self._sql)
        return Kind.OPAQUE.value, found.summary, found

    def _why(self, kind: str, prepared: Prepared | None, located: Located | None, reached: bool) -> str:
        if self._named:
            return "named"
        if kind == Kind.DDL:
            return "everywhere"
        if kind in (Kind.TRANSACTION, Kind.SESSION):
            return "session"
        if kind == Kind.COPY:
            return "table"
        if prepared is not None and prepared.plan.where is Where.ACROSS:
            return "across"
        if located is None or prepared is None:
            return "key" if reached else ""
        if located.scatter:
            return "change" if prepared.plan.change is not None else "scatter"
        if located.any:
            return "any"
        return "home" if prepared.plan.where is Where.HOME else "key"


def begun(conversation: Conversation, transaction: Transaction) -> None:
    """A transaction is open."""
    state = conversation.state
    if state.tell is None:
        return
    transaction.told_at = monotonic()
    id = _id(transaction)
    assert id is not None
    conversation.noting.transaction = id
    state.tell(TransactionBegan(id, state.name, str(conversation.level), wall_ns()))


def ending_steps(conversation: Conversation, transaction: Transaction, steps: Steps[T], wanted: str) -> Steps[T]:
    """The steps that end a transaction with the `wanted` outcome, told of when they are through."""
    began, began_ns = monotonic(), wall_ns()
    try:
        done = yield from steps
    except BaseException as error:
        outcome = "rolled back" if wanted == "rolled back" else _outcome(transaction, error)
        ended(conversation, transaction, began, began_ns, outcome, error)
        raise
    ended(conversation, transaction, began, began_ns, wanted)
    return done


def abandoned(conversation: Conversation, transaction: Transaction) -> None:
    """Nobody waited for its end."""
    ended(conversation, transaction, monotonic(), wall_ns(), "unknown")


def ended(
    conversation: Conversation,
    transaction: Transaction,
    began: float,
    began_ns: int,
    outcome: str,
    error: BaseException | None = None,
) -> None:
    state, commit, id = conversation.state, transaction.commit, _id(transaction)
    if state.tell is None:
        return
    assert id is not None
    now = monotonic()
    facts = None if error is None else facts_of(state, error)
    if facts is not None:
        conversation.noting.error = error if conversation.noting.open else None
        state.tell(_met(conversation, facts, None, id))
    order = [shard.name for shard in state.picture.domain.shards]
    touched = tuple(shard for shard in order if shard in transaction.touched)
    pending = tuple(commit.pending) if commit is not None else ()
    named = str(commit.id) if commit is not None and commit.id is not None else None
    opened = transaction.told_at if transaction.told_at is not None else began
    event = TransactionEnded(
        id,
        state.name,
        outcome,
        touched,
        pending,
        named,
        began_ns,
        now - began,
        now - opened,
        facts,
        conversation.noting.open,
    )
    state.tell(event)


def _met(conversation: Conversation, facts: ErrorFacts, fingerprint: Fingerprint | None, id: str | None) -> ErrorMet:
    return ErrorMet(facts, conversation.state.name, wall_ns(), fingerprint=fingerprint, transaction=id)


def _id(transaction: Transaction | None) -> str | None:
    return None if transaction is None else transaction.chance.hex()


def _outcome(transaction: Transaction, error: BaseException) -> str:
    """What became of a transaction whose commit raised."""
    if transaction.commit is not None and transaction.commit.decided:
        return "committed"
    if not isinstance(error, Error) or error.code in _UNKNOWN:
        return "unknown"
    return "rolled back"


def _in_order(conversation: Conversation, visits: Mapping[str, Visit]) -> tuple[Visit, ...]:
    if len(visits) < 2:
        return tuple(visits.values())
    order = [shard.name for shard in conversation.state.picture.domain.shards]
    elsewhere = (shard for shard in visits if shard not in order)
    return tuple(visits[shard] for shard in (*order, *elsewhere) if shard in visits)


def _shards(nodes: Sequence[str], located: Located | None, facts: ErrorFacts | None) -> tuple[str, ...]:
    """Where no visit was noted: those that answered, else those that were to, else the one that is to blame."""
    if nodes:
        return tuple(dict.fromkeys(node.split("/")[1] for node in nodes))
    if located is not None:
        return located.shards
    return (facts.shard,) if facts is not None and facts.shard is not None else ()
