"""What a local fleet remembers of itself: one private JSON file and one lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from outgrow.errors import OperationalError

STATE = "state.json"
LOCK = "lock"

#: Raised when the file's meaning changes.
FORMAT = 1


class Server(msgspec.Struct, frozen=True):
    """One server process: the primary or a replica of a shard."""

    shard: str
    name: str
    port: int

    @property
    def is_primary(self) -> bool:
        return self.name == "primary"

    @property
    def path(self) -> str:
        """Its folder in the fleet's directory, and its name for people."""
        return f"{self.shard}/{self.name}"


class State(msgspec.Struct, frozen=True):
    """A fleet's shape, ports and password; `servers` lists each shard's primary before its replicas."""

    format: int
    binaries: str
    major: int
    shards: int
    replicas: int
    #: Of the role `app`, for TCP; unix sockets need none.
    password: str
    sockets: str
    tcp: bool
    durable: bool
    servers: tuple[Server, ...]
    #: The addresses that `fleet.yaml` was last given, in the order of `servers`.
    published: tuple[str, ...] = ()
    engine: str = "postgresql"

    def __repr__(self) -> str:
        return f"State(shards={self.shards}, replicas={self.replicas}, major={self.major})"

    def primary(self, shard: str) -> Server:
        return next(server for server in self.servers if server.shard == shard and server.is_primary)


def load(fleet: Path) -> State | None:
    """The state of the fleet in that directory, or None when there is no fleet."""
    try:
        return msgspec.json.decode((fleet / STATE).read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise OperationalError(
            "OG-LOCAL-020",
            f"{fleet / STATE} cannot be read: {error}",
            cure="restore it, or remove the fleet with `outgrow down --delete` and start again",
        ) from error


def save(fleet: Path, state: State) -> None:
    write_private(fleet / STATE, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone: a crash leaves the old one or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextlib.contextmanager
def locked(fleet: Path, wait_timeout_seconds: float = 60.0) -> Iterator[None]:
    """Hold the fleet's lock: one `up` or `down` at a time.  The kernel frees it when its holder dies."""
    until = time.monotonic() + wait_timeout_seconds
    while True:
        try:
            file = open(os.open(fleet / LOCK, os.O_RDWR | os.O_CREAT, 0o600), "wb")  # noqa: SIM115 (closed below)
        except FileNotFoundError:
            raise OperationalError(
                "OG-LOCAL-028", f"{fleet} was removed meanwhile", cure="try again if that was not meant"
            ) from None
        with file:
            _lock(file.fileno(), fleet, until, wait_timeout_seconds)
            # The holder before us may have removed the fleet, and with it the file that we waited for.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(fleet / LOCK)):
                    yield
                    return


def _lock(descriptor: int, fleet: Path, until: float, wait_timeout_seconds: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise OperationalError(
                    "OG-LOCAL-021",
                    f"another process has held the lock of the fleet in {fleet} for {wait_timeout_seconds:g} s",
                    cure="wait for it, or end it, and try again",
                ) from None
            time.sleep(0.05)
