"""A short answer, read at once from what the socket holds: where the driver reads packet by packet, blocking.

A statement is sent, its socket waited for as any other, and what has come is looked at without taking it.  If it is
the whole answer, an OK or rows, it is taken and decoded here, with the driver's own converters and column packets;
everything else (errors, long answers, several results, TLS) is left for the driver to read, on the link's thread.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

from pymysql import converters
from pymysql.connections import Connection
from pymysql.constants import COMMAND, FIELD_TYPE, SERVER_STATUS
from pymysql.protocol import FieldDescriptorPacket

from outgrow.nodes.mariadb.fields import fields_of
from outgrow.nodes.rows import Field, Inserted, Rows

#: What an answer may be at most to be read here: a first look, and a second one where that was full.
_LOOKS = (4096, 65536)
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_STATEMENT_MAX = 16_384
_SHAPES_MAX = 500
#: The driver's halves of a query; without them, its whole is used.
_HALVES = hasattr(Connection, "_execute_command") and hasattr(Connection, "_read_query_result")
_CHARACTERS = frozenset(
    (
        *(FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.BLOB, FIELD_TYPE.TINY_BLOB),
        *(FIELD_TYPE.MEDIUM_BLOB, FIELD_TYPE.LONG_BLOB, FIELD_TYPE.BIT, FIELD_TYPE.GEOMETRY),
    )
)
_BINARY_CHARSET = 63

Decoder = Callable[[bytes], Any]
#: The columns of a result, and what makes values of their bytes.
Shape = tuple[tuple[Field, ...], tuple[Decoder, ...]]


class Answers:
    """Of one connection."""

    __slots__ = ("_connection", "_shapes", "_socket")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket: Any = connection._sock
        #: The bytes of a result's column packets → what they say; statements repeat.
        self._shapes: dict[bytes, Shape] = {}

    def takes(self, text: str) -> bool:
        """The statement may be sent and its answer be waited for apart."""
        return _HALVES and len(text) < _STATEMENT_MAX and not isinstance(self._socket, ssl.SSLSocket)

    def send(self, text: str) -> None:
        self._connection._execute_command(COMMAND.COM_QUERY, text.encode())

    def taken(self, tag: str) -> Rows | None:
        """The answer, where it has come as a whole and is one that is read here; else nothing was taken."""
        for size in _LOOKS:
            data = self._socket.recv(size, _PEEK)
            if len(data) < size:
                break
        if len(data) < 11:
            return None
        kind = data[4]
        if kind == 0:
            return self._ok(data, tag)
        return self._rows(data, tag) if kind < 251 else None

    def _ok(self, data: bytes, tag: str) -> Rows | None:
        end = 4 + int.from_bytes(data[:3], "little")
        if end != len(data):
            return None
        count, at = _number(data, 5)
        number, at = _number(data, at)
        if not self._over(data[at : at + 2], end):
            return None
        return Inserted(tag, count, number) if number else Rows((), [], tag, count)

    def _rows(self, data: bytes, tag: str) -> Rows | None:
        width, first = _number(data, 4)
        # The column packets, and the EOF behind them.
        at = first
        for _ in range(width + 1):
            at += 4 + int.from_bytes(data[at : at + 3], "little")
        if at > len(data):
            return None
        columns = data[first:at]
        shape = self._shapes.get(columns) or self._learned(columns, width)
        decoders = shape[1]
        rows: list[tuple[Any, ...]] = []
        end = len(data)
        while at + 9 <= end:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            place, at = at + 4, at + 4 + length
            if at > end:
                return None
            lead = data[place]
            if lead == 254 and length < 9:
                return Rows(shape[0], rows, tag, len(rows)) if at == end and self._over(data[at - 2 :], end) else None
            if lead == 255:
                return None
            row: list[Any] = []
            for decode in decoders:
                size = data[place]
                place += 1
                if size > 250:
                    if size == 251:
                        row.append(None)
                        continue
                    size, place = _number(data, place - 1)
                row.append(decode(data[place : place + size]))
                place += size
            rows.append(tuple(row))
        return None

    def _over(self, status: bytes, end: int) -> bool:
        """Take the answer off the socket; not where others follow it."""
        flags = int.from_bytes(status, "little")
        if flags & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS:
            return False
        self._connection.server_status = flags
        while end:
            end -= len(self._socket.recv(end))
        return True

    def _learned(self, columns: bytes, width: int) -> Shape:
        if len(self._shapes) >= _SHAPES_MAX:
            self._shapes.clear()
        packets, at = [], 0
        for _ in range(width):
            end = at + 4 + int.from_bytes(columns[at : at + 3], "little")
            packets.append(FieldDescriptorPacket(columns[at + 4 : end], self._connection.encoding))
            at = end
        shape = fields_of(packets), tuple(self._decoder(packet) for packet in packets)
        self._shapes[columns] = shape
        return shape

    def _decoder(self, column: Any) -> Decoder:
        """What the driver makes of the bytes of such a column."""
        convert: Any = self._connection.decoders.get(column.type_code)
        convert = None if convert is converters.through else convert
        if column.type_code in _CHARACTERS:
            text = None if column.charsetnr == _BINARY_CHARSET else self._connection.encoding
        else:
            text = self._connection.encoding if column.type_code == FIELD_TYPE.JSON else "ascii"
        if convert in (int, float) or text is None:
            decoder: Decoder = convert or bytes
            return decoder
        if convert is None:
            return bytes.decode if text in ("utf8", "utf-8") else lambda data: data.decode(text)
        return lambda data: convert(data.decode(text))


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A length-encoded number, and where it ends."""
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size
