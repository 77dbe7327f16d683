"""The drivers, over socket pairs and no server."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import random
import signal
import socket
import threading
import time

import pytest

from outgrow.clock import monotonic
from outgrow.nodes import drive, drive_async, together
from outgrow.nodes.waiting import Stopped
from outgrow.waits import READ, WRITE, Future, Socket, Sockets, Until

drivers = pytest.mark.parametrize(
    "run", [drive, lambda steps: asyncio.run(drive_async(steps))], ids=["drive", "drive_async"]
)


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    yield near, far
    near.close()
    far.close()


@drivers
def test_a_value_without_a_wait(run):
    def steps():
        return 7
        yield

    assert run(steps()) == 7


@drivers
def test_a_socket_that_becomes_readable(run, pair):
    near, far = pair

    def steps():
        later(0.05, far, b"hello")
        ready = yield Socket(near.fileno(), READ)
        assert ready == {near.fileno(): READ}
        ready = yield Socket(near.fileno(), READ | WRITE)
        assert ready[near.fileno()] & WRITE
        return near.recv(10)

    assert run(steps()) == b"hello"


@drivers
def test_the_same_wait_twice_and_another_one(run, pair):
    near, far = pair
    wait = Socket(near.fileno(), READ)

    def steps():
        heard = []
        for letter in (b"a", b"b"):
            far.send(letter)
            yield wait
            heard.append(near.recv(1))
        assert (yield Socket(near.fileno(), WRITE)) == {near.fileno(): WRITE}
        far.send(b"c")
        yield wait
        heard.append(near.recv(1))
        return heard

    assert run(steps()) == [b"a", b"b", b"c"]


@drivers
def test_limits_that_pass(run, pair):
    near, _ = pair
    never: concurrent.futures.Future[int] = concurrent.futures.Future()

    def steps():
        until = monotonic() + 0.02
        assert (yield Socket(near.fileno(), READ, until)) == {}
        assert monotonic() >= until
        assert (yield Sockets({near.fileno(): READ}, monotonic() + 0.02)) == {}
        assert (yield Future(never, monotonic() + 0.02)) is False
        until = monotonic() + 0.02
        assert (yield Until(until)) is None
        assert monotonic() >= until - 0.002
        assert (yield Socket(near.fileno(), READ, monotonic() - 5)) == {}

    run(steps())


@drivers
def test_futures_from_other_threads(run):
    def steps():
        future: concurrent.futures.Future[int] = concurrent.futures.Future()
        threading.Timer(0.02, future.set_result, [5]).start()
        assert (yield Future(future)) is True
        assert (yield Future(future)) is True
        return future.result()

    assert run(steps()) == 5


@drivers
def test_a_hang_up_is_readiness(run, pair):
    near, far = pair

    def steps():
        far.close()
        assert (yield Socket(near.fileno(), READ))[near.fileno()] & READ
        return near.recv(1)

    assert run(steps()) == b""


@drivers
def test_errors_come_out(run):
    def steps():
        yield Until(0.0)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        run(steps())


def test_an_interruption_is_thrown_in_and_cleaned_up_after(pair, monkeypatch):
    near, far = pair
    cleaned = []

    def steps():
        try:
            yield Socket(near.fileno(), READ)
        except KeyboardInterrupt:
            far.send(b"x")
            cleaned.append((yield Socket(near.fileno(), READ)))
            raise

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            drive(steps())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert cleaned == [{near.fileno(): READ}]


def test_a_cancelled_task_is_thrown_in_and_cleaned_up_after(pair):
    near, far = pair
    cleaned = []

    def steps():
        try:
            yield Socket(near.fileno(), READ)
        except asyncio.CancelledError:
            far.send(b"x")
            cleaned.append((yield Socket(near.fileno(), READ)))
            raise

    async def main():
        task = asyncio.create_task(drive_async(steps()))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cleaned == [{near.fileno(): READ}]


def later(seconds, far, data):
    """Sent by then, unless the test has ended."""

    def send():
        with contextlib.suppress(OSError):
            far.send(data)

    threading.Timer(seconds, send).start()


def reader(near, log=None, name=None, fails=None, until=None):
    """Wait for a byte; on being stopped wait for one more."""
    try:
        ready = yield Socket(near.fileno(), READ, until)
        if not ready:
            raise TimeoutError(name)
    except Stopped:
        log.append(f"{name} stopping")
        yield Socket(near.fileno(), READ)
        log.append(f"{name} stopped")
        raise
    if fails:
        raise fails
    return near.recv(1)


@pytest.fixture
def pairs():
    made = [socket.socketpair() for _ in range(4)]
    for near, _ in made:
        near.setblocking(False)
    yield made
    for ends in made:
        for end in ends:
            end.close()


@drivers
def test_together_gives_all_values_in_order(run, pairs):
    for delay, (_, far) in zip((0.04, 0.0, 0.02, 0.0), pairs, strict=True):
        later(delay, far, b"%d" % int(delay * 100))
    assert run(together([reader(near) for near, _ in pairs])) == [b"4", b"0", b"2", b"0"]


@drivers
def test_together_of_one_and_of_none(run, pairs):
    pairs[0][1].send(b"x")
    assert run(together([reader(pairs[0][0])])) == [b"x"]
    assert run(together([])) == []


@drivers
def test_together_mixes_sockets_futures_times_and_itself(run, pairs):
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    never: concurrent.futures.Future[int] = concurrent.futures.Future()

    def waits_for_future():
        assert (yield Future(future)) is True
        return future.result()

    def gives_up():
        return (yield Future(never, monotonic() + 0.03))

    def sleeps():
        yield Until(monotonic() + 0.05)
        return "slept"

    threading.Timer(0.02, future.set_result, [3]).start()
    pairs[0][1].send(b"a")
    later(0.03, pairs[1][1], b"b")
    inner = together([reader(pairs[0][0]), reader(pairs[1][0])])
    assert run(together([waits_for_future(), sleeps(), inner, gives_up()])) == [3, "slept", [b"a", b"b"], False]


@drivers
def test_together_stops_the_others_on_the_first_error(run, pairs):
    log: list[str] = []
    many = [reader(near, log, str(i), KeyError("first") if i == 2 else None) for i, (near, _) in enumerate(pairs)]
    pairs[2][1].send(b"x")
    for i in (0, 1, 3):
        threading.Timer(0.02, pairs[i][1].send, [b"y"]).start()
    with pytest.raises(KeyError, match="first"):
        run(together(many))
    assert sorted(log) == sorted([f"{i} {what}" for i in (0, 1, 3) for what in ("stopping", "stopped")])


@drivers
def test_together_ends_when_all_time_limits_pass_at_once(run, pairs):
    until = monotonic() + 0.02
    for _, far in pairs:
        later(0.1, far, b"y")
    with pytest.raises(TimeoutError):
        run(together([reader(near, [], "x", until=until) for near, _ in pairs]))


@drivers
def test_together_does_not_start_what_follows_a_failure(run, pairs):
    started = []

    def fails():
        raise KeyError
        yield

    def follows():
        started.append(1)
        yield Until(0.0)

    with pytest.raises(KeyError):
        run(together([fails(), follows()]))
    assert started == []


def test_together_passes_an_interruption_to_all(pairs):
    log: list[str] = []
    steps = together([reader(near, log, str(i)) for i, (near, _) in enumerate(pairs)])
    steps.send(None)
    wait = steps.throw(KeyboardInterrupt())
    assert sorted(wait.wants) == sorted(near.fileno() for near, _ in pairs)
    with pytest.raises(KeyboardInterrupt):
        steps.send(dict.fromkeys(wait.wants, READ))
    assert len([entry for entry in log if entry.endswith("stopped")]) == 4


def test_together_closes_all_when_closed(pairs):
    closed = []

    def steps(near):
        try:
            yield Socket(near.fileno(), READ)
        finally:
            closed.append(near)

    running = together([steps(near) for near, _ in pairs])
    running.send(None)
    running.close()
    assert len(closed) == 4


def test_many_threads_drive_at_once():
    def one(i):
        near, far = socket.socketpair()
        near.setblocking(False)
        with near, far:
            for _ in range(50):
                far.send(b"%d" % i)
                assert drive(reader(near)) == b"%d" % i
        return i

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == list(range(8))


def test_waiting_does_not_burn_cpu(pair):
    near, far = pair
    later(0.3, far, b"x")
    began = time.process_time()
    drive(reader(near))
    assert time.process_time() - began < 0.1


def test_together_hears_every_future_of_a_long_line() -> None:
    """A finished future's place in memory is the next one's: it must be listened to all the same."""
    workers = concurrent.futures.ThreadPoolExecutor(2)

    def many_steps():
        for number in range(500):
            assert (yield Future(workers.submit(int, number), monotonic() + 10))

    began = monotonic()
    drive(together([many_steps(), many_steps()]))
    workers.shutdown()
    assert monotonic() - began < 9


def test_no_interruption_is_lost_between_futures() -> None:
    """Whoever waits for one future after the other is stopped by Ctrl-C, wherever in that it comes."""

    def rounds(seconds):
        for number in range(50_000):
            if number == 1 and seconds:
                signal.setitimer(signal.ITIMER_REAL, seconds)
            future: concurrent.futures.Future[None] = concurrent.futures.Future()
            future.set_result(None)
            yield Future(future, None)

    draw = random.Random(5)
    # What other tests have left behind is not to end just now: its own weak references would hear the signal.
    gc.collect()
    gc.disable()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(150):
            with pytest.raises(KeyboardInterrupt):
                drive(together([rounds(None), rounds(draw.uniform(0.001, 0.003))]))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
