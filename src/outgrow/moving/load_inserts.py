"""A link to MariaDB as what a load goes to: each part's records become INSERTs of many rows.

LOAD DATA LOCAL would be faster, and wrong: it makes warnings of what it cannot store, and of rows that meet others.
An INSERT under the pinned `sql_mode` fails, and the load with it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from outgrow.errors import DataError, Error, NotSupportedError
from outgrow.moving.load_layout import Layout, LoadFormat
from outgrow.moving.load_spelling import without_quotes
from outgrow.nodes import Link, Rows
from outgrow.topology import TableName
from outgrow.waits import READ, Future, Socket, Steps

T = TypeVar("T")

#: Bytes of one INSERT, about: what the server takes at once is 16 MB at least.
_STATEMENT = 1 << 20
_AT_ROW = re.compile(r" at row (\d+)\Z")
_ZERO = re.compile(rb"\s*[+-]?0*(?:\.[0-4]\d*|\.)?\s*\Z")


class InsertTarget:
    """One link within a transaction.  What its thread does is waited for as a socket, as lanes want it."""

    def __init__(self, link: Link, layout: Layout) -> None:
        self._link = link
        self._layout = layout
        self._head = b""
        self._writer: Writer | None = None
        self._rows: list[bytes] = []
        self._size = 0
        #: Lines of the part before the rows that wait, and the lines that each of those takes.
        self._line = 0
        self._lines: list[int] = []
        self._count = 0

    @property
    def engine(self) -> str:
        return self._link.engine

    def named(self, table: TableName) -> str:
        return _name(table.name)

    def emptied(self, table: TableName) -> str:
        # Its TRUNCATE would commit.
        return f"DELETE FROM {_name(table.name)}"

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Rows]:
        return _over_socket_steps(self._link.run_steps(sql, params, prepare=False))

    def begin_steps(self, sql: str) -> Steps[None]:
        """Nothing is sent yet; `sql` is another engine's."""
        layout = self._layout
        added = layout.numbering.names if layout.numbering is not None else ()
        names = ", ".join(_name(name) for name in (*layout.columns, *added))
        self._head = f"INSERT INTO {_name(layout.table.name.name)} ({names}) VALUES ".encode()
        self._writer = Writer(layout)
        return
        yield

    def send_steps(self, data: bytes | memoryview) -> Steps[None]:
        assert self._writer is not None
        for row, lines in self._writer.rows(bytes(data), self._line + sum(self._lines)):
            self._rows.append(row)
            self._lines.append(lines)
            self._size += len(row)
            if self._size >= _STATEMENT:
                yield from self._flush_steps()

    def finish_steps(self) -> Steps[int]:
        yield from self._flush_steps()
        return self._count

    def abort_steps(self, reason: str) -> Steps[None]:
        """Nothing is open: whoever began the transaction rolls it back."""
        self._rows.clear()
        return
        yield

    def _flush_steps(self) -> Steps[None]:
        if not self._rows:
            return
        text = (self._head + b", ".join(self._rows)).decode()
        try:
            done = yield from self.run_steps(text)
        except Error as error:
            found = _AT_ROW.search(error.message)
            if found is not None and int(found[1]) <= len(self._lines):
                line = self._line + sum(self._lines[: int(found[1]) - 1]) + 1
                error.message = error.message[: found.start()]
                error.details = {**error.details, "context": f"COPY {self._layout.table.name}, line {line}"}
            raise
        self._count += done.count
        self._line += sum(self._lines)
        self._rows, self._lines, self._size = [], [], 0


class Writer:
    """Records of CSV as rows of VALUES.  Raises NotSupportedError OG-LOAD-016 for formats that it does not read."""

    def __init__(self, layout: Layout) -> None:
        form = layout.format
        _check(form)
        self._delimiter, self._quote = form.delimiter.encode(), form.quote.encode()
        self._null = form.null.encode()
        self._added = layout.numbering.names if layout.numbering is not None else ()
        self._names = layout.columns
        types = {column.name: column for column in layout.table.columns}
        self._bits = {at for at, name in enumerate(layout.columns) if types[name].type.startswith("mariadb.bit")}
        self._counted = {at for at, name in enumerate(layout.columns) if types[name].counted}
        quote, delimiter = re.escape(self._quote), re.escape(self._delimiter)
        pattern = b"((?:[^%b%b\\n]|%b[^%b]*%b)*)(%b|\\n)" % (quote, delimiter, *(quote,) * 3, delimiter)
        self._field = re.compile(pattern)

    def rows(self, data: bytes, line: int) -> Iterator[tuple[bytes, int]]:
        """Each record, and the lines that it takes; `line` is how many came before them."""
        for fields, lines in self._quoted(data) if self._quote in data else self._plain(data):
            yield b"(" + b", ".join(self._literals(fields, line + 1)) + b")", lines
            line += lines

    def _plain(self, data: bytes) -> Iterator[tuple[list[bytes | None], int]]:
        null = self._null
        for record in data.split(b"\n")[:-1]:
            fields = record.removesuffix(b"\r").split(self._delimiter)
            yield [None if field == null else field for field in fields], 1

    def _quoted(self, data: bytes) -> Iterator[tuple[list[bytes | None], int]]:
        fields: list[bytes | None] = []
        lines = 1
        for field, end in self._field.findall(data):
            field = field.removesuffix(b"\r") if end == b"\n" else field
            if self._quote in field:
                lines += field.count(b"\n")
                fields.append(without_quotes(field, self._quote, self._quote))
            else:
                fields.append(None if field == self._null else field)
            if end == b"\n":
                yield fields, lines
                fields, lines = [], 1

    def _literals(self, fields: list[bytes | None], line: int) -> Iterator[bytes]:
        for at, field in enumerate(fields):
            if at in self._counted and (field is None or _ZERO.match(field)):
                why = "NULL or 0, for which each server would draw a number of its own"
                raise self._wrong(at, line, why, "leave the column out of the file, and the fleet numbers the rows")
            if field is None:
                yield b"NULL"
            elif at in self._bits:
                if not field.isdigit():
                    raise self._wrong(at, line, "no number, which is what a bit column is given", "write it in decimal")
                yield field
            else:
                yield b"'" + field.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"

    def _wrong(self, at: int, line: int, why: str, cure: str) -> DataError:
        where = f"line {line} of a shard's part: {self._names[at]}"
        return DataError("OG-LOAD-017", f"{where} is {why}; nothing was loaded", cure=cure)


def _check(form: LoadFormat) -> None:
    what = ""
    if form.kind != "csv":
        what = f"the format {form.kind}"
    elif form.escape != form.quote:
        what = "an escape that is not the quote"
    elif form.default is not None or form.force_null or form.force_not_null:
        what = "DEFAULT, FORCE_NULL or FORCE_NOT_NULL"
    if what:
        raise NotSupportedError(
            "OG-LOAD-016", f"{what} is not read for MariaDB", cure="load CSV with quotes that are doubled inside quotes"
        )


def _over_socket_steps(steps: Steps[T]) -> Steps[T]:
    """The same steps; what another thread delivers is heard on a socket."""
    resume: Callable[[], Any] = partial(steps.send, None)
    while True:
        try:
            wait = resume()
        except StopIteration as done:
            result: T = done.value
            return result
        try:
            ready = (yield from _heard_steps(wait)) if isinstance(wait, Future) else (yield wait)
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:
            # They cancel what they have begun, and may wait for it.
            resume = partial(steps.throw, error)
        else:
            resume = partial(steps.send, ready)


def _heard_steps(wait: Future) -> Steps[bool]:
    hearing, saying = socket.socketpair()
    with hearing, saying:

        def say(_: object) -> None:
            # Nobody may be listening any more.
            try:
                saying.send(b".")
            except OSError:
                return

        wait.future.add_done_callback(say)
        if wait.future.done():
            return True
        yield Socket(hearing.fileno(), READ, wait.until)
        return wait.future.done()


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
