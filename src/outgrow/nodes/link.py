"""`Link`: one server connection that runs statements as step generators.

The exchange is outgrow's own over `psycopg.pq` and `psycopg.adapt.Transformer`; a `psycopg.Connection` is kept
around the same libpq connection only as the context that adaptation needs (time zone, encoding).  A link has one
owner at a time.  Statements have `$n` placeholders and go by the extended protocol, so that several in one text are
refused by the server.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGconn, PGresult

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import forks, translate
from outgrow.nodes.copying import CopyIn, CopyOut
from outgrow.nodes.exchange import (
    COPY_BOTH,
    COPY_IN,
    COPY_OUT,
    IDLE,
    INERROR,
    TUPLES_OK,
    Late,
    flush_steps,
    only_result_steps,
)
from outgrow.nodes.pair import Asked, Outcome, many_steps, two_steps
from outgrow.nodes.prepared import Preparations, Prepared
from outgrow.nodes.queries import QUERIES
from outgrow.nodes.recovery import alive_steps, lost, peek, recover_steps, used_wrongly
from outgrow.nodes.rows import Field, Identity, Rows, fields_of, unknown_oids
from outgrow.nodes.settings import LinkSettings
from outgrow.nodes.stream import Stream
from outgrow.nodes.unprepared import first_run_steps, unusual_steps
from outgrow.topology import Node
from outgrow.waits import READ, Socket, Steps

Params = Sequence[Any] | None

#: n → n times "let psycopg choose the format".
_AUTO = [[PyFormat.AUTO] * n for n in range(64)]

#: Command tags after which prepared plans may name what no longer exists.
_DDL = ("DROP", "ALTER")


class Link:
    """One connection.  See `connect.link_steps` for how to get one."""

    engine = "postgresql"

    __slots__ = (
        "__weakref__",
        "_connection",
        "_loading_settings",
        "_readable",
        "_statements",
        "abandoned",
        "backend_pid",
        "described",
        "dress",
        "fd",
        "idle_since",
        "in_flight",
        "incarnation",
        "names",
        "node",
        "opened_at",
        "pgconn",
        "preparations",
        "settings",
        "standby",
        "transformer",
    )

    def __init__(self, node: Node, pgconn: PGconn, settings: LinkSettings, names: dict[int, str]) -> None:
        self.node = node
        self.settings = settings
        #: This server's type names beyond the built-in ones, shared by the links of a pool.
        self.names = names
        self.fd = pgconn.socket
        self.opened_at = self.idle_since = monotonic()
        #: What sessions have SET on this connection, as its last user left it; the user's business alone.
        self.dress: tuple[Any, ...] = ()
        #: The server was a replica when this connection was made.  (A primary becomes one only by a restart, which
        #: ends its connections; a replica that is promoted keeps them.)  Of a pooler's servers nothing stays true.
        self.standby = not node.pooled and pgconn.parameter_status(b"in_hot_standby") == b"on"
        #: Which run of which server answers, as it has said itself; "" where nobody has asked.
        self.incarnation = ""
        #: Inherited over a fork: belongs to the parent.
        self.abandoned = False
        self.pgconn = pgconn
        self.backend_pid = pgconn.backend_pid
        self._connection: psycopg.Connection[Any] = psycopg.Connection(pgconn)
        self._readable = Socket(self.fd, READ)
        #: Columns of texts that were streamed without being prepared.
        self.described: dict[tuple[str, tuple[int, ...]], tuple[Field, ...]] = {}
        self.preparations = Preparations(settings.prepare_after, settings.prepared_max)
        self._statements = 0
        self.in_flight = False
        self._renew_transformer()
        forks.remember(self)

    def __repr__(self) -> str:
        state = "broken" if self.broken else "in transaction" if self.in_transaction else "idle"
        return f"<Link {self.node.name} {state}>"

    # -- state ------------------------------------------------------------------------------------------------------

    @property
    def broken(self) -> bool:
        """Closed, lost, or left in the middle of a statement: not to be used again."""
        return self.in_flight or self.abandoned or self.pgconn.status != 0

    @property
    def at_rest(self) -> bool:
        """Neither broken nor in a transaction: fit for the next owner."""
        # A lost connection's transaction status is "unknown", an abandoned link is in flight for ever.
        return not self.in_flight and self.pgconn.transaction_status == IDLE

    @property
    def closed(self) -> bool:
        return self.pgconn.status != 0

    @property
    def pooled(self) -> bool:
        """What is not within one transaction, or one message, may reach another connection of the server."""
        return self.node.pooled

    @property
    def in_transaction(self) -> bool:
        """A transaction block is open (failed ones included)."""
        return self.pgconn.transaction_status != IDLE

    @property
    def in_failed_transaction(self) -> bool:
        return self.pgconn.transaction_status == INERROR

    @property
    def server_version(self) -> int:
        """As in 150004."""
        return self.pgconn.server_version

    def parameter(self, name: str) -> str | None:
        """A setting that the server reports by itself, as `TimeZone` or `in_hot_standby`."""
        value = self.pgconn.parameter_status(name.encode())
        return None if value is None else value.decode()

    def close(self) -> None:
        """Close at once; the server rolls back what was open.  In a forked child only the descriptor is closed."""
        if not self.abandoned:
            self.pgconn.finish()

    def shut_down(self) -> None:
        """From any thread: make the owner's wait end as if the server had hung up.  The owner closes the link."""
        if self.closed:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.fd)) as same:
            same.shutdown(socket.SHUT_RDWR)

    def readable(self, until: float | None) -> Socket:
        """The wait for an answer: without an end always the same, which saves its registration."""
        return self._readable if until is None else Socket(self.fd, READ, until)

    def peek(self) -> bool:
        """Whether an idle link still stands, as far as can be seen without asking the server."""
        return peek(self)

    def alive_steps(self, until: float) -> Steps[bool]:
        """Ask the server for a sign of life.  A link that gives none in time is closed: cancelling takes longer."""
        return alive_steps(self, until)

    def identity_steps(self, until: float | None = None) -> Steps[Identity]:
        """Ask which server this is; needs no privilege."""
        return Identity(*(yield from self.run_steps(QUERIES["identity"], until=until, prepare=False)).rows[0])

    def forget_prepared(self) -> None:
        """Prepare everything anew: the schema has changed."""
        self.preparations.drop()
        self.described.clear()

    # -- one statement ----------------------------------------------------------------------------------------------

    def run_steps(
        self, sql: str, params: Params = None, *, until: float | None = None, prepare: bool = True
    ) -> Steps[Rows]:
        """Run one statement; `sql` has `$n` placeholders.

        `until` (clock.monotonic) cancels it on the server.  Whatever is thrown in cancels it too; if the server does
        not answer that in time, the link is closed.  Raises the errors of `translate`.
        """
        values, types, formats = self.dump(params) if params else (None, (), None)
        known = self.preparations.known.get((sql, types)) if prepare else None
        if known is None:
            return (yield from first_run_steps(self, sql, values, types, formats, until, prepare))
        if self.in_flight:
            raise used_wrongly(self)
        self._statements = known.used = self._statements + 1
        pgconn = self.pgconn
        result: Any = None
        self.in_flight = True
        try:
            try:
                pgconn.send_query_prepared(known.name, values, formats)
            except psycopg.Error as error:
                raise lost(self, error, before=True) from error
            if pgconn.flush():
                yield from flush_steps(pgconn, until)
            readable = self.readable(until)
            while True:
                if not (yield readable):
                    raise Late
                pgconn.consume_input()
                if not pgconn.is_busy():
                    break
            result = pgconn.get_result()
            while pgconn.is_busy() or pgconn.get_result() is not None:
                if not (yield readable):
                    raise Late
                pgconn.consume_input()
        except BaseException as error:
            result = yield from recover_steps(self, error, result)
        self.in_flight = False
        if result.status != TUPLES_OK:
            return (yield from unusual_steps(self, result, sql, params, until))
        if not known.settled:
            self.follow_settings()
        transformer = self.transformer
        count = result.ntuples
        transformer.set_pgresult(result)
        try:
            rows = transformer.load_rows(0, count, tuple)
        except Exception as error:
            raise translate.from_loading(error, self.node) from error
        if known.status != "SELECT":
            count = result.command_tuples or 0
        elif count > 100:
            # Do not hold the memory of a large result for as long as the link lives.
            transformer.set_pgresult(None)
        return Rows(known.fields, rows, known.status, count)

    def run_two_steps(
        self, first: Asked, second: Asked, *, until: float | None = None, prepare: bool = True
    ) -> Steps[tuple[Outcome, Outcome]]:
        """Two statements (text, parameters) in one flush with a Sync each; each gives its rows or its error.

        For outside a transaction.  Raises only when nothing is known of either: a lost link, an interruption.
        """
        return two_steps(self, first, second, until, prepare)

    def run_many_steps(
        self,
        asked: Sequence[Asked],
        *,
        until: float | None = None,
        prepare: Sequence[bool] | None = None,
        chained: bool = False,
    ) -> Steps[list[Outcome]]:
        """Any number in one flush, each with a Sync or (`chained`) all with one: none runs behind one that failed."""
        return many_steps(self, asked, until, prepare or [True] * len(asked), chained)

    def stream(self, sql: str, params: Params = None, *, chunk_rows: int = 1000, until: float | None = None) -> Stream:
        """One statement's rows in chunks; nothing is sent before its `open_steps`."""
        return Stream(self, sql, params, chunk_rows, until)

    def copy_in(self, *, until: float | None = None) -> CopyIn:
        """COPY … FROM STDIN; nothing is sent before its `begin_steps`."""
        return CopyIn(self, until)

    def copy_out(self, *, until: float | None = None) -> CopyOut:
        """COPY … TO STDOUT; nothing is sent before its `begin_steps`."""
        return CopyOut(self, until)

    # -- parts of a statement -----------------------------------------------------------------------------------------

    def dump(self, params: Params) -> tuple[Any, tuple[int, ...], Any]:
        """Parameters as the protocol wants them: values, type OIDs, formats."""
        if not params:
            return None, (), None
        transformer = self.transformer
        try:
            values: Any = transformer.dump_sequence(params, _AUTO[len(params)])
        except Exception as error:
            values = self._dump(params, error)
        return values, transformer.types or (), transformer.formats

    def _dump(self, params: Sequence[Any], error: Exception) -> Any:
        """The uncommon ends of dumping: more parameters than `_AUTO` foresees, or a value without a form."""
        if len(params) > translate.PARAMETERS_MAX:
            raise translate.too_many_parameters(len(params), self.node) from error
        if isinstance(error, IndexError) and len(params) >= len(_AUTO):
            try:
                return self.transformer.dump_sequence(params, [PyFormat.AUTO] * len(params))
            except Exception as second:
                error = second
        raise translate.from_parameters(error, self.node) from error

    def encoded(self, sql: str) -> bytes:
        if "\0" in sql:
            raise errors.ProgrammingError(
                "OG-NODE-021", "the SQL holds a zero byte", cure="remove it", node=self.node.name
            )
        return sql.encode()

    def count_use(self, prepared: Prepared) -> None:
        self._statements = prepared.used = self._statements + 1

    def load(self, result: PGresult) -> list[tuple[Any, ...]]:
        """The rows of `result` as Python values, without holding its memory afterwards."""
        self.follow_settings()
        try:
            self.transformer.set_pgresult(result)
            return self.transformer.load_rows(0, result.ntuples, tuple)
        except Exception as error:
            raise translate.from_loading(error, self.node) from error
        finally:
            self.transformer.set_pgresult(None)

    def ask_steps(self, send: Any, until: float | None) -> Steps[PGresult]:
        """Send, and read the one result.  Shared by everything but the hot path."""
        if self.in_flight or self.abandoned:
            raise used_wrongly(self)
        pgconn = self.pgconn
        self.in_flight = True
        try:
            try:
                send(pgconn)
            except psycopg.Error as error:
                raise lost(self, error, before=True) from error
            if pgconn.flush():
                yield from flush_steps(pgconn, until)
            result = yield from only_result_steps(pgconn, Socket(self.fd, READ, until))
            if result.status in (COPY_IN, COPY_OUT, COPY_BOTH):
                raise errors.NotSupportedError(
                    "OG-NODE-017",
                    "COPY was run as a plain statement",
                    cure="use `with session.copy(sql) as copy:`; for a file, session.load(...) or `outgrow load`",
                    node=self.node.name,
                )
        except BaseException as error:
            result = yield from recover_steps(self, error)
        self.in_flight = False
        return result

    def fields_steps(self, result: PGresult, until: float | None) -> Steps[tuple[Field, ...]]:
        if unknown := unknown_oids(result, self.names):
            found = yield from self.run_steps(QUERIES["type_names"], [unknown], until=until, prepare=False)
            self.names.update(found.rows)
        return fields_of(result, self.names)

    def rows_of(self, result: PGresult, fields: tuple[Field, ...]) -> Rows:
        status = (result.command_status or b"").decode().rstrip("0123456789 ")
        affected = result.command_tuples
        count = -1 if affected is None else affected
        if result.status != TUPLES_OK:
            self._after_command(status)
            return Rows(fields, [], status, count)
        return Rows(fields, self.load(result), status, count)

    # -- what statements change ---------------------------------------------------------------------------------------

    def _after_command(self, status: str) -> None:
        if status in ("SET", "RESET"):
            if self.parameter("client_encoding") != "UTF8":
                self.close()
                raise errors.NotSupportedError(
                    "OG-NODE-005",
                    "the client encoding was changed; the connection is closed",
                    cure="leave client_encoding at UTF8",
                    node=self.node.name,
                )
            self._renew_transformer()
        elif status.startswith(("DISCARD", "DEALLOCATE ALL")):
            self.preparations.gone()
            self._renew_transformer()
        elif status.startswith(_DDL):
            self.forget_prepared()

    def _renew_transformer(self) -> None:
        self.transformer = Transformer(self._connection)
        self._loading_settings = self._current_settings()

    def _current_settings(self) -> tuple[bytes | None, ...]:
        status = self.pgconn.parameter_status
        return status(b"TimeZone"), status(b"DateStyle"), status(b"IntervalStyle")

    def follow_settings(self) -> None:
        """psycopg's loaders read these settings once; make new ones when the server reports a change."""
        if self._current_settings() != self._loading_settings:
            self._renew_transformer()
