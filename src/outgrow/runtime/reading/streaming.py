"""A query's rows as they arrive, merged in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.errors import NotSupportedError
from outgrow.finish import Finisher
from outgrow.nodes import Field, Stream, together
from outgrow.plan import Located
from outgrow.runtime import rails
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import Patience, editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions, Outdated
from outgrow.runtime.events.telling import Telling
from outgrow.runtime.prepared import Parameters, Prepared, values_of
from outgrow.runtime.reading import across, bringing
from outgrow.runtime.reading.borrowing import Borrowed
from outgrow.runtime.reading.disagreeing import explained_steps
from outgrow.runtime.transaction import agreed
from outgrow.runtime.transaction.agreed import AgreedTransaction
from outgrow.statement import Kind
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


class Streaming:
    """One stream: opened at the first call of `more_steps`."""

    def __init__(
        self,
        conversation: Conversation,
        sql: str,
        parameters: Parameters,
        timeout_seconds: float | None,
        chunk_rows: int,
    ) -> None:
        self._conversation = conversation
        self._sql = sql
        self._parameters = parameters
        self._until = None if timeout_seconds is None else monotonic() + timeout_seconds
        self._chunk_rows = chunk_rows
        self._borrowed = Borrowed(conversation)
        #: Where the session's reads are atomic and it has no transaction: the stream's own snapshots.
        self._snapshots: AgreedTransaction | None = None
        self._streams: list[Stream] = []
        self._finisher: Finisher | None = None
        self._opened = False
        #: Where somebody listens: the event, and the rows so far.
        self._telling: Telling | None = None
        self._count = 0
        self.fields: tuple[Field, ...] = ()

    def more_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        """The next rows; None behind the last."""
        opened, self._opened = self._opened, True
        if not opened and self._conversation.state.tell is not None:
            self._telling = Telling(self._conversation, self._sql, self._parameters, alone=True)
        try:
            if not opened:
                yield from self._open_steps()
            rows = yield from self._more_steps()
            if rows is None and (self._borrowed.in_transactions or self._snapshots is not None):
                yield from self._end_steps(whole=True)
        except BaseException as error:
            self._tell(error)
            raise
        self._count += len(rows or ())
        return rows

    def _tell(self, error: BaseException | None) -> None:
        """The stream is over, or what opened it was refused."""
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.streamed([stream.link.node for stream in self._streams])
            telling.end(self._count, error=error)

    def _more_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        finisher = self._finisher
        if finisher is None:
            return (yield from self._streams[0].more_steps())
        while True:
            rows: list[tuple[Any, ...]] = finisher.ready()
            if rows:
                return rows
            wants = finisher.wants()
            if not wants:
                return None
            answers = yield from together([self._streams[index].more_steps() for index in wants])
            for index, chunk in zip(wants, answers, strict=True):
                if chunk is None:
                    finisher.end(index)
                else:
                    finisher.feed(index, chunk)

    def _open_steps(self) -> Steps[None]:
        conversation = self._conversation
        state = conversation.state
        prepared = yield from conversation.prepared_steps(self._sql, self._parameters is not None, self._until)
        if prepared.statement.kind is not Kind.QUERY or prepared.claims:
            raise NotSupportedError(
                "OG-RUN-012",
                f"{prepared.statement.command} does not stream",
                cure="use execute(); stream() is for queries",
            )
        if conversation.transaction is not None:
            conversation.transaction.defined.check(prepared.statement)
        values = values_of(prepared.placeholders, self._parameters)
        if prepared.drawing is not None:
            values = yield from state.sequences.values_steps(prepared.drawing, values, self._until)
        if prepared.plan.across is not None:
            yield from self._across_steps(prepared, values)
            return
        patience = Patience(state, self._until)
        while True:
            located, page = yield from directory.located_steps(state, prepared, values, self._until)
            if self._telling is not None:
                self._telling.located = located
            editions = editions_of(page, located.shards) if prepared.plan.listed else NO_EDITIONS
            try:
                steps = self._placed_steps(prepared, located, values, editions, patience.tried)
                yield from explained_steps(state, prepared, steps, self._until)
                return
            except Outdated as outdated:
                yield from self._let_go_steps(whole=False)
                self._borrowed.give_back()
                yield from patience.again_steps(outdated, page)

    def _across_steps(self, prepared: Prepared, values: Sequence[Any]) -> Steps[None]:
        """Of several domains: what is brought is here at once; the answer comes in chunks."""
        made, ready = yield from across.ready_steps(self._conversation, prepared, values, self._until)
        (link,) = yield from self._borrowed.links_steps((ready.shard,), prepared, self._until, NO_EDITIONS, False)
        stream = link.stream(ready.sql, ready.params or None, chunk_rows=self._chunk_rows, until=self._until)
        stream.expendable = self._borrowed.in_transactions
        self._streams.append(stream)
        fields = yield from stream.open_steps()
        self.fields = tuple(field._replace(name=name) for field, name in zip(fields, made.names, strict=True))

    def _placed_steps(
        self, prepared: Prepared, located: Located, values: Sequence[Any], editions: Editions, on_primaries: bool
    ) -> Steps[None]:
        """Start it, in snapshots of its own where it needs them."""
        steps = self._start_steps(prepared, located, values, editions, on_primaries)
        if not located.scatter or not agreed.needed(self._conversation, prepared, False):
            yield from steps
            return
        scope = agreed.scope_of(self._conversation, prepared, located.shards)
        self._snapshots = AgreedTransaction(self._conversation, agreed.BEGIN, scope)
        yield from agreed.aside_steps(self._conversation, self._snapshots, steps)

    def _start_steps(
        self, prepared: Prepared, located: Located, values: Sequence[Any], editions: Editions, on_primaries: bool
    ) -> Steps[None]:
        if located.scatter and prepared.plan.change is not None:
            raise NotSupportedError(
                "OG-RUN-036",
                "rows are locked on one shard after another, which does not stream over several shards",
                cure="use execute(), or restrict the statement to one key",
            )
        shards = located.shards
        if located.scatter:
            rails.check(self._conversation, prepared, shards)
        brought = prepared.plan.brought if located.scatter and prepared.plan.is_brought else None
        if not located.scatter:
            sql, params = prepared.sql, values or None
        elif brought is not None:
            ready = yield from bringing.ready_steps(self._conversation, prepared, values, self._until, False)
            sql, params, shards = ready.sql, ready.params or None, (ready.shard,)
        else:
            assert prepared.plan.fragment_sql is not None and prepared.plan.finish is not None
            sql = prepared.plan.fragment_sql
            params = prepared.plan.fragment_values(values) or None
            self._finisher = Finisher(prepared.plan.finish, values)
        links = yield from self._borrowed.links_steps(
            shards, prepared, self._until, NO_EDITIONS if brought is not None else editions, on_primaries
        )
        if editions and self._borrowed.in_transactions:
            # In a block a statement that was prepared before a DDL fails; this text is prepared nowhere.
            sql += "\n"
        for link in links:
            stream = link.stream(sql, params, chunk_rows=self._chunk_rows, until=self._until)
            stream.expendable = self._borrowed.in_transactions or self._snapshots is not None
            self._streams.append(stream)
        fields = yield from together([stream.open_steps() for stream in self._streams])
        if brought is not None:
            self.fields = tuple(bringing.named(brought, fields[0]))
        elif self._finisher is None:
            self.fields = fields[0]
        else:
            self.fields = tuple(Field(*column) for column in self._finisher.begin(fields))

    def close_steps(self) -> Steps[None]:
        """End the stream, finished or not: what still runs on servers is cancelled."""
        try:
            yield from self._end_steps(whole=False)
        finally:
            self._borrowed.give_back()
        self._tell(None)

    def _end_steps(self, whole: bool) -> Steps[None]:
        try:
            for stream in self._streams:
                yield from stream.close_steps()
            yield from self._let_go_steps(whole)
        except BaseException:
            # A stream that cannot be ended must not leave the others' snapshots open, which nobody else knows of.
            snapshots, self._snapshots = self._snapshots, None
            if snapshots is not None:
                snapshots.abandon()
                self._conversation.stood_on(snapshots.touched)
            raise

    def _let_go_steps(self, whole: bool) -> Steps[None]:
        """End the transactions that are the stream's own."""
        yield from self._borrowed.finish_steps(whole)
        if self._snapshots is not None:
            # (A finish may have had enough of a stream, which was cancelled then.)
            yield from agreed.let_go_steps(self._conversation, self._snapshots, False)
            self._snapshots = None
