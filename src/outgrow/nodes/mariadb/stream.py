"""`MariadbStream`: a result read in chunks, as the server sends it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.cursors import SSCursor

from outgrow import errors
from outgrow.nodes.mariadb.fields import fields_of
from outgrow.nodes.mariadb.translate import from_driver
from outgrow.nodes.rows import Field
from outgrow.nodes.stream import Stream
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.nodes.mariadb.link import MariadbLink


class MariadbStream(Stream):
    """As `Stream`, over an unbuffered cursor on the link's thread."""

    def __init__(self, link: MariadbLink, text: str, chunk_rows: int, until: float | None) -> None:
        self.link: MariadbLink = link
        self.fields: tuple[Field, ...] = ()
        self.status = ""
        self.count = -1
        self._text = text
        self._chunk_rows = chunk_rows
        self._until = until
        self._cursor: Any = None
        self._seen = 0

    def open_steps(self) -> Steps[tuple[Field, ...]]:
        self.fields = yield from self.link.call_steps(self._open, self._until)
        self.link.in_flight = self._cursor is not None
        return self.fields

    def more_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        if self._cursor is None:
            return None
        chunk = yield from self.link.call_steps(self._more, self._until, taken=True)
        if not chunk:
            self._end()
            return None
        self._seen += len(chunk)
        return list(chunk)

    def close_steps(self) -> Steps[None]:
        """Read on to the end: ending the statement on the server would fail its transaction."""
        if self._cursor is not None:
            try:
                yield from self.link.call_steps(self._cursor.close, self._until, taken=True)
            finally:
                self._end()

    def _end(self) -> None:
        self._cursor = None
        self.count = self._seen
        self.link.in_flight = False

    def _open(self) -> tuple[Field, ...]:
        self.status = self.link.before(self._text)
        cursor = SSCursor(self.link.connection)
        try:
            cursor.execute(self._text)
        except Exception as error:
            raise self._failed(error) from error
        if cursor.description is None:
            self.count = cursor.rowcount
            return ()
        self._cursor = cursor
        return fields_of(cursor._result.fields)

    def _more(self) -> Any:
        try:
            return self._cursor.fetchmany(self._chunk_rows)
        except Exception as error:
            with contextlib.suppress(pymysql.err.Error):
                self._cursor.close()
            self._cursor = None
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> errors.Error:
        self.link.after_error(error)
        return from_driver(error, self.link.node)
