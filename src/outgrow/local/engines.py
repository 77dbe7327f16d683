"""The engines of which this room starts servers: one record for each, by `State.engine`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from outgrow.local import binaries
from outgrow.local.binaries import Binaries
from outgrow.local.mariadb_programs import find_mariadb
from outgrow.local.mariadb_server import MariadbInstance
from outgrow.local.places import Owner
from outgrow.local.server import PostgresqlInstance
from outgrow.local.state import Server, State


class Instance(Protocol):
    """A server of a fleet with all it takes to handle it."""

    @property
    def server(self) -> Server: ...
    @property
    def state(self) -> State: ...
    @property
    def folder(self) -> Path: ...
    @property
    def data(self) -> Path: ...
    @property
    def exists(self) -> bool:
        """Whether its data directory was ever completed."""
        ...

    @property
    def pid(self) -> int | None: ...

    def create_primary(self, who: Owner) -> None: ...

    def first_words(self) -> None:
        """The application's user and database, on a primary that has just been started for the first time."""
        ...

    def create_replica(self, primary: Any, who: Owner) -> None: ...

    def lost(self, primary: Any) -> bool:
        """The replica fell too far behind: it must be made anew."""
        ...

    def configure(self, who: Owner) -> bool:
        """Write the settings that follow from the fleet; whether they changed."""
        ...

    def start(self) -> None:
        """Start it and wait until it accepts connections; PortTaken when its port is not free."""
        ...

    def reload(self) -> None: ...

    def stop(self, *, at_once: bool = False) -> bool: ...

    def condition(self) -> tuple[bool, int | None]:
        """Whether it replays, and how far its log goes: written on a primary, replayed on a replica."""
        ...


class Engine(NamedTuple):
    name: str
    #: For people.
    shown: str
    #: The programs for a choice of the user's, or by what a state remembers.
    find: Callable[[str | None], Binaries]
    instance: Callable[[Path, State, Server, Binaries], Instance]
    #: The address through the unix socket.
    socket_dsn: Callable[[State, Server, str, str], str]
    #: What a replica's distance is counted in: the field of `ServerStatus`.
    lag: str


def _postgresql(state: State, server: Server, role: str, database: str) -> str:
    return f"postgresql://{role}@/{database}?host={quote(state.sockets, safe='/')}&port={server.port}"


def _mariadb(state: State, server: Server, role: str, database: str) -> str:
    socket = f"{state.sockets}/.s.MARIADB.{server.port}"
    return f"mariadb://{role}@/{database}?socket={quote(socket, safe='/')}"


_ENGINES = {
    "postgresql": Engine("postgresql", "PostgreSQL", binaries.find, PostgresqlInstance, _postgresql, "lag_bytes"),
    "mariadb": Engine("mariadb", "MariaDB", find_mariadb, MariadbInstance, _mariadb, "lag_transactions"),
}
NAMES = tuple(_ENGINES)


def engine(name: str) -> Engine:
    return _ENGINES[name]
