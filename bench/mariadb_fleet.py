"""The fleet of MariaDB servers that a bench asks: temporary local ones, over TCP, and PyMySQL's own connections."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.harness import Missing
from outgrow import local
from outgrow.keyspace.crc32 import Crc32

SLOTS = 1024


@dataclass(frozen=True, slots=True)
class MariadbFleet:
    path: Path
    #: Per shard: the primary; its replicas are in `.replicas`.
    primaries: tuple[Any, ...]

    @property
    def pids(self) -> list[int]:
        servers = [each for primary in self.primaries for each in (primary, *primary.replicas)]
        return [server.process.pid for server in servers]

    def everywhere(self, *statements: str) -> None:
        """Run these on every primary; `{here}` stands for a condition on `id`: its slot is the shard's."""
        slot = Crc32(("int8",), SLOTS).sql(["id"])
        for number, primary in enumerate(self.primaries):
            here = f"{slot} % {len(self.primaries)} = {number}"
            with contextlib.closing(connect(primary)) as connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement.format(here=here))

    def await_replicas(self) -> None:
        """Until every replica has replayed what its primary has written."""
        for primary in self.primaries:
            with contextlib.closing(connect(primary)) as connection:
                [(place,)] = asked(connection, "SELECT @@gtid_binlog_pos")
            for replica in primary.replicas:
                with contextlib.closing(connect(replica)) as connection:
                    if asked(connection, f"SELECT MASTER_GTID_WAIT('{place}', 60)") != [(0,)]:
                        raise SystemExit("a replica does not follow its primary")


def connect(server: Any) -> Any:
    """PyMySQL's connection with the settings that outgrow's own links have."""
    import pymysql

    from outgrow.nodes.mariadb.driver import QUERIES

    return pymysql.connect(
        host="127.0.0.1", port=server.port, user="app", password=server.password, database="app", charset="utf8mb4",
        autocommit=None, init_command=QUERIES["pinned"],
    )  # fmt: skip


def asked(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@contextlib.contextmanager
def fleet(shards: int, replicas: int, tables: dict[str, object]) -> Iterator[MariadbFleet]:
    if local.installed_mariadb() is None:
        raise Missing("there is no MariaDB on this machine")
    with contextlib.ExitStack() as stack:
        primaries = stack.enter_context(local.temporary_mariadb(shards, replicas))
        domain = {
            "engine": "mariadb",
            "slots": SLOTS,
            "shards": {f"s{number}": _nodes(primary) for number, primary in enumerate(primaries, 1)},
            "tables": tables,
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgrow-bench-")))
        path = folder / "fleet.yaml"
        secret = folder / "secret"
        secret.write_text("what benches sign their tokens with, and nobody else")
        secret.chmod(0o600)
        path.write_text(yaml.safe_dump({"fleet": "bench", "secret": {"file": str(secret)}, "domains": {"d": domain}}))
        yield MariadbFleet(path, tuple(primaries))


def _nodes(primary: Any) -> dict[str, object]:
    found: dict[str, object] = {"primary": primary.dsn()}
    if primary.replicas:
        found["replicas"] = [replica.dsn() for replica in primary.replicas]
    return found
