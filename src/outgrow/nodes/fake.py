"""Servers in memory: scripted answers behind the real pools and drivers.

For tests, the users' included.  A `FakeServer` answers the texts that it was given answers for; it knows transactions,
latency, time limits, going down, and a replica's lag.  It parses no SQL: what it was not told is error OG-NODE-025.

    server = FakeServer(node)
    server.answer("SELECT 1", [(1,)], columns=[("one", "int4")])
    pool = Pool(node, connect=server.connect_steps)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import translate
from outgrow.nodes.link import Link, Params
from outgrow.nodes.nodes import Nodes
from outgrow.nodes.rows import Field, Rows
from outgrow.nodes.settings import LinkSettings
from outgrow.nodes.stream import Stream
from outgrow.topology import Node, Topology
from outgrow.waits import Steps, Until

#: Gives the rows for these parameters, or raises.
Script = Callable[[Sequence[Any]], Sequence[tuple[Any, ...]]]

_TRANSACTION = {"BEGIN": True, "START": True, "COMMIT": False, "END": False, "ROLLBACK": False}


@dataclass(frozen=True, slots=True)
class _Answer:
    script: Script
    fields: tuple[Field, ...]
    status: str
    seconds: float


class FakeServer:
    """One node.  Change its attributes at any time, from any thread."""

    def __init__(self, node: Node, *, follows: FakeServer | None = None, lag_seconds: float = 0.0) -> None:
        self.node = node
        #: Added to each statement's own seconds.
        self.latency_seconds = 0.0
        self.up = True
        #: What was run, in order: (text, parameters).
        self.log: list[tuple[str, tuple[Any, ...]]] = []
        self.links: list[FakeLink] = []
        self.lag_seconds = lag_seconds
        self._follows = follows
        self._answers: dict[str, _Answer] = {}
        #: (monotonic time, LSN) of each write.
        self._written: list[tuple[float, int]] = [(monotonic(), 0)]

    def answer(
        self,
        sql: str,
        rows: Sequence[tuple[Any, ...]] | Script = (),
        *,
        columns: Sequence[tuple[str, str]] = (),
        status: str = "SELECT",
        seconds: float = 0.0,
        error: errors.Error | None = None,
    ) -> None:
        """Script the text `sql`: `rows` (or a function of the parameters), or `error`, after `seconds`."""

        def script(params: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
            if error is not None:
                raise error
            return rows(params) if callable(rows) else rows

        fields = tuple(Field(name, type_name, -1, 0) for name, type_name in columns)
        self._answers[sql] = _Answer(script, fields, status, seconds)

    def stop(self) -> None:
        """Go down: links break, new ones are refused."""
        self.up = False
        for link in self.links:
            link.close()

    def start(self) -> None:
        self.up = True

    # -- replication --------------------------------------------------------------------------------------------------

    @property
    def insert_lsn(self) -> int:
        """Raised by each statement whose status is not SELECT."""
        return self._written[-1][1]

    @property
    def replayed_lsn(self) -> int:
        """What this replica shows of the primary that it follows: the LSN of `lag_seconds` ago."""
        if self._follows is None:
            return self.insert_lsn
        seen = monotonic() - self.lag_seconds
        return max((lsn for moment, lsn in self._follows._written if moment <= seen), default=0)

    # -- serving ------------------------------------------------------------------------------------------------------

    def connect_steps(
        self, node: Node, settings: LinkSettings, names: dict[int, str] | None = None, until: float | None = None
    ) -> Steps[Link]:
        """In the place of `link_steps`."""
        yield from _pass_steps(self.latency_seconds, until, self.node)
        if not self.up:
            raise errors.OperationalError(
                "OG-NODE-001",
                "the server cannot be reached: it is stopped",
                cure="start it",
                shard=self.node.shard,
                node=self.node.name,
            )
        link = FakeLink(self, settings)
        self.links.append(link)
        return link

    def run_steps(self, sql: str, params: Sequence[Any], until: float | None) -> Steps[Rows]:
        answer = self._answers.get(sql)
        if answer is None:
            raise errors.InterfaceError(
                "OG-NODE-025", f"nothing is scripted for {sql!r}", cure="FakeServer.answer(…)", node=self.node.name
            )
        yield from _pass_steps(self.latency_seconds + answer.seconds, until, self.node)
        rows = list(answer.script(params))
        if answer.status != "SELECT":
            self._written.append((monotonic(), self.insert_lsn + 1))
        return Rows(answer.fields, rows, answer.status, len(rows))


def _pass_steps(seconds: float, until: float | None, node: Node) -> Steps[None]:
    end = monotonic() + seconds
    if until is not None and until < end:
        yield Until(until)
        raise translate.late(node)
    if seconds:
        yield Until(end)


class FakeLink(Link):
    """A link to a `FakeServer`; everything that needs libpq is replaced."""

    __slots__ = ("_block", "_closed", "_failed", "server")

    def __init__(self, server: FakeServer, settings: LinkSettings) -> None:
        self.server = server
        self.node = server.node
        self.settings = settings
        self.names = {}
        self.opened_at = self.idle_since = monotonic()
        self.abandoned = self.in_flight = self.standby = False
        self.dress = ()
        self.incarnation = ""
        self.backend_pid = id(self)
        self._closed = self._block = self._failed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def broken(self) -> bool:
        return self._closed or self.abandoned or self.in_flight

    @property
    def at_rest(self) -> bool:
        return not self.broken and not self._block

    @property
    def in_transaction(self) -> bool:
        return self._block

    @property
    def in_failed_transaction(self) -> bool:
        return self._failed

    @property
    def server_version(self) -> int:
        return 180000

    def parameter(self, name: str) -> str | None:
        return None

    def close(self) -> None:
        self._closed = True
        if self in self.server.links:
            self.server.links.remove(self)

    def peek(self) -> bool:
        return not self.broken

    def alive_steps(self, until: float) -> Steps[bool]:
        yield from _pass_steps(self.server.latency_seconds, None, self.node)
        return not self.broken

    def forget_prepared(self) -> None:
        pass

    def run_steps(
        self, sql: str, params: Params = None, *, until: float | None = None, prepare: bool = True
    ) -> Steps[Rows]:
        if self._closed:
            raise translate.lost(self.node, "it was closed before", before=True)
        if self.in_flight:
            raise errors.InterfaceError("OG-NODE-016", "a statement is still under way", node=self.node.name)
        values = tuple(params or ())
        self.server.log.append((sql, values))
        word = sql.strip().split(" ")[0].upper()
        if word in _TRANSACTION:
            self._block, self._failed = _TRANSACTION[word], False
            return Rows((), [], word, -1)
        if self._failed:
            raise errors.OperationalError(
                "OG-NODE-134", "the transaction has failed", cure="roll back", node=self.node.name, sqlstate="25P02"
            )
        self.in_flight = True
        try:
            rows = yield from self.server.run_steps(sql, values, until)
        except GeneratorExit:
            self.close()
            raise
        except BaseException:
            self.in_flight = False
            self._failed = self._block
            raise
        self.in_flight = False
        if self._closed:
            raise translate.lost(self.node, "the server was stopped", before=False)
        return rows

    def run_two_steps(
        self,
        first: tuple[str, Params],
        second: tuple[str, Params],
        *,
        until: float | None = None,
        prepare: bool = True,
    ) -> Steps[tuple[Rows | errors.Error, Rows | errors.Error]]:
        one, two = yield from self.run_many_steps([first, second], until=until)
        return one, two

    def run_many_steps(
        self,
        asked: Sequence[tuple[str, Params]],
        *,
        until: float | None = None,
        prepare: Sequence[bool] | None = None,
        chained: bool = False,
    ) -> Steps[list[Rows | errors.Error]]:
        outcomes: list[Rows | errors.Error] = []
        for sql, params in asked:
            if chained and outcomes and isinstance(outcomes[-1], errors.Error):
                outcomes.append(outcomes[-1])
                continue
            try:
                outcomes.append((yield from self.run_steps(sql, params, until=until)))
            except errors.Error as error:
                outcomes.append(error)
        return outcomes

    def stream(
        self, sql: str, params: Params = None, *, chunk_rows: int = 1000, until: float | None = None
    ) -> FakeStream:
        return FakeStream(self, sql, params, chunk_rows, until)


class FakeStream(Stream):
    """As `Stream`, over a scripted answer."""

    def __init__(self, link: FakeLink, sql: str, params: Params, chunk_rows: int, until: float | None) -> None:
        self.fields: tuple[Field, ...] = ()
        self.status = ""
        self.count = -1
        self._link = link
        self._query = (sql, params, until)
        self._chunk_rows = chunk_rows
        self._rows: list[tuple[Any, ...]] = []

    def open_steps(self) -> Steps[tuple[Field, ...]]:
        sql, params, until = self._query
        rows = yield from self._link.run_steps(sql, params, until=until)
        self._link.in_flight = bool(rows.rows)
        self._rows = list(rows.rows)
        self.fields, self.status, self.count = rows.fields, rows.status, rows.count
        return self.fields

    def more_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        chunk, self._rows = self._rows[: self._chunk_rows], self._rows[self._chunk_rows :]
        if not chunk:
            self._link.in_flight = False
        return chunk or None
        yield

    def close_steps(self) -> Steps[None]:
        self._rows = []
        self._link.in_flight = False
        return
        yield


def fake_nodes(topology: Topology) -> tuple[Nodes, dict[str, FakeServer]]:
    """Pools over fakes for every node of `topology`, and the fakes by node name; replicas follow their primary."""
    servers: dict[str, FakeServer] = {}
    for domain in topology.domains:
        for shard in domain.shards:
            primary = servers[shard.primary.name] = FakeServer(shard.primary)
            for replica in shard.replicas:
                servers[replica.name] = FakeServer(replica, follows=primary)

    def connect_steps(node: Node, settings: LinkSettings, names: dict[int, str], until: float | None) -> Steps[Link]:
        return servers[node.name].connect_steps(node, settings, names, until)

    return Nodes(topology, connect=connect_steps), servers
