"""Real brokers for tests, on ports of their own, from Debian's packages; skipped by name where they are missing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import scratch


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Broker:
    """One server; what it has stored stays when it is killed and started again."""

    command: Sequence[str]
    directory: Path
    port: int
    scheme: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.directory)
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError((self.directory / "log").read_text()[-500:])

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def _serving(program: str, package: str, scheme: str, arguments: Sequence[str]) -> Iterator[Broker]:
    found = shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if found is None:
        pytest.skip(f"no {program} on this machine (Debian: apt-get install {package})")
    with tempfile.TemporaryDirectory(prefix="outgrow-broker-", dir=scratch.place()) as directory:
        port = _free_port()
        command = [found, *(argument.format(port=port, directory=directory) for argument in arguments)]
        broker = Broker(command, Path(directory), port, scheme)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()


def redis_server(*more: str) -> contextlib.AbstractContextManager[Broker]:
    """A Redis whose log of commands is on disk before it answers."""
    pytest.importorskip("redis")
    plain = ["--port", "{port}", "--bind", "127.0.0.1", "--dir", "{directory}", "--save", ""]
    lasting = ["--appendonly", "yes", "--appendfsync", "always"]
    return _serving("redis-server", "redis-server", "redis", [*plain, *lasting, *more])


def nats_server() -> contextlib.AbstractContextManager[Broker]:
    """A NATS with JetStream."""
    pytest.importorskip("nats")
    arguments = ["--jetstream", "--store_dir", "{directory}", "--port", "{port}", "--addr", "127.0.0.1"]
    return _serving("nats-server", "nats-server", "nats", arguments)
