"""`MariadbLink`: one connection to MariaDB behind the port of `nodes.link.Link`.

The driver blocks, so each call is made on the link's own thread and waited for as a `Future`; a batch of statements is
one hand-over.  An error within a transaction fails it, as in PostgreSQL: MariaDB would undo the statement alone, and a
COMMIT would keep half the work (after a lock timeout as well, where nobody expects that).
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future as ThreadFuture
from typing import Any

import pymysql
from pymysql.constants import SERVER_STATUS

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import forks
from outgrow.nodes import translate as common
from outgrow.nodes.exchange import Late
from outgrow.nodes.link import Link, Params
from outgrow.nodes.mariadb.answers import Answers
from outgrow.nodes.mariadb.distributed import Distributed
from outgrow.nodes.mariadb.driver import QUERIES, open_connection
from outgrow.nodes.mariadb.fields import fields_of
from outgrow.nodes.mariadb.stream import MariadbStream
from outgrow.nodes.mariadb.tags import tag_of
from outgrow.nodes.mariadb.translate import STOPPED, from_driver, no_copy, said_by
from outgrow.nodes.mariadb.values import filled
from outgrow.nodes.mariadb.worker import Worker
from outgrow.nodes.pair import Asked, Outcome
from outgrow.nodes.rows import Identity, Inserted, Rows
from outgrow.nodes.settings import LinkSettings
from outgrow.nodes.stream import Stream
from outgrow.nodes.waiting import undisturbed_steps
from outgrow.topology import Node
from outgrow.waits import READ, Future, Socket, Steps

#: Statements whose answer is an OK or rows, and that XA has no other words for.
_PLAIN = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE"))


class MariadbLink(Link):
    """A link to MariaDB; everything that needs libpq is replaced."""

    engine = "mariadb"

    __slots__ = ("_answers", "_closed", "_distributed", "_failed", "_worker", "connection")

    def __init__(self, node: Node, connection: Any, worker: Worker, settings: LinkSettings) -> None:
        self.node = node
        self.settings = settings
        self.names = {}
        self.opened_at = self.idle_since = monotonic()
        self.dress = ()
        self.incarnation = ""
        self.abandoned = self.in_flight = self.standby = False
        self.connection = connection
        self.fd = connection._sock.fileno()
        self.backend_pid = connection.thread_id()
        self._worker = worker
        self._answers = Answers(connection)
        self._closed = self._failed = False
        self._distributed = Distributed()
        forks.remember(self)

    # -- state ------------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def broken(self) -> bool:
        return self._closed or self.in_flight or self.abandoned

    @property
    def at_rest(self) -> bool:
        # As long as it lives, nobody else can finish what is prepared on it.
        return not self.broken and not self.in_transaction and not self._distributed.prepared

    @property
    def in_transaction(self) -> bool:
        if self._distributed.prepared:
            return False
        # After a deadlock the server has none any more, but its user has not heard of it.
        return self._failed or bool(self.connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    @property
    def in_failed_transaction(self) -> bool:
        return self._failed

    @property
    def server_version(self) -> int:
        """As in 101119."""
        numbers = self.connection.get_server_info().partition("-")[0].split(".")
        return sum(int(number) * 100 ** (2 - at) for at, number in enumerate(numbers[:3]))

    def parameter(self, name: str) -> str | None:
        return None

    def close(self) -> None:
        if self._closed or self.abandoned:
            return
        self._closed = True
        if self.in_flight:
            # The thread sits in a read: wake it, and let it close what it holds.
            self._hang_up()
            self._worker.end(self.connection._force_close)
        else:
            self._worker.end(self.connection.close)

    def shut_down(self) -> None:
        if not self._closed:
            self._hang_up()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.connection._sock.shutdown(socket.SHUT_RDWR)

    def peek(self) -> bool:
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        # An idle server says nothing: what can be read is the end.
        if not self.broken and poll.poll(0):
            self.close()
        return not self.broken

    def alive_steps(self, until: float) -> Steps[bool]:
        try:
            yield from self.call_steps(lambda: self.connection.ping(reconnect=False), until)
        except errors.Error:
            self.close()
            return False
        return True

    def identity_steps(self, until: float | None = None) -> Steps[Identity]:
        rows = yield from self.run_steps(QUERIES["identity"], until=until)
        system, started, read_only = rows.rows[0]
        return Identity(system, started, bool(read_only))

    def forget_prepared(self) -> None:
        """Nothing is prepared."""

    # -- statements -------------------------------------------------------------------------------------------------

    def run_steps(
        self, sql: str, params: Params = None, *, until: float | None = None, prepare: bool = True
    ) -> Steps[Rows]:
        text = filled(sql, params, self.node)
        tag = tag_of(text)
        if tag in _PLAIN and self._answers.takes(text):
            return (yield from self._short_steps(text, tag, until))
        rows: Rows = yield from self.call_steps(lambda: self.run(text), until)
        return rows

    def _short_steps(self, text: str, tag: str, until: float | None) -> Steps[Rows]:
        """Send, wait for the socket, and read what came without the link's thread where it is the whole answer."""
        self._begin()
        try:
            if self._failed:
                self.before(text)
            self._answers.send(text)
        except errors.Error:
            self.in_flight = False
            raise
        except Exception as error:
            self.close()
            raise from_driver(error, self.node) from error
        try:
            if not (yield Socket(self.fd, READ, until)):
                raise Late
        except GeneratorExit:
            self.close()
            raise
        except BaseException as error:
            done = self._worker.submit(lambda: self._answered(tag))
            yield from self._interrupted_steps(done, error)
            return self._outcome(done)  # type: ignore[no-any-return]
        try:
            rows = self._answers.taken(tag)
        except Exception as error:
            self.close()
            raise from_driver(error, self.node) from error
        if rows is None:
            rows = yield from self._waited_steps(self._worker.submit(lambda: self._answered(tag)), until)
            assert isinstance(rows, Rows)
        self.in_flight = False
        return rows

    def run_two_steps(
        self, first: Asked, second: Asked, *, until: float | None = None, prepare: bool = True
    ) -> Steps[tuple[Outcome, Outcome]]:
        one, two = yield from self.run_many_steps([first, second], until=until)
        return one, two

    def run_many_steps(
        self,
        asked: Sequence[Asked],
        *,
        until: float | None = None,
        prepare: Sequence[bool] | None = None,
        chained: bool = False,
    ) -> Steps[list[Outcome]]:
        texts = [filled(sql, params, self.node) for sql, params in asked]
        outcomes: list[Outcome] = yield from self.call_steps(lambda: self._run_many(texts, chained), until)
        return outcomes

    def stream(self, sql: str, params: Params = None, *, chunk_rows: int = 1000, until: float | None = None) -> Stream:
        return MariadbStream(self, filled(sql, params, self.node), chunk_rows, until)

    def copy_in(self, *args: Any, **options: Any) -> Any:
        raise no_copy(self.node)

    def copy_out(self, *args: Any, **options: Any) -> Any:
        raise no_copy(self.node)

    # -- on the link's thread -----------------------------------------------------------------------------------------

    def run(self, text: str) -> Rows:
        """One statement, its parameters written in."""
        tag = self.before(text)
        said = "ROLLBACK" if tag == "ROLLBACK" else text
        self._do(lambda: self._distributed.say(self.connection, tag, said))
        if tag in ("ROLLBACK", "ROLLBACK TO", "XA ROLLBACK"):
            self._failed = False
        return self._read(tag)

    def _answered(self, tag: str) -> Rows:
        """The answer of a statement that was sent before."""
        self._do(self.connection._read_query_result)
        return self._read(tag)

    def _do(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            self.after_error(error)
            raise from_driver(error, self.node) if isinstance(error, Exception) else error from error

    def _read(self, tag: str) -> Rows:
        result = self.connection._result
        if result.description is None:
            tag, count, number = tag.removesuffix(" TO"), result.affected_rows, result.insert_id
            return Inserted(tag, count, number) if number else Rows((), [], tag, count)
        rows = list(result.rows)
        return Rows(fields_of(result.fields), rows, tag, len(rows))

    def before(self, text: str) -> str:
        """The statement's command tag; in a failed transaction only the ways out of it are let through."""
        tag = tag_of(text)
        if self._failed:
            if tag == "COMMIT":
                return "ROLLBACK"
            if not tag.startswith("ROLLBACK") and tag not in ("XA END", "XA ROLLBACK"):
                raise errors.OperationalError(
                    "OG-NODE-134",
                    "the transaction has failed",
                    cure="roll the transaction back (or to a savepoint); the first error in it is the cause",
                    shard=self.node.shard,
                    node=self.node.name,
                    sqlstate="25P02",
                )
        return tag

    def after_error(self, error: BaseException) -> None:
        # A deadlock ends the transaction on the server (1213), and so may a conflict (1020).
        self._failed |= self.in_transaction or said_by(error)[0] == 1213

    def _run_many(self, texts: list[str], chained: bool) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for text in texts:
            if chained and outcomes and isinstance(outcomes[-1], errors.Error):
                outcomes.append(outcomes[-1])
                continue
            try:
                outcomes.append(self.run(text))
            except errors.NodeLost:
                raise
            except errors.Error as error:
                outcomes.append(error)
        return outcomes

    # -- waiting ------------------------------------------------------------------------------------------------------

    def call_steps(self, call: Callable[[], Any], until: float | None, *, taken: bool = False) -> Steps[Any]:
        """Make a call on the link's thread.  `taken`: by a stream, which goes on with it."""
        self._begin(taken)
        return (yield from self._waited_steps(self._worker.submit(call), until, taken))

    def _begin(self, taken: bool = False) -> None:
        if self.abandoned or self._closed or (self.in_flight and not taken):
            raise self.used_wrongly()
        self.in_flight = True

    def _waited_steps(self, done: ThreadFuture[Any], until: float | None, taken: bool = False) -> Steps[Any]:
        try:
            if not (yield Future(done, until)):
                raise Late
        except GeneratorExit:
            self.close()
            raise
        except BaseException as error:
            yield from self._interrupted_steps(done, error)
        return self._outcome(done, taken)

    def _outcome(self, done: ThreadFuture[Any], taken: bool = False) -> Any:
        try:
            outcome = done.result()
        except errors.NodeLost:
            self.close()
            raise
        except errors.Error:
            self.in_flight = taken
            raise
        except Exception as error:
            self.in_flight = False
            self.close()
            raise from_driver(error, self.node) from error
        self.in_flight = taken
        return outcome

    def _interrupted_steps(self, done: ThreadFuture[Any], error: BaseException) -> Steps[None]:
        """End the statement on the server.  Raises, but where it was faster than a time limit's KILL."""
        until = monotonic() + self.settings.cancel_timeout_seconds
        try:
            stopped = yield from undisturbed_steps(self._stop_steps(done, until))
        except BaseException:
            stopped = False
        if not stopped:
            self.close()
        else:
            self.in_flight = False
        if not isinstance(error, Late):
            raise error
        if not stopped or _was_stopped(done):
            raise (common.late if stopped else common.unconfirmed)(self.node) from None

    def _stop_steps(self, done: ThreadFuture[Any], until: float) -> Steps[bool]:
        """KILL QUERY, until the statement has ended; then take the blow of a KILL that came too late."""
        while not done.done():
            killed: ThreadFuture[None] = ThreadFuture()
            threading.Thread(target=self._kill, args=(killed,), name="outgrow-kill", daemon=True).start()
            if not (yield Future(killed, until)) or killed.exception() is not None:
                return False
            yield Future(done, min(until, monotonic() + 0.2))
            if monotonic() >= until:
                break
        absorbed = self._worker.submit(self._absorb)
        return bool((yield Future(absorbed, until))) and absorbed.exception() is None

    def _kill(self, killed: ThreadFuture[None]) -> None:
        try:
            other, _ = open_connection(self.node, self.settings)
            try:
                other.query(QUERIES["stop"] % self.backend_pid)
            finally:
                other.close()
        except Exception as error:
            killed.set_exception(error)
        else:
            killed.set_result(None)

    def _absorb(self) -> None:
        try:
            self.connection.query(QUERIES["absorb"])
        except pymysql.err.Error as error:
            if said_by(error)[0] != STOPPED:
                raise

    def used_wrongly(self) -> errors.Error:
        if self.abandoned:
            return errors.InterfaceError(
                "OG-NODE-015",
                "this connection belongs to the parent process",
                cure="open a session in the forked process instead of using the parent's",
                node=self.node.name,
            )
        if self._closed:
            return common.lost(self.node, "it was closed before", before=True)
        return errors.InterfaceError(
            "OG-NODE-016",
            "a statement is still under way on this connection",
            cure="finish or close what runs (a stream) first; a session belongs to one thread or task",
            node=self.node.name,
        )


def _was_stopped(done: ThreadFuture[Any]) -> bool:
    """Whether the KILL is what ended it."""
    error = done.exception() if done.done() else None
    if error is None and isinstance(done.result(), list):
        last = done.result()[-1]
        error = last if isinstance(last, errors.Error) else None
    return isinstance(error, errors.Error) and error.sqlstate == common.CANCELED
