"""The fleet that a bench asks: a throw-away local fleet, over TCP, and plain connections to its servers."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.proxies import free_port

SLOTS = 1024

#: The slot of an int8 key as PostgreSQL's own partition hash gives it (see `outgrow.keyspace`); {key} is SQL.
SLOT = (
    "COALESCE(((hashint8extended({key}, 8816678312871386365) & {mask}) + (5305509591434766563 & {mask})) & {mask}, 0)"
)


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    dsn: str
    pid: int

    @property
    def port(self) -> int:
        return int(str(conninfo_to_dict(self.dsn)["port"]))

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.dsn, autocommit=True)


@dataclass(frozen=True, slots=True)
class BenchFleet:
    path: Path
    #: Per shard: the primary, then its replicas.
    shards: tuple[tuple[Server, ...], ...]

    @property
    def primaries(self) -> tuple[Server, ...]:
        return tuple(servers[0] for servers in self.shards)

    @property
    def pids(self) -> list[int]:
        return [server.pid for servers in self.shards for server in servers]

    def everywhere(self, *statements: str) -> None:
        """Run these on every primary; `{shard}` and `{shards}` stand for the shard's number and their count."""
        for number, primary in enumerate(self.primaries):
            with primary.connect() as connection:
                for statement in statements:
                    connection.execute(statement.format(shard=number, shards=len(self.shards)).encode())

    def await_replicas(self) -> None:
        """Until every replica has replayed what its primary has written."""
        for primary, *replicas in self.shards:
            with primary.connect() as connection:
                row = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
            for replica in replicas:
                with replica.connect() as connection:
                    while connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() == (
                        False,
                    ):
                        time.sleep(0.01)


def here(key: str = "id") -> str:
    """SQL: this key lives on shard number {shard} of {shards}."""
    return f"{SLOT.format(key=key, mask=SLOTS - 1)} % {{shards}} = {{shard}}"


@contextlib.contextmanager
def fleet(shards: int, replicas: int, tables: str) -> Iterator[BenchFleet]:
    """A fresh fleet; `tables` is the YAML mapping of its tables, as in `{items: {shard_by: id}}`."""
    bindir = Path("/usr/lib/postgresql/15/bin")
    root = Path(tempfile.mkdtemp(prefix="bench-fleet-", dir="/var/tmp"))
    root.chmod(0o755)
    become: list[str] = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(root, nobody.pw_uid, nobody.pw_gid)
        become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    started: list[tuple[Server, Path]] = []
    try:
        groups = []
        for number in range(shards):
            primary = _primary(bindir, root, become, f"s{number + 1}", started)
            group = [primary]
            for index in range(replicas):
                group.append(_replica(bindir, root, become, primary, f"s{number + 1}r{index + 1}", started))
            groups.append(tuple(group))
        path = root / "fleet.yaml"
        lines = ["fleet: bench", "domains:", "  bench:", "    engine: postgresql", f"    slots: {SLOTS}", "    shards:"]
        for number, group in enumerate(groups):
            urls = ", ".join(f'"{server.dsn}"' for server in group[1:])
            lines.append(f'      s{number + 1}: {{primary: "{group[0].dsn}", replicas: [{urls}]}}')
        path.write_text("\n".join([*lines, f"    tables: {tables}"]) + "\n")
        yield BenchFleet(path, tuple(groups))
    finally:
        for _, data in started:
            _run(become, bindir / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(root, ignore_errors=True)


def _run(become: Sequence[str], *command: object) -> None:
    subprocess.run([*become, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")


def _primary(bindir: Path, root: Path, become: list[str], name: str, started: list[tuple[Server, Path]]) -> Server:
    data = root / name
    _run(become, bindir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "-N")
    return _start(bindir, root, become, name, data, started)


def _replica(
    bindir: Path, root: Path, become: list[str], primary: Server, name: str, started: list[tuple[Server, Path]]
) -> Server:
    data = root / name
    _run(become, bindir / "pg_basebackup", "-d", primary.dsn, "-D", data, "-R", "-X", "stream", "-c", "fast")
    return _start(bindir, root, become, name, data, started)


def _start(
    bindir: Path, root: Path, become: list[str], name: str, data: Path, started: list[tuple[Server, Path]]
) -> Server:
    port = free_port()
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c wal_level=logical"
    options += " -c max_prepared_transactions=20 -c shared_buffers=64MB"
    _run(become, bindir / "pg_ctl", "-D", data, "-l", root / f"{name}.log", "-w", "-o", options, "start")
    pid = int((data / "postmaster.pid").read_text().split()[0])
    server = Server(name, f"postgresql://postgres@127.0.0.1:{port}/postgres", pid)
    started.append((server, data))
    return server
