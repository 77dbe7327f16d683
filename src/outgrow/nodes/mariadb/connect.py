"""Opening a link to MariaDB."""

from __future__ import annotations

import pymysql

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes.link import Link
from outgrow.nodes.mariadb.driver import open_connection
from outgrow.nodes.mariadb.link import MariadbLink
from outgrow.nodes.mariadb.translate import said_by
from outgrow.nodes.mariadb.worker import Worker
from outgrow.nodes.settings import LinkSettings
from outgrow.topology import Node
from outgrow.waits import Future, Steps

#: Server number → code, what it means, cure; what is not here is OG-NODE-001.
_REASONS = {
    1045: ("OG-NODE-002", "the server refused the user or password", "correct them in the node's address"),
    1698: ("OG-NODE-002", "the server refused the user or password", "correct them in the node's address"),
    1130: ("OG-NODE-002", "the server does not let this host in", "create the user for this host"),
    1044: ("OG-NODE-003", "the user may not use the database", "grant it, or correct the name in the node's address"),
    1049: ("OG-NODE-003", "the server has no such database", "create it, or correct its name in the node's address"),
    1040: ("OG-NODE-008", "the server has no connection left", "lower the pools' size_max, or raise max_connections"),
    1053: ("OG-NODE-008", "the server takes no connections now", "wait until it is up"),
}


def mariadb_link_steps(
    node: Node, settings: LinkSettings, names: dict[int, str] | None = None, until: float | None = None
) -> Steps[Link]:
    """As `connect.link_steps`; `names` is PostgreSQL's business."""
    own_limit = monotonic() + settings.connect_timeout_seconds
    limit = own_limit if until is None else min(own_limit, until)
    worker = Worker(node.name)
    opened = worker.submit(lambda: open_connection(node, settings))
    try:
        if not (yield Future(opened, limit)):
            raise _failure(node, "OG-NODE-006", "no connection in time", "check that the host answers")
        try:
            connection, standby = opened.result()
        except (pymysql.err.Error, OSError) as error:
            raise _refused(node, error) from error
    except BaseException:
        worker.end(lambda: opened.exception() is None and opened.result()[0].close())
        raise
    link = MariadbLink(node, connection, worker, settings)
    link.standby = standby
    return link


def _failure(node: Node, code: str, message: str, cure: str) -> errors.OperationalError:
    where = f" [{node.shown}]" if node.shown else ""
    lost = code in ("OG-NODE-001", "OG-NODE-006", "OG-NODE-008")
    kind = errors.NodeLost if lost else errors.OperationalError
    return kind(code, message + where, cure=cure, shard=node.shard, node=node.name)


def _refused(node: Node, error: BaseException) -> errors.OperationalError:
    number, said = said_by(error)
    code, message, cure = _REASONS.get(
        number, ("OG-NODE-001", "the server cannot be reached", "start the server, or correct the node's host and port")
    )
    return _failure(node, code, f"{message}: {said}", cure)
