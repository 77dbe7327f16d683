"""PgBouncer and Pgpool-II, started on loopback as their documentation recommends, as an unprivileged user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.harness import Missing

PGBOUNCER = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = {mode}
max_client_conn = 100
default_pool_size = 20
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""

# The sample configuration of its package for streaming replication, with what it says to adapt: one backend (so that
# every peer asks the same server), few children, no watchdog; the query cache stays off, as it is by default.
PGPOOL = """\
backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = {listen}
socket_dir = '{directory}'
pcp_listen_addresses = ''
pcp_port = {pcp}
pcp_socket_dir = '{directory}'
backend_hostname0 = '{host}'
backend_port0 = {port}
backend_weight0 = 1
backend_flag0 = 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER'
enable_pool_hba = on
pool_passwd = '{directory}/passwords'
num_init_children = 4
max_pool = 2
child_life_time = 0
connection_cache = on
load_balance_mode = on
memory_cache_enabled = off
sr_check_period = 0
health_check_period = 0
pid_file_name = '{directory}/pgpool.pid'
logdir = '{directory}'
work_dir = '{directory}'
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    pid: int
    port: int


def binary(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f"no {name} on this machine (Debian: apt-get install {PACKAGES[name]})")
    return found


PACKAGES = {"pgbouncer": "pgbouncer", "pgpool": "pgpool2"}


@contextlib.contextmanager
def pgbouncer(host: str, port: int, user: str, password: str, mode: str = "session") -> Iterator[Proxy]:
    template = PGBOUNCER.replace("{mode}", mode)
    with _started("pgbouncer", template, ["{conf}"], host, port, (user, password)) as proxy:
        yield proxy


@contextlib.contextmanager
def pgpool(host: str, port: int, user: str, password: str) -> Iterator[Proxy]:
    with _started("pgpool", PGPOOL, ["-n", "-f", "{conf}", "-a", "{hba}"], host, port, (user, password)) as proxy:
        yield proxy


@contextlib.contextmanager
def _started(
    name: str, template: str, args: list[str], host: str, port: int, login: tuple[str, str]
) -> Iterator[Proxy]:
    program = binary(name)
    directory = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    try:
        listen, pcp = free_port(), free_port()
        conf = directory / f"{name}.conf"
        conf.write_text(template.format(host=host, port=port, listen=listen, pcp=pcp, directory=directory))
        # Clients are trusted; towards the server both log in with the password.
        hba = directory / "hba"
        hba.write_text("host all all 127.0.0.1/32 trust\n")
        (directory / "users").write_text('"{}" "{}"\n'.format(*login))
        (directory / "passwords").write_text("{}:TEXT{}\n".format(*login))
        become: dict[str, int] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (directory, *directory.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            become = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        with (directory / "output").open("wb") as output:
            process = subprocess.Popen(
                [program, *(arg.format(conf=conf, hba=hba) for arg in args)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                extra_groups=[] if become else None,
                start_new_session=True,
                **become,  # type: ignore[call-overload]
            )
        try:
            _await_port(name, process, listen, directory / "output")
            yield Proxy(process.pid, listen)
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _await_port(name: str, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Missing(f"{name} did not start: {output.read_text(errors='replace')[-200:].strip()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
