"""Participants and shards on PostgreSQL: which statements each verb of the port is, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from outgrow import ledger
from outgrow.errors import Error
from outgrow.transactions import branch, failures
from outgrow.transactions.branch import Branch, retold
from outgrow.transactions.model import PREFIX, InDoubt, Outcome, TransactionId, owner_of
from outgrow.transactions.port import Fenced, Finished, Part, Unclear
from outgrow.transactions.shards import ServerShards, answered
from outgrow.transactions.wire import Asked, Wire, Wires
from outgrow.transactions.xid import MARKER_PREFIX, read_marker
from outgrow.waits import Steps

_SQL = ledger.queries()

#: A prepared branch of that name does not exist; somebody else is finishing it.
_ABSENT, _BUSY = "42704", "55000"
_NOT_PERMITTED = "42501"
#: The decision's key is taken; or the decision comes half a day late.
_FENCED = ("23505", "23514")

#: Habits of the role do not matter.
_OWN_BLOCK: Asked = ("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", None)
_COMMIT: Asked = ("COMMIT", None)


def _limit() -> str:
    return f"{branch.LOCK_TIMEOUT_SECONDS * 1000:.0f}ms"


class PostgresBranch(Branch):
    """See `port.Participant`."""

    def attending(self, presence: int) -> list[Asked]:
        return [(_SQL["attend"], [_limit(), presence, _signed(presence), _signed(self.begun)])]

    def part_steps(self, until: float | None) -> Steps[Part]:
        if self.certain:
            return Part.WROTE
        answer = yield from self.link.run_steps(_SQL["branch_wrote"], None, until=until)
        wrote, serializable = answer.rows[0]
        return Part.WROTE if wrote else Part.CHECKED if serializable else Part.READ

    def prepare_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        stamp = (_SQL["stamp"], [*_stamped(id, shards), _limit(), id.presence])
        asked = [*self.ahead, stamp, (f"PREPARE TRANSACTION '{gid}'", None)]
        may_prepare = [True] * (len(asked) - 1) + [False]
        outcomes = yield from self.link.run_many_steps(asked, until=until, prepare=may_prepare, chained=True)
        for outcome in outcomes:
            if isinstance(outcome, Error):
                raise failures.not_prepared(outcome, self.shard, (yield from self._prepared_max_steps(outcome)))
        if outcomes[-1].status != "PREPARE TRANSACTION":
            raise failures.rolled_back(self.shard)

    def _prepared_max_steps(self, error: Error) -> Steps[int | None]:
        """How many prepared transactions the server allows, where that may be what went wrong."""
        if error.sqlstate not in ("55000", "53200") or self.link.broken or self.link.in_transaction:
            return None
        try:
            answer = yield from self.link.run_steps(_SQL["prepared_max"], None)
        except Error:
            return None
        return int(answer.rows[0][0])

    def decide_steps(self, id: TransactionId, shards: Sequence[str], until: float | None) -> Steps[None]:
        # Chained, and each Sync is a packet: COMMIT takes effect at once, and is not reached behind a refused decision.
        decide: Asked = (_SQL["decide"], [*_stamped(id, shards), id.begun_seconds, True])
        asked: list[Asked] = [decide, ("COMMIT", None)]
        try:
            decided, committed, *place = yield from self.link.run_many_steps(
                [*asked, *self._placing()], until=until, chained=True
            )
        except Error as error:
            raise retold(Unclear, error) from error
        if isinstance(decided, Error):
            # Whatever became of the connection: COMMIT was not reached.
            raise retold(Fenced, decided) if decided.sqlstate in _FENCED else decided
        if isinstance(committed, Error):
            raise retold(Unclear, committed) if self.link.broken else committed
        if committed.status != "COMMIT":
            raise failures.rolled_back(self.shard)
        self.place = place[0] if self.placed else None

    def hold_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        # Nothing is decided here: what is prepared must not hold the gate.
        decide: Asked = (_SQL["decide"], [*_stamped(id, shards), id.begun_seconds, False])
        asked = [*self.ahead, decide, (f"PREPARE TRANSACTION '{gid}'", None)]
        may_prepare = [True] * (len(asked) - 1) + [False]
        try:
            *_, decided, prepared = yield from self.link.run_many_steps(
                asked, until=until, prepare=may_prepare, chained=True
            )
        except Error as error:
            raise retold(Unclear, error) from error
        if isinstance(decided, Error):
            raise retold(Fenced, decided) if decided.sqlstate in _FENCED else decided
        if isinstance(prepared, Error):
            if self.link.broken:
                raise retold(Unclear, prepared)
            raise failures.not_prepared(prepared, self.shard, (yield from self._prepared_max_steps(prepared)))
        if prepared.status != "PREPARE TRANSACTION":
            raise failures.rolled_back(self.shard)

    def _placing(self) -> list[Asked]:
        """Behind the commit (which ends there, whatever shares its Sync): for the server's place, and more."""
        return [(_SQL["token"], None), *self.calls()] if self.placed else self.calls()

    def commit_steps(self, until: float | None) -> Steps[None]:
        answer = yield from self.link.run_steps("COMMIT", None, until=until)
        if answer.status != "COMMIT":
            raise failures.rolled_back(self.shard)

    def finish_steps(self, gid: str, commit: bool, until: float | None) -> Steps[Finished]:
        asked = [(_finishing(gid, commit), None), *self._placing()]
        done, *place = yield from self.link.run_many_steps(
            asked, until=until, prepare=[False] + [True] * (len(asked) - 1), chained=True
        )
        finished = _finished(done)
        self.place = place[0] if self.placed else None
        return finished

    def stamped_steps(self, id: TransactionId, until: float | None) -> Steps[bool]:
        answer = yield from self.link.run_steps(_SQL["stamped"], [[id.number]], until=until)
        return bool(answer.rows)

    def undo_steps(self, gid: str | None, until: float | None) -> Steps[None]:
        if self.link.broken:
            return
        if self.link.in_transaction:
            yield from self.rollback_steps(until)
        elif gid is not None:
            (done,) = yield from self.link.run_many_steps(
                [(_finishing(gid, False), None)], until=until, prepare=(False,)
            )
            _finished(done)


def postgres_shards(domain: str, names: Sequence[str], wires: Wires) -> ServerShards:
    """The shards of a PostgreSQL domain."""
    return ServerShards(domain, names, wires, PostgresShard, (_SQL["recovery_limits"],), _limited_steps)


class PostgresShard:
    """See `port.Shard`."""

    def __init__(self, name: str, shards: ServerShards) -> None:
        self._name = name
        self._shards = shards

    def _rows_steps(self, query: str, params: Sequence[Any] | None, until: float) -> Steps[Sequence[tuple[Any, ...]]]:
        (answer,) = yield from self._shards.ask_steps(self._name, [(_SQL[query], params)], until)
        return answered(answer)

    def in_doubt_steps(self, domain: str, until: float) -> Steps[list[InDoubt]]:
        begun = [f"{PREFIX}{domain}/", MARKER_PREFIX]
        (found,) = yield from self._shards.look_steps(self._name, [(_SQL["in_doubt"], begun)], until)
        branches = []
        for gid, age in answered(found):
            marker = read_marker(gid)
            # The branch that carries a decision lies where it is decided.
            id = owner_of(gid) if marker is None else TransactionId(domain, self._name, marker.number)
            if id is not None:
                branches.append(InDoubt(self._name, gid, id, age, marker))
        return branches

    def rule_steps(self, id: TransactionId, insist: bool, until: float) -> Steps[Outcome]:
        return (yield from self._ruling_steps(id, [(_SQL["rule"], [id.number, id.presence, insist])], until))

    def ruling_steps(self, id: TransactionId, until: float) -> Steps[Outcome]:
        return (yield from self._ruling_steps(id, [], until))

    def _ruling_steps(self, id: TransactionId, first: Sequence[Asked], until: float) -> Steps[Outcome]:
        asked = [*first, (_SQL["ruling"], [id.number])]
        # In one message: the place is the same server's, and lies behind the decision.
        behind = [(_SQL["outlived"], [id.number]), (_SQL["flushed"], None)] if id.replicated else []
        ask_steps = self._shards.ask_steps if first else self._shards.look_steps
        answers = yield from ask_steps(self._name, [*asked, *behind], until)
        *_, ruling = [answered(answer) for answer in answers[: len(asked)]]
        if _outcome(ruling) is not Outcome.COMMITTED or not behind:
            return _outcome(ruling)
        outlived, place = answers[len(asked) :]
        kept = any(row[0] for row in answered(outlived))
        kept = kept or (yield from self._shards.reached_steps(self._name, place, until))
        return Outcome.COMMITTED if kept else Outcome.UNKNOWN

    def followed_steps(self, gid: str | None, until: float) -> Steps[bool]:
        there: list[Asked] = [] if gid is None else [(_SQL["prepared_by"], [gid])]
        answers = yield from self._shards.look_steps(self._name, [*there, (_SQL["flushed"], None)], until)
        if gid is not None and not answered(answers[0]):
            raise failures.absent(gid, self._name)
        return (yield from self._shards.reached_steps(self._name, answers[-1], until))

    def finish_steps(self, gid: str, commit: bool, until: float) -> Steps[Finished]:
        finishing = (_finishing(gid, commit), None)
        (done,) = yield from self._shards.ask_steps(self._name, [finishing], until)
        if isinstance(done, Error) and done.sqlstate == _NOT_PERMITTED:
            rows = yield from self._rows_steps("prepared_by", [gid], until)
            if not rows:
                return Finished.ABSENT
            if self._shards.pooled(self._name):
                # What SET ROLE says would be said to another connection.
                raise done
            as_owner = [(f"SET ROLE {rows[0][0]}", None), finishing, ("RESET ROLE", None)]
            _, done, _ = yield from self._shards.ask_steps(self._name, as_owner, until)
        return _finished(done)

    def stamped_steps(self, ids: Sequence[UUID], until: float) -> Steps[set[UUID]]:
        return _ids((yield from self._rows_steps("stamped", [list(ids)], until)))

    def decisions_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[list[tuple[UUID, Sequence[str]]]]:
        return list((yield from self._rows_steps("decisions_old", [after, before], until)))

    def decisions_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[None]:
        yield from self._rows_steps("decisions_forget", [list(ids)], until)

    def aborts_forget_steps(self, before: UUID, until: float) -> Steps[None]:
        yield from self._rows_steps("aborts_forget", [before], until)

    def decisions_standing_steps(self, ids: Sequence[UUID], until: float) -> Steps[set[UUID]]:
        return _ids((yield from self._rows_steps("decisions_standing", [list(ids)], until)))

    def stamps_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[list[tuple[UUID, str]]]:
        return list((yield from self._rows_steps("stamps_old", [after, before], until)))

    def stamps_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[None]:
        yield from self._rows_steps("stamps_forget", [list(ids)], until)


def _limited_steps(link: Wire, asked: Sequence[Asked], until: float) -> Steps[list[Any]]:
    """Each statement in a transaction with recovery's limits, but for those that finish others and wait for nothing."""
    answers: list[Any] = []
    for statement in asked:
        alone = statement[0].startswith(("COMMIT", "ROLLBACK"))
        block = [statement] if alone else [_OWN_BLOCK, (_SQL["recovery_limits_in_block"], None), statement, _COMMIT]
        outcomes = yield from link.run_many_steps(block, until=until, prepare=[False] * len(block), chained=True)
        failed = next((outcome for outcome in outcomes if isinstance(outcome, Error)), None)
        if link.in_transaction:
            yield from link.run_steps("ROLLBACK", None, until=until)
        answers.append(failed or outcomes[0 if alone else 2])
    return answers


def _signed(number: int) -> int:
    """The lower half of a key, as int4."""
    low = number & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low


def _stamped(id: TransactionId, shards: Sequence[str]) -> tuple[str, str]:
    """As text, which is quicker made than what it stands for; the names need no quotes, as `model` says."""
    return id.number.hex, "{" + ",".join(shards) + "}"


def _finishing(gid: str, commit: bool) -> str:
    # Names are letters, digits, _, -, / and dots by construction; a utility statement takes no parameters.
    return f"{'COMMIT' if commit else 'ROLLBACK'} PREPARED '{gid}'"


def _finished(outcome: Any) -> Finished:
    if not isinstance(outcome, Error):
        return Finished.DONE
    if outcome.sqlstate == _ABSENT:
        return Finished.ABSENT
    if outcome.sqlstate == _BUSY:
        return Finished.BUSY
    raise outcome


def _outcome(rows: Sequence[tuple[Any, ...]]) -> Outcome:
    return Outcome(rows[0][0]) if rows else Outcome.UNKNOWN


def _ids(rows: Iterable[tuple[Any, ...]]) -> set[UUID]:
    return {row[0] for row in rows}
