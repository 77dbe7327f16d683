"""Connections and cursors for threads: thin shells that drive the steps of `speaking`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from outgrow.doors.dbapi.exceptions import Exceptions, Warning
from outgrow.doors.dbapi.speaking import Reading, Row, Speaking
from outgrow.doors.dbapi.types import Column
from outgrow.runtime import Parameters, drive
from outgrow.runtime.transaction.foreign import Xid


class CursorFacts:
    """What a cursor of either colour knows without waiting."""

    def __init__(self, connection: Any, reading: Reading) -> None:
        self._connection = connection
        self._reading = reading

    @property
    def name(self) -> str | None:
        return self._reading.name

    @property
    def description(self) -> list[Column] | None:
        """The columns of the result set; None where there is none."""
        return self._reading.description

    @property
    def rowcount(self) -> int:
        """Rows returned or affected; -1 where nobody knows (a stream, DDL)."""
        return self._reading.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The first number that AUTO_INCREMENT gave for the statement (MariaDB); None where there is none."""
        return self._reading.lastrowid

    @property
    def rownumber(self) -> int | None:
        """The index of the next row; None without a result set."""
        return self._reading.rownumber

    @property
    def arraysize(self) -> int:
        """How many rows `fetchmany` fetches by itself."""
        return self._reading.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._reading.arraysize = value

    @property
    def messages(self) -> list[tuple[type[Warning], Warning]]:
        """What the latest statement had to say, as (class, instance)."""
        return self._reading.messages

    def nextset(self) -> None:
        """There is never another: one statement has one result set."""
        self._reading.check()

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Nothing to do: values say their size."""
        self._reading.check()

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing to do: values come whole."""
        self._reading.check()


class ConnectionFacts(Exceptions):
    """What a connection of either colour knows without waiting."""

    def __init__(self, speaking: Speaking, let_go: Callable[[], None]) -> None:
        self._speaking = speaking
        self._let_go = let_go

    @property
    def closed(self) -> bool:
        return self._speaking.closed

    @property
    def autocommit(self) -> bool:
        """Every statement is a transaction of its own; set it outside of transactions."""
        return self._speaking.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._speaking.autocommit = value

    def xid(self, format_id: int, global_transaction_id: str, branch_qualifier: str) -> Xid:
        """A name for a transaction whose end the application's own coordinator decides."""
        return Xid.of(format_id, global_transaction_id, branch_qualifier)

    def tpc_begin(self, xid: object) -> None:
        """Begin a transaction of that name, outside of any other; `tpc_commit` or `tpc_rollback` ends it."""
        self._speaking.check()
        self._speaking.two_phases.begin(xid, self._speaking.autocommit)


class Cursor(CursorFacts):
    """Executes statements and fetches their rows.  Made by `connection.cursor()`."""

    @property
    def connection(self) -> Connection:
        connection: Connection = self._connection
        return connection

    def execute(self, operation: str, parameters: Parameters = None) -> Self:
        """Run one statement; `%s` takes a sequence, `%(name)s` a mapping."""
        drive(self._reading.execute_steps(operation, parameters))
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Self:
        """Run one statement with many sets of parameters, grouped by shard, in one transaction."""
        drive(self._reading.execute_many_steps(operation, seq_of_parameters))
        return self

    def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """SELECT the function; its result is fetched as rows, the parameters are returned as they were."""
        return drive(self._reading.call_steps(procname, parameters))

    def fetchone(self) -> Row | None:
        return drive(self._reading.one_steps())

    def fetchmany(self, size: int | None = None) -> list[Row]:
        return drive(self._reading.fetch_steps(self.arraysize if size is None else size))

    def fetchall(self) -> list[Row]:
        return drive(self._reading.fetch_steps(None))

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move to another row; IndexError beyond the result set."""
        self._reading.scroll(value, mode)

    def close(self) -> None:
        drive(self._reading.close_steps())

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Connection(ConnectionFacts):
    """A session that begins transactions by itself.  Made by `connect`; for one thread at a time."""

    def cursor(self, name: str | None = None) -> Cursor:
        """With a name, rows are streamed in bounded memory."""
        self._speaking.check()
        return Cursor(self, Reading(self._speaking, name))

    def commit(self) -> None:
        """All shards or none."""
        drive(self._speaking.end_steps(True))

    def rollback(self) -> None:
        drive(self._speaking.end_steps(False))

    def tpc_prepare(self) -> None:
        """The first phase: afterwards the transaction survives this process, and any process may end it."""
        drive(self._speaking.prepare_steps())

    def tpc_commit(self, xid: object = None) -> None:
        """Commit it on all shards or none; with an `xid` that transaction, whoever has prepared it."""
        drive(self._speaking.end_two_phases_steps(xid, True))

    def tpc_rollback(self, xid: object = None) -> None:
        drive(self._speaking.end_two_phases_steps(xid, False))

    def tpc_recover(self) -> list[Xid]:
        """The names of this domain's transactions that are prepared and wait for a decision, oldest first."""
        self._speaking.check()
        return drive(self._speaking.two_phases.recover_steps())

    def close(self) -> None:
        """Roll back what is open, and end.  What is prepared stays so."""
        try:
            drive(self._speaking.close_steps())
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Commit, or roll back after an exception; then close."""
        try:
            drive(self._speaking.leave_steps(kind is None))
        finally:
            self._let_go()
