"""A private PostgreSQL server for this folder's tests: started by the first that needs one, stopped at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from outgrow import local
from tests import scratch

#: `nobody`: the server binaries refuse to run as root.
UNPRIVILEGED = 65534


def binaries() -> Path:
    """The folder of the server programs: those that `OUTGROW_TEST_PG` chooses, else the embedded ones."""
    return local.find(os.environ.get("OUTGROW_TEST_PG") or None).directory


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server on TCP and a unix socket, user `postgres` without a password, user `guarded` with one."""

    def __init__(self) -> None:
        self.bin = binaries()
        self.directory = Path(tempfile.mkdtemp(prefix="outgrow-nodes-", dir=scratch.place()))
        self.port = free_port()
        self.data = self.directory / "data"
        if os.getuid() == 0:
            os.chown(self.directory, UNPRIVILEGED, UNPRIVILEGED)
        try:
            self._make()
        except BaseException:
            self.remove()
            raise

    def _make(self) -> None:
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "-N"
        )
        hba = self.data / "pg_hba.conf"
        hba.write_text("host all guarded all scram-sha-256\n" + hba.read_text())
        self.start()

    def _demote(self) -> dict[str, object]:
        if os.getuid() != 0:
            return {}
        return {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.bin / program), *arguments],
            check=True,
            capture_output=True,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            **self._demote(),  # type: ignore[call-overload]
        )

    def start(self) -> None:
        self._run(
            "pg_ctl", "-D", str(self.data), "-w", "-l", str(self.directory / "log"), "-o",
            f"-p {self.port} -k {self.directory} -c listen_addresses=127.0.0.1 -c fsync=off "
            "-c max_connections=60 -c shared_buffers=64MB -c max_prepared_transactions=5",
            "start",
        )  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def remove(self) -> None:
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError):
            pid = 0
        if pid:
            for sign in (signal.SIGQUIT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
                deadline = time.monotonic() + 10
                while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
                    time.sleep(0.05)
        shutil.rmtree(self.directory, ignore_errors=True)

    def dsn(self, user: str = "postgres", database: str = "postgres", **more: str) -> str:
        parts = {"host": "127.0.0.1", "port": str(self.port), "user": user, "dbname": database, **more}
        return " ".join(f"{key}={value}" for key, value in parts.items())
