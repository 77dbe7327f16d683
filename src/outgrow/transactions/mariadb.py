"""Participants and shards on MariaDB: XA, and the few things that it is told otherwise than in PostgreSQL.

A transaction that has written cannot become one that may be prepared: a branch is what it is from its first word on.
So the first branch is a plain transaction, which costs a transaction on one shard nothing; it decides, should others
write too.  The others begin with XA START, under a name that says all that recovery needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from outgrow import ledger
from outgrow.errors import Error, NotSupportedError
from outgrow.transactions import branch, failures
from outgrow.transactions.branch import Branch, retold
from outgrow.transactions.model import PREFIX, InDoubt, Outcome, TransactionId, owner_of
from outgrow.transactions.port import Fenced, Finished, Part, Unclear
from outgrow.transactions.shards import ServerShards, answered
from outgrow.transactions.wire import Asked, Wire, Wires
from outgrow.waits import Steps

_SQL = ledger.queries("mariadb")

#: The server's number for a name that it does not know; or, as long as the connection that prepared it lives, does not
#: give to others.
_UNKNOWN = "1397"
#: The decision's key is taken; or the decision comes half a day late.
_FENCED = ("23505", "23514")
#: What a statement may say before COMMIT was reached, and COMMIT never says.
_BEFORE_COMMIT = ("55P03", "40P01", "40001", "25006", "42P01", "42501")

_ISOLATION = re.compile(r"BEGIN ISOLATION LEVEL (READ COMMITTED|REPEATABLE READ|SERIALIZABLE)", re.I)
_PLAIN = re.compile(r"\s*(?:BEGIN|START\s+TRANSACTION)(?:\s+WORK)?(?:\s+READ\s+WRITE)?\s*", re.I)
_READ_ONLY = re.compile(r"\s*START\s+TRANSACTION\s+READ\s+ONLY\s*", re.I)


def beginning(begin: str, shard: str, id: TransactionId | None) -> list[str]:
    """What a branch begins with: as the session said, plainly or under the transaction's name.

    Raises NotSupportedError OG-RUN-085 for what has no form under a name.
    """
    isolation = _ISOLATION.fullmatch(begin)
    modes = [f"SET TRANSACTION ISOLATION LEVEL {isolation[1]}"] if isolation else []
    if id is None:
        return [*modes, "BEGIN" if isolation else begin]
    if _READ_ONLY.fullmatch(begin):
        modes = ["SET TRANSACTION READ ONLY"]
    elif not isolation and not _PLAIN.fullmatch(begin):
        raise NotSupportedError(
            "OG-RUN-085",
            f"a transaction that began with {begin!r} cannot be one over several shards: XA has no word for that",
            cure="begin it with BEGIN or START TRANSACTION, or leave it on one shard",
        )
    return [*modes, f"XA START {xa_name(id, shard)}"]


def xa_name(id: TransactionId, shard: str) -> str:
    """What a branch is called, as SQL; two shards may be databases of one server, hence the shard.

    Letters, digits, _, - and / by construction, and at most 40 and 63 bytes of the 64 allowed.
    """
    return f"'{PREFIX}{id.number.hex}','{shard}'"


class MariadbBranch(Branch):
    """See `port.Participant`."""

    def __init__(self, shard: str, link: Wire) -> None:
        super().__init__(shard, link)
        #: The lock it holds, and whether its limits are to be taken back.
        self._presence = ""
        self._limited = False

    @property
    def decides(self) -> bool:
        return self.id is None

    def attending(self, presence: int) -> list[Asked]:
        self._limited = True
        if not self.decides:
            return [(_SQL["limit"], [int(branch.LOCK_TIMEOUT_SECONDS)])]
        self._presence = _lock(presence)
        return [(_SQL["attend"], [int(branch.LOCK_TIMEOUT_SECONDS), self._presence])]

    def parting(self) -> list[Asked]:
        if not self._limited:
            return []
        return [(_SQL["part_decider"], [self._presence])] if self._presence else [(_SQL["part_other"], None)]

    def part_steps(self, until: float | None) -> Steps[Part]:
        # Which statements ran is known, and nothing else writes; a commit is refused to nobody who has only read.
        yield from ()
        return Part.WROTE if self.wrote else Part.READ

    def prepare_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        name = xa_name(id, self.shard)
        limits = [] if self._limited else self.attending(id.presence)
        stamp = (_SQL["stamp"], [id.number.bytes, json.dumps(list(shards))])
        asked = [*self.ahead, *limits, stamp, (f"XA END {name}", None), (f"XA PREPARE {name}", None)]
        self.ahead = []
        for outcome in (yield from self.link.run_many_steps(asked, until=until, chained=True)):
            if isinstance(outcome, Error):
                raise outcome

    def decide_steps(self, id: TransactionId, shards: Sequence[str], until: float | None) -> Steps[None]:
        begun = datetime.fromtimestamp(id.begun_seconds, UTC).replace(tzinfo=None)
        decision = (_SQL["decide"], [id.number.bytes, json.dumps(list(shards)), begun])
        try:
            decided, *places = yield from self.link.run_many_steps(
                [*self.ahead, decision, *self._placing(), *self.parting()], until=until, chained=True
            )
        except Error as error:
            yield from self._let_go_steps(until)
            raise retold(Unclear, error) from error
        if isinstance(decided, Error):
            if decided.sqlstate in _FENCED:
                raise retold(Fenced, decided)
            if decided.sqlstate in _BEFORE_COMMIT:
                raise decided
            yield from self._let_go_steps(until)
            raise retold(Unclear, decided)
        self.place = places[0] if self.placed else None
        self._presence, self._limited = "", False

    def _let_go_steps(self, until: float | None) -> Steps[None]:
        """Nobody knows whether it is committed: who asks must find neither our row's lock nor our presence."""
        if not self.link.broken:
            try:
                yield from self.rollback_steps(until)
            except Error:
                self.link.close()

    def _placing(self) -> list[Asked]:
        return [(_SQL["token"], None)] if self.placed else []

    def hold_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        # Refused before it comes to that: `runtime.engines` says that nobody else can decide here.
        yield from ()
        raise NotImplementedError

    def commit_steps(self, until: float | None) -> Steps[None]:
        outcomes = yield from self.link.run_many_steps([("COMMIT", None), *self.parting()], until=until, chained=True)
        if isinstance(outcomes[0], Error):
            raise outcomes[0]
        if outcomes[0].status != "COMMIT":
            raise failures.rolled_back(self.shard)

    def finish_steps(self, gid: str, commit: bool, until: float | None) -> Steps[Finished]:
        asked = [(_finishing(gid, self.shard, commit), None), *self._placing(), *self.parting()]
        done, *places = yield from self.link.run_many_steps(asked, until=until, chained=True)
        if isinstance(done, Error):
            if _number(done) == _UNKNOWN:
                return Finished.ABSENT
            raise done
        self.place = places[0] if self.placed else None
        return Finished.DONE

    def stamped_steps(self, id: TransactionId, until: float | None) -> Steps[bool]:
        answer = yield from self.link.run_steps(_SQL["stamped"], [_listed([id.number])], until=until)
        return bool(answer.rows)

    def undo_steps(self, gid: str | None, until: float | None) -> Steps[None]:
        if self.link.broken:
            return
        if self.link.in_transaction or gid is None:
            yield from self.rollback_steps(until)
            return
        asked = [(_finishing(gid, self.shard, False), None), *self.parting()]
        done, *_ = yield from self.link.run_many_steps(asked, until=until, chained=True)
        if isinstance(done, Error) and _number(done) != _UNKNOWN:
            raise done


def mariadb_shards(domain: str, names: Sequence[str], wires: Wires) -> ServerShards:
    """The shards of a MariaDB domain."""
    return ServerShards(domain, names, wires, MariadbShard, (_SQL["recovery_limits"],))


class MariadbShard:
    """See `port.Shard`."""

    def __init__(self, name: str, shards: ServerShards) -> None:
        self._name = name
        self._shards = shards

    def _rows_steps(self, query: str, params: Sequence[Any] | None, until: float) -> Steps[Sequence[tuple[Any, ...]]]:
        (answer,) = yield from self._shards.ask_steps(self._name, [(_SQL[query], params)], until)
        return answered(answer)

    def in_doubt_steps(self, domain: str, until: float) -> Steps[list[InDoubt]]:
        """A server lists what all its databases have prepared; which are ours their stamps tell, not yet committed."""
        (listed,) = yield from self._shards.look_steps(self._name, [(_SQL["prepared"], None)], until)
        numbers = [number for number, shard in _names(answered(listed)) if shard == self._name]
        if not numbers:
            return []
        asked: list[Asked] = [(_SQL["look_within"], None), (_SQL["in_doubt"], [_listed(numbers)])]
        _, stamps = yield from self._shards.ask_steps(self._name, asked, until)
        found = []
        for number, shards, age in answered(stamps):
            id = TransactionId(domain, json.loads(shards)[-1], UUID(bytes=number))
            found.append(InDoubt(self._name, id.gid(0), id, float(age)))
        return found

    def rule_steps(self, id: TransactionId, insist: bool, until: float) -> Steps[Outcome]:
        rule: Asked = (_SQL["rule"], [id.number.bytes, _lock(id.presence), insist])
        return (yield from self._ruling_steps(id, [rule], until))

    def ruling_steps(self, id: TransactionId, until: float) -> Steps[Outcome]:
        return (yield from self._ruling_steps(id, [], until))

    def _ruling_steps(self, id: TransactionId, first: Sequence[Asked], until: float) -> Steps[Outcome]:
        asked: list[Asked] = [*first, (_SQL["ruling"], [id.number.bytes]), (_SQL["token"], None)]
        ask_steps = self._shards.ask_steps if first else self._shards.look_steps
        *answers, place = yield from ask_steps(self._name, asked, until)
        *_, ruling = [answered(answer) for answer in answers]
        if _outcome(ruling) is not Outcome.COMMITTED or not id.replicated:
            return _outcome(ruling)
        # (Nothing tells here that a decision is older than this server's being primary: it waits for a replica.)
        reached = yield from self._shards.reached_steps(self._name, place, until)
        return Outcome.COMMITTED if reached else Outcome.UNKNOWN

    def followed_steps(self, gid: str | None, until: float) -> Steps[bool]:
        asked: list[Asked] = [(_SQL["prepared"], None), (_SQL["token"], None)]
        listed, place = yield from self._shards.look_steps(self._name, asked, until)
        id = None if gid is None else owner_of(gid)
        if gid is not None and id is not None and (id.number, self._name) not in _names(answered(listed)):
            raise failures.absent(gid, self._name)
        return (yield from self._shards.reached_steps(self._name, place, until))

    def finish_steps(self, gid: str, commit: bool, until: float) -> Steps[Finished]:
        finishing = (_finishing(gid, self._name, commit), None)
        done, listed = yield from self._shards.ask_steps(self._name, [finishing, (_SQL["prepared"], None)], until)
        if not isinstance(done, Error):
            return Finished.DONE
        if _number(done) != _UNKNOWN:
            raise done
        id = owner_of(gid)
        assert id is not None
        if (id.number, self._name) not in _names(answered(listed)):
            return Finished.ABSENT
        yield from self._end_holder_steps(id, until)
        return Finished.BUSY

    def _end_holder_steps(self, id: TransactionId, until: float) -> Steps[None]:
        """The connection that prepared it still stands, and nobody can finish it as long as it does: so end that.

        What stands about the transaction has been settled: its coordinator can do nothing but finish it, too.
        """
        asked: list[Asked] = [(_SQL["look_within"], None), (_SQL["holder"], [id.number.bytes])]
        _, holder = yield from self._shards.ask_steps(self._name, asked, until)
        for (connection,) in answered(holder):
            # It may be gone, or another user's: then the next look finds it finished, or still there.
            yield from self._shards.ask_steps(self._name, [(f"KILL CONNECTION {connection:d}", None)], until)

    def stamped_steps(self, ids: Sequence[UUID], until: float) -> Steps[set[UUID]]:
        return _ids((yield from self._rows_steps("stamped", [_listed(ids)], until)))

    def decisions_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[list[tuple[UUID, Sequence[str]]]]:
        rows = yield from self._rows_steps("decisions_old", [after.bytes, before.bytes], until)
        return [(UUID(bytes=number), json.loads(shards)) for number, shards in rows]

    def decisions_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[None]:
        yield from self._rows_steps("decisions_forget", [_listed(ids)], until)

    def aborts_forget_steps(self, before: UUID, until: float) -> Steps[None]:
        yield from self._rows_steps("aborts_forget", [before.bytes], until)

    def decisions_standing_steps(self, ids: Sequence[UUID], until: float) -> Steps[set[UUID]]:
        return _ids((yield from self._rows_steps("decisions_standing", [_listed(ids)], until)))

    def stamps_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[list[tuple[UUID, str]]]:
        rows = yield from self._rows_steps("stamps_old", [after.bytes, before.bytes], until)
        return [(UUID(bytes=number), decider) for number, decider in rows]

    def stamps_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[None]:
        yield from self._rows_steps("stamps_forget", [_listed(ids)], until)


def _lock(presence: int) -> str:
    """The lock's name; locks are the whole server's, and the number is the transaction's alone."""
    return f"{PREFIX}{presence & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def _listed(ids: Iterable[UUID]) -> str:
    return json.dumps([id.hex for id in ids])


def _finishing(gid: str, shard: str, commit: bool) -> str:
    id = owner_of(gid)
    assert id is not None
    return f"XA {'COMMIT' if commit else 'ROLLBACK'} {xa_name(id, shard)}"


_NAME = re.compile(rf"{PREFIX}([0-9a-f]{{32}})")


def _names(rows: Sequence[tuple[Any, ...]]) -> list[tuple[UUID, str]]:
    """(transaction, shard) of the prepared branches that are called as ours are."""
    found = []
    for _, length, _, data in rows:
        both = data if isinstance(data, bytes) else str(data).encode()
        match = _NAME.fullmatch(both[:length].decode("latin-1"))
        if match is not None:
            found.append((UUID(match[1]), both[length:].decode("latin-1")))
    return found


def _number(error: Error) -> str:
    """The server's own number of an error."""
    return str(error.details.get("number", "")) if error.details else ""


def _outcome(rows: Sequence[tuple[Any, ...]]) -> Outcome:
    return Outcome(rows[0][0]) if rows else Outcome.UNKNOWN


def _ids(rows: Iterable[tuple[Any, ...]]) -> set[UUID]:
    return {UUID(bytes=row[0]) for row in rows}
