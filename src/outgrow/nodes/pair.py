"""Several statements in one flush: a write and its LSN, a guard and its read, the end of a branch.

With a Sync each, outside a transaction, each is its own implicit transaction: the second sees what the first
committed, and one may fail without the other.  (Under one Sync they would share a transaction, and the LSN would be
older than the commit.)  Chained, they share one Sync: behind one that failed nothing runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq.abc import PGresult

from outgrow import errors
from outgrow.nodes import translate
from outgrow.nodes.exchange import (
    COMMAND_OK,
    FATAL_ERROR,
    PIPELINE_ABORTED,
    PIPELINE_SYNC,
    TUPLES_CHUNK,
    TUPLES_OK,
    Broken,
    Late,
    cancel_steps,
    cancel_until,
    flush_steps,
)
from outgrow.nodes.prepared import Key, Prepared
from outgrow.nodes.recovery import lost, used_wrongly
from outgrow.nodes.rows import Rows, fields_of
from outgrow.nodes.waiting import undisturbed_steps
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.nodes.link import Link, Params

#: A text with `$n` placeholders and its parameters.
Asked = tuple[str, "Params"]
Outcome = Rows | errors.Error

#: Command tags behind which nothing is to be loaded, counted or learnt.
_PLAIN = {
    tag.encode(): tag
    for tag in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PREPARE TRANSACTION", "COMMIT PREPARED")
}


class _Part:
    """One of the statements: what was sent for it and what came back.  Several are made per transaction."""

    __slots__ = ("formats", "key", "known", "messages", "new", "results", "sql", "synced", "types", "values")

    def __init__(self, link: Link, sql: str, params: Params, prepare: bool) -> None:
        self.sql = sql
        types: tuple[int, ...]
        if params:
            self.values, types, self.formats = link.dump(params)
        else:
            self.values, types, self.formats = None, (), None
        self.types = types
        self.key: Key = (sql, types)
        self.results: list[PGresult] = []
        #: Its answer ends with a Sync's; else with that of its last message.
        self.synced = True
        self.messages = 1
        self.known: Prepared | None = None
        self.new: Prepared | None = None
        if prepare:
            preparations = link.preparations
            self.known = preparations.known.get(self.key)
            if self.known is None and preparations.should_prepare(self.key):
                self.new = preparations.new()
                self.messages = 2

    def send(self, link: Link) -> None:
        pgconn = link.pgconn
        prepared = self.known or self.new
        if self.new is not None:
            pgconn.send_prepare(self.new.name, link.encoded(self.sql), self.types)
        if prepared is not None:
            pgconn.send_query_prepared(prepared.name, self.values, self.formats)
        else:
            pgconn.send_query_params(link.encoded(self.sql), self.values, self.types, self.formats)
        if self.synced:
            pgconn.pipeline_sync()

    def usual(self, link: Link) -> Rows | None:
        """The outcome of a statement that went as it always does: nothing is to be asked or learnt."""
        if len(self.results) != 1:
            return None
        result = self.results[0]
        known = self.known
        if known is not None:
            link.count_use(known)
        if result.status == COMMAND_OK:
            if (plain := _PLAIN.get(result.command_status or b"")) is not None:
                return Rows((), [], plain, -1)
        elif result.status != TUPLES_OK:
            return None
        return link.rows_of(result, known.fields) if known is not None else None

    def error(self, link: Link, late: bool) -> errors.Error | None:
        for result in self.results:
            if result.status == FATAL_ERROR:
                if late and translate.sqlstate_of(result) == translate.CANCELED:
                    return translate.late(link.node)
                return translate.from_result(result, link.node)
        return None

    def stale(self) -> bool:
        """The server refused the prepared statement as out of date; outside a transaction it may run again."""
        return self.known is not None and any(
            result.status == FATAL_ERROR and translate.sqlstate_of(result) in translate.STALE
            for result in self.results
        )  # fmt: skip

    def harmless(self) -> bool:
        """It failed or only read: running it once more changes nothing."""
        last = self.results[-1] if self.results else None
        return last is None or last.status == FATAL_ERROR or (last.command_status or b"").startswith(b"SELECT")

    def outcome_steps(
        self, link: Link, late: bool, until: float | None, ask: bool = True, failed: errors.Error | None = None
    ) -> Steps[Outcome]:
        """Rows or error.  Runs when both are over, because a type's name may have to be asked."""
        preparations = link.preparations
        error = self.error(link, late)
        if error is None and (not self.results or self.results[-1].status == PIPELINE_ABORTED):
            # It shares a Sync with one that failed; or nothing came at all.
            error = failed or translate.lost(link.node, "no answer", before=False)
        if error is not None:
            if self.new is not None:
                preparations.stale.append(self.new.name)
            return error
        result = self.results[-1]
        fields = self.known.fields if self.known is not None else None
        if fields is None and ask:
            fields = yield from link.fields_steps(result, until)
        elif fields is None:
            fields = fields_of(result, link.names)
        rows = link.rows_of(result, fields)
        # libpq's chunked mode, set by a stream, outlives it and reaches into the pipeline that comes next.
        if chunks := [chunk for chunk in self.results if chunk.status == TUPLES_CHUNK]:
            rows.rows[:0] = [row for chunk in chunks for row in link.load(chunk)]
            if not rows.status:
                rows.status = (chunks[-1].command_status or b"").decode().rstrip("0123456789 ")
                rows.count = -1 if chunks[-1].command_tuples is None else chunks[-1].command_tuples
        prepared = self.known or self.new
        if prepared is not None:
            prepared.learn(fields, rows.status)
            link.count_use(prepared)
            if self.new is not None:
                preparations.add(self.key, self.new)
        return rows


class _Description(_Part):
    """A statement that is only parsed and described, without a name."""

    __slots__ = ("text",)

    def __init__(self, text: bytes, types: tuple[int, ...]) -> None:
        self.text = text
        self.types = types
        self.results = []
        self.synced = True
        self.messages = 2

    def send(self, link: Link) -> None:
        link.pgconn.send_prepare(b"", self.text, self.types)
        link.pgconn.send_describe_prepared(b"")
        link.pgconn.pipeline_sync()


def two_steps(
    link: Link, first: Asked, second: Asked, until: float | None, prepare: bool
) -> Steps[tuple[Outcome, Outcome]]:
    """See `Link.run_two_steps`."""
    if link.pooled:
        one, two = yield from _one_by_one_steps(link, (first, second), until)
        return one, two
    parts = (_Part(link, *first, prepare), _Part(link, *second, prepare))
    done, late, broken = yield from _exchange_steps(link, parts, until)
    if broken is None and any(stale := [part.stale() for part in parts]):
        link.preparations.drop()
        if not link.in_transaction:
            if not stale[0]:
                outcome = yield from parts[0].outcome_steps(link, late, until)
                return outcome, (yield from _alone_steps(link, second, until))
            if stale[1] or parts[1].harmless():
                return (yield from two_steps(link, first, second, until, prepare=False))
    one, two = yield from _outcomes_steps(link, parts, done, late, broken, until)
    return one, two


def many_steps(
    link: Link, asked: Sequence[Asked], until: float | None, prepare: Sequence[bool], chained: bool
) -> Steps[list[Outcome]]:
    """See `Link.run_many_steps`."""
    if link.pooled and not chained:
        return (yield from _one_by_one_steps(link, asked, until))
    parts = [_Part(link, sql, params, may) for (sql, params), may in zip(asked, prepare, strict=True)]
    if chained:
        for part in parts[:-1]:
            part.synced = False
        if len(parts) > 1 and any(part.new is not None for part in parts):
            _share(parts)
    done, late, broken = yield from _exchange_steps(link, parts, until)
    if broken is None and not late:
        usual = [part.usual(link) for part in parts]
        if None not in usual:
            return usual  # type: ignore[return-value]
    outcomes = yield from _outcomes_steps(link, parts, done, late, broken, until)
    failed = broken is None and any(isinstance(outcome, errors.Error) for outcome in outcomes)
    if failed and any(part.stale() for part in parts):
        link.preparations.drop()
    return outcomes


def checked_steps(link: Link, asked: Sequence[Asked], chain: int, until: float | None) -> Steps[list[Outcome]]:
    """A statement among checks, in one flush: the first `chain` statements share one Sync, the others have one each.

    For outside a transaction.  Only the chain may write: one whose prepared statements were out of date has done
    nothing and runs once more; what stands beside it is asked again.
    """
    if link.engine != "postgresql":
        # (One by one there, and nobody asks for a chain.)
        return (yield from link.run_many_steps(asked, until=until))
    for prepare in (True, False):
        parts = [_Part(link, sql, params, prepare) for sql, params in asked]
        for part in parts[: max(0, chain - 1)]:
            part.synced = False
        _share(parts)
        done, late, broken = yield from _exchange_steps(link, parts, until)
        stale = [part.stale() for part in parts] if broken is None else []
        if any(stale):
            link.preparations.drop()
        if not any(stale[:chain] if chain else stale):
            break
    outcomes = yield from _outcomes_steps(link, parts, done, late, broken, until)
    for at, again in enumerate(stale):
        if again:
            outcomes[at] = yield from _alone_steps(link, asked[at], until)
    return outcomes


def _one_by_one_steps(link: Link, asked: Sequence[Asked], until: float | None) -> Steps[list[Outcome]]:
    """Behind a pooler each message has one Sync: behind the first, the rest might go to another connection."""
    outcomes: list[Outcome] = []
    for statement in asked:
        if link.closed and outcomes:
            outcomes.append(translate.lost(link.node, "it was lost by the statement before", before=True))
        elif outcomes:
            outcomes.append((yield from _alone_steps(link, statement, until)))
        else:
            outcomes += yield from many_steps(link, [statement], until, [False], chained=True)
    return outcomes


def described_steps(link: Link, text: bytes, types: tuple[int, ...], until: float | None) -> Steps[PGresult]:
    """What a statement's columns will be.  In one message: behind a pooler two could reach two connections."""
    part = _Description(text, types)
    _, late, broken = yield from _exchange_steps(link, (part,), until)
    if broken is not None:
        raise lost(link, broken, seen=part.results) from broken
    error = part.error(link, late)
    if error is not None:
        raise error
    return part.results[-1]


def _share(parts: Sequence[_Part]) -> None:
    """One preparation serves all later parts of its text: a batch would otherwise prepare it again and again."""
    new: dict[Key, Prepared] = {}
    for part in parts:
        if (earlier := new.get(part.key)) is not None:
            part.known, part.new, part.messages = earlier, None, 1
        elif part.new is not None:
            new[part.key] = part.new


def _exchange_steps(
    link: Link, parts: Sequence[_Part], until: float | None
) -> Steps[tuple[list[_Part], bool, psycopg.Error | None]]:
    """Send all and read all: those that are over, whether time ran out, and what broke the link behind the first."""
    if link.in_flight:
        raise used_wrongly(link)
    pgconn = link.pgconn
    link.in_flight = True
    done: list[_Part] = []
    late = False
    try:
        try:
            pgconn.enter_pipeline_mode()
            for part in parts:
                part.send(link)
        except psycopg.Error as error:
            raise lost(link, error, before=True) from error
        if pgconn.flush():
            yield from flush_steps(pgconn, until)
        try:
            yield from _read_steps(link, parts, done, until)
        except Late:
            late = True
            yield from undisturbed_steps(_stop_steps(link, parts, done))
        pgconn.exit_pipeline_mode()
    except psycopg.Error as error:
        if not done:
            raise lost(link, error, seen=parts[0].results) from error
        return done, late, error
    except GeneratorExit:
        link.close()
        raise
    except BaseException:
        if pgconn.status == 0:
            yield from _settle_steps(link, parts, done)
        raise
    link.in_flight = False
    return done, late, None


def _outcomes_steps(
    link: Link,
    parts: Sequence[_Part],
    done: list[_Part],
    late: bool,
    broken: psycopg.Error | None,
    until: float | None,
) -> Steps[list[Outcome]]:
    """What is known to be over keeps its answer, also where the link broke afterwards."""
    outcomes: list[Outcome] = []
    for part in done if broken is not None else parts:
        if (usual := part.usual(link)) is not None:
            outcomes.append(usual)
            continue
        limit, ask = (None, False) if broken is not None else (until, True)
        failed = outcomes[-1] if outcomes and isinstance(outcomes[-1], errors.Error) else None
        outcomes.append((yield from part.outcome_steps(link, late, limit, ask=ask, failed=failed)))
    if broken is not None:
        seen = parts[len(done)].results if len(done) < len(parts) else ()
        gone = lost(link, broken, seen=seen)
        outcomes += [gone] * (len(parts) - len(done))
    return outcomes


def _alone_steps(link: Link, statement: Asked, until: float | None) -> Steps[Outcome]:
    try:
        return (yield from link.run_steps(*statement, until=until, prepare=False))
    except errors.Error as error:
        return error


def _read_steps(link: Link, parts: Sequence[_Part], done: list[_Part], until: float | None) -> Steps[None]:
    """Read each part's results up to its Sync."""
    readable = link.readable(until)
    pgconn = link.pgconn
    for part in parts[len(done) :]:
        while True:
            # `result_steps`, kept in line: there are three results a statement.
            while pgconn.is_busy():
                if not (yield readable):
                    raise Late
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                part.messages -= 1
                if not (part.messages or part.synced):
                    break
            elif result.status == PIPELINE_SYNC:
                break
            else:
                part.results.append(result)
        done.append(part)


def _stop_steps(link: Link, parts: Sequence[_Part], done: list[_Part]) -> Steps[None]:
    """Cancel what runs, part by part: one cancel request reaches only the statement that runs just then."""
    try:
        until = cancel_until(link.settings.cancel_timeout_seconds)
        if link.pgconn.flush():
            raise Broken("the statements were not wholly sent")
        while len(done) < len(parts):
            yield from cancel_steps(link.pgconn, until, link.pooled)
            yield from _read_steps(link, parts[: len(done) + 1], done, until)
    except Exception:
        link.close()
        raise translate.unconfirmed(link.node) from None


def _settle_steps(link: Link, parts: Sequence[_Part], done: list[_Part]) -> Steps[Any]:
    """An exception was thrown in: stop both and leave pipeline mode, or close the link."""
    try:
        yield from undisturbed_steps(_stop_steps(link, parts, done))
        link.pgconn.exit_pipeline_mode()
        link.in_flight = False
    except BaseException:
        link.close()
