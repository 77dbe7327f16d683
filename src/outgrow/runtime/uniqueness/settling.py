"""The index of what is unique in the whole domain, kept in the transaction that writes the rows.

Triggers of an indexed table note on the row's own shard which values came and went, whatever wrote them.  Behind each
such statement the notes are taken from the branches that wrote, and brought to the shards that have the entries: what
went is released there, what came is claimed, and who claims second is told so.  A check on the server refuses to
commit or prepare a branch with notes that nobody has taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow import ledger
from outgrow.errors import Error, IntegrityError, OperationalError
from outgrow.nodes import Asked, Rows
from outgrow.runtime.directories.outdated import Editions
from outgrow.runtime.result import Result, answer_of
from outgrow.schema import FleetUnique
from outgrow.statement import Kind, Statement
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.picture import Picture
    from outgrow.runtime.prepared import Prepared
    from outgrow.runtime.transaction.branches import Transaction

T = TypeVar("T")

QUERIES = dict(ledger.queries())
#: What the check on the server says.
_UNSETTLED = "OG-NODE-160"
#: Behind SET CONSTRAINTS ALL: that check waits all the same, until what a statement has noted has come to the index.
DEFERRED = "SET CONSTRAINTS outgrow.unique_settled DEFERRED"


@dataclass(frozen=True, slots=True)
class _Noted:
    """Values of one index and place that one branch has claimed or released, as arrays in the server's words."""

    unique: FleetUnique
    claimed: bool
    count: int
    values: str
    keys: str

    def asked(self, query: str) -> Asked:
        return QUERIES[query], [self.unique.number, self.values, self.keys]


def concerns(statement: Statement, picture: Picture) -> bool:
    """Whether the statement may write what such an index knows, as far as the schema tells."""
    schema = picture.schema
    if not schema.fleet_unique or statement.kind in (Kind.DDL, Kind.SESSION, Kind.TRANSACTION):
        return False
    if statement.kind is Kind.OPAQUE or statement.command == "TRUNCATE":
        return True
    written = [schema.tables[name] for name in statement.writes if name in schema.tables]
    reached = {name for table in written for name in (table.name, *table.cascades_to)}
    return any(schema.tables[name].fleet_unique for name in reached) or any(table.triggers for table in written)


def note_unsettled(state: DomainState, error: BaseException) -> None:
    """Another process may have built an index of which this one did not know."""
    if isinstance(error, Error) and error.code == _UNSETTLED:
        state.stale = True


def within_steps(
    conversation: Conversation, run: Callable[[], Steps[T]], until: float | None, *, settled: bool = False
) -> Steps[T]:
    """`run` in the open transaction or in one of its own, and the index kept with what it wrote.

    `settled`: it does so itself.
    """
    own = conversation.transaction is None
    if own:
        conversation.begin()
    conversation.settles = True
    try:
        result = yield from run()
        assert conversation.transaction is not None
        if not settled:
            yield from settle_steps(conversation.transaction, until)
    except GeneratorExit:
        if own:
            conversation.abandon()
        raise
    except BaseException:
        if own:
            yield from conversation.rollback_steps()
        raise
    finally:
        conversation.settles = False
    if own:
        yield from conversation.commit_steps(until)
    return result


def settle_steps(transaction: Transaction, until: float | None) -> Steps[None]:
    """Bring to the index what the branches have written.  Raises IntegrityError where a value is somebody else's."""
    known = transaction.state.picture.schema.fleet_unique
    if not known or transaction.failed is not None:
        return
    drain = QUERIES["unique_drain"]
    wrote = [(shard, drain) for shard, branch in transaction.branches.items() if branch.wrote]
    if wrote:
        with _all_or_failed(transaction):
            answers = yield from transaction.run_steps(wrote, None, False, until)
            yield from bring_steps(transaction, known, answers, until)


def one_steps(
    conversation: Conversation,
    prepared: Prepared,
    shard: str,
    values: Sequence[Any],
    until: float | None,
    editions: Editions,
) -> Steps[Result]:
    """A statement on one shard as written, and what it has noted in the same message."""
    transaction = conversation.transaction
    assert transaction is not None
    if transaction.definitions:
        transaction.defined.check(prepared.statement)
    if editions:
        yield from transaction.hold_steps(editions, until)
    asked: list[Asked] = [(prepared.sql, values or None), (QUERIES["unique_drain"], None)]
    with _all_or_failed(transaction):
        rows, noted = yield from transaction.run_many_steps({shard: asked}, until)
        node = transaction.branches[shard].node.name
        yield from bring_steps(transaction, transaction.state.picture.schema.fleet_unique, [noted], until)
    return answer_of(rows, node)


@contextmanager
def _all_or_failed(transaction: Transaction) -> Iterator[None]:
    """Notes that were taken and not brought are known to nobody: whatever stopped it, the transaction cannot commit."""
    try:
        yield
    except BaseException as error:
        if transaction.failed is None:
            interrupted = _again("was interrupted while it was brought to its index")
            transaction.failed = error if isinstance(error, Error) else interrupted
        raise


def bring_steps(
    transaction: Transaction, known: Mapping[int, FleetUnique], answers: Sequence[Rows], until: float | None
) -> Steps[None]:
    """What branches have noted, to the shards that have the entries."""
    noted: dict[str, list[_Noted]] = defaultdict(list)
    for answer in answers:
        for number, place, *rest in answer.rows:
            unique = known.get(number)
            if unique is None:
                raise _unknown(transaction)
            noted[unique.shards[place]].append(_Noted(unique, *rest))
    # One shard after another, so that two writers of several values meet in a queue and not in a deadlock.
    for shard in transaction.state.picture.placer.shards:
        if shard in noted:
            yield from _shard_steps(transaction, shard, noted[shard], until)


def _unknown(transaction: Transaction) -> OperationalError:
    transaction.state.stale = True
    return _again("was changed while the transaction ran")


def _again(why: str) -> OperationalError:
    return OperationalError(
        "OG-RUN-151",
        f"what is unique in the whole domain {why}",
        cure="run the transaction again",
        sqlstate="40001",
    )


def _shard_steps(transaction: Transaction, shard: str, noted: list[_Noted], until: float | None) -> Steps[None]:
    """What the entries on one shard become: all that is released goes before anything is claimed."""
    released = [each for each in noted if not each.claimed]
    claimed = [each for each in noted if each.claimed]
    asked = [*(each.asked("unique_release") for each in released), *(each.asked("unique_claim") for each in claimed)]
    answers = yield from transaction.run_many_steps({shard: asked}, until)
    counts = [answer.count for answer in answers]
    made = counts[len(released) :]
    if any(count < each.count for each, count in zip(released, counts, strict=False)):
        # Its row is committed, and its entry, of another branch, may be about to be: wait for it.
        again = [each.asked(query) for each in released for query in ("unique_await", "unique_release")]
        again += [each.asked("unique_claim") for each in claimed]
        answers = yield from transaction.run_many_steps({shard: again}, until)
        later = [answer.count for answer in answers][2 * len(released) :]
        made = [first + second for first, second in zip(made, later, strict=True)]
    for each, count in zip(claimed, made, strict=True):
        if count < each.count:
            raise (yield from _taken_steps(transaction, shard, each, until))


def _taken_steps(transaction: Transaction, shard: str, claimed: _Noted, until: float | None) -> Steps[IntegrityError]:
    """The error for values that other rows have."""
    sql, params = claimed.asked("unique_taken")
    (answer,) = yield from transaction.run_steps([(shard, sql)], params, False, until)
    unique = claimed.unique
    shown = ", ".join(f"({', '.join(unique.columns)})=({row[0]})" for row in answer.rows) or claimed.values
    error = IntegrityError(
        "OG-RUN-150",
        f'duplicate key value violates unique constraint "{unique.name}": {shown} already exists in the whole domain',
        cure="use another value; or find the row that has it (the same query finds it on whichever shard)",
        sqlstate="23505",
    )
    error.details = {"constraint": unique.name, "detail": f"Key {shown} already exists."}
    return error
