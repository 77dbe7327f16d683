"""The pool against a real server: threads, tasks, fairness, ages, restarts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import threading
import time

import pytest

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import LinkSettings, Nodes, Pool, PoolAges, drive, drive_async, link_steps
from outgrow.topology import Domain, Node, PoolLimits, Shard, Topology


def use(pool: Pool, sql: str = "SELECT 1", params=None):
    link = pool.take_now() or drive(pool.take_steps())
    try:
        return drive(link.run_steps(sql, params)).rows
    finally:
        pool.give(link)


def test_32_threads_on_8_connections_all_get_their_turn(node: Node):
    pool = Pool(node, PoolLimits(size_max=8, wait_timeout_seconds=20))
    done = [0] * 32
    stop = threading.Event()

    def work(i):
        while not stop.is_set():
            assert use(pool, "SELECT $1::int", [i]) == [(i,)]
            done[i] += 1

    with concurrent.futures.ThreadPoolExecutor(32) as executor:
        futures = [executor.submit(work, i) for i in range(32)]
        time.sleep(1.5)
        stop.set()
        for future in futures:
            future.result()
    assert min(done) > 0.2 * sum(done) / 32, done
    stats = pool.stats()
    assert stats.size <= 8 and stats.idle == stats.size and stats.waiting == 0
    assert stats.opened <= 8 and stats.taken == sum(done) and stats.waited > 0
    pool.close()


def test_waiters_are_served_in_order(node: Node):
    pool = Pool(node, PoolLimits(size_max=1, wait_timeout_seconds=5))
    held = drive(pool.take_steps())
    order: list[int] = []

    def wait(i):
        link = drive(pool.take_steps())
        order.append(i)
        pool.give(link)

    threads = []
    for i in range(5):
        threads.append(threading.Thread(target=wait, args=(i,)))
        threads[-1].start()
        while pool.stats().waiting < i + 1:
            time.sleep(0.005)
    pool.give(held)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    pool.close()


def test_a_dropped_link_gives_its_place_to_the_first_waiter(node: Node):
    pool = Pool(node, PoolLimits(size_max=1, wait_timeout_seconds=5))
    held = drive(pool.take_steps())
    threading.Timer(0.05, lambda: (held.close(), pool.give(held))).start()
    link = drive(pool.take_steps())
    assert link is not held
    pool.give(link)
    assert pool.stats().size == 1
    pool.close()


def test_a_failed_connection_frees_its_place(server):
    from .conftest import node_of

    pool = Pool(node_of(server.dsn(database="nowhere")), PoolLimits(size_max=1, wait_timeout_seconds=5))
    for _ in range(3):
        with pytest.raises(errors.OperationalError) as caught:
            drive(pool.take_steps())
        assert caught.value.code == "OG-NODE-003"
    assert pool.stats().size == 0
    pool.close()


def test_a_cancelled_waiter_leaves_the_queue(node: Node):
    pool = Pool(node, PoolLimits(size_max=1, wait_timeout_seconds=5))

    async def main():
        held = await drive_async(pool.take_steps())
        task = asyncio.create_task(drive_async(pool.take_steps()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.stats().waiting == 0
        # Cancelled at the very moment when the link arrives: the link must not be lost.
        task = asyncio.create_task(drive_async(pool.take_steps()))
        await asyncio.sleep(0.05)
        pool.give(held)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.stats().idle == 1
        async with asyncio.timeout(2):
            pool.give(await drive_async(pool.take_steps()))

    asyncio.run(main())
    pool.close()


def test_threads_and_tasks_share_one_pool(node: Node):
    pool = Pool(node, PoolLimits(size_max=2, wait_timeout_seconds=10))

    async def task(i):
        for _ in range(20):
            link = await drive_async(pool.take_steps())
            try:
                assert (await drive_async(link.run_steps("SELECT $1::int", [i]))).rows == [(i,)]
            finally:
                pool.give(link)

    async def main():
        await asyncio.gather(*(task(i) for i in range(8)))

    with concurrent.futures.ThreadPoolExecutor(5) as executor:
        futures = [executor.submit(asyncio.run, main())]
        futures += [executor.submit(lambda: [use(pool) for _ in range(50)]) for _ in range(4)]
        for future in futures:
            future.result()
    assert pool.stats().size <= 2
    pool.close()


def test_uvloop_drives_too(node: Node):
    uvloop = pytest.importorskip("uvloop")

    async def main():
        link = await drive_async(link_steps(node, LinkSettings()))
        rows = await drive_async(link.run_steps("SELECT $1::int", [1]))
        task = asyncio.create_task(drive_async(link.run_steps("SELECT pg_sleep(20)")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await drive_async(link.run_steps("SELECT 2"))
        link.close()
        return rows.rows, again.rows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == ([(1,)], [(2,)])


def test_a_link_that_died_while_idle_is_replaced_unseen(node: Node, admin):
    pool = Pool(node, PoolLimits(size_max=2), ages=PoolAges(peek_after_seconds=0.05))
    link = drive(pool.take_steps())
    pool.give(link)
    admin.execute("SELECT pg_terminate_backend(%s)", [link.backend_pid])
    time.sleep(0.1)
    assert use(pool) == [(1,)]
    assert pool.stats().lost == 1 and pool.stats().size == 1
    pool.close()


def test_a_long_idle_link_is_asked(node: Node):
    ages = PoolAges(peek_after_seconds=0, check_after_seconds=0, check_timeout_seconds=0.2)
    pool = Pool(node, PoolLimits(size_max=2), ages=ages)
    assert use(pool) == [(1,)]
    first = drive(pool.take_steps())
    pool.give(first)
    # The backend is stopped, so that the connection stands and does not answer.
    os.kill(first.backend_pid, signal.SIGSTOP)
    began = monotonic()
    try:
        again = drive(pool.take_steps())
    finally:
        os.kill(first.backend_pid, signal.SIGCONT)
    assert again is not first and first.closed
    assert monotonic() - began < 3
    pool.give(again)
    pool.close()


def test_links_grow_old(node: Node):
    pool = Pool(node, PoolLimits(size_min=1, size_max=3, life_max_seconds=0.1, idle_max_seconds=0.1))
    drive(pool.tend_steps())
    assert pool.stats().size == pool.stats().idle == 1
    links = [drive(pool.take_steps()) for _ in range(3)]
    for link in links[:2]:
        pool.give(link)
    time.sleep(0.15)
    pool.give(links[2])  # too old to come back
    assert pool.stats().size == 2
    drive(pool.tend_steps())
    assert pool.stats().size == 1
    pool.close()


def test_links_that_were_opened_together_do_not_end_together(node: Node):
    pool = Pool(node, PoolLimits(size_max=8, life_max_seconds=1000))
    links = [drive(pool.take_steps()) for _ in range(8)]
    lives = {pool._life_seconds(link) for link in links}
    assert len(lives) > 1 and all(900 <= life <= 1000 for life in lives)
    for link in links:
        pool.give(link)
    pool.close()


def test_a_queue_that_is_full_takes_nobody(node: Node):
    pool = Pool(node, PoolLimits(size_max=1, queue_max=1, wait_timeout_seconds=20))
    link = drive(pool.take_steps())
    taken = []
    waiter = threading.Thread(target=lambda: taken.append(drive(pool.take_steps())))
    waiter.start()
    while not pool.stats().waiting:
        time.sleep(0.001)
    with pytest.raises(errors.OperationalError) as caught:
        drive(pool.take_steps())
    assert caught.value.code == "OG-NODE-027" and caught.value.cure
    pool.give(link)
    waiter.join()
    assert taken == [link]
    pool.give(link)
    pool.close()


def test_take_and_give_are_cheap(node: Node):
    pool = Pool(node, PoolLimits(size_max=2))
    pool.give(drive(pool.take_steps()))
    best = min(_seconds_of_a_thousand(pool) for _ in range(20))
    assert best < 0.02  # 20 µs each, a tenfold allowance for a busy machine: no I/O hides in there
    pool.close()


def _seconds_of_a_thousand(pool: Pool) -> float:
    began = time.perf_counter()
    for _ in range(1000):
        link = pool.take_now()
        assert link is not None
        pool.give(link)
    return time.perf_counter() - began


def test_nodes_make_one_pool_for_each_node(node: Node):
    shard = Shard("s1", node)
    topology = Topology("shop", (Domain("sales", "postgresql", 64, (shard,), {}, PoolLimits(size_max=7)),))
    nodes = Nodes(topology)
    assert nodes.stats() == {}
    assert nodes.pool(node) is nodes.pool(node)
    assert use(nodes.pool(node)) == [(1,)]
    assert nodes.stats()[node.name].size_max == 7
    nodes.close()
    with pytest.raises(errors.InterfaceError):
        use(nodes.pool(node))
