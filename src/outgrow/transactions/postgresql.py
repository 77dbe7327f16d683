"""Participants and shards on PostgreSQL: which statements each verb of the port is, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

from outgrow import ledger
from outgrow.errors import Error, OperationalError
from outgrow.transactions import failures
from outgrow.transactions.model import PREFIX, InDoubt, Outcome, TransactionId, owner_of
from outgrow.transactions.port import Fenced, Finished, Part, Unclear
from outgrow.transactions.xid import MARKER_PREFIX, read_marker
from outgrow.waits import Steps

_SQL = ledger.queries()

#: A prepared branch of that name does not exist; somebody else is finishing it.
_ABSENT, _BUSY = "42704", "55000"
_NOT_PERMITTED = "42501"
#: The decision's key is taken; or the decision comes half a day late.
_FENCED = ("23505", "23514")

#: A branch of several waits this long for a lock, unless the user has set another limit: no server sees a deadlock
#: over shards.
LOCK_TIMEOUT_SECONDS = 10.0

Asked = tuple[str, Sequence[Any] | None]

#: Habits of the role do not matter.
_OWN_BLOCK: Asked = ("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", None)
_COMMIT: Asked = ("COMMIT", None)


def attending(presence: int) -> Asked:
    """What every branch of several begins with; `presence` as `model.presence` has it."""
    return _SQL["attend"], [_limit(), presence]


def _limit() -> str:
    return f"{LOCK_TIMEOUT_SECONDS * 1000:.0f}ms"


class Wire(Protocol):
    """What a connection must be able to do; `outgrow.nodes.Link` is one."""

    @property
    def pooled(self) -> bool:
        """Nothing of it lasts beyond a transaction, and two messages may reach two connections."""

    @property
    def broken(self) -> bool: ...

    @property
    def in_transaction(self) -> bool: ...

    def run_steps(
        self, sql: str, params: Sequence[Any] | None = None, *, until: float | None = None, prepare: bool = True
    ) -> Steps[Any]: ...

    def run_many_steps(
        self,
        asked: Sequence[Asked],
        *,
        until: float | None = None,
        prepare: Sequence[bool] | None = None,
        chained: bool = False,
    ) -> Steps[list[Any]]: ...

    def close(self) -> None: ...


class Branch:
    """A participant on the connection that holds its branch."""

    def __init__(self, shard: str, link: Wire) -> None:
        self.shard = shard
        self.link = link
        #: Statements of the branch's own that go ahead of whatever is sent next.
        self.ahead: list[Asked] = []
        #: It has begun as `attending` says.
        self.attended = False
        #: Rows were counted: there is no need to ask.
        self.certain = False
        #: Somebody will compare the server's place behind the commit with a replica's.
        self.placed = True
        #: What the server said of it.
        self.place: Any = None

    def part_steps(self, until: float | None) -> Steps[Part]:
        if self.certain:
            return Part.WROTE
        answer = yield from self.link.run_steps(_SQL["branch_wrote"], None, until=until)
        wrote, serializable = answer.rows[0]
        return Part.WROTE if wrote else Part.CHECKED if serializable else Part.READ

    def prepare_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        stamp = (_SQL["stamp"], [*_stamped(id, shards), _limit()])
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

    def attend_steps(self, id: TransactionId, until: float | None) -> Steps[None]:
        asked, self.ahead = [*self.ahead, attending(id.presence)], []
        for outcome in (yield from self.link.run_many_steps(asked, until=until, chained=True)):
            if isinstance(outcome, Error):
                raise outcome

    def decide_steps(self, id: TransactionId, shards: Sequence[str], until: float | None) -> Steps[None]:
        # Chained, and each Sync is a packet: COMMIT takes effect at once, and is not reached behind a refused decision.
        asked: list[Asked] = [(_SQL["decide"], [*_stamped(id, shards), id.begun_seconds]), ("COMMIT", None)]
        try:
            decided, committed, *place = yield from self.link.run_many_steps(
                [*asked, *self._placing()], until=until, chained=True
            )
        except Error as error:
            raise _retold(Unclear, error) from error
        if isinstance(decided, Error):
            # Whatever became of the connection: COMMIT was not reached.
            raise _retold(Fenced, decided) if decided.sqlstate in _FENCED else decided
        if isinstance(committed, Error):
            raise _retold(Unclear, committed) if self.link.broken else committed
        if committed.status != "COMMIT":
            raise failures.rolled_back(self.shard)
        self.place = place[0] if place else None

    def hold_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        decide: Asked = (_SQL["decide"], [*_stamped(id, shards), id.begun_seconds])
        asked = [*self.ahead, decide, (f"PREPARE TRANSACTION '{gid}'", None)]
        may_prepare = [True] * (len(asked) - 1) + [False]
        try:
            *_, decided, prepared = yield from self.link.run_many_steps(
                asked, until=until, prepare=may_prepare, chained=True
            )
        except Error as error:
            raise _retold(Unclear, error) from error
        if isinstance(decided, Error):
            raise _retold(Fenced, decided) if decided.sqlstate in _FENCED else decided
        if isinstance(prepared, Error):
            if self.link.broken:
                raise _retold(Unclear, prepared)
            raise failures.not_prepared(prepared, self.shard, (yield from self._prepared_max_steps(prepared)))
        if prepared.status != "PREPARE TRANSACTION":
            raise failures.rolled_back(self.shard)

    def _placing(self) -> list[tuple[str, None]]:
        """Behind the commit (which ends there, whatever shares its Sync): the question for the server's place."""
        return [(_SQL["token"], None)] if self.placed else []

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
        self.place = place[0] if place else None
        return finished

    def stamped_steps(self, id: TransactionId, until: float | None) -> Steps[bool]:
        answer = yield from self.link.run_steps(_SQL["stamped"], [[id.number]], until=until)
        return bool(answer.rows)

    def undo_steps(self, gid: str | None, until: float | None) -> Steps[None]:
        if self.link.broken:
            return
        if self.link.in_transaction:
            yield from self.link.run_steps("ROLLBACK", None, until=until)
        elif gid is not None:
            (done,) = yield from self.link.run_many_steps(
                [(_finishing(gid, False), None)], until=until, prepare=(False,)
            )
            _finished(done)


class Wires(Protocol):
    """Connections to the primaries of a domain's shards."""

    def connect_steps(self, shard: str, until: float) -> Steps[Wire]:
        """One of its own, for whoever asks; the caller closes it."""

    def borrow_steps(self, shard: str, until: float) -> Steps[Wire]:
        """One that others use too, without waiting for long; the caller gives it back at once."""

    def give(self, shard: str, link: Wire) -> None: ...


class PostgresShards:
    """The shards of a domain, each on a connection of its own that is opened when it is first asked.

    A pool will not do: all its connections may be waiting for the very locks that are to be released.  Only to look
    whether there is anything to be done, one of a pool is good enough: a fleet of many processes that look every two
    seconds would otherwise connect all the time.
    """

    def __init__(self, domain: str, names: Sequence[str], wires: Wires) -> None:
        self.domain = domain
        self.names = names
        self._wires = wires
        self._links: dict[str, Wire] = {}

    def at(self, shard: str) -> PostgresShard:
        if shard not in self.names:
            raise OperationalError(
                "OG-TX-011",
                f"a prepared transaction names the shard {shard}, which {self.domain} does not have",
                cure="put the shard back into fleet.yaml: it knows what was decided",
                shard=shard,
            )
        return PostgresShard(shard, self)

    def ask_steps(self, shard: str, asked: Sequence[Asked], until: float) -> Steps[list[Any]]:
        """Run statements outside a transaction; a connection that breaks is opened anew by the next question."""
        link = self._links.get(shard)
        if link is None or link.broken:
            link = self._links[shard] = yield from self._wires.connect_steps(shard, until)
            if not link.pooled:
                yield from link.run_steps(_SQL["recovery_limits"], None, until=until)
        try:
            if link.pooled:
                return (yield from _limited_steps(link, asked, until))
            return (yield from link.run_many_steps(asked, until=until, prepare=[False] * len(asked)))
        except BaseException:
            link.close()
            raise

    def pooled(self, shard: str) -> bool:
        """Whether the last questions to the shard went through a pooler."""
        return shard in self._links and self._links[shard].pooled

    def look_steps(self, shard: str, sql: str, params: Sequence[Any], until: float) -> Steps[Any]:
        """Ask what changes nothing and waits for nothing."""
        try:
            link = yield from self._wires.borrow_steps(shard, until)
            try:
                return (yield from link.run_steps(sql, params, until=until))
            finally:
                self._wires.give(shard, link)
        except Error:
            # All in use, or broken: see for ourselves.
            (answer,) = yield from self.ask_steps(shard, [(sql, params)], until)
            return answer

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()


class PostgresShard:
    """See `port.Shard`."""

    def __init__(self, name: str, shards: PostgresShards) -> None:
        self._name = name
        self._shards = shards

    def _rows_steps(self, query: str, params: Sequence[Any] | None, until: float) -> Steps[Sequence[tuple[Any, ...]]]:
        (answer,) = yield from self._shards.ask_steps(self._name, [(_SQL[query], params)], until)
        return _answered(answer)

    def in_doubt_steps(self, domain: str, until: float) -> Steps[list[InDoubt]]:
        begun = [f"{PREFIX}{domain}/", MARKER_PREFIX]
        found = yield from self._shards.look_steps(self._name, _SQL["in_doubt"], begun, until)
        branches = []
        for gid, age in _answered(found):
            marker = read_marker(gid)
            # The branch that carries a decision lies where it is decided.
            id = owner_of(gid) if marker is None else TransactionId(domain, self._name, marker.number)
            if id is not None:
                branches.append(InDoubt(self._name, gid, id, age, marker))
        return branches

    def rule_steps(self, id: TransactionId, insist: bool, until: float) -> Steps[Outcome]:
        rule = (_SQL["rule"], [id.number, id.presence, insist])
        ruled, ruling = yield from self._shards.ask_steps(self._name, [rule, (_SQL["ruling"], [id.number])], until)
        _answered(ruled)
        return _outcome(_answered(ruling))

    def ruling_steps(self, id: TransactionId, until: float) -> Steps[Outcome]:
        return _outcome((yield from self._rows_steps("ruling", [id.number], until)))

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


def _answered(outcome: Any) -> Sequence[tuple[Any, ...]]:
    if isinstance(outcome, Error):
        raise outcome
    rows: Sequence[tuple[Any, ...]] = outcome.rows
    return rows


def _outcome(rows: Sequence[tuple[Any, ...]]) -> Outcome:
    return Outcome(rows[0][0]) if rows else Outcome.UNKNOWN


def _ids(rows: Iterable[tuple[Any, ...]]) -> set[UUID]:
    return {row[0] for row in rows}


def _retold(kind: type[OperationalError], error: Error) -> OperationalError:
    return kind(error.code, error.message, cure=error.cure, shard=error.shard, node=error.node, sqlstate=error.sqlstate)
