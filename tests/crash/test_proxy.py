"""What the proxy does to bytes, against a server that answers every message."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.crash.proxy import Line, Message, Proxy, Trap, wait_for
from tests.crash.wire import Kind, Mariadb, Postgres, kinds_of, number_of

PREPARE = b"PREPARE TRANSACTION 'outgrow/app/s2/0123456789abcdef0123456789abcdef.1'"


class Server:
    """Takes startups and queries, and says that it is ready after each."""

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.heard: list[bytes] = []
        self.ended = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.answer, args=(self.door.accept()[0],), daemon=True).start()

    def answer(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            while data := link.recv(65536):
                self.heard.append(data)
                link.sendall(b"Z\0\0\0\5I")
        self.ended += 1


class Client:
    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port))
        self.link.settimeout(5)
        self.link.sendall((8).to_bytes(4, "big") + (196608).to_bytes(4, "big"))
        self.hear()

    def say(self, text: bytes) -> None:
        self.link.sendall(b"Q" + (len(text) + 5).to_bytes(4, "big") + text + b"\0")

    def hear(self, seconds: float = 5.0) -> bytes | None:
        """None where nothing comes, b"" at the end."""
        self.link.settimeout(seconds)
        try:
            return self.link.recv(65536)
        except TimeoutError:
            return None
        except OSError:
            return b""


@pytest.fixture
def place() -> Iterator[tuple[Proxy, Server, Client]]:
    server = Server()
    with Proxy() as proxy:
        client = Client(proxy.door(3, "app/s1/primary", server.door.getsockname()))
        yield proxy, server, client
        client.link.close()
    server.door.close()


def caught(trap: Trap) -> Message:
    assert wait_for(lambda: trap.held, 5.0)
    return trap.held[0]


def prepares(message: Message) -> bool:
    return Kind.PREPARE in message.kinds


def test_what_nobody_waits_for_goes_through(place: tuple[Proxy, Server, Client]) -> None:
    proxy, _server, client = place
    client.say(b"SELECT 1")
    assert client.hear() == b"Z\0\0\0\5I"
    (line,) = proxy.of(3)
    assert (line.owner, line.node) == (3, "app/s1/primary")


def test_a_message_is_held_and_goes_on(place: tuple[Proxy, Server, Client]) -> None:
    proxy, server, client = place
    trap = Trap(prepares)
    with proxy.set(trap):
        client.say(b"SELECT 1")
        assert client.hear()
        client.say(PREPARE)
        message = caught(trap)
    assert (message.number, message.line.owner) == ("0123456789abcdef0123456789abcdef", 3)
    assert proxy.owners[message.number] == 3
    assert client.hear(0.1) is None and not any(PREPARE in data for data in server.heard)
    proxy.release(message.line)
    assert client.hear() and any(PREPARE in data for data in server.heard)
    assert message.answered


def test_an_answer_is_held(place: tuple[Proxy, Server, Client]) -> None:
    proxy, _server, client = place
    trap = Trap(prepares, answer=True)
    with proxy.set(trap):
        client.say(PREPARE)
        message = caught(trap)
        assert wait_for(lambda: message.answered, 5.0)
    assert client.hear(0.1) is None
    proxy.release(message.line)
    assert client.hear()


def test_an_answer_is_dropped_after_forwarding(place: tuple[Proxy, Server, Client]) -> None:
    proxy, _server, client = place
    trap = Trap(prepares)
    with proxy.set(trap):
        client.say(PREPARE)
        message = caught(trap)
    proxy.forward(message.line)
    assert wait_for(lambda: message.answered, 5.0)
    proxy.cut(message.line)
    assert client.hear() == b""


def test_a_message_arrives_when_its_sender_is_gone(place: tuple[Proxy, Server, Client]) -> None:
    proxy, server, client = place
    trap = Trap(prepares)
    with proxy.set(trap):
        client.say(PREPARE)
        message = caught(trap)
    client.link.close()
    time.sleep(0.05)
    assert server.ended == 0
    proxy.release(message.line)
    assert wait_for(lambda: server.ended == 1, 5.0)
    assert any(PREPARE in data for data in server.heard)


@pytest.mark.parametrize("up", [True, False])
def test_one_way_is_cut_and_nobody_learns_of_it(place: tuple[Proxy, Server, Client], up: bool) -> None:
    proxy, server, client = place
    lines: list[Line] = proxy.of(3)
    proxy.lose(*lines, up=up, down=not up)
    client.say(PREPARE)
    assert client.hear(0.1) is None
    assert any(PREPARE in data for data in server.heard) is not up
    proxy.release(*lines)
    assert client.hear() == b""
    assert wait_for(lambda: server.ended == 1, 5.0)


def test_prepared_statements_are_known_by_their_text() -> None:
    wire = Postgres()
    parse = b"x\0INSERT INTO outgrow.decisions (id, outcome, shards, stamped_at)\0\0\0"
    bind = b"\0x\0\0\0\0\0\0\0"
    startup = (8).to_bytes(4, "big") + (196608).to_bytes(4, "big")

    def framed(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    wire.say(startup + framed(b"P", parse) + framed(b"S", b""))
    said = framed(b"B", bind) + framed(b"S", b"")
    assert wire.say(said[:7]) == []
    assert kinds_of(wire.say(said[7:])) == {Kind.DECIDE}
    assert wire.asked == 3
    wire.hear(b"Z\0\0\0\5I" * 2 + b"Z\0")
    assert wire.answered == 2


def test_the_other_engine_speaks_in_packets() -> None:
    wire = Mariadb()
    text = b"\3XA PREPARE 'outgrow/0123456789abcdef0123456789abcdef','s2'"
    login = (3).to_bytes(3, "little") + b"\1" + b"me\0"
    statements = wire.say(login + len(text).to_bytes(3, "little") + b"\0" + text)
    assert kinds_of(statements) == {Kind.PREPARE}
    assert number_of(statements) == "0123456789abcdef0123456789abcdef"
    wire.hear(b"\7\0\0\1\0")
    assert wire.answered == wire.asked == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"BEGIN ISOLATION LEVEL READ COMMITTED", {Kind.BEGIN}),
        (b"BEGIN NOT ATOMIC SET SESSION lock_wait_timeout = 1; END", set()),
        (b"XA START 'outgrow/00','s1'", {Kind.BEGIN}),
        (b"UPDATE accounts SET balance = 1", {Kind.DML}),
        (b"COMMIT PREPARED 'outgrow/app/s1/00.1'", {Kind.FINISH}),
        (b"XA ROLLBACK 'outgrow/00','s1'", {Kind.UNDO}),
        (b"INSERT INTO outgrow.decisions (id, outcome)\nSELECT", {Kind.RULE}),
        (b"INSERT IGNORE INTO outgrow_decisions (id, outcome) SELECT", {Kind.RULE}),
        (b"DELETE FROM outgrow_stamps", {Kind.FORGET}),
        (b"SELECT 1", set()),
    ],
)
def test_what_a_statement_is(text: bytes, kind: set[Kind]) -> None:
    assert kinds_of([text]) == kind
