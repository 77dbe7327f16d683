"""Answers read off a socket: whole or not at all, and nothing that follows others."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace

import pytest

pymysql = pytest.importorskip("pymysql")

from pymysql.constants import FIELD_TYPE, FLAG  # noqa: E402

from outgrow.nodes.mariadb.answers import Answers  # noqa: E402

IN_TRANSACTION, MORE_RESULTS = 1, 8


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def answers(near: socket.socket) -> Answers:
    return Answers(SimpleNamespace(_sock=near, encoding="utf8", decoders=pymysql.converters.decoders, server_status=0))


def packets(*payloads: bytes) -> bytes:
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload
        for number, payload in enumerate(payloads, 1)
    )


def text(value: bytes | None) -> bytes:
    if value is None:
        return b"\xfb"
    size = len(value)
    head = bytes([size]) if size < 251 else b"\xfc" + size.to_bytes(2, "little")
    return head + value


def column(name: bytes, kind: int, charset: int = 45, flags: int = 0) -> bytes:
    about = charset.to_bytes(2, "little") + (20).to_bytes(4, "little") + bytes([kind]) + flags.to_bytes(2, "little")
    return b"".join(map(text, (b"def", b"d", b"t", b"t", name, name))) + b"\x0c" + about + b"\x00\x00\x00"


def eof(status: int = 2) -> bytes:
    return b"\xfe\x00\x00" + status.to_bytes(2, "little")


COLUMNS = (
    column(b"id", FIELD_TYPE.LONGLONG), column(b"name", FIELD_TYPE.VAR_STRING), column(b"raw", FIELD_TYPE.BLOB, 63),
    column(b"price", FIELD_TYPE.NEWDECIMAL, 63), column(b"day", FIELD_TYPE.DATE, 63, FLAG.BINARY),
)  # fmt: skip
ROWS = [
    (b"1", "béa".encode(), b"\xff\xfe", b"1.50", b"2024-02-29"),
    (None, b"x" * 300, b"", None, None),
]
ANSWER = packets(bytes([5]), *COLUMNS, eof(), *(b"".join(map(text, row)) for row in ROWS), eof(IN_TRANSACTION | 2))


def test_rows_of_each_kind(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    read = answers(near)
    for _ in range(2):  # the second time the columns are known
        far.sendall(ANSWER)
        rows = read.taken("SELECT")
        assert rows is not None
        assert [field.name for field in rows.fields] == ["id", "name", "raw", "price", "day"]
        assert [field.type for field in rows.fields] == ["int8", "text", "bytea", "numeric", "date"]
        assert rows.rows == [
            (1, "béa", b"\xff\xfe", Decimal("1.50"), datetime.date(2024, 2, 29)),
            (None, "x" * 300, b"", None, None),
        ]
        assert (rows.status, rows.count) == ("SELECT", 2)
        assert read._connection.server_status == IN_TRANSACTION | 2


def test_a_part_of_an_answer_is_left_alone(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    read = answers(near)
    sent = 0
    for size in (1, 4, 10, 11, 30, len(ANSWER) - 200, len(ANSWER) - 1):
        far.sendall(ANSWER[sent:size])
        sent = size
        assert read.taken("SELECT") is None
        assert near.recv(65536, socket.MSG_PEEK) == ANSWER[:sent]
    far.sendall(ANSWER[sent:])
    assert read.taken("SELECT") is not None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(packets(b"\xff\x15\x04#42000wrong"), id="an error"),
        pytest.param(packets(bytes([5]), *COLUMNS, eof(), b"\xff\x15\x04#42000late, and long"),
                     id="an error among rows"),
        pytest.param(packets(b"\xfbfile.csv and more"), id="a wish for a file"),
        pytest.param(packets(bytes([5]), *COLUMNS, eof(), eof(MORE_RESULTS)) + packets(b"\x00\x00\x00\x02\x00\x00\x00"),
                     id="several results"),
        pytest.param(packets(b"\x00\x01\x00\x0a\x00\x00\x00") + packets(b"\x00\x01\x00\x02\x00\x00\x00"), id="two OKs"),
        pytest.param(packets(b"\x00\x01\x00\x0a\x00\x00\x00"), id="an OK before others"),
    ],
)  # fmt: skip
def test_what_is_the_drivers_to_read_stays(ends: tuple[socket.socket, socket.socket], answer: bytes) -> None:
    near, far = ends
    far.sendall(answer)
    assert answers(near).taken("SELECT") is None
    assert near.recv(65536) == answer


def test_an_ok_counts(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    read = answers(near)
    far.sendall(packets(b"\x00\xfc\x2c\x01\x00\x03\x00\x00\x00"))
    rows = read.taken("UPDATE")
    assert rows is not None and (rows.status, rows.count, rows.fields) == ("UPDATE", 300, ())
    assert read._connection.server_status == 3


def test_long_answers_are_looked_at_twice_and_longer_ones_left(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    for side in ends:
        side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        side.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    read = answers(near)
    many = [text(b"%d" % number) for number in range(5000)]
    far.sendall(packets(b"\x01", column(b"n", FIELD_TYPE.LONG), eof(), *many, eof()))
    rows = read.taken("SELECT")
    assert rows is not None and rows.rows == [(number,) for number in range(5000)]
    far.sendall(packets(b"\x01", column(b"n", FIELD_TYPE.LONG), eof(), *many, *many, eof()))
    assert read.taken("SELECT") is None
