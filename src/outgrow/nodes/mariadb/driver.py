"""PyMySQL's connection to a node, blocking: for a link's thread."""

from __future__ import annotations

from typing import Any

import pymysql
from pymysql.constants import CLIENT

from outgrow import sqlfile
from outgrow.nodes.settings import LinkSettings
from outgrow.topology import Node, parameters

QUERIES = sqlfile.load("outgrow.nodes.mariadb")


def open_connection(node: Node, settings: LinkSettings) -> tuple[Any, bool]:
    """PyMySQL's connection, made on the calling thread, and whether its server is a replica at this moment."""
    found = parameters(node.dsn)
    place: dict[str, Any] = {"host": found.get("host", "127.0.0.1"), "port": int(found.get("port", 3306))}
    if "socket" in found:
        place = {"unix_socket": found["socket"]}
    connection = pymysql.connect(
        **place,
        user=found.get("user"),
        password=found.get("password", ""),
        database=found.get("dbname"),
        charset="utf8mb4",
        # Counts what an UPDATE found, as PostgreSQL does, not what it changed.
        client_flag=CLIENT.FOUND_ROWS,
        connect_timeout=max(1, round(settings.connect_timeout_seconds)),
        program_name=settings.application_name,
        autocommit=None,
        init_command=QUERIES["pinned"],
    )
    connection.query(QUERIES["read_only"])
    return connection, bool(connection._result.rows[0][0])
