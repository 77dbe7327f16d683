"""Where one server of a local fleet lives: its folder, its log, and its programs, run as the servers' owner."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from outgrow.errors import OperationalError
from outgrow.local import processes
from outgrow.local.binaries import Binaries
from outgrow.local.places import Owner, give, owner
from outgrow.local.state import Server, State

#: Names under which a server's folder keeps its parts.
DATA, PARTIAL = "data", "partial-"


class PortTaken(Exception):
    """Somebody else listens on the server's port."""


@dataclass(frozen=True, slots=True)
class Home(ABC):
    """What servers of all engines have."""

    fleet: Path
    state: State
    server: Server
    binaries: Binaries

    log_name: ClassVar[str]

    @property
    def folder(self) -> Path:
        return self.fleet / self.server.shard / self.server.name

    @property
    def data(self) -> Path:
        return self.folder / DATA

    @property
    def exists(self) -> bool:
        """Whether its data directory was ever completed: it is made aside and renamed."""
        return self.data.is_dir()

    @abstractmethod
    def path_of(self, program: str) -> str:
        """Where the engine's program is."""

    def run(self, *command: str, stdin: str | None = None, timeout_seconds: float = 120.0) -> str:
        """Run one of the programs as the servers' owner; its standard output."""
        program, *arguments = command
        try:
            done = subprocess.run(
                [self.path_of(program), *arguments],
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout_seconds,
                cwd="/",
                env=environment(),
                umask=0o077,
                **owner().popen,
            )
        except subprocess.TimeoutExpired as error:
            raise self.failed(f"{program} took more than {timeout_seconds:g} s", "") from error
        except OSError as error:
            raise self.failed(f"{program} could not be run: {error.strerror or error}", "") from error
        if done.returncode != 0:
            raise self.failed(f"{program} ended with {done.returncode}", done.stderr or done.stdout)
        return str(done.stdout)

    def log_tail(self, start: int) -> str:
        """The server's log from that byte on, or its last bytes when negative."""
        try:
            content = (self.folder / self.log_name).read_bytes()
        except OSError:
            return ""
        return content[start:].decode(errors="replace")[-4000:]

    def failed(self, what: str, said: str) -> OperationalError:
        lines = "\n".join(f"    {line}" for line in said.strip().splitlines()[-12:])
        return OperationalError(
            "OG-LOCAL-030",
            what + (f":\n{lines}" if lines else ""),
            cure=f"look into {self.folder / self.log_name}; `outgrow up` may simply be repeated",
            shard=self.server.shard,
            node=self.server.path,
        )

    def partial(self, who: Owner) -> Path:
        """An empty place to make the data directory in, after ending and removing attempts that were interrupted."""
        give(self.fleet / self.server.shard, who)
        give(self.folder, who)
        for old in self.folder.glob(f"{PARTIAL}*"):
            processes.end_all(old)
            shutil.rmtree(old, ignore_errors=True)
        return give(self.folder / (PARTIAL + secrets.token_hex(4)), who)


def environment() -> dict[str, str]:
    """The servers' environment: nothing of the caller's PG* or locale may lead them elsewhere."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/", "TZ": "UTC"}


def write_private_to(path: Path, text: str, who: Owner) -> None:
    partial = path.with_name(path.name + ".new")
    partial.write_text(text)
    partial.chmod(0o600)
    if who.dropped:
        os.chown(partial, who.uid, who.gid)
    partial.replace(path)
