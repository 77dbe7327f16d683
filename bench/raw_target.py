"""The copy target of a load, on bare `psycopg.pq`, and a driver for it: so that the load is measured, not its links."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import pq

from outgrow.errors import DatabaseError, OperationalError
from outgrow.waits import READ, WRITE, Socket, Sockets, Steps


class RawAnswer(NamedTuple):
    rows: list[tuple[Any, ...]]


class RawTarget:
    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self._pq = self.connection.pgconn
        self._pq.nonblocking = 1

    def close(self) -> None:
        self.connection.close()

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[RawAnswer]:
        self._pq.send_query_params(sql.encode(), [str(value).encode() for value in params or ()])
        result = yield from self._result_steps()
        kinds = [result.ftype(n) for n in range(result.nfields)]
        read = {16: lambda v: v == b"t", 20: int, 23: int}
        rows = [
            tuple(read.get(kind, bytes.decode)(result.get_value(row, n)) for n, kind in enumerate(kinds))  # type: ignore[operator]
            for row in range(result.ntuples)
        ]
        return RawAnswer(rows)

    def begin_steps(self, sql: str) -> Steps[None]:
        self._pq.send_query(sql.encode())
        yield from self._result_steps()

    def send_steps(self, data: bytes | memoryview) -> Steps[None]:
        self._pq.put_copy_data(data)
        yield from self._flush_steps()

    def finish_steps(self) -> Steps[int]:
        self._pq.put_copy_end()
        result = yield from self._result_steps()
        return result.command_tuples or 0

    def abort_steps(self, reason: str) -> Steps[None]:
        self._pq.put_copy_end(reason.encode())
        try:
            yield from self._result_steps()
        except DatabaseError:
            return

    def _flush_steps(self) -> Steps[None]:
        while self._pq.flush():
            ready = yield Socket(self._pq.socket, READ | WRITE)
            if ready.get(self._pq.socket, 0) & READ:
                self._consume()

    def _consume(self) -> None:
        try:
            self._pq.consume_input()
        except psycopg.OperationalError as error:
            raise OperationalError("OG-NODE-000", str(error)) from error

    def _result_steps(self) -> Steps[pq.abc.PGresult]:
        yield from self._flush_steps()
        last = None
        while True:
            while self._pq.is_busy():
                yield Socket(self._pq.socket, READ)
                self._consume()
            result = self._pq.get_result()
            if result is None:
                break
            last = result
            if result.status == pq.ExecStatus.COPY_IN:
                break
        assert last is not None
        if last.status == pq.ExecStatus.FATAL_ERROR:
            raise self._error(last)
        return last

    def _error(self, result: pq.abc.PGresult) -> DatabaseError:
        def field(name: pq.DiagnosticField) -> str:
            return (result.error_field(name) or b"").decode(errors="replace")

        sqlstate = field(pq.DiagnosticField.SQLSTATE)
        kind = OperationalError if not sqlstate or sqlstate[:2] in ("08", "57") else DatabaseError
        message = field(pq.DiagnosticField.MESSAGE_PRIMARY) or self._pq.get_error_message()
        error = kind("OG-NODE-000", message, sqlstate=sqlstate)
        error.details = {"context": field(pq.DiagnosticField.CONTEXT)}  # type: ignore[attr-defined,unused-ignore]
        return error


def drive(steps: Steps[Any]) -> Any:
    """Run steps that wait for sockets only."""
    poll = select.epoll()
    registered: dict[int, int] = {}
    try:
        wait = next(steps)
        while True:
            assert isinstance(wait, Socket | Sockets)
            wants = {wait.fd: wait.events} if isinstance(wait, Socket) else dict(wait.wants)
            for fd in registered.keys() - wants.keys():
                poll.unregister(fd)
            for fd, events in wants.items():
                flags = (select.EPOLLIN if events & READ else 0) | (select.EPOLLOUT if events & WRITE else 0)
                if fd not in registered:
                    poll.register(fd, flags)
                elif registered[fd] != events:
                    poll.modify(fd, flags)
            registered = wants
            timeout = None if wait.until is None else 0
            ready = {
                fd: (READ if flags & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) else 0)
                | (WRITE if flags & select.EPOLLOUT else 0)
                for fd, flags in poll.poll(timeout)
            }
            wait = steps.send(ready)
    except StopIteration as done:
        return done.value
    finally:
        poll.close()
