"""What a saga's steps do on this fleet: functions outside, and transactions with a mark beside their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from outgrow import ledger
from outgrow.errors import OperationalError, ProgrammingError
from outgrow.nodes import Rows
from outgrow.route import Level
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.definitions.new_tables import asked_table
from outgrow.runtime.directories.directory import located_steps
from outgrow.runtime.sagas.calling import Call, Caller
from outgrow.runtime.session import AsyncSession, Session
from outgrow.topology import Copied, Sharded, Single
from outgrow.transactions.saga import Limit, Mark, SagaContext, Step, do_steps, encoded, engine_refused, undo_steps
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_STRONG = Level("strong")


class FleetHands:
    """See `transactions.saga.Hands`."""

    def __init__(
        self, states: Mapping[str, DomainState], home: DomainState, caller: Caller, secret: bytes | None
    ) -> None:
        self._states = states
        self._home = home
        self._caller = caller
        self._secret = secret

    # -- where -------------------------------------------------------------------------------------------------------

    def place_steps(self, step: Step, context: SagaContext) -> Steps[str]:
        state = self._domain(step)
        home = state.picture.domain.home.name
        if step.on is None:
            return home
        table = asked_table(step.on)
        placement = state.picture.domain.tables.get(table)
        match placement:
            case Single(shard):
                return shard
            case Copied():
                return home
            case Sharded(columns):
                key = step.key(context) if step.key is not None else None
                values = list(key) if isinstance(key, (tuple, list)) else [key]
                if step.key is None or len(values) != len(columns):
                    raise _wrong_key(step, len(columns))
                sql = f"SELECT FROM {state.engine.table(table)} WHERE "
                sql += " AND ".join(f"{state.engine.quoted(column)} = %s" for column in columns)
                conversation = Conversation(state, _STRONG, None)
                prepared = yield from conversation.prepared_steps(sql, True, None)
                located, _ = yield from located_steps(state, prepared, values, None)
                return located.shards[0] if located.shards else home
        raise ProgrammingError(
            "OG-TX-051",
            f"the step {step.name} works on {step.on}, which the domain {state.name} does not have",
            cure="name a table of the fleet in `on`, or leave it out",
        )

    def _domain(self, step: Step) -> DomainState:
        state = self._home if step.domain is None else self._states.get(step.domain)
        if state is None:
            raise ProgrammingError(
                "OG-TX-051",
                f"the step {step.name} works in the domain {step.domain}, which the fleet does not have",
                cure=f"one of: {', '.join(self._states)}",
            )
        if state.file.engine != "postgresql":
            raise engine_refused(state.name, state.file.engine)
        return state

    # -- what --------------------------------------------------------------------------------------------------------

    def act_steps(self, step: Step, context: SagaContext, undo: bool, limit: Limit) -> Steps[str]:
        function = step.compensate if undo else step.function
        assert function is not None
        result = yield from self._caller.call(function).run_steps(context, limit=limit)
        return encoded(result, f"what {step.name} returned") if not undo else ""

    def transact_steps(
        self, step: Step, context: SagaContext, index: int, place: str, undo: bool, limit: Limit
    ) -> Steps[str]:
        state = self._domain(step)
        conversation = Conversation(state, _STRONG, None)
        if place not in conversation.footings:
            raise OperationalError(
                "OG-TX-052",
                f"the step {step.name} has its mark on the shard {place}, which the fleet does not have any more",
                cure="put the shard back into the fleet file until its sagas are over",
            )
        function = step.compensate if undo else step.function
        assert function is not None
        call = self._caller.call(function)
        conversation.begin()
        marks = ShardMarks(conversation, place)
        work = self._work_steps(conversation, call, step, context, undo, limit)
        try:
            if undo:
                result = ""
                yield from undo_steps(marks, context.saga, index, work)
            else:
                result = yield from do_steps(marks, context.saga, index, work)
            yield from conversation.commit_steps()
        except BaseException as error:
            if call.still is not None:
                _left_running(conversation, call)
            elif isinstance(error, GeneratorExit):
                conversation.abandon()
            else:
                yield from conversation.rollback_steps()
            raise
        finally:
            conversation.closed = True
        return result

    def _work_steps(
        self,
        conversation: Conversation,
        call: Call,
        step: Step,
        context: SagaContext,
        undo: bool,
        limit: Limit,
    ) -> Steps[str]:
        session = (AsyncSession if call.awaits else Session)(conversation, self._secret)
        transaction = conversation.transaction
        result: Any = yield from call.run_steps(context, session, limit=limit)
        if conversation.transaction is not transaction or conversation.closed:
            raise ProgrammingError(
                "OG-TX-053",
                f"the step {step.name} has ended its transaction itself",
                cure="leave COMMIT, ROLLBACK and close() out of it: it is committed with its mark when it returns",
            )
        return "" if undo else encoded(result, f"what {step.name} returned")


class ShardMarks:
    """See `transactions.saga.Marks`: the table of one shard, within a session's transaction."""

    def __init__(self, conversation: Conversation, shard: str) -> None:
        self._conversation = conversation
        self._shard = shard
        self._queries = ledger.queries(conversation.state.file.engine)

    def insert_steps(self, saga: UUID, step: int, kind: str, tombstone: bool) -> Steps[bool]:
        rows = yield from self._run_steps("saga_mark", [saga, step, kind, tombstone], True)
        return bool(rows.rows)

    def read_steps(self, saga: UUID, step: int) -> Steps[Mark]:
        rows = yield from self._run_steps("saga_marked", [saga, step], False)
        tombstone, result = rows.rows[0]
        return Mark(tombstone, "null" if result is None else result)

    def keep_steps(self, saga: UUID, step: int, result: str) -> Steps[None]:
        if result != "null":
            yield from self._run_steps("saga_mark_result", [saga, step, result], True)

    def _run_steps(self, query: str, params: list[Any], writes: bool) -> Steps[Rows]:
        transaction = self._conversation.transaction
        assert transaction is not None
        (rows,) = yield from transaction.run_steps([(self._shard, self._queries[query])], params, writes, None)
        return rows


def _left_running(conversation: Conversation, call: Call) -> None:
    """The function goes on, and has the session: its connections are cut, and closed when it has ended."""
    conversation.closed = True
    transaction = conversation.transaction
    if transaction is not None:
        for branch in list(transaction.branches.values()):
            branch.link.shut_down()
    assert call.still is not None
    call.still.add_done_callback(lambda _: conversation.abandon())


def _wrong_key(step: Step, count: int) -> ProgrammingError:
    return ProgrammingError(
        "OG-TX-051",
        f"the step {step.name} needs the key of {step.on}: {count} value{'s' * (count > 1)}",
        cure="key=lambda ctx: ctx.input[…]; a tuple where the table is sharded by several columns",
    )
