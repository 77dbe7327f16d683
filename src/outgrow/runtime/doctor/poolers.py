"""Poolers: declared where they are, and leading to the server that the direct address leads to."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import Link, Nodes
from outgrow.runtime.doctor import patience
from outgrow.runtime.doctor.examination import QUERIES, Check, Examination
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Node, Role
from outgrow.waits import Steps

#: How often two connections are asked by turns whether one server process answers both.
_ROUNDS = 5


class _Seen(NamedTuple):
    """What was found of one node's address."""

    #: The process that answers is not the one that the connection was made with: something stands between.
    between: bool
    #: One process has answered two connections that both stood open: only a pooler of transactions does that.
    shared: bool
    #: The server's identity through the address, and past it where there is a way.
    server: tuple[object, ...]
    direct: tuple[object, ...] | None


def _poolers_steps(examination: Examination) -> Steps[list[Finding]]:
    """Declared or not, as it is."""
    nodes = examination.state.nodes
    seen = yield from examination.ask_steps({node: _looking(nodes, node) for node in examination.nodes})
    found = []
    for node, known in seen.items():
        if (finding := _finding(examination, node, known)) is not None:
            found.append(finding)
    return found


def _finding(examination: Examination, node: Node, known: _Seen) -> Finding | None:
    if not node.pooled:
        if not known.shared:
            return None
        what = "a pooler stands before it that shares connections from transaction to transaction, and is not declared"
        return examination.find(Severity.ERROR, node.name, what, "write pooler: transaction beside it in fleet.yaml")
    if known.direct is not None and known.direct != known.server:
        what = "its pooler and its direct address lead to different servers or databases"
        cure = "correct the direct address in fleet.yaml, or the database's entry in the pooler's configuration"
        return examination.find(Severity.ERROR, node.name, what, cure)
    if not known.between:
        what = "is declared to be behind a pooler, and there is none: each statement costs more than it need"
        return examination.find(Severity.INFO, node.name, what, "take pooler: transaction out, or correct the address")
    if node.direct is None and node.role is Role.PRIMARY:
        what = "has no direct address: its schema can be changed in transactions only"
        return examination.find(Severity.INFO, node.name, what, "write direct: beside its dsn in fleet.yaml")
    return None


def _looking(nodes: Nodes, node: Node) -> Callable[[Link], Steps[_Seen]]:
    """What to ask on a connection that leads past the node's pooler, if it can."""

    def look_steps(link: Link) -> Steps[_Seen]:
        until = monotonic() + patience.ANSWER_SECONDS / 2
        direct = None if node.direct is None else (yield from _server_steps(link, until))
        first, second = yield from _both_steps(nodes, node, until)
        between = shared = False
        try:
            for _ in range(_ROUNDS):
                one = yield from _pid_steps(first, until)
                shared |= one == (yield from _pid_steps(second, until))
                between |= one != first.backend_pid
            return _Seen(between, shared, (yield from _server_steps(first, until)), direct)
        finally:
            first.close()
            second.close()

    return look_steps


def _both_steps(nodes: Nodes, node: Node, until: float) -> Steps[tuple[Link, Link]]:
    first = yield from nodes.connect_steps(node, until)
    try:
        return first, (yield from nodes.connect_steps(node, until))
    except Error:
        first.close()
        raise


def _pid_steps(link: Link, until: float) -> Steps[int]:
    rows = yield from link.run_steps(QUERIES["own_process"], None, until=until, prepare=False)
    return int(rows.rows[0][0])


def _server_steps(link: Link, until: float) -> Steps[tuple[object, ...]]:
    """System, start and database: which server it is, whatever leads to it."""
    rows = yield from link.run_steps(QUERIES["identity"], None, until=until, prepare=False)
    return tuple(rows.rows[0][1:4])


CHECKS = (Check("poolers", _poolers_steps, needs_picture=False),)
