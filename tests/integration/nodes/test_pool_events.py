"""What a pool tells of its connections: each beginning, end and wait, once, and never under its lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from outgrow import errors
from outgrow.events import ConnectionClosed, ConnectionEvent, ConnectionOpened, ConnectionWaited
from outgrow.nodes import Nodes, Pool, PoolAges, drive
from outgrow.topology import Domain, Node, PoolLimits, Shard, Topology


@dataclass
class Told:
    make: Callable[..., Pool]
    events: list[ConnectionEvent] = field(default_factory=list)

    def pool(self, ages: PoolAges | None = None, **limits: float) -> Pool:
        return self.make(self, ages, **limits)

    def waits(self) -> list[str]:
        return [event.outcome for event in self.events if isinstance(event, ConnectionWaited)]

    def ends(self) -> list[str]:
        return [event.why for event in self.events if isinstance(event, ConnectionClosed)]


@pytest.fixture
def told(node: Node) -> Iterator[Told]:
    pools: list[Pool] = []

    def make(told: Told, ages: PoolAges | None, **limits: float) -> Pool:
        pool = Pool(node, PoolLimits(**limits), ages=ages)
        pools.append(pool)

        def tell(event: ConnectionEvent) -> None:
            pool.stats()  # takes the lock, which whoever tells must not hold
            assert (event.node, event.domain) == (node.name, node.domain) and event.at_ns > 1e18
            told.events.append(event)

        pool.tell = tell
        return pool

    yield Told(make)
    for pool in pools:
        pool.close()


def waiting(pool: Pool, ends: list[object]) -> threading.Thread:
    """A thread that waits for a connection and says what it got."""

    def wait() -> None:
        try:
            ends.append(drive(pool.take_steps()))
        except errors.Error as error:
            ends.append(error.code)

    thread = threading.Thread(target=wait)
    thread.start()
    while not pool.stats().waiting:
        time.sleep(0.001)
    return thread


def test_opened_and_grown_old(told: Told) -> None:
    pool = told.pool(size_max=2, life_max_seconds=0.1)
    link = drive(pool.take_steps())
    (opened,) = told.events
    assert isinstance(opened, ConnectionOpened) and 0 < opened.seconds < 5
    time.sleep(0.12)
    pool.give(link)
    (_, closed) = told.events
    assert isinstance(closed, ConnectionClosed) and closed.why == "age" and 0.1 < closed.lived_seconds < 10


def test_nobody_needed_it(told: Told) -> None:
    pool = told.pool(size_max=3, idle_max_seconds=0.05)
    links = [drive(pool.take_steps()) for _ in range(3)]
    for link in links:
        pool.give(link)
    time.sleep(0.06)
    drive(pool.tend_steps())
    assert told.ends() == ["idle"] * 3 and pool.stats().size == 0


@pytest.mark.parametrize("how", ["in a transaction", "lost while it lay idle", "lost while it was used"])
def test_broken(told: Told, admin, how: str) -> None:  # type: ignore[no-untyped-def]
    pool = told.pool(PoolAges(peek_after_seconds=0.01), size_max=1)
    link = drive(pool.take_steps())
    if how == "in a transaction":
        drive(link.run_steps("BEGIN"))
        pool.give(link)
    else:
        if "idle" in how:
            pool.give(link)
        admin.execute("SELECT pg_terminate_backend(%s)", [link.backend_pid])
        time.sleep(0.05)
        if "idle" in how:
            pool.give(drive(pool.take_steps()))
        else:
            with pytest.raises(errors.NodeLost):
                drive(link.run_steps("SELECT 1"))
            pool.give(link)
    assert told.ends() == ["broken"] and pool.stats().lost == 1


def test_a_silent_node(told: Told) -> None:
    pool = told.pool(size_max=2)
    idle, used = drive(pool.take_steps()), drive(pool.take_steps())
    pool.give(idle)
    pool.cut()
    assert told.ends() == ["silent"]
    with pytest.raises(errors.NodeLost):
        drive(used.run_steps("SELECT 1"))
    pool.give(used)
    assert told.ends() == ["silent", "broken"]


def test_waiting(told: Told) -> None:
    pool = told.pool(size_max=1, queue_max=1, wait_timeout_seconds=0.5)
    link = drive(pool.take_steps())
    ends: list[object] = []
    thread = waiting(pool, ends)
    with pytest.raises(errors.OperationalError):
        drive(pool.take_steps())
    assert told.waits() == ["refused"] and pool.stats().refused == 1
    pool.give(link)
    thread.join()
    assert ends == [link] and told.waits() == ["refused", "served"]
    thread = waiting(pool, ends)
    thread.join()
    assert ends[1:] == ["OG-NODE-013"] and told.waits() == ["refused", "served", "late"]
    late = told.events[-1]
    assert isinstance(late, ConnectionWaited) and 0.5 <= late.seconds < 5
    # Whoever waits may be interrupted.
    steps = pool.take_steps()
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    assert told.waits()[3:] == ["left"]
    pool.give(link)
    # Whoever finds one waits for nothing.
    pool.give(drive(pool.take_steps()))
    assert len(told.waits()) == 4 and len([one for one in told.events if isinstance(one, ConnectionOpened)]) == 1


def test_all_pools_tell_the_same_one_those_to_come_too(node: Node) -> None:
    shard = Shard("s1", node)
    topology = Topology("shop", (Domain(node.domain, "postgresql", 64, (shard,), {}),))
    events: list[ConnectionEvent] = []
    nodes = Nodes(topology)
    nodes.tell_to(events.append)
    pool = nodes.pool(node)
    pool.give(drive(pool.take_steps()))
    assert len(events) == 1
    nodes.tell_to(None)
    pool.cut()
    assert len(events) == 1
    nodes.tell_to(events.append)
    pool.give(drive(pool.take_steps()))
    assert len(events) == 2
    nodes.close()
