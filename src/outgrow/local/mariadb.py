"""One MariaDB server on loopback: made, configured, started and stopped, as an unprivileged user.

The programs are those of an installed MariaDB (Debian: `mariadb-server`); its service is left alone.  A shard is a
server of its own, because a GTID domain is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outgrow.errors import OperationalError
from outgrow.local.mariadb_programs import installed_mariadb
from outgrow.local.places import Owner, free_ports, give, owner
from outgrow.local.temporary import reserved

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass
class MariadbServer:
    """One server; `domain` is its GTID domain: a shard's, from before its first write."""

    folder: Path
    port: int
    domain: int
    #: Unique among the servers of a shard.
    number: int = 1
    #: The primary that it replays.
    follows: MariadbServer | None = None
    replicas: list[MariadbServer] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "s.sock"

    def dsn(self, database: str = "app") -> str:
        """As the user `app`, who needs no password: the socket's directory is the server's own."""
        return f"mariadb://app:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def password(self) -> str:
        if self.follows is not None:
            return self.follows.password
        return (self.folder / "password").read_text()

    def create(self) -> None:
        """A new data directory with the user and the database `app`."""
        programs = installed_mariadb()
        if programs is None:
            raise OperationalError(
                "OG-LOCAL-032", "there is no MariaDB on this machine", cure="apt-get install mariadb-server"
            )
        who = owner()
        give(self.folder, who)
        if self.follows is None:
            _write(self.folder / "password", secrets.token_hex(16), who)
        _run(
            [
                *(str(programs[1]), "--no-defaults", f"--datadir={self.folder / 'data'}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
                f"--tmpdir={self.folder}",
            ],
            who,
        )
        _write(self.folder / "init.sql", self._first_words(), who)

    def _first_words(self) -> str:
        if self.follows is not None:
            # The primary's log begins with its first word, so a replica needs no copy of its data.
            return (
                f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={self.follows.port}, MASTER_USER='app', "
                f"MASTER_PASSWORD='{self.password}', MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos;\n"
                "START SLAVE;\n"
            )
        return (
            f"CREATE USER app@127.0.0.1 IDENTIFIED BY '{self.password}';\n"
            "CREATE DATABASE app CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;\n"
            # With it, a stray write on a replica would pass read_only, and end its replication.
            "GRANT ALL ON *.* TO app@127.0.0.1;\nREVOKE READ ONLY ADMIN ON *.* FROM app@127.0.0.1;\n"
            f"ALTER USER root@localhost IDENTIFIED BY '{self.password}';\n"
        )

    def start(self) -> None:
        """Start it and wait until it answers on its port."""
        programs = installed_mariadb()
        assert programs is not None
        options = {
            "datadir": self.folder / "data",
            "tmpdir": self.folder,
            "socket": self.socket,
            "pid-file": self.folder / "pid",
            "log-error": self.folder / "log.err",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "server-id": self.number,
            "gtid-domain-id": self.domain,
            "read-only": int(self.follows is not None),
            "log-bin": self.folder / "data" / "binlog",
            "binlog-format": "ROW",
            "gtid-strict-mode": "ON",
            "log-slave-updates": "ON",
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_nopad_bin",
            "innodb-buffer-pool-size": "32M",
            "innodb-flush-log-at-trx-commit": 2,
            "performance-schema": "OFF",
        }
        first = self.folder / "init.sql"
        if first.exists():
            options["init-file"] = first
        log = self.folder / "log.err"
        before = log.stat().st_size if log.exists() else 0
        output = (self.folder / "output").open("wb")
        self.process = subprocess.Popen(
            [str(programs[0]), "--no-defaults", *(f"--{key}={value}" for key, value in options.items())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            **owner().popen,
        )
        output.close()
        until = time.monotonic() + _START_SECONDS
        while not self._ready(before):
            if self.process.poll() is not None or time.monotonic() > until:
                raise self._failed()
            time.sleep(0.05)
        first.unlink(missing_ok=True)

    def stop(self, *, at_once: bool = False) -> None:
        """End it, with a clean shutdown unless `at_once`; harder when that takes too long."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ready(self, before: int) -> bool:
        """The log's own word, behind its first `before` bytes: the port listens a moment earlier."""
        with contextlib.suppress(OSError):
            return b"ready for connections" in (self.folder / "log.err").read_bytes()[before:]
        return False

    def _failed(self) -> OperationalError:
        said = ""
        for name in ("output", "log.err"):
            with contextlib.suppress(OSError):
                said += (self.folder / name).read_text(errors="replace")[-1500:]
        self.stop(at_once=True)
        return OperationalError(
            "OG-LOCAL-030", f"MariaDB did not start:\n{said}", cure=f"look into {self.folder / 'log'}"
        )


@contextlib.contextmanager
def temporary_mariadb(count: int = 1, replicas: int = 0) -> Iterator[list[MariadbServer]]:
    """So many primaries, each with its `replicas`, for the length of a `with`, or of this process."""
    with reserved() as folder:
        give(folder, owner())
        ports = iter(free_ports(count * (1 + replicas), set()))
        started: list[MariadbServer] = []
        try:
            for domain in range(1, count + 1):
                primary = MariadbServer(folder / f"m{domain}", next(ports), domain)
                for number in range(2, 2 + replicas):
                    place = folder / f"m{domain}r{number}"
                    primary.replicas.append(MariadbServer(place, next(ports), domain, number, primary))
                for server in (primary, *primary.replicas):
                    started.append(server)
                    server.create()
                    server.start()
            yield [server for server in started if server.follows is None]
        finally:
            for server in reversed(started):
                server.stop()


def _run(command: list[str], who: Owner) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/", **who.popen
    )
    if done.returncode:
        raise OperationalError(
            "OG-LOCAL-030",
            f"{Path(command[0]).name} ended with {done.returncode}:\n{(done.stderr or done.stdout)[-1500:]}",
            cure="read what it says",
        )


def _write(path: Path, text: str, who: Owner) -> None:
    path.write_text(text)
    path.chmod(0o600)
    if who.dropped:
        os.chown(path, who.uid, who.gid)
