"""One MariaDB server of a local fleet: made, configured, started, asked and stopped, all through its own programs.

A shard has a GTID domain of its own from before its first write, and its log begins with its first word, so a replica
needs no copy of the primary's data: it begins empty and replays everything.
"""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from outgrow import sqlfile
from outgrow.local import processes
from outgrow.local.home import Home, PortTaken, environment, write_private_to
from outgrow.local.mariadb_programs import program as program_path
from outgrow.local.places import Owner, owner

#: The server itself adds `.err` to a log without it.
SETTINGS, PID, LOG = "outgrow.cnf", "mariadbd.pid", "log.err"


@cache
def queries() -> dict[str, str]:
    return dict(sqlfile.load("outgrow.local", "mariadb.sql"))


@dataclass(frozen=True, slots=True)
class MariadbInstance(Home):
    """`Instance` of MariaDB."""

    log_name: ClassVar[str] = LOG

    @property
    def pid(self) -> int | None:
        return processes.server_of(self.data, PID, "mariadbd")

    @property
    def socket(self) -> Path:
        return Path(self.state.sockets) / f".s.MARIADB.{self.server.port}"

    def path_of(self, program: str) -> str:
        return str(program_path(program) or program)

    def query(self, name: str, *, timeout_seconds: float = 30.0, **values: str | int) -> list[list[str]]:
        """Run one of the named queries on the server as its root; the rows as text."""
        filled = {key: value if isinstance(value, int) else _quoted(value) for key, value in values.items()}
        said = self.run(
            *("mariadb", "--no-defaults", "--batch", "--skip-column-names", "--user=root", f"--socket={self.socket}"),
            stdin=queries()[name].format(**filled),
            timeout_seconds=timeout_seconds,
        )
        return [line.split("\t") for line in said.splitlines()]

    def create_primary(self, who: Owner) -> None:
        """A new data directory, in which root has no password: only the sockets lead to it, and they are 0700."""
        partial = self.partial(who)
        self.run(
            *("mariadb-install-db", "--no-defaults", f"--datadir={partial}", f"--tmpdir={self.folder}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
        )
        partial.rename(self.data)

    def create_replica(self, primary: MariadbInstance, who: Owner) -> None:
        self.create_primary(who)

    def lost(self, primary: MariadbInstance) -> bool:
        """It fell too far behind to follow.  A primary here keeps its whole log."""
        return False

    def first_words(self) -> None:
        self.query("create_app", password=self.state.password)

    def configure(self, who: Owner) -> bool:
        """Write the settings that follow from the fleet; whether they changed."""
        durable = int(self.state.durable)
        shard = [*dict.fromkeys(server.shard for server in self.state.servers)].index(self.server.shard) + 1
        peers = [server.name for server in self.state.servers if server.shard == self.server.shard]
        settings: dict[str, str | int] = {
            "datadir": str(self.data),
            "tmpdir": str(self.folder),
            "socket": str(self.socket),
            "pid-file": str(self.data / PID),
            "log-error": str(self.folder / LOG),
            "bind-address": "127.0.0.1",
            "port": self.server.port,
            "skip-name-resolve": 1,
            "server-id": shard * 100 + peers.index(self.server.name) + 1,
            "gtid-domain-id": shard,
            "gtid-strict-mode": 1,
            "read-only": int(not self.server.is_primary),
            "log-bin": str(self.data / "binlog"),
            "log-slave-updates": 1,
            "binlog-format": "ROW",
            "sync-binlog": durable,
            "innodb-flush-log-at-trx-commit": durable or 2,
            "innodb-buffer-pool-size": "32M",
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_nopad_bin",
            "default-time-zone": "+00:00",
            "max-connections": 151,
            "performance-schema": 0,
        }
        if not self.server.is_primary:
            # Not a setting: where the server's master is, so that a changed port is a change.
            settings["report-host"] = f"follows-{self.state.primary(self.server.shard).port}"
        text = "# Written by `outgrow up`, again each time.\n[mariadbd]\n" + "".join(
            f"{key} = {value}\n" for key, value in settings.items()
        )
        path = self.folder / SETTINGS
        if path.exists() and path.read_text() == text:
            return False
        write_private_to(path, text, who)
        return True

    def reload(self) -> None:
        """Follow the primary where it is now."""
        self._follow()

    def start(self, timeout_seconds: float = 90.0) -> None:
        """Start it and wait until it accepts connections; PortTaken when its port is not free."""
        log = self.folder / LOG
        before = log.stat().st_size if log.exists() else 0
        if self.pid is None:
            self._clear_remains()
            self._launch()
            begun = time.monotonic()
            while "ready for connections" not in (said := self.log_tail(before)):
                waited = time.monotonic() - begun
                # In its first moment it is a shell still.
                if (waited > 1.0 and not processes.of(self.folder)) or waited > timeout_seconds:
                    processes.end_all(self.folder)
                    said = self.log_tail(before)
                    if "Address already in use" in said:
                        raise PortTaken(self.server.path)
                    raise self.failed("the server did not start", said or (self.folder / "output").read_text())
                time.sleep(0.05)
        if not self.server.is_primary:
            self._follow()

    def _launch(self) -> None:
        """Start it as nobody's child, in a session of its own: neither our end nor Ctrl-C reaches it."""
        command = [self.path_of("mariadbd"), f"--defaults-file={self.folder / SETTINGS}"]
        with (self.folder / "output").open("wb") as output:
            subprocess.run(
                ["/bin/sh", "-c", '"$0" "$@" &', *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=True,
                cwd="/",
                env=environment(),
                umask=0o077,
                start_new_session=True,
                **owner().popen,
            )

    def stop(self, *, at_once: bool = False, wait_timeout_seconds: float = 60.0) -> bool:
        """Stop it, cleanly unless `at_once`; harder when it takes too long.  Whether it was running."""
        pid = self.pid
        if pid is not None and not at_once:
            processes.send(pid, self.data, signal.SIGTERM)
            processes.send(pid, self.data, signal.SIGCONT)
            until = time.monotonic() + wait_timeout_seconds
            while self.pid is not None and time.monotonic() < until:
                time.sleep(0.02)
        processes.end_all(self.folder)
        return pid is not None

    def condition(self) -> tuple[bool, int]:
        """Whether it replays, and the number of its last transaction."""
        [[replays, place]] = self.query("condition", timeout_seconds=5.0)
        return replays == "1", max((int(each.rpartition("-")[2]) for each in place.split(",") if each), default=0)

    def _follow(self) -> None:
        primary = self.state.primary(self.server.shard)
        self.query("follow", port=primary.port, password=self.state.password)

    def _clear_remains(self) -> None:
        """Make way for a start after a crash: what the server left, once no process of its directory lives."""
        processes.end_all(self.data)
        (self.data / PID).unlink(missing_ok=True)
        for remains in (self.socket, self.socket.with_name(self.socket.name + ".lock")):
            remains.unlink(missing_ok=True)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
