"""What connections and cursors do, as steps: the one code behind both colours of waiting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from outgrow.doors.dbapi import refusals
from outgrow.doors.dbapi.exceptions import Warning
from outgrow.doors.dbapi.two_phases import TwoPhases
from outgrow.doors.dbapi.types import Column, described
from outgrow.errors import Error
from outgrow.runtime import Conversation, Field, Kind, Parameters, Result, Streaming, batch_steps
from outgrow.waits import Steps

Row = tuple[Any, ...]

#: Commands that begin and end transactions by themselves.
_OWN = frozenset(("BEGIN", "COMMIT", "ROLLBACK"))
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)?")
#: Rows that a named cursor asks of each shard at a time, at least.
_CHUNK_ROWS = 1000


class Speaking:
    """A connection: a conversation that begins transactions by itself."""

    def __init__(self, conversation: Conversation, autocommit: bool) -> None:
        self.conversation = conversation
        self._autocommit = autocommit
        self.closed = False
        #: Named cursors whose streams hold this transaction's branches.
        self.streams: list[Reading] = []
        self.two_phases = TwoPhases(conversation)

    @property
    def autocommit(self) -> bool:
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self.check()
        if self.conversation.transaction is not None or self.two_phases.xid is not None:
            raise refusals.in_transaction("autocommit cannot be changed")
        self._autocommit = bool(value)

    def check(self) -> None:
        if self.closed:
            raise refusals.closed("connection")

    def ready_steps(self, sql: str, parameters: bool) -> Steps[None]:
        """Before a statement: nothing streams, and a transaction is open where one is due."""
        self.check()
        if self.two_phases.prepared:
            raise refusals.prepared(self.two_phases.xid)
        self.streams = [one for one in self.streams if one.streaming]
        if self.streams:
            raise refusals.streaming(self.streams[0].name or "")
        conversation, xid = self.conversation, self.two_phases.xid
        if xid is None and (self._autocommit or conversation.transaction is not None):
            return
        prepared = yield from conversation.prepared_steps(sql, parameters, None)
        statement = prepared.statement
        own = statement.kind is Kind.TRANSACTION and statement.command in _OWN
        if xid is not None:
            if own:
                raise refusals.two_phases(statement.command, xid)
        # What a session SETs lasts beyond transactions, and is said outside of them.
        elif not own and statement.kind is not Kind.SESSION:
            conversation.begin()

    def end_steps(self, well: bool) -> Steps[None]:
        """commit() or rollback(): also of nothing."""
        self.check()
        if self.two_phases.xid is not None:
            raise refusals.two_phases("commit()" if well else "rollback()", self.two_phases.xid)
        yield from self._quiet_steps()
        if well:
            yield from self.conversation.commit_steps()
        else:
            yield from self.conversation.rollback_steps()

    def prepare_steps(self) -> Steps[None]:
        """tpc_prepare()."""
        self.check()
        yield from self._quiet_steps()
        yield from self.two_phases.prepare_steps()

    def end_two_phases_steps(self, xid: object, commit: bool) -> Steps[None]:
        """tpc_commit() or tpc_rollback()."""
        self.check()
        yield from self._quiet_steps()
        yield from self.two_phases.end_steps(xid, commit)

    def close_steps(self) -> Steps[None]:
        if self.closed:
            return
        self.closed = True
        try:
            yield from self._quiet_steps()
        finally:
            yield from self.conversation.close_steps()

    def leave_steps(self, well: bool) -> Steps[None]:
        """The end of a `with` block: commit or roll back, then close.  What is prepared stays so."""
        try:
            if not self.closed and not self.two_phases.prepared and (well or self.two_phases.xid is None):
                yield from self.end_steps(well)
        finally:
            yield from self.close_steps()

    def _quiet_steps(self) -> Steps[None]:
        """End the streams of named cursors: their rows are the transaction's."""
        streams, self.streams = self.streams, []
        for one in streams:
            yield from one.stop_steps()


class Reading:
    """A cursor: the latest statement's outcome, and how far it has been read."""

    def __init__(self, speaking: Speaking, name: str | None) -> None:
        self.speaking = speaking
        self.name = name
        self.arraysize = 1
        self.closed = False
        self.streaming: Streaming | None = None
        #: (class, instance) pairs, as PEP 249 has them.
        self.messages: list[tuple[type[Warning], Warning]] = []
        self._forget("nothing was executed")

    def _forget(self, why: str) -> None:
        self.description: list[Column] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        #: The index of the next row; None where there is no result set.
        self.rownumber: int | None = None
        self._why = why
        self._rows: list[Row] = []
        #: The place in `_rows`; the same as `rownumber` but in streams.
        self._at = 0

    def check(self) -> None:
        self.speaking.check()
        if self.closed:
            raise refusals.closed("cursor")

    # -- statements ----------------------------------------------------------------------------------------------

    def execute_steps(self, sql: str, parameters: Parameters) -> Steps[None]:
        yield from self._renew_steps()
        yield from self.speaking.ready_steps(sql, parameters is not None)
        if self.name is not None:
            yield from self._stream_steps(sql, parameters)
            return
        result = yield from self.speaking.conversation.execute_steps(sql, parameters, None, None)
        self._take(result)

    def execute_many_steps(self, sql: str, many: Iterable[Parameters]) -> Steps[None]:
        """All sets in one transaction, also with autocommit."""
        yield from self._renew_steps()
        if self.name is not None:
            raise refusals.many_to_stream(self.name)
        sets = list(many)
        if sets:
            yield from self.speaking.ready_steps(sql, True)
        self.rowcount = yield from batch_steps(self.speaking.conversation, sql, sets)
        self._why = "executemany returns none"

    def call_steps(self, name: str, parameters: Sequence[Any]) -> Steps[list[Any]]:
        """SELECT the function; its arguments only go in, so the copy of them is as they were."""
        if _FUNCTION.fullmatch(name) is None:
            raise refusals.not_a_name(name)
        arguments = list(parameters)
        places = ", ".join(["%s"] * len(arguments))
        yield from self.execute_steps(f"SELECT {name}({places})", arguments)
        return arguments

    def close_steps(self) -> Steps[None]:
        if self.closed:
            return
        self.closed = True
        yield from self.stop_steps()
        self._forget("the cursor is closed")

    def stop_steps(self) -> Steps[None]:
        """End the stream; what was not fetched is gone."""
        streaming, self.streaming = self.streaming, None
        if streaming is not None:
            self._rows, self._at = [], 0
            yield from streaming.close_steps()

    def _renew_steps(self) -> Steps[None]:
        self.check()
        self.messages.clear()
        yield from self.stop_steps()
        self._forget("the statement failed")

    def _take(self, result: Result) -> None:
        self.rowcount = result.rowcount
        self.lastrowid = result.lastrowid
        self.messages += [(Warning, Warning(notice)) for notice in result.notices]
        self._why = f"{result.statusmessage or 'the statement'} returned none"
        if result.fields or result.statusmessage == "SELECT":
            self._show(result.fields)
            self._rows = result.fetchall()

    def _show(self, fields: Sequence[Field]) -> None:
        self.description = described(fields)
        self.rownumber = 0

    def _stream_steps(self, sql: str, parameters: Parameters) -> Steps[None]:
        conversation = self.speaking.conversation
        self.streaming = Streaming(conversation, sql, parameters, None, max(_CHUNK_ROWS, self.arraysize))
        if conversation.transaction is not None:
            self.speaking.streams.append(self)
        fields = self.streaming
        yield from self._more_steps()
        self._show(fields.fields)

    def _more_steps(self) -> Steps[None]:
        """The stream's next rows behind those not fetched yet; `streaming` is None behind the last."""
        streaming = self.streaming
        assert streaming is not None
        try:
            rows = yield from streaming.more_steps()
        except BaseException as error:
            transaction = self.speaking.conversation.transaction
            if transaction is not None and isinstance(error, Error):
                transaction.failed = transaction.failed or error
            yield from self.stop_steps()
            raise
        self._rows, self._at = [*self._rows[self._at :], *(rows or ())], 0
        if rows is None:
            self.streaming = None
            yield from streaming.close_steps()

    # -- rows ----------------------------------------------------------------------------------------------------

    def fetch_steps(self, count: int | None) -> Steps[list[Row]]:
        """The next `count` rows, or all; fewer, or none, at the end."""
        self.check()
        if self.rownumber is None:
            raise refusals.no_rows(self._why)
        while self.streaming is not None and (count is None or len(self._rows) - self._at < count):
            yield from self._more_steps()
        end = len(self._rows) if count is None else min(len(self._rows), self._at + max(0, count))
        rows = self._rows[self._at : end]
        self._at = end
        self.rownumber += len(rows)
        return rows

    def one_steps(self) -> Steps[Row | None]:
        rows = yield from self.fetch_steps(1)
        return rows[0] if rows else None

    def scroll(self, value: int, mode: str) -> None:
        self.check()
        if self.name is not None:
            raise refusals.not_scrolling(self.name)
        if self.rownumber is None:
            raise refusals.no_rows(self._why)
        if mode not in ("relative", "absolute"):
            raise refusals.wrong_mode(mode)
        target = value + self.rownumber if mode == "relative" else value
        if not 0 <= target < len(self._rows):
            raise IndexError(f"row {target} of {len(self._rows)}")
        self._at = self.rownumber = target
