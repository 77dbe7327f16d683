"""`Link`: one server connection that runs statements as step generators.

The exchange is outgrow's own over `psycopg.pq` and `psycopg.adapt.Transformer`; a `psycopg.Connection` is kept
around the same libpq connection only as the context that adaptation needs (time zone, encoding).  A link has one
owner at a time.  Statements have `$n` placeholders and go by the extended protocol, so that several in one text are
refused by the server.
"""

from __future__ import annotations

import os
import select
import weakref
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGconn, PGresult

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import translate
from outgrow.nodes.exchange import (
    COMMAND_OK,
    COPY_BOTH,
    COPY_IN,
    COPY_OUT,
    EMPTY_QUERY,
    FATAL_ERROR,
    IDLE,
    INERROR,
    TUPLES_OK,
    Broken,
    Late,
    flush_steps,
    only_result_steps,
    stop_steps,
)
from outgrow.nodes.prepared import Preparations, Prepared
from outgrow.nodes.queries import QUERIES
from outgrow.nodes.rows import SETTLED, Field, Rows, fields_of, unknown_oids
from outgrow.nodes.settings import LinkSettings
from outgrow.topology import Node
from outgrow.waits import READ, Socket, Steps

Params = Sequence[Any] | None

#: n → n times "let psycopg choose the format".
_AUTO = [[PyFormat.AUTO] * n for n in range(64)]

#: An error of these kinds on a prepared statement says that it is out of date, not that the statement is wrong.
_STALE = frozenset({"0A000", "26000"})

#: Command tags after which prepared plans may name what no longer exists.
_DDL = ("DROP", "ALTER", "CREATE", "TRUNCATE")

#: Every link of this process, so that a fork can disown them.
_links: weakref.WeakSet[Link] = weakref.WeakSet()


class Link:
    """One connection.  See `connect.link_steps` for how to get one."""

    __slots__ = (
        "__weakref__",
        "_connection",
        "_in_flight",
        "_loading_settings",
        "_pgconn",
        "_preparations",
        "_readable",
        "_statements",
        "_transformer",
        "abandoned",
        "fd",
        "idle_since",
        "names",
        "node",
        "opened_at",
        "settings",
    )

    def __init__(self, node: Node, pgconn: PGconn, settings: LinkSettings, names: dict[int, str]) -> None:
        self.node = node
        self.settings = settings
        #: This server's type names beyond the built-in ones, shared by the links of a pool.
        self.names = names
        self.fd = pgconn.socket
        self.opened_at = self.idle_since = monotonic()
        #: Inherited over a fork: belongs to the parent.
        self.abandoned = False
        self._pgconn = pgconn
        self._connection: psycopg.Connection[Any] = psycopg.Connection(pgconn)
        self._readable = Socket(self.fd, READ)
        self._preparations = Preparations(settings.prepare_after, settings.prepared_max)
        self._statements = 0
        self._in_flight = False
        self._renew_transformer()
        _links.add(self)

    def __repr__(self) -> str:
        state = "broken" if self.broken else "in transaction" if self.in_transaction else "idle"
        return f"<Link {self.node.name} {state}>"

    # -- state ------------------------------------------------------------------------------------------------------

    @property
    def broken(self) -> bool:
        """Closed, lost, or left in the middle of a statement: not to be used again."""
        return self.abandoned or self._in_flight or self._pgconn.status != 0

    @property
    def in_transaction(self) -> bool:
        """A transaction block is open (failed ones included)."""
        return self._pgconn.transaction_status != IDLE

    @property
    def in_failed_transaction(self) -> bool:
        return self._pgconn.transaction_status == INERROR

    @property
    def backend_pid(self) -> int:
        return self._pgconn.backend_pid

    @property
    def server_version(self) -> int:
        """As in 150004."""
        return self._pgconn.server_version

    def parameter(self, name: str) -> str | None:
        """A setting that the server reports by itself, as `TimeZone` or `in_hot_standby`."""
        value = self._pgconn.parameter_status(name.encode())
        return None if value is None else value.decode()

    def close(self) -> None:
        """Close at once; the server rolls back what was open.  In a forked child only the descriptor is closed."""
        if not self.abandoned:
            self._pgconn.finish()

    def peek(self) -> bool:
        """Whether an idle link still stands, as far as can be seen without asking the server."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        try:
            while poll.poll(0):
                self._pgconn.consume_input()
                self._pgconn.is_busy()
        except psycopg.Error:
            self.close()
        return not self.broken

    def forget_prepared(self) -> None:
        """Prepare everything anew: the schema has changed."""
        self._preparations.drop()

    # -- one statement ----------------------------------------------------------------------------------------------

    def run_steps(
        self, sql: str, params: Params = None, *, until: float | None = None, prepare: bool = True
    ) -> Steps[Rows]:
        """Run one statement; `sql` has `$n` placeholders.

        `until` (clock.monotonic) cancels it on the server.  Whatever is thrown in cancels it too; if the server does
        not answer that in time, the link is closed.  Raises the errors of `translate`.
        """
        transformer = self._transformer
        if params:
            try:
                values: Any = transformer.dump_sequence(params, _AUTO[len(params)])
            except Exception as error:
                values = self._dump(params, error)
            known = self._preparations.known.get((sql, transformer.types or ())) if prepare else None
        else:
            values = None
            known = self._preparations.known.get((sql, ())) if prepare else None
        if known is None or known.fields is None:
            return (yield from self._first_run_steps(sql, params, values, until, prepare))
        if self._in_flight:
            raise self._used_wrongly()
        self._statements = known.used = self._statements + 1
        pgconn = self._pgconn
        self._in_flight = True
        try:
            try:
                pgconn.send_query_prepared(known.name, values, transformer.formats if values else None)
            except psycopg.Error as error:
                raise self._lost(error, before=True) from error
            if pgconn.flush():
                yield from flush_steps(pgconn, until)
            readable = self._readable if until is None else Socket(self.fd, READ, until)
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
            result = yield from self._recover_steps(error)
        self._in_flight = False
        if result.status != TUPLES_OK:  # type: ignore[union-attr]
            return (yield from self._unusual_steps(result, known, sql, params, until))
        if not known.settled:
            self._follow_settings()
            transformer = self._transformer
        count = result.ntuples  # type: ignore[union-attr]
        transformer.set_pgresult(result)
        rows = transformer.load_rows(0, count, tuple)
        if known.status != "SELECT":
            count = result.command_tuples or 0  # type: ignore[union-attr]
        elif count > 100:
            # Do not hold the memory of a large result for as long as the link lives.
            transformer.set_pgresult(None)
        return Rows(known.fields, rows, known.status, count)

    def _dump(self, params: Sequence[Any], error: Exception) -> Any:
        """The uncommon ends of dumping: more parameters than `_AUTO` foresees, or a value without a form."""
        if isinstance(error, IndexError) and len(params) >= len(_AUTO):
            try:
                return self._transformer.dump_sequence(params, [PyFormat.AUTO] * len(params))
            except Exception as second:
                error = second
        raise translate.from_parameters(error, self.node) from error

    def _used_wrongly(self) -> errors.Error:
        if self.abandoned:
            return errors.InterfaceError(
                "OG-NODE-015",
                "this connection belongs to the parent process",
                cure="open a session in the forked process instead of using the parent's",
                node=self.node.name,
            )
        return errors.InterfaceError(
            "OG-NODE-016",
            "a statement is still under way on this connection",
            cure="finish or close what runs (a stream, a COPY) first; a session belongs to one thread or task",
            node=self.node.name,
        )

    def _first_run_steps(
        self, sql: str, params: Params, values: Any, until: float | None, prepare: bool
    ) -> Steps[Rows]:
        """A statement that is not prepared (yet): learn its columns, and prepare it when it is due."""
        transformer = self._transformer
        types = (transformer.types or ()) if values else ()
        formats = transformer.formats if values else None
        key = (sql, types)
        preparations = self._preparations
        prepared: Prepared | None = None
        if prepare and preparations.should_prepare(key) and not self.in_failed_transaction:
            prepared = yield from self._prepare_steps(sql, types, until)
        if prepared is not None:
            name = prepared.name
            result = yield from self._ask_steps(lambda c: c.send_query_prepared(name, values, formats), until)
        else:
            text = _encoded(sql, self.node)
            result = yield from self._ask_steps(lambda c: c.send_query_params(text, values, types, formats), until)
        self._statements += 1
        if result.status == FATAL_ERROR:
            if prepared is not None:
                preparations.stale.append(prepared.name)
            raise translate.from_result(result, self.node)
        fields = yield from self._fields_steps(result, until)
        rows = self._rows(result, fields)
        if prepared is not None:
            prepared.fields = fields
            prepared.settled = all(field.oid in SETTLED for field in fields)
            prepared.status = rows.status
            prepared.used = self._statements
            preparations.add(key, prepared)
        return rows

    def _ask_steps(self, send: Any, until: float | None) -> Steps[PGresult]:
        """Send, and read the one result.  Shared by everything but the hot path."""
        if self._in_flight or self.abandoned:
            raise self._used_wrongly()
        pgconn = self._pgconn
        self._in_flight = True
        try:
            try:
                send(pgconn)
            except psycopg.Error as error:
                raise self._lost(error, before=True) from error
            if pgconn.flush():
                yield from flush_steps(pgconn, until)
            result = yield from only_result_steps(pgconn, Socket(self.fd, READ, until))
            if result.status in (COPY_IN, COPY_OUT, COPY_BOTH):
                raise errors.NotSupportedError(
                    "OG-NODE-017",
                    "COPY was run as a plain statement",
                    cure="use session.copy(...) or `outgrow load`",
                    node=self.node.name,
                )
        except BaseException as error:
            result = yield from self._recover_steps(error)
        self._in_flight = False
        return result

    def _prepare_steps(self, sql: str, types: tuple[int, ...], until: float | None) -> Steps[Prepared]:
        preparations = self._preparations
        while preparations.stale:
            name = preparations.stale.pop()
            yield from self._ask_steps(lambda c, name=name: c.send_close_prepared(name), until)
        prepared = preparations.new()
        text = _encoded(sql, self.node)
        result = yield from self._ask_steps(lambda c: c.send_prepare(prepared.name, text, types), until)
        if result.status == FATAL_ERROR:
            raise translate.from_result(result, self.node)
        return prepared

    def _fields_steps(self, result: PGresult, until: float | None) -> Steps[tuple[Field, ...]]:
        if unknown := unknown_oids(result, self.names):
            found = yield from self.run_steps(QUERIES["type_names"], [unknown], until=until, prepare=False)
            self.names.update(found.rows)
        return fields_of(result, self.names)

    def _rows(self, result: PGresult, fields: tuple[Field, ...]) -> Rows:
        status = (result.command_status or b"").decode().rstrip("0123456789 ")
        affected = result.command_tuples
        count = -1 if affected is None else affected
        if result.status != TUPLES_OK:
            self._after_command(status)
            return Rows(fields, [], status, count)
        self._follow_settings()
        self._transformer.set_pgresult(result)
        rows = self._transformer.load_rows(0, result.ntuples, tuple)
        self._transformer.set_pgresult(None)
        return Rows(fields, rows, status, count)

    def _unusual_steps(
        self, result: PGresult | None, known: Prepared, sql: str, params: Params, until: float | None
    ) -> Steps[Rows]:
        """A prepared statement that returned no rows: a command, an error, or a plan out of date."""
        if result is None:
            raise Broken("a statement without a result")
        if result.status in (COMMAND_OK, EMPTY_QUERY):
            return self._rows(result, ())
        if result.status != FATAL_ERROR:
            raise self._used_wrongly()
        state = translate.sqlstate_of(result)
        lookup_failed = state == "XX000" and b"cache lookup failed" in result.error_message
        if state in _STALE or lookup_failed:
            if state == "26000":
                self._preparations.gone()
            else:
                self._preparations.drop()
            if self._pgconn.transaction_status == IDLE:
                # It was refused before it did anything, or undone: outside a transaction once more is safe.
                return (yield from self.run_steps(sql, params, until=until, prepare=False))
        raise translate.from_result(result, self.node)

    # -- what statements change ---------------------------------------------------------------------------------------

    def _after_command(self, status: str) -> None:
        if status in ("SET", "RESET"):
            self._renew_transformer()
        elif status.startswith(("DISCARD", "DEALLOCATE ALL")):
            self._preparations.gone()
            self._renew_transformer()
        elif status.startswith(_DDL):
            self._preparations.drop()

    def _renew_transformer(self) -> None:
        self._transformer = Transformer(self._connection)
        self._loading_settings = self._current_settings()

    def _current_settings(self) -> tuple[bytes | None, ...]:
        status = self._pgconn.parameter_status
        return status(b"TimeZone"), status(b"DateStyle"), status(b"IntervalStyle")

    def _follow_settings(self) -> None:
        """psycopg's loaders read these settings once; make new ones when the server reports a change."""
        if self._current_settings() != self._loading_settings:
            self._renew_transformer()

    # -- when it goes wrong -------------------------------------------------------------------------------------------

    def _recover_steps(self, error: BaseException, syncs: int = 0) -> Steps[Any]:
        """After `error` in mid-statement: make the link usable again, or close it.

        Returns the statement's result if the statement was faster than its cancellation; else raises.
        """
        if isinstance(error, GeneratorExit):
            # Nobody will resume this generator: there is no waiting any more.
            self.close()
            raise error
        if isinstance(error, psycopg.Error):
            raise self._lost(error) from error
        if self._pgconn.status != 0:
            raise error
        try:
            results = yield from stop_steps(self._pgconn, monotonic() + self.settings.cancel_timeout_seconds, syncs)
        except BaseException as second:
            self.close()
            if isinstance(error, Late) and isinstance(second, Exception):
                raise translate.late(self.node) from None
            raise error from second
        self._in_flight = False
        if isinstance(error, Late):
            if results and results[-1].status in (COMMAND_OK, TUPLES_OK):
                return results[-1]
            if results and translate.sqlstate_of(results[-1]) != translate.CANCELED:
                return results[-1]
            raise translate.late(self.node) from None
        raise error

    def _lost(self, error: psycopg.Error, before: bool = False) -> errors.Error:
        """The server's parting words if there were any, else libpq's."""
        result: PGresult | None = None
        try:
            result = self._pgconn.get_result()
        except psycopg.Error:
            pass
        self.close()
        if result is not None and result.status == FATAL_ERROR and translate.sqlstate_of(result):
            return translate.from_result(result, self.node)
        return translate.lost(self.node, str(error), before=before)


def _encoded(sql: str, node: Node) -> bytes:
    if "\0" in sql:
        raise errors.ProgrammingError("OG-NODE-021", "the SQL holds a zero byte", cure="remove it", node=node.name)
    return sql.encode()


def _disown_after_fork() -> None:
    """In a forked child: the parent's sockets are closed here without a word to the servers."""
    for link in list(_links):
        if not link.abandoned:
            link.abandoned = True
            link._in_flight = True
            # libpq objects live on (psycopg finishes them only in the process that made them).
            _disowned.append(link)
            try:
                os.close(link.fd)
            except OSError:
                pass


_disowned: list[Link] = []
os.register_at_fork(after_in_child=_disown_after_fork)
