"""Bring a whole fleet up, say how it is, take it down.  Each can be repeated after being killed at any point."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from outgrow.errors import ConfigurationError, Error, OperationalError
from outgrow.local import engines, processes, state
from outgrow.local.addresses import FILE, SECRET, publish
from outgrow.local.binaries import Binaries
from outgrow.local.engines import Engine, Instance
from outgrow.local.home import PortTaken
from outgrow.local.places import (
    Owner,
    free_ports,
    give,
    home,
    own_directory,
    owner,
    port_is_free,
    prepared_home,
    require_traversable,
    socket_directory,
)
from outgrow.local.state import Server, State
from outgrow.topology import Topology, read

T = TypeVar("T")
Progress = Callable[[str], None]

SHARDS_MAX, REPLICAS_MAX = 64, 9


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server as it is now; `replays` and `log_bytes` are None while it does not answer."""

    shard: str
    name: str
    port: int
    pid: int | None
    #: running, starting or stopped
    condition: str
    #: What it does, whatever it was made for: a promoted replica says False.
    replays: bool | None = None
    #: How far its log goes, written (primary) or replayed (replica): in bytes, or in transactions (MariaDB).
    log_bytes: int | None = None
    #: Bytes of log the replica has not replayed yet (PostgreSQL), or transactions (MariaDB).
    lag_bytes: int | None = None
    lag_transactions: int | None = None


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """A local fleet as it is now."""

    directory: Path
    version: str
    sockets: str
    servers: tuple[ServerStatus, ...]
    #: For people.
    engine: str = "PostgreSQL"

    @property
    def running(self) -> bool:
        return all(server.condition == "running" for server in self.servers)


def directory_of(directory: Path | str | None = None) -> Path:
    """The fleet's directory: the given one, or the default fleet's below `home()`."""
    return Path(directory).expanduser().absolute() if directory is not None else home() / "local"


def up(
    shards: int | None = None,
    replicas: int | None = None,
    directory: Path | str | None = None,
    binaries: str | None = None,
    on_progress: Progress = lambda _: None,
    *,
    tcp: bool | None = None,
    durable: bool = True,
    engine: str | None = None,
    strategy: str | None = None,
) -> Topology:
    """Start what is missing of the fleet in `directory`, making it first if there is none (2 shards × 1 replica).

    `on_progress` is called with a line for people, also from other threads.  `tcp` puts loopback addresses with the
    password into `fleet.yaml` instead of unix sockets; `strategy` (hash, ring or directory) stands in a new one.
    Whatever this call started is stopped again if it fails.
    """
    _check_counts(shards, replicas)
    if directory is None:
        prepared_home()
    fleet = directory_of(directory)
    own_directory(fleet)
    require_traversable(fleet)
    with state.locked(fleet):
        before = state.load(fleet)
        if before is None:
            kind = engines.engine(engine or "postgresql")
            now = _new_state(
                fleet, 2 if shards is None else shards, 1 if replicas is None else replicas, binaries, kind
            )
            now = msgspec.structs.replace(now, tcp=bool(tcp), durable=durable)
        else:
            _check_same(fleet, before, shards, replicas, binaries, engine)
            now = before if tcp is None else msgspec.structs.replace(before, tcp=tcp)
        programs = _programs(now)
        for attempt in range(5):
            now = _with_free_ports(fleet, now, programs, afresh=attempt > 0)
            state.save(fleet, now)
            try:
                _start_all(fleet, now, programs, on_progress)
                break
            except PortTaken as taken:
                on_progress(f"{taken}: its port was taken meanwhile; choosing others")
        else:
            raise OperationalError(
                "OG-LOCAL-031", "no free loopback ports could be kept", cure="stop servers that are no longer needed"
            )
        told, now = publish(fleet, now, strategy)
        state.save(fleet, now)
        return told


def topology(directory: Path | str | None = None) -> Topology:
    """The topology of the fleet in `directory` as its `fleet.yaml` says it; ConfigurationError when there is none."""
    fleet = directory_of(directory)
    _known(fleet)
    return read(fleet / FILE)


def status(directory: Path | str | None = None) -> FleetStatus:
    """How the fleet in `directory` is now; ConfigurationError when there is none."""
    fleet = directory_of(directory)
    now = _known(fleet)
    programs = _programs(now)
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = list(pool.map(lambda server: _condition(_instance(fleet, now, server, programs)), now.servers))
    kind = engines.engine(now.engine)
    written = {one.shard: one.log_bytes for one in asked if one.replays is False and one.log_bytes is not None}
    servers = []
    for one in asked:
        if one.replays and one.log_bytes is not None and one.shard in written:
            behind: dict[str, Any] = {kind.lag: max(0, written[one.shard] - one.log_bytes)}
            one = replace(one, **behind)
        servers.append(one)
    return FleetStatus(fleet, programs.version, now.sockets, tuple(servers), kind.shown)


def down(directory: Path | str | None = None, delete: bool = False, on_progress: Progress = lambda _: None) -> bool:
    """Stop the fleet in `directory`, and with `delete` remove it.  Whether there was anything to stop or to remove."""
    fleet = directory_of(directory)
    if not fleet.is_dir():
        return False
    if not (fleet / state.STATE).exists() and (_foreign(fleet) or not os.listdir(fleet)):
        return False  # not a fleet's directory: nothing here is ours to remove
    with state.locked(fleet):
        try:
            now = state.load(fleet)
        except OperationalError:
            if not delete:
                raise
            now = None
        stopped = bool(processes.of(fleet))
        if now is not None:
            _stop_all(fleet, now, at_once=delete, on_progress=on_progress)
        processes.end_all(fleet)
        if delete:
            on_progress(f"removing {fleet}")
            _remove(fleet, now)
            stopped = True
    return stopped


def _new_state(fleet: Path, shards: int, replicas: int, binaries: str | None, engine: Engine) -> State:
    leftover = _foreign(fleet)
    if leftover:
        (fleet / state.LOCK).unlink()
        raise ConfigurationError(
            "OG-LOCAL-022",
            f"{fleet} holds {leftover[0]!r} and is not a fleet's directory",
            cure="choose a new or empty directory",
        )
    programs = engine.find(binaries)
    names = ["primary", *(f"replica{number}" for number in range(1, replicas + 1))]
    servers = tuple(Server(f"s{number}", name, 0) for number in range(1, shards + 1) for name in names)
    return State(
        format=state.FORMAT,
        binaries=str(programs.directory),
        major=programs.major,
        shards=shards,
        replicas=replicas,
        password=secrets.token_urlsafe(18),
        sockets=str(socket_directory(fleet)),
        tcp=False,
        durable=True,
        servers=servers,
        engine=engine.name,
    )


def _foreign(fleet: Path) -> list[str]:
    """What lies there besides the traces of an `up` that was killed before it wrote down its state."""
    return sorted(name for name in os.listdir(fleet) if name != state.LOCK and not name.startswith(".state.json"))


def _check_counts(shards: int | None, replicas: int | None) -> None:
    for name, count, least, most in (("shards", shards, 1, SHARDS_MAX), ("replicas", replicas, 0, REPLICAS_MAX)):
        if count is not None and not least <= count <= most:
            raise ConfigurationError(
                "OG-LOCAL-023", f"{name} is {count}", cure=f"choose a number from {least} to {most}"
            )


def _check_same(
    fleet: Path, before: State, shards: int | None, replicas: int | None, binaries: str | None, engine: str | None
) -> None:
    """A fleet keeps its shape: rows were placed by it."""
    kind = engines.engine(before.engine)
    if engine is not None and engine != before.engine:
        raise ConfigurationError(
            "OG-LOCAL-025",
            f"the fleet in {fleet} is one of {kind.shown}, not of {engines.engine(engine).shown}",
            cure="leave --engine out, or name another directory with --dir",
        )
    for name, asked, has in (("shards", shards, before.shards), ("replicas", replicas, before.replicas)):
        if asked is not None and asked != has:
            raise ConfigurationError(
                "OG-LOCAL-024",
                f"the fleet in {fleet} has {has} {name}, not {asked}",
                cure="leave the option out, name another directory with --dir, "
                "or remove this fleet and its data with `outgrow down --delete`",
            )
    if binaries is not None and (programs := kind.find(binaries)).major != before.major:
        raise ConfigurationError(
            "OG-LOCAL-025",
            f"the fleet in {fleet} was made by {kind.shown} {before.major}, not {programs.major}",
            cure=f"leave --pg out or say --pg {before.major}; for another version name another directory with --dir",
        )


def _known(fleet: Path) -> State:
    now = state.load(fleet)
    if now is None:
        raise ConfigurationError("OG-LOCAL-026", f"there is no fleet in {fleet}", cure="start one with `outgrow up`")
    return now


def _programs(now: State) -> Binaries:
    """The binaries the fleet was made with, or others of the same version when those are gone."""
    find = engines.engine(now.engine).find
    try:
        return find(now.binaries)
    except ConfigurationError:
        return find(str(now.major))


def _instance(fleet: Path, now: State, server: Server, programs: Binaries) -> Instance:
    return engines.engine(now.engine).instance(fleet, now, server, programs)


def _with_free_ports(fleet: Path, now: State, programs: Binaries, *, afresh: bool) -> State:
    """Keep the ports of running servers; give new ones to those whose port is not free (`afresh`: to all stopped)."""
    servers = list(now.servers)
    taken = {server.port for server in servers}
    moved = [
        position
        for position, server in enumerate(servers)
        if _instance(fleet, now, server, programs).pid is None
        and (afresh or server.port == 0 or not port_is_free(server.port))
    ]
    for position, port in zip(moved, free_ports(len(moved), taken), strict=True):
        servers[position] = msgspec.structs.replace(servers[position], port=port)
    return msgspec.structs.replace(now, servers=tuple(servers))


def _start_all(fleet: Path, now: State, programs: Binaries, on_progress: Progress) -> None:
    """All shards at once; what was started is stopped again when one fails or the user interrupts."""
    who = owner()
    give(Path(now.sockets), who)
    instances = [_instance(fleet, now, server, programs) for server in now.servers]
    running = {instance.server.path for instance in instances if instance.pid is not None}

    def shard(name: str) -> None:
        primary, *replicas = (instance for instance in instances if instance.server.shard == name)
        _start_primary(primary, who, on_progress)
        _each(lambda replica: _start_replica(replica, primary, who, on_progress), replicas)

    try:
        _each(shard, dict.fromkeys(server.shard for server in now.servers))
    except BaseException:
        for instance in instances:
            if instance.server.path not in running and instance.exists:
                instance.stop()
        raise


def _start_primary(primary: Instance, who: Owner, on_progress: Progress) -> None:
    if not primary.exists:
        on_progress(f"{primary.server.path}: making the database system")
        primary.create_primary(who)
    made = primary.folder / "made"
    if primary.pid is None:
        on_progress(f"{primary.server.path}: starting")
        primary.configure(who)
        primary.start()
    if not made.exists():
        primary.first_words()
        made.touch()


def _start_replica(replica: Instance, primary: Instance, who: Owner, on_progress: Progress) -> None:
    if replica.exists and replica.lost(primary):
        on_progress(f"{replica.server.path}: too far behind, copying anew")
        replica.stop(at_once=True)
        shutil.rmtree(replica.data)
    if not replica.exists:
        on_progress(f"{replica.server.path}: copying its primary")
        replica.create_replica(primary, who)
    changed = replica.configure(who)
    if replica.pid is None:
        on_progress(f"{replica.server.path}: starting")
        replica.start()
    elif changed:
        replica.reload()  # its primary has moved to another port


def _stop_all(fleet: Path, now: State, *, at_once: bool, on_progress: Progress) -> None:
    programs = Binaries(Path(now.binaries), now.major, "")  # stopping takes signals, not programs

    def stop(server: Server) -> None:
        if _instance(fleet, now, server, programs).stop(at_once=at_once):
            on_progress(f"{server.path}: stopped")

    # Replicas first: a primary that shuts down waits for those that still listen.
    _each(stop, [server for server in now.servers if not server.is_primary])
    _each(stop, [server for server in now.servers if server.is_primary])


def _remove(fleet: Path, now: State | None) -> None:
    """Remove what is ours, the state last: a removal that was killed can be repeated."""
    sockets = Path(now.sockets) if now is not None else socket_directory(fleet)
    shutil.rmtree(sockets, ignore_errors=True)
    for entry in fleet.iterdir():
        if re.fullmatch(r"s[0-9]+", entry.name) and entry.is_dir():
            shutil.rmtree(entry)
    for pattern in (FILE, SECRET, ".*.[0-9]*", state.STATE, state.LOCK):
        for entry in fleet.glob(pattern):
            entry.unlink()
    with contextlib.suppress(OSError):
        fleet.rmdir()  # unless the user keeps something of his own there


def _condition(instance: Instance) -> ServerStatus:
    server = instance.server
    pid = instance.pid
    if pid is None:
        return ServerStatus(server.shard, server.name, server.port, None, "stopped")
    try:
        replays, log_bytes = instance.condition()
    except (Error, ValueError, subprocess.SubprocessError):
        return ServerStatus(server.shard, server.name, server.port, pid, "starting")
    return ServerStatus(server.shard, server.name, server.port, pid, "running", replays, log_bytes)


def _each(work: Callable[[T], object], items: Iterable[T]) -> None:
    """Do it for all at once, wait for all, raise the first error."""
    listed = list(items)
    if not listed:
        return
    with ThreadPoolExecutor(max_workers=len(listed)) as pool:
        for done in [pool.submit(work, item) for item in listed]:
            done.result()
