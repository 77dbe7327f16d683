"""A TCP proxy between workers and servers, in the process that makes the faults: links break as they are told to.

Every worker has a door of its own to every node, so that a connection says whose it is.  What comes through a door is
read (`wire`), and a `Trap` holds up a certain message, or the answer to it, while the rest flows.  A direction of a
line can be held and let go on later, or lost; the ends of a line that was cut one way learn of it when it is mended.
"""

from __future__ import annotations

import contextlib
import enum
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.crash.wire import Kind, Mariadb, Postgres, kinds_of, number_of

T = TypeVar("T")

_CHUNK = 1 << 18
#: How long the thread waits when nothing happens.
_IDLE_SECONDS = 0.5

#: A unix socket's path, or a host and a port.
Address = str | tuple[str, int]


class Way(enum.Enum):
    """What becomes of the bytes in one direction."""

    OPEN = "open"
    HELD = "held"
    LOST = "lost"


class Flow:
    """One direction of a line."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.way = Way.OPEN
        #: What is held, and what the sink has not taken yet.
        self.held = bytearray()
        self.out = bytearray()
        #: The source has closed its end.
        self.over = False

    def take(self, data: bytes) -> None:
        if self.way is Way.OPEN:
            self.out += data
        elif self.way is Way.HELD:
            self.held += data

    def release(self) -> None:
        self.way = Way.OPEN
        self.out += self.held
        self.held.clear()


@dataclass(eq=False)
class Line:
    """One connection of a worker to a server."""

    owner: int
    node: str
    client: socket.socket
    server: socket.socket
    wire: Postgres | Mariadb
    closed: bool = False

    def __post_init__(self) -> None:
        self.up, self.down = Flow(self.client, self.server), Flow(self.server, self.client)
        self.messages: list[Message] = []


@dataclass(eq=False)
class Message:
    """What a worker has said in one go."""

    line: Line
    kinds: frozenset[Kind]
    #: The transaction that is prepared or finished here; "" where none is.
    number: str
    #: So many answers must have come on this line.
    answers: int
    held: bool = False
    answered: bool = False


@dataclass(eq=False)
class Trap:
    """Catches messages; the first ones are held themselves, or by their answers, the others only noted."""

    wants: Callable[[Message], bool]
    #: Hold the answer instead of the message.
    answer: bool = False
    #: So many are held.
    most: int = 1
    #: So many go by before.
    spared: int = 0
    caught: list[Message] = field(default_factory=list)

    @property
    def held(self) -> list[Message]:
        return [message for message in self.caught if message.held]

    def sees(self, message: Message) -> None:
        if not self.wants(message):
            return
        number = len(self.caught)
        self.caught.append(message)
        if self.spared <= number < self.spared + self.most:
            message.held = True
            (message.line.down if self.answer else message.line.up).way = Way.HELD


class Proxy:
    """All doors, served by one thread."""

    def __init__(self, engine: str = "postgresql") -> None:
        self._wire: type[Postgres | Mariadb] = Mariadb if engine == "mariadb" else Postgres
        self._selector = selectors.DefaultSelector()
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._bell, False)
        self._selector.register(self._bell, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._stopping = False
        self._doors: dict[tuple[int, str], int] = {}
        self._listening: list[socket.socket] = []
        self.lines: list[Line] = []
        self.traps: list[Trap] = []
        #: Transaction → the worker that has prepared it.
        self.owners: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping = True
        os.write(self._ring, b".")
        self._thread.join(10)
        for line in list(self.lines):
            self._close(line)
        for door in self._listening:
            door.close()
        self._selector.close()
        os.close(self._bell)
        os.close(self._ring)

    # -- for the thread that makes the faults ---------------------------------------------------------------------

    def door(self, owner: int, node: str, target: Address) -> int:
        """The port by which that worker reaches the node."""
        return self.do(lambda: self._open(owner, node, target))

    def do(self, order: Callable[[], T]) -> T:
        """Have the proxy's own thread do something; what that gave."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(order())
            except BaseException as error:
                done.set_exception(error)

        self._orders.put(run)
        os.write(self._ring, b".")
        return done.result(10)

    @contextlib.contextmanager
    def set(self, *traps: Trap) -> Iterator[None]:
        """What they hold when they are taken away stays held."""
        self.do(lambda: self.traps.extend(traps))
        try:
            yield
        finally:
            self.do(lambda: [self.traps.remove(trap) for trap in traps])

    def of(self, owner: int, node: str | None = None) -> list[Line]:
        return self.do(lambda: [x for x in self.lines if x.owner == owner and node in (None, x.node)])

    def release(self, *lines: Line) -> None:
        """Whatever was held or lost flows again."""

        def order() -> None:
            for line in lines:
                lost = Way.LOST in (line.up.way, line.down.way)
                line.up.release()
                line.down.release()
                # What was lost in between is missed by both: such a connection is reset.
                if lost:
                    self._close(line)
                else:
                    self._move(line)

        self.do(order)

    def lose(self, *lines: Line, up: bool = False, down: bool = False) -> None:
        """A cut: what is held and what comes is lost; neither end learns of it."""

        def order() -> None:
            for line in lines:
                for flow in (*([line.up] if up else ()), *([line.down] if down else ())):
                    flow.way = Way.LOST
                    flow.held.clear()

        self.do(order)

    def forward(self, *lines: Line) -> None:
        """The messages that are held go on; the answers to them are held instead."""

        def order() -> None:
            for line in lines:
                line.down.way = Way.HELD
                line.up.release()
                self._move(line)

        self.do(order)

    def cut(self, *lines: Line) -> None:
        """Both ends learn at once that the other one is gone."""
        self.do(lambda: [self._close(line) for line in lines])

    # -- the thread's own ------------------------------------------------------------------------------------------

    def _open(self, owner: int, node: str, target: Address) -> int:
        if (owner, node) not in self._doors:
            door = socket.create_server(("127.0.0.1", 0), backlog=64)
            door.setblocking(False)
            self._selector.register(door, selectors.EVENT_READ, (owner, node, target))
            self._listening.append(door)
            self._doors[owner, node] = door.getsockname()[1]
        return self._doors[owner, node]

    def _run(self) -> None:
        while not self._stopping:
            for key, events in self._selector.select(_IDLE_SECONDS):
                if key.fileobj == self._bell:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._bell, 4096)
                elif isinstance(key.data, Line):
                    self._ready(key.data, key.fileobj, events)
                else:
                    self._accept(key.fileobj, *key.data)
            while not self._orders.empty():
                self._orders.get()()

    def _accept(self, door: Any, owner: int, node: str, target: Address) -> None:
        try:
            client, _ = door.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
        try:
            server.connect(target)
        except OSError:
            # As a server that is down: the connection is refused, a moment late.
            client.close()
            server.close()
            return
        for end in (client, server):
            end.setblocking(False)
            if end.family == socket.AF_INET:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(owner, node, client, server, self._wire())
        self.lines.append(line)
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ, line)

    def _ready(self, line: Line, end: Any, events: int) -> None:
        if line.closed:
            return
        if events & selectors.EVENT_READ:
            flow = line.up if end is line.client else line.down
            try:
                data = end.recv(_CHUNK)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data == b"":
                flow.over = True
            elif data is not None:
                self._said(line, flow, data)
        self._move(line)

    def _said(self, line: Line, flow: Flow, data: bytes) -> None:
        if flow is line.up:
            statements = line.wire.say(data)
            if statements and (kinds := kinds_of(statements)):
                message = Message(line, kinds, number_of(statements), line.wire.asked)
                line.messages.append(message)
                if Kind.PREPARE in kinds:
                    self.owners[message.number] = line.owner
                # What is already held up stays so, whoever waits for it.
                if flow.way is Way.OPEN and line.down.way is Way.OPEN:
                    for trap in self.traps:
                        trap.sees(message)
        else:
            line.wire.hear(data)
            while line.messages and line.messages[0].answers <= line.wire.answered:
                line.messages.pop(0).answered = True
        flow.take(data)

    def _move(self, line: Line) -> None:
        """Send what can be sent; close what is over."""
        if line.closed:
            return
        for flow in (line.up, line.down):
            try:
                while flow.out:
                    del flow.out[: flow.sink.send(flow.out)]
            except BlockingIOError:
                pass
            except OSError:
                flow.out.clear()
                # The sink is gone; its own end says so when it is read.
        for flow in (line.up, line.down):
            if flow.over and flow.way is Way.OPEN and not flow.out:
                self._close(line)
                return
        for end, reads, writes in ((line.client, line.up, line.down), (line.server, line.down, line.up)):
            events = (0 if reads.over else selectors.EVENT_READ) | (selectors.EVENT_WRITE if writes.out else 0)
            self._watch(end, events, line)

    def _watch(self, end: socket.socket, events: int, line: Line) -> None:
        known = self._selector.get_map().get(end.fileno())
        if known is None:
            if events:
                self._selector.register(end, events, line)
        elif not events:
            self._selector.unregister(end)
        elif known.events != events:
            self._selector.modify(end, events, line)

    def _close(self, line: Line) -> None:
        if line.closed:
            return
        line.closed = True
        self.lines.remove(line)
        for end in (line.client, line.server):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()


def wait_for(ready: Callable[[], T], seconds: float, meanwhile: Callable[[], None] = lambda: None) -> T:
    """What `ready` says once it says something, or when the time is over."""
    until = time.monotonic() + seconds
    while not (said := ready()) and time.monotonic() < until:
        meanwhile()
        time.sleep(0.002)
    return said
