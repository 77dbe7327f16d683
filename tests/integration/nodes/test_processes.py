"""What happens between processes: fork, Ctrl-C, a killed backend, a server that restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from outgrow import errors
from outgrow.nodes import LOST_DURING, Pool, drive
from outgrow.topology import Node, PoolLimits

from .server import Server


def in_child(work) -> int:
    """Run `work` in a forked child; its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_fork_leaves_the_parents_connections_alone(node: Node):
    pool = Pool(node, PoolLimits(size_max=3))
    idle, taken = drive(pool.take_steps()), drive(pool.take_steps())
    pool.give(idle)
    pids = {idle.backend_pid, taken.backend_pid}

    def work():
        assert pool.stats().size == 0
        with pytest.raises(errors.InterfaceError) as caught:
            drive(taken.run_steps("SELECT 1"))
        assert caught.value.code == "OG-NODE-015"
        pool.give(taken)
        taken.close()
        fresh = drive(pool.take_steps())
        assert fresh.backend_pid not in pids
        assert drive(fresh.run_steps("SELECT 1")).rows == [(1,)]
        pool.close()
        import gc

        gc.collect()

    assert in_child(work) == 0
    time.sleep(0.1)
    assert drive(taken.run_steps("SELECT 1")).rows == [(1,)]
    assert drive(pool.take_steps()) is idle
    assert drive(idle.run_steps("SELECT 2")).rows == [(2,)]
    pool.give(idle)
    pool.give(taken)
    pool.close()


def test_a_fork_while_another_thread_holds_the_pool(node: Node):
    pool = Pool(node, PoolLimits(size_max=3))
    pool.give(drive(pool.take_steps()))

    def work():
        signal.alarm(10)
        pool.give(drive(pool.take_steps()))

    with pool._lock:
        assert in_child(work) == 0
    pool.close()


SLEEPER = """
import sys
from outgrow.nodes import LinkSettings, drive, link_steps, together
from outgrow.topology import Node, Role

node = Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, sys.argv[1])
links = [drive(link_steps(node, LinkSettings(application_name="sleeper"))) for _ in range(3)]
print("ready", flush=True)
try:
    drive(together([link.run_steps("SELECT pg_sleep(60)") for link in links]))
except KeyboardInterrupt:
    print([drive(link.run_steps("SELECT 1")).rows for link in links], flush=True)
    sys.exit(7)
"""


def sleepers(admin) -> list[str]:
    rows = admin.execute(
        "SELECT state FROM pg_stat_activity WHERE application_name = 'sleeper' AND query LIKE '%pg_sleep%'"
    ).fetchall()
    return [row[0] for row in rows]


def test_ctrl_c_reaches_every_server(server: Server, admin):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLEEPER), server.dsn()],
        stdout=subprocess.PIPE,
        text=True,
        # A shell's background job ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 5
    while sleepers(admin) != ["active"] * 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=10)
    assert child.returncode == 7
    assert time.monotonic() - began < 4
    assert out.strip() == "[[(1,)], [(1,)], [(1,)]]"
    assert sleepers(admin) == []


@pytest.fixture
def own_server():
    own = Server()
    yield own
    own.remove()


def test_a_killed_backend_in_mid_statement(own_server: Server):
    """kill -9 of one backend makes the postmaster restart all: nothing is said to the clients."""
    from .conftest import node_of

    pool = Pool(node_of(own_server.dsn()), PoolLimits(size_max=3))
    link, other = drive(pool.take_steps()), drive(pool.take_steps())
    pool.give(other)
    threading.Timer(0.2, os.kill, [link.backend_pid, signal.SIGKILL]).start()
    with pytest.raises(errors.OperationalError) as caught:
        drive(link.run_steps("SELECT pg_sleep(20)"))
    assert caught.value.code == LOST_DURING
    assert link.broken
    pool.give(link)
    deadline = time.monotonic() + 10
    while True:
        try:
            fresh = drive(pool.take_steps())
            drive(fresh.run_steps("SELECT 1"))
            break
        except errors.OperationalError as error:
            assert error.code in ("OG-NODE-008", "OG-NODE-001", "OG-NODE-010", LOST_DURING), error
            assert time.monotonic() < deadline
            time.sleep(0.1)
    pool.give(fresh)
    pool.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_restart_in_mid_transaction(own_server: Server, mode):
    from .conftest import node_of

    pool = Pool(node_of(own_server.dsn()), PoolLimits(size_max=3))
    link = drive(pool.take_steps())
    drive(link.run_steps("CREATE TABLE t (a int)"))
    drive(link.run_steps("BEGIN"))
    drive(link.run_steps("INSERT INTO t VALUES (1)"))
    own_server.stop(mode)
    own_server.start()
    with pytest.raises(errors.OperationalError) as caught:
        drive(link.run_steps("INSERT INTO t VALUES (2)"))
    assert caught.value.code in (LOST_DURING, "OG-NODE-010")
    drive(pool.give_steps(link))
    fresh = drive(pool.take_steps())
    assert not fresh.in_transaction
    assert drive(fresh.run_steps("SELECT count(*) FROM t")).rows == [(0,)]
    pool.give(fresh)
    pool.close()
