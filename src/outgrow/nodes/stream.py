"""`Stream`: a result read in chunks, so that its size does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.pq.abc import PGresult

from outgrow import errors
from outgrow.nodes import translate
from outgrow.nodes.exchange import FATAL_ERROR, TUPLES_CHUNK, Late, drain_steps, flush_steps, result_steps
from outgrow.nodes.pair import described_steps
from outgrow.nodes.recovery import recover_steps, used_wrongly
from outgrow.nodes.rows import Field, fields_of
from outgrow.waits import READ, Socket, Steps

if TYPE_CHECKING:
    from outgrow.nodes.link import Link, Params

#: Texts whose columns a link remembers.
DESCRIBED_MAX = 200


class Stream:
    """One statement's rows in chunks.  `open_steps`, `more_steps` until None; `close_steps` to stop earlier.

    The link is taken until the end: it runs nothing else meanwhile.
    """

    def __init__(self, link: Link, sql: str, params: Params, chunk_rows: int, until: float | None) -> None:
        self.link = link
        self.fields: tuple[Field, ...] = ()
        #: The command tag without numbers, and the rows affected (-1: none), known at the end.
        self.status = ""
        self.count = -1
        #: The transaction around it is there for this stream alone, and may fail with it.
        self.expendable = False
        self._sql = sql
        self._params = params
        self._chunk_rows = chunk_rows
        self._until = until
        self._readable = Socket(link.fd, READ, until)
        self._first: list[tuple[Any, ...]] | None = None
        self._ended = True
        self._in_block = False

    def open_steps(self) -> Steps[tuple[Field, ...]]:
        """Send the statement; return its columns when the first rows are there.  Errors as of `Link.run_steps`.

        The columns are described before, once per link and text: the name of a type that is not built in must be
        asked while the link is free.
        """
        link = self.link
        if link.in_flight:
            raise used_wrongly(link)
        values, types, formats = link.dump(self._params)
        key = (self._sql, types)
        known = link.preparations.known.get(key)
        text = link.encoded(self._sql)
        if known is not None:
            name: bytes | None = known.name
            self.fields = known.fields
            link.count_use(known)
        else:
            name = None
            if key not in link.described:
                yield from self._describe_steps(text, key)
            self.fields = link.described[key]
        self._in_block = link.in_transaction
        link.in_flight = True
        self._ended = False
        pgconn = link.pgconn
        try:
            if name is not None:
                pgconn.send_query_prepared(name, values, formats)
            else:
                pgconn.send_query_params(text, values, types, formats)
            pgconn.set_chunked_rows_mode(self._chunk_rows)
            if pgconn.flush():
                yield from flush_steps(pgconn, self._until)
            result = yield from result_steps(pgconn, self._readable)
        except BaseException as error:
            yield from self._fail_steps(error)
        if result is not None and result.nfields:
            oids = tuple(result.ftype(i) for i in range(result.nfields))
            if oids != tuple(field.oid for field in self.fields):
                self.fields = fields_of(result, link.names)
        try:
            self._first = yield from self._take_steps(result)
        except errors.Error as error:
            if name is not None and error.sqlstate in translate.STALE and not link.broken and not link.in_transaction:
                link.preparations.drop()
                return (yield from self.open_steps())
            raise
        return self.fields

    def _fail_steps(self, error: BaseException) -> Steps[Any]:
        self._ended = True
        yield from recover_steps(self.link, error)
        # Even if the statement ended well meanwhile, the rows between were drained: this stream is not whole.
        self.link.in_flight = False
        raise translate.late(self.link.node) from None

    def _describe_steps(self, text: bytes, key: tuple[str, tuple[int, ...]]) -> Steps[None]:
        link = self.link
        result = yield from described_steps(link, text, key[1], self._until)
        while len(link.described) >= DESCRIBED_MAX:
            del link.described[next(iter(link.described))]
        link.described[key] = yield from link.fields_steps(result, self._until)

    def more_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        """The next rows, up to chunk_rows; None at the end.  An error of the statement is raised here."""
        if self._first is not None:
            rows, self._first = self._first, None
            return rows or (yield from self.more_steps())
        if self._ended:
            return None
        try:
            result = yield from result_steps(self.link.pgconn, self._readable)
        except BaseException as error:
            yield from self._fail_steps(error)
        return (yield from self._take_steps(result))

    def _take_steps(self, result: PGresult | None) -> Steps[list[tuple[Any, ...]] | None]:
        if result is None:
            self._ended = True
            self.link.in_flight = False
            return None
        if tag := result.command_status:
            # libpq puts it on the last chunk, or on the empty result after it.
            self.status = tag.decode().rstrip("0123456789 ")
            affected = result.command_tuples
            self.count = -1 if affected is None else affected
        if result.status == TUPLES_CHUNK:
            return self.link.load(result)
        yield from self._end_steps()
        if result.status == FATAL_ERROR:
            raise translate.from_result(result, self.link.node)
        return self.link.rows_of(result, self.fields).rows or None

    def _end_steps(self) -> Steps[None]:
        """Read to the end of the statement; the link is free after it."""
        self._ended = True
        if not self.link.in_flight:
            return
        try:
            while (yield from result_steps(self.link.pgconn, self._readable)) is not None:
                pass
        except BaseException as error:
            yield from recover_steps(self.link, error)
        self.link.in_flight = False

    def close_steps(self) -> Steps[None]:
        """Stop early and free the link.

        Outside a transaction (and in an expendable one) the statement is cancelled on the server.  Inside one a
        cancellation would fail the whole transaction, so the remaining rows are read and thrown away.
        """
        self._first = None
        if self._ended:
            return
        self._ended = True
        link = self.link
        if link.pgconn.status != 0:
            return
        if self._in_block and not self.expendable:
            try:
                yield from drain_steps(link.pgconn, self._until)
            except BaseException as error:
                yield from recover_steps(link, error)
        else:
            try:
                yield from recover_steps(link, Late())
            except errors.Error as error:
                if error.code != translate.TIME_LIMIT:
                    raise
        link.in_flight = False
