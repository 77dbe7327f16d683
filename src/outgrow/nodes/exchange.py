"""The conversation with one backend, in libpq's non-blocking calls: send, wait, read, cancel, drain.

Generators over `psycopg.pq` that know bytes and results, not statements.  A wait that ends because its `until`
passed raises `Late` here; `link` decides what that means.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from concurrent.futures import Future as ThreadFuture
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, PollingStatus, TransactionStatus
from psycopg.pq.abc import PGcancelConn, PGconn, PGresult

from outgrow.clock import monotonic
from outgrow.waits import READ, WRITE, Future, Socket, Steps

# Plain integers: the compiled pq returns them, and comparing enum members costs ten times as much.
COMMAND_OK = int(ExecStatus.COMMAND_OK)
TUPLES_OK = int(ExecStatus.TUPLES_OK)
TUPLES_CHUNK = int(ExecStatus.TUPLES_CHUNK)
EMPTY_QUERY = int(ExecStatus.EMPTY_QUERY)
COPY_IN = int(ExecStatus.COPY_IN)
COPY_OUT = int(ExecStatus.COPY_OUT)
COPY_BOTH = int(ExecStatus.COPY_BOTH)
FATAL_ERROR = int(ExecStatus.FATAL_ERROR)
PIPELINE_SYNC = int(ExecStatus.PIPELINE_SYNC)
PIPELINE_ABORTED = int(ExecStatus.PIPELINE_ABORTED)
IDLE = int(TransactionStatus.IDLE)
INERROR = int(TransactionStatus.INERROR)

_POLL_READING = int(PollingStatus.READING)
_POLL_WRITING = int(PollingStatus.WRITING)
_POLL_OK = int(PollingStatus.OK)

#: How long a cancelled statement may be silent before it is cancelled again.
_CANCEL_AGAIN_SECONDS = 0.2

#: Requests to poolers that were not answered in time.  PgBouncer 1.18 dies of one that is hung up on while it waits for
#: the server, so they stay open until it answers.
_kept: deque[PGcancelConn] = deque()


class Late(Exception):
    """The `until` of a wait passed before anything was ready."""


class Broken(Exception):
    """The conversation cannot be brought back to where a next statement could start."""


def flush_steps(pgconn: PGconn, until: float | None) -> Steps[None]:
    """Send what libpq still holds, reading meanwhile so that the server is not stuck on its own answers."""
    both = Socket(pgconn.socket, READ | WRITE, until)
    while pgconn.flush():
        ready = yield both
        if not ready:
            raise Late
        if ready[both.fd] & READ:
            pgconn.consume_input()


def result_steps(pgconn: PGconn, readable: Socket) -> Steps[PGresult | None]:
    """The next result; None at the end of a statement's results."""
    while pgconn.is_busy():
        if not (yield readable):
            raise Late
        pgconn.consume_input()
    return pgconn.get_result()


def only_result_steps(pgconn: PGconn, readable: Socket) -> Steps[PGresult]:
    """The one result of a statement sent by the extended protocol, read to its end."""
    result = yield from result_steps(pgconn, readable)
    if result is None:
        raise Broken("a statement without a result")
    if result.status in (COPY_IN, COPY_OUT, COPY_BOTH):
        # libpq would return copy results for ever: the caller speaks COPY, or stops it.
        return result
    try:
        while (yield from result_steps(pgconn, readable)) is not None:
            pass
    except psycopg.Error:
        # The server said why it ends the connection before it did: its words outrank "closed unexpectedly".
        if result.status != FATAL_ERROR:
            raise
        pgconn.finish()
    return result


def cancel_until(timeout_seconds: float) -> float:
    """When to give a cancellation up.  Broken where there is to be none."""
    if not timeout_seconds:
        raise Broken("nothing is cancelled on this connection")
    return monotonic() + timeout_seconds


def cancel_steps(pgconn: PGconn, until: float, pooled: bool) -> Steps[None]:
    """Ask the server to cancel what this backend runs, until it answers on the connection.

    A backend discards the signal when it starts to read a command: so a late cancel cannot hit the next statement,
    but one that overtakes its own statement is lost, and must be asked for again.
    """
    while True:
        yield from _request_cancel_steps(pgconn, until, pooled)
        if not pgconn.is_busy():
            return
        again = min(until, monotonic() + _CANCEL_AGAIN_SECONDS)
        if (yield Socket(pgconn.socket, READ, again)):
            return
        if monotonic() >= until:
            raise Late


def _request_cancel_steps(pgconn: PGconn, until: float, pooled: bool) -> Steps[None]:
    """Over when the server has sent the backend its signal."""
    cancel = pgconn.cancel_conn()
    status = _POLL_WRITING
    cancel.start()
    try:
        while (status := cancel.poll()) in (_POLL_READING, _POLL_WRITING):
            if not (yield Socket(cancel.socket, READ if status == _POLL_READING else WRITE, until)):
                raise Late
        if status != _POLL_OK:
            raise Broken(f"the cancel request failed: {cancel.get_error_message()}")
    finally:
        if pooled and status in (_POLL_READING, _POLL_WRITING):
            _kept.append(cancel)
        else:
            cancel.finish()
            _finish_kept()


def _finish_kept() -> None:
    """Close those that were answered meanwhile."""
    for _ in range(len(_kept)):
        try:
            cancel = _kept.popleft()
        except IndexError:
            return
        if cancel.poll() in (_POLL_READING, _POLL_WRITING):
            _kept.append(cancel)
        else:
            cancel.finish()


def drain_steps(pgconn: PGconn, until: float | None) -> Steps[list[PGresult]]:
    """Read and return what is left, until the backend awaits a command."""
    readable = Socket(pgconn.socket, READ, until)
    results: list[PGresult] = []
    while True:
        result = yield from result_steps(pgconn, readable)
        if result is None:
            return results
        if result.status == COPY_IN or result.status == COPY_BOTH:
            while not pgconn.put_copy_end(b"stopped"):
                yield from flush_steps(pgconn, until)
            yield from flush_steps(pgconn, until)
        elif result.status == COPY_OUT:
            yield from _skip_copy_out_steps(pgconn, readable)
        elif result.status != TUPLES_CHUNK:
            results.append(result)


def _skip_copy_out_steps(pgconn: PGconn, readable: Socket) -> Steps[None]:
    while True:
        length, _ = pgconn.get_copy_data(1)
        if length < 0:
            return
        if length == 0:
            if not (yield readable):
                raise Late
            pgconn.consume_input()


def stop_steps(pgconn: PGconn, until: float, pooled: bool) -> Steps[list[PGresult]]:
    """Cancel on the server, then drain.  Raises when that is not possible: the connection must then be closed."""
    if pgconn.flush():
        # Half a message was sent.  Sending the rest would run the statement that is to be stopped.
        raise Broken("the statement was not wholly sent")
    yield from cancel_steps(pgconn, until, pooled)
    return (yield from drain_steps(pgconn, until))


def connect_steps(conninfo: bytes, make: Any, until: float) -> Steps[PGconn]:
    """Open a connection without blocking.  The PGconn may be BAD: its error message says why.

    `make` is `PGconn.connect_start`.  Raises Late when `until` passes; closes what it opened on any error.
    """
    pgconn: PGconn = make(conninfo)
    try:
        while pgconn.status != 1:
            status = pgconn.connect_poll()
            if status not in (_POLL_READING, _POLL_WRITING):
                break
            # The socket changes when libpq goes on to the next address.
            if not (yield Socket(pgconn.socket, READ if status == _POLL_READING else WRITE, until)):
                raise Late
    except BaseException:
        pgconn.finish()
        raise
    return pgconn


def resolve_steps(host: str, until: float) -> Steps[str | None]:
    """An address of `host`, asked in a worker thread, because libpq would block in the resolver.  None: unknown."""
    found: ThreadFuture[str | None] = ThreadFuture()

    def ask() -> None:
        try:
            found.set_result(str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]))
        except OSError:
            found.set_result(None)

    threading.Thread(target=ask, name="outgrow-resolve", daemon=True).start()
    if not (yield Future(found, until)):
        raise Late
    return found.result()
