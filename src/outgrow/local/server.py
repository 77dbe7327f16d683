"""One PostgreSQL server: made, configured, started, asked and stopped, all through its own programs."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from outgrow.errors import OperationalError
from outgrow.local import processes
from outgrow.local.home import Home, PortTaken, write_private_to
from outgrow.local.places import Owner, require_named

#: Names under which a server's folder keeps its parts.
LOG, SETTINGS = "log", "outgrow.conf"

#: Trust is safe on the sockets: they and their directory are 0700, so only the server's own uid and root pass.
HBA = """\
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
"""


@cache
def queries() -> dict[str, str]:
    """This room's SQL by name."""
    text = files("outgrow.local").joinpath("queries.sql").read_text()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class PostgresqlInstance(Home):
    """`Instance` of PostgreSQL."""

    log_name: ClassVar[str] = LOG

    @property
    def pid(self) -> int | None:
        return processes.postmaster(self.data)

    def path_of(self, program: str) -> str:
        return self.binaries.path(program)

    def query(self, name: str, *, timeout_seconds: float = 30.0, **variables: str) -> list[list[str]]:
        """Run one of the named queries on the server as its superuser; the rows as text."""
        # Variables come in through standard input: an argument could be read by any user of the machine.
        lines = [f"\\set {key} {_psql_quoted(value)}" for key, value in variables.items()]
        said = self.run(
            *("psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.state.sockets),
            *("-p", str(self.server.port), "-U", "postgres", "-d", "postgres"),
            stdin="\n".join([*lines, queries()[name]]),
            timeout_seconds=timeout_seconds,
        )
        return [line.split("\t") for line in said.splitlines()]

    def create_primary(self, who: Owner) -> None:
        """A new database system with its own identifier."""
        require_named(who)
        partial = self.partial(who)
        # Text sorts by code point whatever the machine's libc thinks of C.UTF-8, and still knows upper from lower.
        order = ["--locale=C", "--lc-ctype=C.UTF-8"]
        if self.binaries.major >= 17:
            order += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self.run(
            *("initdb", "-D", str(partial), "-U", "postgres", "--encoding=UTF8", *order),
            *("--auth=trust", "--no-sync", "--no-instructions", "--data-checksums"),
        )
        write_private_to(partial / "pg_hba.conf", HBA, who)
        with open(partial / "postgresql.conf", "a") as file:
            file.write(f"\ninclude_if_exists = '{SETTINGS}'\n")
        partial.rename(self.data)

    def create_replica(self, primary: PostgresqlInstance, who: Owner) -> None:
        """A copy of the running primary that will go on following it."""
        partial = self.partial(who)
        slot = self.server.name
        primary.query("create_slot", slot=slot)
        self.run(
            *("pg_basebackup", "-D", str(partial), "-h", self.state.sockets, "-p", str(primary.server.port)),
            *("-U", "postgres", "-c", "fast", "-X", "stream", "-S", slot, "--no-sync", "--no-manifest"),
        )
        write_private_to(partial / "standby.signal", "", who)
        partial.rename(self.data)

    def configure(self, who: Owner) -> bool:
        """Write the settings that follow from the fleet; whether they changed.  ALTER SYSTEM outranks them."""
        primary = self.state.primary(self.server.shard)
        settings: dict[str, str | int] = {
            "listen_addresses": "127.0.0.1",
            "port": self.server.port,
            "unix_socket_directories": self.state.sockets,
            "unix_socket_permissions": "0700",
            "cluster_name": self.server.path,
            "max_connections": 100,
            "shared_buffers": "32MB",
            "wal_level": "logical",
            "max_prepared_transactions": 100,
            "max_wal_senders": 10,
            "max_replication_slots": 10,
            "max_slot_wal_keep_size": "4GB",
            "hot_standby": "on",
            "hot_standby_feedback": "on",
            "wal_receiver_status_interval": "1s",
            "wal_retrieve_retry_interval": "200ms",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
        }
        if self.binaries.major >= 18:
            settings["io_method"] = "sync"  # no workers of its own: a laptop runs many of these servers at once
        if not self.state.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        if not self.server.is_primary:
            settings["primary_conninfo"] = (
                f"host={_conninfo_quoted(self.state.sockets)} port={primary.port} user=postgres "
                f"application_name={_conninfo_quoted(self.server.path)}"
            )
            settings["primary_slot_name"] = self.server.name
        text = "# Written by `outgrow up`, again each time.\n" + "".join(
            f"{key} = {_setting_quoted(str(value))}\n" for key, value in settings.items()
        )
        path = self.data / SETTINGS
        if path.exists() and path.read_text() == text:
            return False
        write_private_to(path, text, who)
        return True

    def first_words(self) -> None:
        """The application's role and database."""
        self.query("create_app", password=self.state.password)

    def lost(self, primary: PostgresqlInstance) -> bool:
        """The slot held the log back only up to a limit: a replica that was away for too long starts over."""
        follows = (self.data / "standby.signal").exists()
        return follows and bool(primary.query("drop_lost_slot", slot=self.server.name))

    def condition(self) -> tuple[bool, int | None]:
        """Whether it replays, and how far its log goes, in bytes."""
        [[replays, log_bytes]] = self.query("condition", timeout_seconds=5.0)
        return replays == "t", int(log_bytes) if log_bytes else None

    def reload(self) -> None:
        """Make the running server read its settings again."""
        if (pid := self.pid) is not None:
            processes.send(pid, self.data, signal.SIGHUP)

    def start(self, timeout_seconds: float = 60.0) -> None:
        """Start it and wait until it accepts connections; PortTaken when its port is not free."""
        if self.pid is None:
            self._clear_remains()
            log = self.folder / LOG
            before = log.stat().st_size if log.exists() else 0
            try:
                self.run(
                    *("pg_ctl", "-D", str(self.data), "-l", str(log), "-s", "-w", "-t", f"{timeout_seconds:.0f}"),
                    "start",
                    timeout_seconds=timeout_seconds + 30,
                )
            except OperationalError as error:
                said = self.log_tail(before)
                if "Address already in use" in said or "could not create any TCP/IP sockets" in said:
                    raise PortTaken(self.server.path) from error
                raise self.failed("the server did not start", said or error.message) from error
        until = time.monotonic() + timeout_seconds
        while not processes.ready(self.data):
            if self.pid is None or time.monotonic() > until:
                raise self.failed("the server does not accept connections", self.log_tail(-2000))
            time.sleep(0.02)

    def stop(self, *, at_once: bool = False, wait_timeout_seconds: float = 30.0) -> bool:
        """Stop it, with a checkpoint unless `at_once`; harder when it takes too long.  Whether it was running."""
        pid = self.pid
        if pid is not None:
            orders = [(signal.SIGINT, wait_timeout_seconds), (signal.SIGQUIT, 10.0)]
            for order, patience in orders[1:] if at_once else orders:
                # A stopped process hears nothing but SIGCONT and SIGKILL.
                processes.send(pid, self.data, order)
                processes.send(pid, self.data, signal.SIGCONT)
                if self._gone(patience):
                    break
        processes.end_all(self.folder)
        return pid is not None

    def _clear_remains(self) -> None:
        """Make way for a start after a crash.

        Children of a killed postmaster end by themselves, soon; while one lives, the server would rightly refuse to
        start.  A pid file that names a stranger's process would stop it for ever, so it goes, but only when no
        process of this directory is left.
        """
        until = time.monotonic() + 5.0
        while processes.of(self.data) and time.monotonic() < until:
            time.sleep(0.02)
        processes.end_all(self.data)
        if self.pid is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            # The same for the socket's lock, where also a zombie counts as a living owner: PostgreSQL asks kill(2),
            # and in a container nobody may ever collect the killed server.
            socket = Path(self.state.sockets) / f".s.PGSQL.{self.server.port}"
            socket.unlink(missing_ok=True)
            socket.with_name(socket.name + ".lock").unlink(missing_ok=True)

    def _gone(self, patience_seconds: float) -> bool:
        until = time.monotonic() + patience_seconds
        while self.pid is not None:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True


def _setting_quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _conninfo_quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _psql_quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
