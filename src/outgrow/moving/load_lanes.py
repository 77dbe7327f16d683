"""Several shards fed at once: a lane each, with its own queue, none waiting for another.

While one server is busy the others get their bytes, and while all are busy the next block is split: a slow shard
holds the others up only when the queues together are full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.moving.numbering import Draw
from outgrow.topology import TableName
from outgrow.waits import Socket, Sockets, Steps, Wait

T = TypeVar("T")

#: Bytes queued for all shards together before the next block is split.
QUEUED_MAX = 8 << 20
#: In the past: a wait until then only looks what is ready.
_AT_ONCE = 0.0


class Answer(Protocol):
    @property
    def rows(self) -> Sequence[tuple[Any, ...]]: ...


class CopyTarget(Protocol):
    """One connection to a shard's primary, on which one statement or one COPY runs at a time.

    Its steps wait for sockets only.  An error carries the server's CONTEXT in `details["context"]`, if there is one.
    """

    @property
    def engine(self) -> str:
        """Whose words it understands."""

    def named(self, table: TableName) -> str:
        """The table as SQL."""

    def emptied(self, table: TableName) -> str:
        """What empties the table in a transaction."""

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Answer]:
        """Run one statement; parameters are $1 … $n."""

    def begin_steps(self, sql: str) -> Steps[Any]:
        """Run a COPY … FROM STDIN until the server wants data."""

    def send_steps(self, data: bytes | memoryview) -> Steps[Any]:
        """Hand over data; returns once it has been given to the kernel or can wait in a bounded buffer."""

    def finish_steps(self) -> Steps[int]:
        """End the data; returns the rows that the server copied, or raises what it found wrong."""

    def abort_steps(self, reason: str) -> Steps[Any]:
        """Give up the COPY; the server's own transaction then has failed, or the connection is closed."""


class Lane:
    """One shard's target, what waits to be sent to it, and the step it is in."""

    __slots__ = ("_queue", "_steps", "copying", "queued", "result", "shard", "target", "wait")

    def __init__(self, shard: str, target: CopyTarget) -> None:
        self.shard = shard
        self.target = target
        self.copying = False
        #: Bytes not yet handed to the connection.
        self.queued = 0
        self.result: Any = None
        #: What the current step waits for; None when the lane is idle.
        self.wait: Wait | None = None
        self._steps: Generator[Wait, Any, Any] | None = None
        self._queue: deque[bytes | memoryview] = deque()

    def put(self, data: bytes | memoryview) -> None:
        if data:
            self._queue.append(data)
            self.queued += len(data)

    def start(self, steps: Steps[Any]) -> None:
        """Run these steps up to their first wait."""
        self._steps = steps
        self._go(None)

    def resume(self, ready: Any) -> None:
        self._go(ready)
        self.advance()

    def advance(self) -> None:
        """Send what is queued for as long as nothing has to be waited for."""
        while self._steps is None and self._queue:
            data = self._queue.popleft()
            self.queued -= len(data)
            self.start(self.target.send_steps(data))

    def forget(self) -> None:
        """Send nothing more of what is queued."""
        self._queue.clear()
        self.queued = 0

    def drop(self) -> None:
        """Leave the current step where it is and forget what was queued."""
        steps, self._steps, self.wait = self._steps, None, None
        self.forget()
        if steps is not None:
            steps.close()

    def _go(self, ready: Any) -> None:
        assert self._steps is not None
        try:
            self.wait = self._steps.send(ready)
        except StopIteration as done:
            self._steps, self.wait, self.result = None, None, done.value
        except BaseException:
            self._steps, self.wait = None, None
            raise


def pump_steps(lanes: Sequence[Lane], blocks: Iterable[Sequence[bytes | memoryview] | Draw]) -> Steps[None]:
    """Queue every block's pieces, one for each lane; between blocks numbers may have to be drawn for the next."""
    for each in blocks:
        yield from each.steps if isinstance(each, Draw) else offer_steps(lanes, each)


def offer_steps(lanes: Sequence[Lane], pieces: Sequence[bytes | memoryview]) -> Steps[None]:
    """Queue one piece for each lane; over when there is room for the next."""
    for lane, data in zip(lanes, pieces, strict=True):
        lane.put(data)
        if (failed := _guarded(lane, lane.advance)) is not None:
            raise failed
    full = True
    while full and (waiting := [lane for lane in lanes if lane.wait is not None]):
        full = sum(lane.queued for lane in lanes) >= QUEUED_MAX
        yield from _ready_steps(waiting, None if full else _AT_ONCE)


def settle_steps(lanes: Sequence[Lane], until: float | None) -> Steps[None]:
    """Over when nothing is queued nor under way, or `until` has passed."""
    while waiting := [lane for lane in lanes if lane.wait is not None]:
        if until is not None and monotonic() >= until:
            return
        yield from _ready_steps(waiting, until)


def all_steps(lanes: Sequence[Lane], steps: Callable[[Lane], Steps[T]]) -> Steps[list[T]]:
    """The same steps on every lane at once.  All are ended before the first error is raised."""
    failed: BaseException | None = None
    for lane in lanes:
        failed = _guarded(lane, lane.start, steps(lane)) or failed
    while waiting := [lane for lane in lanes if lane.wait is not None]:
        try:
            yield from _ready_steps(waiting, None)
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return [lane.result for lane in lanes]


def _guarded(lane: Lane, call: Callable[..., None], *arguments: Any) -> Exception | None:
    try:
        call(*arguments)
    except Exception as error:
        if isinstance(error, Error) and error.shard is None:
            error.shard = lane.shard
        return error
    return None


def _ready_steps(lanes: Sequence[Lane], until: float | None) -> Steps[None]:
    """Wait for the lanes' sockets together and resume those that are ready; raises the first error of any."""
    wants: dict[int, int] = {}
    for lane in lanes:
        wants.update(_wanted(lane.wait))
    ready = yield Sockets(wants, until)
    failed: Exception | None = None
    for lane in lanes:
        mine = {fd: events for fd, events in ready.items() if fd in _wanted(lane.wait)}
        if mine:
            failed = _guarded(lane, lane.resume, mine) or failed
    if failed is not None:
        raise failed


def _wanted(wait: Wait | None) -> dict[int, int]:
    if isinstance(wait, Socket):
        return {wait.fd: wait.events}
    if isinstance(wait, Sockets):
        return dict(wait.wants)
    raise TypeError(f"a copy target may wait for sockets only, not {wait!r}")
