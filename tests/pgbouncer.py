"""A real PgBouncer in transaction mode before the servers of a test, with few connections, so that they are shared.

    with pgbouncer.before(topology, pool_size=3) as pooled:    # the same topology, every node behind the pooler
        fleet = outgrow.open(pooled.topology)

PgBouncer refuses root: as root it runs as `nobody`, as the servers do.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from outgrow.topology import Node, Shard, Topology

PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")

_NOBODY = 65534
_CONFIG = """\
[databases]
{databases}
[pgbouncer]
unix_socket_dir = {directory}
listen_port = 6432
auth_type = any
admin_users = admin
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
query_wait_timeout = {wait_seconds}
server_login_retry = 1
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""


#: Ends the pooler when its maker is gone, however that ended.
_WATCH = """
import shutil, subprocess, sys
program, directory, user = sys.argv[1:]
become = {"user": int(user), "group": int(user), "extra_groups": []} if user else {}
with open(directory + "/output", "wb") as output:
    process = subprocess.Popen([program, directory + "/pgbouncer.ini"], stdin=subprocess.DEVNULL,
        stdout=output, stderr=output, cwd=directory, **become)
sys.stdin.read()
process.kill()
process.wait()
shutil.rmtree(directory, ignore_errors=True)
"""


@dataclass
class Pooler:
    """One running PgBouncer; its database names are the nodes' short names."""

    directory: Path
    #: Database → the connection string behind it.
    databases: dict[str, str] = field(default_factory=dict)
    pool_size: int = 3
    wait_seconds: int = 20
    topology: Topology | None = None

    def dsn(self, database: str) -> str:
        return make_conninfo(host=str(self.directory), port=6432, dbname=database, user="any")

    def shown(self, what: str) -> list[dict[str, Any]]:
        """An answer of its console: `SHOW POOLS`, …"""
        with self._console() as console:
            cursor = console.execute(f"SHOW {what}".encode())
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def say(self, command: str) -> None:
        with self._console() as console:
            console.execute(command.encode())

    def lead(self, database: str, dsn: str) -> None:
        """Let the database lead to another server, as an operator does after a failover."""
        self.databases[database] = dsn
        self.configure()
        self.say("RELOAD")
        self.say(f"RECONNECT {database}")

    def standing_before(self, topology: Topology, *, direct: bool = True, replicas: bool = True) -> Topology:
        """The topology with this pooler before its nodes; what it leads to already is led to still."""
        domains = []
        for domain in topology.domains:
            shards = []
            for shard in domain.shards:
                behind = tuple(self._before(node, direct) if replicas else node for node in shard.replicas)
                shards.append(Shard(shard.name, self._before(shard.primary, direct), behind))
            domains.append(replace(domain, shards=tuple(shards)))
        self.configure()
        self.say("RELOAD")
        return replace(topology, domains=tuple(domains))

    def database(self, node: Node) -> str:
        """The name by which it leads to the node."""
        return f"{node.name.replace('/', '_')}_{conninfo_to_dict((node.direct or node).dsn)['dbname']}"

    def _before(self, node: Node, direct: bool) -> Node:
        if node.pooled:
            return node
        name = self.database(node)
        self.databases[name] = node.dsn
        way = replace(node, name=f"{node.name}/direct") if direct else None
        return replace(node, dsn=self.dsn(name), shown="pooler", pooler="transaction", direct=way)

    def configure(self) -> None:
        lines = [f"{name} = {_entry(dsn)}" for name, dsn in self.databases.items()]
        (self.directory / "pgbouncer.ini").write_text(
            _CONFIG.format(
                databases="\n".join(lines),
                directory=self.directory,
                pool_size=self.pool_size,
                wait_seconds=self.wait_seconds,
            )
        )

    def _console(self) -> psycopg.Connection[Any]:
        address = make_conninfo(host=str(self.directory), port=6432, dbname="pgbouncer", user="admin")
        return psycopg.connect(address, autocommit=True, cursor_factory=psycopg.ClientCursor)


def _entry(dsn: str) -> str:
    wanted = ("host", "port", "dbname", "user", "password")
    return " ".join(f"{name}={value}" for name, value in conninfo_to_dict(dsn).items() if name in wanted and value)


@contextlib.contextmanager
def running(databases: dict[str, str], *, pool_size: int = 3, wait_seconds: int = 20) -> Iterator[Pooler]:
    """A PgBouncer for the length of a `with`."""
    if PROGRAM is None:
        pytest.skip("no pgbouncer on this machine (Debian: apt-get install pgbouncer)")
    directory = Path(tempfile.mkdtemp(prefix="outgrow-pooler-", dir="/var/tmp"))
    user = ""
    if os.geteuid() == 0:
        os.chown(directory, _NOBODY, _NOBODY)
        user = str(_NOBODY)
    directory.chmod(0o755)
    pooler = Pooler(directory, databases, pool_size, wait_seconds)
    pooler.configure()
    command = [sys.executable, "-c", _WATCH, PROGRAM, str(directory), user]
    watch = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert watch.stdin is not None
    try:
        _await(pooler)
        yield pooler
    finally:
        watch.stdin.close()
        watch.wait()


def _await(pooler: Pooler) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.Error):
            pooler.shown("VERSION")
            return
        time.sleep(0.02)
    raise AssertionError(f"pgbouncer did not start: {(pooler.directory / 'output').read_text()[-500:]}")


@contextlib.contextmanager
def before(
    topology: Topology, *, pool_size: int = 3, wait_seconds: int = 20, direct: bool = True, replicas: bool = True
) -> Iterator[Pooler]:
    """A PgBouncer before every node (or every primary) of the topology; `direct` says that its addresses stay known."""
    with running({}, pool_size=pool_size, wait_seconds=wait_seconds) as pooler:
        pooler.topology = pooler.standing_before(topology, direct=direct, replicas=replicas)
        yield pooler
