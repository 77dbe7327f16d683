"""Where local fleets and their binaries live, and as whom the servers run.

PostgreSQL refuses to run as root, so root hands its servers to `nobody`: no system user is created.  Everything a
server touches must then lie where that uid can traverse, which is neither root's home nor a `mktemp -d` directory.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import random
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.errors import ConfigurationError, OperationalError

#: The uid and gid that root's servers run as.
NOBODY = 65534

#: sun_path holds 108 bytes with its zero on Linux, 104 elsewhere; a socket's file name needs up to 15 of them.
SOCKET_DIRECTORY_BYTES_MAX = 103 - len("/.s.PGSQL.65535")

#: Below the range that outgoing connections are drawn from, so that a stopped server finds its port again.
PORTS = range(15500, 32700)


@dataclass(frozen=True, slots=True)
class Owner:
    """As whom servers run: the caller, or `nobody` when the caller is root."""

    uid: int
    gid: int
    dropped: bool

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make a child this owner."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.dropped else {}


def owner() -> Owner:
    if os.geteuid() == 0:
        return Owner(NOBODY, NOBODY, True)
    return Owner(os.geteuid(), os.getegid(), False)


def require_named(who: Owner) -> None:
    """PostgreSQL's programs look up what their user is called, and go no further where it has no name."""
    try:
        pwd.getpwuid(who.uid)
    except KeyError:
        raise OperationalError(
            "OG-LOCAL-034",
            f"uid {who.uid} has no name on this machine, and PostgreSQL's initdb does not work without one",
            cure="run as a user that /etc/passwd has, or add a line for this uid to it",
        ) from None


def home() -> Path:
    """`$OUTGROW_HOME`, or the user's data directory; for root a place that the dropped uid can traverse."""
    chosen = os.environ.get("OUTGROW_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        state = Path("/var/lib")
        usable = state.is_dir() and os.access(state, os.W_OK) and traversable(state)
        return state / "outgrow" if usable else Path("/var/tmp/outgrow-root")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data and os.path.isabs(data) else Path.home() / ".local" / "share") / "outgrow"


def prepared_home() -> Path:
    """`home()`, made and checked: ours alone to write, and traversable by the servers' owner."""
    place = home()
    own_directory(place)
    require_traversable(place)
    return place


def own_directory(place: Path) -> None:
    """Make `place`, or refuse one that somebody else could have planted there."""
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    facts = place.lstat()
    # An ordinary user's own group may write (many systems have umask 002); root's may not.
    open_to = 0o022 if os.geteuid() == 0 else 0o002
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & open_to:
        raise OperationalError(
            "OG-LOCAL-001",
            f"{place} is not a directory that only this user can write to",
            cure="set OUTGROW_HOME (or --dir) to a directory of your own",
        )


def traversable(place: Path) -> bool:
    """Whether the servers' owner can reach into `place` through all of its parents."""
    who = owner()
    if not who.dropped:
        return True
    for step in (place, *place.parents):
        try:
            facts = step.stat()
        except OSError:
            return False
        if not facts.st_mode & (0o100 if facts.st_uid == who.uid else 0o001):
            return False
    return True


def require_traversable(place: Path) -> None:
    if not traversable(place):
        raise ConfigurationError(
            "OG-LOCAL-002",
            f"root's servers run as nobody (uid {NOBODY}), which cannot reach {place}",
            cure="choose a directory whose parents all allow others to pass (chmod o+x), such as below /var/lib",
        )


def give(place: Path, who: Owner) -> Path:
    """Make `place` a 0700 directory of the servers' owner."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if who.dropped:
        os.chown(place, who.uid, who.gid)
    place.chmod(0o700)
    return place


def socket_directory(fleet: Path) -> Path:
    """Where a fleet's unix sockets live: in the fleet, or under a short name when its path is too long for one."""
    within = fleet / "sockets"
    if len(os.fsencode(within)) <= SOCKET_DIRECTORY_BYTES_MAX:
        return within
    return Path("/tmp") / f"outgrow-{os.geteuid()}-{hashlib.sha256(os.fsencode(fleet)).hexdigest()[:12]}"


def free_ports(count: int, taken: set[int]) -> list[int]:
    """Loopback ports nobody listens on now.  Another process may still be faster: starting a server retries."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        if port not in taken and port_is_free(port):
            found.append(port)
    raise OperationalError(
        "OG-LOCAL-003", f"no {count} free loopback ports in {PORTS}", cure="stop servers that are no longer needed"
    )


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As PostgreSQL itself binds: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
