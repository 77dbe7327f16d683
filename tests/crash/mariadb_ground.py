"""`ground.Ground` on MariaDB servers."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.local.mariadb import MariadbServer
from outgrow.topology import (
    Domain,
    Listing,
    Node,
    Placement,
    Role,
    Shard,
    TableName,
    Topology,
    parameters,
    without_password,
)
from tests.crash.proxy import Address

if TYPE_CHECKING:
    from tests.crash.world import World

NAME = re.compile(rb"outgrow/([0-9a-f]{32})")
DOMAIN = "sales"


class MariadbGround:
    engine = "mariadb"
    failovers = False

    def __init__(self, servers: Sequence[MariadbServer]) -> None:
        self.servers = {f"s{number}": server for number, server in enumerate(servers, 1)}
        self._numbers = itertools.count(1)
        self._links: dict[str, Any] = {}

    def fresh(self, tables: dict[TableName, Placement], strategy: str) -> Topology:
        name = f"t{next(self._numbers)}"
        shards = []
        for shard, server in self.servers.items():
            address = server.dsn(name)
            node = Node(f"{DOMAIN}/{shard}/primary", DOMAIN, shard, Role.PRIMARY, address, without_password(address))
            self._link(node, "app").query(f"CREATE DATABASE {name}")
            shards.append(Shard(shard, node, ()))
        directory = (Listing("int8", "hash"),) if strategy == "directory" else ()
        domain = Domain(DOMAIN, "mariadb", 64, tuple(shards), tables, strategy=strategy, directory=directory)
        return Topology("shop", (domain,), "x" * 32)

    def put_right(self, topology: Topology, primaries: Mapping[str, Node]) -> None:
        for node in primaries.values():
            self.start(node)
            for name in self.prepared(node):
                self.sql(node, f"XA ROLLBACK 'outgrow/{name}','{node.shard}'")
            self.sql(node, f"DROP DATABASE {parameters(node.dsn)['dbname']}")
        self._forget()

    # -- addresses -------------------------------------------------------------------------------------------------

    def target(self, node: Node) -> Address:
        return "127.0.0.1", self.servers[node.shard].port

    def through(self, node: Node, port: int, name: str) -> str:
        found = parameters(node.dsn)
        return f"mariadb://app:{found['password']}@127.0.0.1:{port}/{found['dbname']}"

    # -- what they have --------------------------------------------------------------------------------------------

    def sql(self, node: Node, text: str, params: Sequence[Any] | None = None) -> list[Any]:
        import pymysql

        for last in (False, True):
            try:
                with self._link(node, parameters(node.dsn)["dbname"]).cursor() as cursor:
                    cursor.execute(text, params)
                    return list(cursor.fetchall())
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError, OSError):
                # The server was killed since the link was made.
                self._forget()
                if last:
                    raise
        raise AssertionError

    def _link(self, node: Node, database: str) -> Any:
        key = f"{node.shard}/{database}"
        if key not in self._links:
            self._links[key] = connected(self.servers[node.shard], database)
        return self._links[key]

    def _forget(self) -> None:
        for link in self._links.values():
            link._force_close()
        self._links.clear()

    def prepared(self, node: Node) -> set[str]:
        return names(self.sql(node, "XA RECOVER"))

    def decisions(self, node: Node) -> list[tuple[str, str, list[str]]]:
        rows = self.sql(node, "SELECT LOWER(HEX(id)), outcome, shards FROM outgrow_decisions")
        return [(number, outcome, json.loads(shards or "[]")) for number, outcome, shards in rows]

    def stamps(self, node: Node) -> set[str]:
        return {number for (number,) in self.sql(node, "SELECT LOWER(HEX(id)) FROM outgrow_stamps")}

    def open_work(self, node: Node) -> list[str]:
        """The transactions of clients; one that is prepared and left belongs to nobody."""
        rows = self.sql(
            node,
            "SELECT p.user, p.command, t.trx_query FROM information_schema.INNODB_TRX AS t "
            "JOIN information_schema.PROCESSLIST AS p ON p.id = t.trx_mysql_thread_id "
            "WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID()",
        )
        return [f"{who}, {state}: {query}" for who, state, query in rows]

    def number(self, name: str) -> str:
        return name

    def decider(self, world: World, number: str) -> str | None:
        """The branch that was opened first."""
        return world.shards[0].name if number else None

    def eye_on(self, world: World) -> Any:
        return lambda: MariadbEye(self.servers)

    # -- what becomes of them --------------------------------------------------------------------------------------

    def kill(self, node: Node) -> None:
        self.servers[node.shard].stop(at_once=True)

    def start(self, node: Node) -> None:
        server = self.servers[node.shard]
        if server.process is None:
            server.start()

    def promote(self, node: Node) -> None:
        raise NotImplementedError

    def rebuild(self, node: Node, primary: Node) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def lag(self, primaries: Sequence[Node]) -> Iterator[None]:
        raise NotImplementedError
        yield


class MariadbEye:
    def __init__(self, servers: Mapping[str, MariadbServer]) -> None:
        self._servers = servers
        self._links: dict[str, Any] = {}

    def prepared(self, shard: str) -> set[str]:
        import pymysql

        try:
            if shard not in self._links:
                self._links[shard] = connected(self._servers[shard], "app")
            with self._links[shard].cursor() as cursor:
                cursor.execute("XA RECOVER")
                return names(cursor.fetchall())
        except (pymysql.err.Error, OSError):
            if (lost := self._links.pop(shard, None)) is not None:
                lost._force_close()
            return set()

    def close(self) -> None:
        for link in self._links.values():
            link._force_close()


def connected(server: MariadbServer, database: str) -> Any:
    """As root, whom nothing binds."""
    import pymysql

    # A socket of our own: the driver leaves one open that leads nowhere.
    way = socket.socket(socket.AF_UNIX)
    try:
        way.settimeout(5)
        way.connect(str(server.socket))
        link = pymysql.connect(
            user="root", password=server.password, database=database, autocommit=True, defer_connect=True
        )
        link.connect(way)
    except BaseException:
        way.close()
        raise
    return link


def names(rows: Sequence[Any]) -> set[str]:
    """The transactions of ours in the answer to XA RECOVER."""
    found = set()
    for _, length, _, data in rows:
        both = data if isinstance(data, bytes) else str(data).encode()
        if match := NAME.fullmatch(both[:length]):
            found.add(match[1].decode())
    return found
