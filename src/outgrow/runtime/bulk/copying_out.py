"""COPY … TO STDOUT: every shard's rows one after the other, as one server would write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outgrow import statement
from outgrow.errors import Error, NotSupportedError
from outgrow.keyspace import Page
from outgrow.moving import BINARY_HEADER, BINARY_TRAILER, LoadFormat, RowForm, shards_of
from outgrow.nodes import CopyOut, Values, together
from outgrow.plan import Plan
from outgrow.plan.spec import Finish, Position
from outgrow.runtime import rails
from outgrow.runtime.bulk.targets import target_steps
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import Patience, editions_of
from outgrow.runtime.directories.outdated import NO_EDITIONS, Outdated
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.reading.borrowing import Borrowed
from outgrow.runtime.transaction import agreed
from outgrow.statement import CopyCommand, Kind
from outgrow.topology import Copied
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


class Outward:
    """`open_steps`, reads, `close_steps`.

    All shards begin at once, so that their snapshots are close to each other; servers whose turn has not come wait
    with full buffers.
    """

    def __init__(self, conversation: Conversation, sql: str, command: CopyCommand, form: LoadFormat) -> None:
        self._conversation = conversation
        self._sql = sql
        self._command = command
        self._form = form
        self._rows = RowForm(form)
        self._borrowed = Borrowed(conversation)
        self._outs: list[CopyOut] = []
        #: Whose turn it is, and whether it has given anything yet.
        self._turn = 0
        self._fresh = True
        #: The header's bytes, and whether the reader has them; then whether it has the end.
        self._header = b""
        self._headed = self._ended = False
        #: The last block of the binary form, which may be the one with the trailer.
        self._held = b""
        self.values: Values

    def open_steps(self) -> Steps[None]:
        try:
            sql = yield from self._held_steps()
            self.values = Values(self._outs[0].link, binary=self._form.kind == "binary")
            yield from together([out.begin_steps(sql) for out in self._outs])
        except BaseException as error:
            self._note(error)
            yield from self.close_steps()
            raise

    def _held_steps(self) -> Steps[str]:
        """Links to the shards, each with a COPY to be begun; what it is."""
        patience = Patience(self._conversation.state, None)
        while True:
            sql, shards, prepared, page = yield from self._where_steps()
            if len(shards) > 1:
                agreed.check_alone(self._conversation, "a COPY")
            editions = NO_EDITIONS if page is None else editions_of(page, shards)
            try:
                links = yield from self._borrowed.links_steps(shards, prepared, None, editions, patience.tried)
            except Outdated as outdated:
                assert page is not None
                yield from self._borrowed.finish_steps(whole=False)
                self._borrowed.give_back()
                yield from patience.again_steps(outdated, page)
                continue
            self._outs += [link.copy_out() for link in links]
            return sql

    def read_steps(self) -> Steps[bytes]:
        """The next block of whole rows, the header before the first; nothing behind the last."""
        if self._ended:
            return b""
        block = yield from self._bare_steps()
        if block is None:
            self._ended = True
            block = BINARY_TRAILER if self._form.kind == "binary" else b""
        if not self._headed:
            self._headed = True
            return self._header + block
        return block

    def rows_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        """The next rows as values, without the header; None behind the last."""
        block = yield from self._bare_steps()
        if block is None:
            self._headed = self._ended = True
            return None
        return [self.values.load(fields) for fields in self._rows.rows(block)]

    def close_steps(self) -> Steps[int]:
        """End it, read to its end or not; how many rows there were, -1 where nobody knows."""
        whole = self._turn >= len(self._outs)
        in_transaction = self._conversation.transaction is not None
        for out in self._outs[self._turn :]:
            try:
                if in_transaction:
                    # Cancelling would fail the transaction: what is left is read and thrown away.
                    while (yield from out.more_steps()) is not None:
                        pass
                else:
                    yield from out.close_steps()
            except Error as error:
                self._note(error)
        try:
            yield from self._borrowed.finish_steps(whole)
        finally:
            self._borrowed.give_back()
        return sum(out.count for out in self._outs) if whole else -1

    # -- bytes ---------------------------------------------------------------------------------------------------

    def _bare_steps(self) -> Steps[bytes | None]:
        """The next block of rows without what stands before and behind them; None behind the last."""
        while self._turn < len(self._outs):
            out, fresh = self._outs[self._turn], self._fresh
            try:
                # A server sends its header by itself, or before its first row.
                block = yield from out.more_steps(1 if fresh else 1 << 16)
            except BaseException as error:
                self._note(error)
                raise
            self._fresh = False
            if block is None:
                # Each shard's part of the binary form ends with a trailer; one comes behind all of them.
                block, self._held = self._held[: -len(BINARY_TRAILER)], b""
                self._turn, self._fresh = self._turn + 1, True
            else:
                if fresh:
                    block = self._without_header(block)
                if self._form.kind == "binary":
                    block, self._held = self._held, block
            if block:
                return block
        return None

    def _without_header(self, block: bytes) -> bytes:
        size = 0
        if self._form.kind == "binary":
            size = len(BINARY_HEADER)
        elif self._form.header:
            size = len(block)
        if not self._turn:
            self._header = block[:size]
        return block[size:]

    def _note(self, error: BaseException) -> None:
        transaction = self._conversation.transaction
        if transaction is not None and transaction.failed is None and isinstance(error, Error):
            transaction.failed = error

    # -- where ---------------------------------------------------------------------------------------------------

    def _where_steps(self) -> Steps[tuple[str, tuple[str, ...], Prepared | None, Page | None]]:
        """What each shard runs, which shards, and the plan of the query if it is one.

        With the page of the directory that says so, where it is asked.
        """
        conversation, query = self._conversation, self._command.query
        if query is None:
            shards, page = yield from self._holders_steps()
            return self._sql, shards, None, page
        prepared = yield from conversation.prepared_steps(query, False, None)
        if prepared.statement.kind is not Kind.QUERY or prepared.drawing is not None:
            what = "a query that draws from a sequence" if prepared.drawing else prepared.statement.command
            raise NotSupportedError(
                "OG-COPY-016",
                f"COPY of {what}: only rows that are there are copied out",
                cure="run the statement with execute(), with RETURNING where its rows are wanted",
            )
        if conversation.transaction is not None and conversation.transaction.definitions:
            conversation.transaction.defined.check(prepared.statement)
        located, read_off = yield from directory.located_steps(conversation.state, prepared, (), None)
        page = read_off if prepared.plan.listed else None
        if not located.scatter:
            one = conversation.preferred() if located.any else located.shards[0]
            return self._sql, (one,), prepared, page
        rails.check(conversation, prepared, located.shards)
        return self._scattered(prepared.plan), located.shards, prepared, page

    def _holders_steps(self) -> Steps[tuple[tuple[str, ...], Page | None]]:
        conversation = self._conversation
        assert self._command.table is not None
        schema, name = self._command.table
        _, target = yield from target_steps(conversation, name, schema)
        if isinstance(target.placement, Copied):
            return (conversation.preferred(),), None
        placer = conversation.state.picture.placer
        return tuple(shards_of(target, placer)), placer.book.page if directory.lists(placer, target) else None

    def _scattered(self, plan: Plan) -> str:
        """The same COPY of each shard's fragment; refused where the rows together need more than laying end to end."""
        finish = plan.finish
        if plan.is_brought:
            needs = "brings their rows to one server"
        else:
            needs = "locks rows on one after another" if finish is None or plan.change is not None else _needs(finish)
        if needs or finish is None or plan.fragment_sql is None:
            raise NotSupportedError(
                "OG-COPY-017",
                f"over several shards this query {needs}, which COPY cannot do",
                cure="leave that out, restrict the query to one key, or use session.stream() and write the rows",
            )
        fragment = plan.fragment_sql
        if self._form.header:
            names = ", ".join('"' + output.name.replace('"', '""') + '"' for output in finish.outputs)
            fragment = f"SELECT * FROM ({fragment}) AS copied ({names})"
        return statement.copy_of(self._sql, fragment)


def _needs(finish: Finish) -> str:
    """What stands between the shards' rows and the result, in words; nothing where laying them end to end will do."""
    if finish.combine is not None:
        return "combines partial results"
    if finish.sort:
        return "sorts (ORDER BY)"
    if finish.distinct is not None:
        return "drops duplicates"
    if finish.limit is not None or finish.offset is not None:
        return "counts rows (LIMIT, OFFSET)"
    straight = tuple(output.expr for output in finish.outputs) == tuple(map(Position, range(finish.width)))
    return "" if straight and finish.visible == finish.width else "computes columns"
