"""COPY in both directions as steps, with back-pressure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq.abc import PGresult

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import translate
from outgrow.nodes.exchange import COPY_IN, COPY_OUT, FATAL_ERROR, Late, drain_steps, flush_steps, only_result_steps
from outgrow.nodes.recovery import lost, recover_steps, used_wrongly
from outgrow.nodes.waiting import undisturbed_steps
from outgrow.waits import READ, Socket, Steps

if TYPE_CHECKING:
    from outgrow.nodes.link import Link


def _begin_steps(link: Link, sql: str, until: float | None, wanted: int) -> Steps[None]:
    """Send a COPY command and see that the server is in the `wanted` copy state."""
    if link.in_flight:
        raise used_wrongly(link)
    text = link.encoded(sql)
    link.in_flight = True
    pgconn = link.pgconn
    try:
        try:
            pgconn.send_query_params(text, None)
        except psycopg.Error as error:
            raise lost(link, error, before=True) from error
        yield from flush_steps(pgconn, until)
        result = yield from only_result_steps(pgconn, Socket(link.fd, READ, until))
        if result.status not in (wanted, FATAL_ERROR):
            raise errors.ProgrammingError(
                "OG-NODE-023",
                "the statement is not a COPY in this direction",
                cure="COPY … FROM STDIN to write, COPY … TO STDOUT to read",
                node=link.node.name,
            )
    except BaseException as error:
        result = yield from recover_steps(link, error)
    if result.status != wanted:
        link.in_flight = False
        raise translate.from_result(result, link.node) if result.status == FATAL_ERROR else translate.late(link.node)


class CopyIn:
    """COPY … FROM STDIN: `begin_steps`, `send_steps` as often as needed, then `finish_steps` or `abort_steps`.

    At most the last piece is buffered here: sending a piece waits until the one before has gone out.
    """

    def __init__(self, link: Link, until: float | None) -> None:
        self.link = link
        self._until = until
        self._open = False

    def begin_steps(self, sql: str) -> Steps[None]:
        yield from _begin_steps(self.link, sql, self._until, COPY_IN)
        self._open = True

    def send_steps(self, data: bytes | bytearray | memoryview) -> Steps[None]:
        """Hand over a piece of any size; it need not end with a row."""
        pgconn = self.link.pgconn
        try:
            if pgconn.flush():
                yield from flush_steps(pgconn, self._until)
            while not pgconn.put_copy_data(data):
                yield from flush_steps(pgconn, self._until)
            pgconn.flush()
        except BaseException as error:
            yield from self._stop_steps(error)

    def finish_steps(self) -> Steps[int]:
        """Commit the COPY (or let the transaction around it decide); the rows that the server took."""
        result = yield from self._end_steps(None)
        if result.status == FATAL_ERROR:
            raise translate.from_result(result, self.link.node)
        return result.command_tuples or 0

    def abort_steps(self, reason: str) -> Steps[None]:
        """Undo the COPY: the server takes none of its rows."""
        if self._open:
            yield from self._end_steps(reason.encode() or b"aborted")

    def _end_steps(self, reason: bytes | None) -> Steps[PGresult]:
        pgconn = self.link.pgconn
        try:
            while not pgconn.put_copy_end(reason):
                yield from flush_steps(pgconn, self._until)
            yield from flush_steps(pgconn, self._until)
            result = yield from only_result_steps(pgconn, Socket(self.link.fd, READ, self._until))
        except BaseException as error:
            yield from self._stop_steps(error)
        self._open = False
        self.link.in_flight = False
        return result

    def _stop_steps(self, error: BaseException) -> Steps[Any]:
        """Something interrupted the COPY: tell the server that it failed.  Always raises."""
        self._open = False
        link = self.link
        if isinstance(error, GeneratorExit):
            link.close()
            raise error
        if isinstance(error, psycopg.Error):
            raise lost(link, error) from error
        try:
            yield from undisturbed_steps(self._tell_failure_steps())
            link.in_flight = False
        except BaseException:
            link.close()
        raise translate.late(link.node) if isinstance(error, Late) else error

    def _tell_failure_steps(self) -> Steps[None]:
        # Unlike a statement's text, the rest of a COPY may go out: the failure behind it undoes it.  Where the end
        # had been sent already, this raises, and the link is closed.
        pgconn = self.link.pgconn
        until = monotonic() + self.link.settings.cancel_timeout_seconds
        while not pgconn.put_copy_end(b"interrupted"):
            yield from flush_steps(pgconn, until)
        yield from flush_steps(pgconn, until)
        yield from drain_steps(pgconn, until)


class CopyOut:
    """COPY … TO STDOUT: `begin_steps`, `more_steps` until None; `close_steps` to stop earlier."""

    def __init__(self, link: Link, until: float | None) -> None:
        self.link = link
        self.count = -1
        self._until = until
        self._open = False

    def begin_steps(self, sql: str) -> Steps[None]:
        yield from _begin_steps(self.link, sql, self._until, COPY_OUT)
        self._open = True

    def more_steps(self, size_bytes: int = 65536) -> Steps[bytes | None]:
        """At least one row and about `size_bytes`, ending with a whole row; None at the end."""
        if not self._open:
            return None
        pgconn = self.link.pgconn
        readable = Socket(self.link.fd, READ, self._until)
        parts: list[bytes] = []
        size = 0
        try:
            while size < size_bytes:
                length, data = pgconn.get_copy_data(1)
                if length > 0:
                    parts.append(bytes(data))
                    size += length
                elif length < 0:
                    result = yield from only_result_steps(pgconn, readable)
                    self._open = self.link.in_flight = False
                    if result.status == FATAL_ERROR:
                        raise translate.from_result(result, self.link.node)
                    self.count = result.command_tuples or 0
                    break
                elif parts:
                    break
                else:
                    if not (yield readable):
                        raise Late
                    pgconn.consume_input()
        except errors.Error:
            raise
        except BaseException as error:
            self._open = False
            yield from recover_steps(self.link, error)
            self.link.in_flight = False
            raise translate.late(self.link.node) from None
        return b"".join(parts) or None

    def close_steps(self) -> Steps[None]:
        if self._open:
            self._open = False
            try:
                yield from recover_steps(self.link, Late())
            except errors.Error as error:
                if error.code != translate.TIME_LIMIT:
                    raise
            self.link.in_flight = False
