"""A local fleet keeps its promises: it comes up again after anything, and nothing of it is ever left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from outgrow import local
from outgrow.errors import ConfigurationError, OperationalError
from outgrow.local import processes, state
from outgrow.local.temporary import MAKER, reap, reserved
from outgrow.topology import Topology, read

PG = os.environ.get("OUTGROW_TEST_PG") or None

UP = "import sys; from outgrow import local; local.up(1, 1, sys.argv[1], sys.argv[2] or None, durable=False)"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for one test's fleet."""
    with reserved() as directory:
        yield directory
        local.down(directory, delete=True)
        assert processes.of(directory) == []
        assert not directory.exists()


def up(place: Path, shards: int | None = 1, replicas: int | None = 1) -> Topology:
    return local.up(shards, replicas, place, PG, durable=False)


def primary_of(topology: Topology) -> str:
    return topology.domains[0].shards[0].primary.dsn


def wait_streaming(topology: Topology) -> None:
    """Until each replica replays what its primary has just written."""
    for shard in topology.domains[0].shards:
        mark = str(time.monotonic_ns())
        with psycopg.connect(shard.primary.dsn, autocommit=True) as link:
            link.execute("CREATE TABLE IF NOT EXISTS mark (at text)")
            link.execute("INSERT INTO mark VALUES (%s)", [mark])
        for replica in shard.replicas:
            until = time.monotonic() + 20
            with psycopg.connect(replica.dsn, autocommit=True) as link:
                while True:
                    found = link.execute("SELECT to_regclass('mark')").fetchone()
                    if found != (None,) and link.execute("SELECT 1 FROM mark WHERE at = %s", [mark]).fetchone():
                        break
                    assert time.monotonic() < until, f"{replica.name} does not follow"
                    time.sleep(0.01)


def pids(place: Path) -> list[int | None]:
    return [server.pid for server in local.status(place).servers]


def test_up_down_up(place: Path) -> None:
    topology = up(place)
    wait_streaming(topology)
    first = local.status(place)
    assert [(s.shard, s.name, s.condition, s.replays) for s in first.servers] == [
        ("s1", "primary", "running", False),
        ("s1", "replica1", "running", True),
    ]
    assert first.running
    assert up(place, None, None) == topology
    assert pids(place) == [server.pid for server in first.servers]

    path = place / "fleet.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (place / "sockets").stat().st_mode & 0o777 == 0o700
    path.write_text(path.read_text().replace("    shards:", "    tables: {mark: {single: s1}}  # mine\n    shards:"))

    assert local.down(place)
    assert not local.down(place)
    assert [server.condition for server in local.status(place).servers] == ["stopped", "stopped"]
    assert processes.of(place) == []

    again = up(place, None, None)
    assert again == local.topology(place) == read(path)
    assert len(again.domains[0].tables) == 1
    assert [server.port for server in local.status(place).servers] == [server.port for server in first.servers]
    with psycopg.connect(primary_of(again)) as link:
        assert link.execute("SELECT count(*) FROM mark").fetchone() == (1,)

    for shards, replicas, word in ((2, None, "has 1 shards, not 2"), (None, 3, "has 1 replicas, not 3")):
        with pytest.raises(ConfigurationError, match=word) as caught:
            up(place, shards, replicas)
        assert caught.value.code == "OG-LOCAL-024"
        assert "--delete" in caught.value.cure


def test_each_shard_is_a_database_system_of_its_own(place: Path) -> None:
    topology = up(place, 2, 0)
    seen = set()
    for shard in topology.domains[0].shards:
        with psycopg.connect(shard.primary.dsn, autocommit=True) as link:
            seen |= set(link.execute("SELECT system_identifier FROM pg_control_system()").fetchall())
            order = link.execute(
                "SELECT string_agg(x, ' ' ORDER BY x), upper('é') FROM unnest(%s::text[]) x",
                [["é", "a", "B", "_", "𐍈", "ﬀ"]],
            )
            assert order.fetchone() == ("B _ a é ﬀ 𐍈", "É")
            settings = [("wal_level", "logical"), ("listen_addresses", "127.0.0.1"), ("hot_standby_feedback", "on")]
            for name, value in settings:
                assert link.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)
    assert len(seen) == 2


def test_everything_killed(place: Path) -> None:
    topology = up(place)
    wait_streaming(topology)
    for process in processes.of(place):
        processes.send(process.pid, place, signal.SIGKILL)
    topology = up(place, None, None)
    wait_streaming(topology)


def test_only_the_primary_killed_while_a_client_is_busy(place: Path) -> None:
    topology = up(place)
    link = psycopg.connect(primary_of(topology), autocommit=True)
    try:
        link.pgconn.send_query(b"SELECT pg_sleep(60)")
        pid = processes.postmaster(place / "s1/primary/data")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        up(place, None, None)
        assert processes.postmaster(place / "s1/primary/data") not in (None, pid)
    finally:
        link.close()
    wait_streaming(topology)


def test_a_recycled_pid_is_a_stranger(place: Path) -> None:
    up(place)
    local.down(place)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        data = place / "s1/primary/data"
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1700000000\n5432\n{place}/sockets\n127.0.0.1\n")
        if os.geteuid() == 0:
            os.chown(data / "postmaster.pid", data.stat().st_uid, data.stat().st_gid)
        assert [server.condition for server in local.status(place).servers] == ["stopped", "stopped"]
        local.down(place)
        assert stranger.poll() is None
        up(place, None, None)
        assert local.status(place).running
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize(
    "delay_seconds", [0.4, 1.2, 2.0, *(pytest.param(tenths / 10, marks=pytest.mark.long) for tenths in range(1, 30, 2))]
)
def test_up_killed_at_any_moment(place: Path, delay_seconds: float) -> None:
    with subprocess.Popen([sys.executable, "-c", UP, str(place), PG or ""]) as starting:
        time.sleep(delay_seconds)
        starting.kill()
    topology = up(place)
    wait_streaming(topology)
    assert not list(place.glob("s1/*/partial-*"))


def test_an_interrupted_copy_starts_over(place: Path) -> None:
    topology = up(place)
    local.down(place)
    replica = place / "s1/replica1"
    (replica / "data").rename(replica / "partial-feed")  # its slot is still there
    wait_streaming(up(place, None, None))
    assert not (replica / "partial-feed").exists()
    assert topology == local.topology(place)


def test_a_replica_that_was_away_for_too_long_is_copied_anew(place: Path) -> None:
    topology = up(place)
    known = state.load(place)
    assert known is not None
    data = place / "s1/replica1/data"
    pid = processes.postmaster(data)
    assert pid is not None
    processes.send(pid, data, signal.SIGKILL)
    processes.end_all(data)
    superuser = psycopg.conninfo.make_conninfo(primary_of(topology), user="postgres")
    with psycopg.connect(superuser, autocommit=True) as link:
        link.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        link.execute("ALTER SYSTEM SET max_wal_size = '32MB'")
        link.execute("ALTER SYSTEM SET min_wal_size = '32MB'")
        link.execute("SELECT pg_reload_conf()")
        for _ in range(10):
            link.execute("SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000)), pg_switch_wal()")
            link.execute("CHECKPOINT")
        [status] = link.execute("SELECT wal_status FROM pg_replication_slots").fetchall()
        assert status == ("lost",)
        link.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
        link.execute("SELECT pg_reload_conf()")
    wait_streaming(up(place, None, None))


def test_a_port_that_was_taken_meanwhile(place: Path) -> None:
    topology = up(place)
    before = state.load(place)
    assert before is not None
    data = place / "s1/primary/data"
    pid = processes.postmaster(data)
    assert pid is not None
    (place / "fleet.yaml").write_text((place / "fleet.yaml").read_text() + "# my note\n")
    processes.send(pid, data, signal.SIGKILL)
    processes.end_all(data)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before.servers[0].port))
        squatter.listen()
        moved = up(place, None, None)
        assert primary_of(moved) != primary_of(topology)
        assert moved == read(place / "fleet.yaml")
        assert "# my note" in (place / "fleet.yaml").read_text()
        wait_streaming(moved)  # the replica, which never stopped, follows to the new port


def test_a_frozen_server_can_be_stopped(place: Path) -> None:
    up(place)
    pid = processes.postmaster(place / "s1/primary/data")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert local.status(place).servers[0].condition == "starting"
    assert local.down(place)
    assert processes.of(place) == []


def test_a_failed_start_leaves_nothing_running(place: Path) -> None:
    up(place)
    local.down(place)
    (place / "s1/replica1/data/PG_VERSION").unlink()
    with pytest.raises(OperationalError) as caught:
        up(place, None, None)
    assert (caught.value.code, caught.value.node) == ("OG-LOCAL-030", "s1/replica1")
    assert "is not a database cluster directory" in caught.value.message
    assert processes.of(place) == []


def test_two_at_once_make_one_fleet(place: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: up(place), range(2))
    assert one == other
    assert sum(server.pid is not None for server in local.status(place).servers) == 2


def test_a_temporary_fleet_dies_with_its_maker() -> None:
    program = (
        "import sys, time; from outgrow import local\n"
        "with local.temporary(1, 0, sys.argv[1] or None) as (_, place): print(place, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, PG or ""], stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        place = Path(maker.stdout.readline().strip())
        assert processes.of(place)
        maker.kill()
    until = time.monotonic() + 15
    while (place.exists() or place.with_suffix(MAKER).exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not place.exists()
    assert not place.with_suffix(MAKER).exists()
    assert processes.of(place) == []


def test_orphans_are_reaped(place: Path) -> None:
    up(place, 1, 0)
    maker = place.with_suffix(MAKER)
    living = maker.read_text()
    reap(place.parent)
    assert local.status(place).running, "it took a fleet whose maker lives"
    maker.write_text(living.split()[0] + " 1")  # our number, but another's birth
    reap(place.parent)
    assert not place.exists()
    assert not maker.exists()


def test_directories_that_are_refused(place: Path, tmp_path: Path) -> None:
    place.mkdir()
    (place / "letter.txt").write_text("dear")
    with pytest.raises(ConfigurationError) as caught:
        up(place)
    assert caught.value.code == "OG-LOCAL-022"
    assert not local.down(place, delete=True)
    assert (place / "letter.txt").read_text() == "dear"
    (place / "letter.txt").unlink()
    with pytest.raises(ConfigurationError, match="no fleet") as caught:
        local.status(place)
    assert caught.value.code == "OG-LOCAL-026"
    place.chmod(0o777)
    with pytest.raises(OperationalError) as failed:
        up(place)
    assert failed.value.code == "OG-LOCAL-001"
    place.chmod(0o755)
    up(place, 1, 0)  # what a refused `up` left there is no obstacle
    if os.geteuid() == 0:
        with pytest.raises(ConfigurationError) as caught:
            up(tmp_path / "below-0700")
        assert caught.value.code == "OG-LOCAL-002"


def test_a_path_too_long_for_a_socket(place: Path) -> None:
    deep = place / ("x" * 90)
    place.mkdir(mode=0o755)
    try:
        topology = local.up(1, 0, deep, PG, durable=False)
        with psycopg.connect(primary_of(topology)) as link:
            assert link.execute("SELECT 1").fetchone() == (1,)
        known = state.load(deep)
        assert known is not None
        sockets = Path(known.sockets)
        assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        local.down(deep, delete=True)
        place.rmdir()
    assert not sockets.exists()


def test_counts_that_make_no_fleet(place: Path) -> None:
    for shards, replicas in ((0, 0), (1, -1), (1000, 0)):
        with pytest.raises(ConfigurationError) as caught:
            up(place, shards, replicas)
        assert caught.value.code == "OG-LOCAL-023"
    assert not place.exists()


def test_binaries(tmp_path: Path) -> None:
    assert local.find().major == max(local.available())
    for major in local.available():
        found = local.find(str(major))
        assert found.major == major
        assert local.find(str(found.directory)) == found
    for choice, code in (("9", "011"), ("14", "011"), (str(tmp_path), "012")):
        with pytest.raises(ConfigurationError) as caught:
            local.find(choice)
        assert caught.value.code == f"OG-LOCAL-{code}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user(place: Path) -> None:
    """The whole of it once more as `daemon`, whose servers run as itself."""
    place.mkdir()
    os.chown(place, 1, 1)
    program = (
        "import sys; from outgrow import local; from pathlib import Path\n"
        "d = Path(sys.argv[1]) / 'local'\n"
        "assert local.home() == Path(sys.argv[1])\n"
        "local.up(1, 1, None, sys.argv[2] or None, durable=False)\n"
        "print([s.condition for s in local.status().servers], (d / 's1/primary/data').stat().st_uid)\n"
        "local.down(delete=True); print(d.exists())"
    )
    environment = {**os.environ, "OUTGROW_HOME": str(place), "HOME": "/nonexistent"}
    try:
        ran = subprocess.run(
            [sys.executable, "-c", program, str(place), PG or ""],
            user=1,
            group=1,
            extra_groups=[],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    except PermissionError:
        pytest.skip("an ordinary user cannot reach this checkout's Python")
    finally:
        shutil.rmtree(place)
    if "PermissionError" in ran.stderr or "No module named" in ran.stderr:
        pytest.skip("an ordinary user cannot read this checkout")
    assert ran.stdout.splitlines() == ["['running', 'running'] 1", "False"], ran.stderr
