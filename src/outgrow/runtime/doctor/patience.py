"""How long the doctor waits: for a node that says nothing not for long, for one that is at work as long as it takes.

From one connection, a server that was stopped looks like one that reads a large table.  So while a look goes on, the
node is asked on a connection of its own whether it is there, and whether the look only waits for somebody's lock.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import TIME_LIMIT, Link, Nodes, together
from outgrow.runtime import snapshot
from outgrow.topology import Domain, Node
from outgrow.waits import Future, Steps

T = TypeVar("T")

#: How long a node may say nothing before it is taken for one that does not answer.
ANSWER_SECONDS = 10.0

#: No connection, or no answer on one, within the time allowed.
_SILENCE = ("OG-NODE-006", TIME_LIMIT)


def asked_steps(nodes: Nodes, node: Node, ask: Callable[[Link], Steps[T]], blockers: str) -> Steps[T]:
    """Ask one node.  NodeLost once it has said nothing for ANSWER_SECONDS, OG-RUN-081 where a lock stands in the way.

    `blockers` asks who stands in the way of the process $1.  Whatever this raises,
    the look has been cancelled on the server, or its connection closed.
    """
    over: concurrent.futures.Future[None] = concurrent.futures.Future()
    links: list[Link] = []
    silence: list[NodeLost] = []

    def remembered_steps(link: Link) -> Steps[T]:
        links.append(link)
        return (yield from ask(link))

    def look_steps() -> Steps[tuple[T] | None]:
        try:
            return ((yield from snapshot.on_node_steps(nodes, node, None, remembered_steps, past=True)),)
        finally:
            over.set_result(None)

    def watch_steps() -> Steps[tuple[T] | None]:
        try:
            while not (yield Future(over, monotonic() + ANSWER_SECONDS / 2)):
                yield from _there_steps(nodes, node, links, blockers, monotonic() + ANSWER_SECONDS / 2)
        except NodeLost as error:
            silence.append(error)
            # Shut down, the look ends by itself; cancelled, it would wait for an answer to that.
            for link in links:
                link.shut_down()
            if not links or not (yield Future(over, monotonic() + ANSWER_SECONDS / 2)):
                raise
        return None

    try:
        answer, _ = yield from together([look_steps(), watch_steps()])
    except NodeLost as error:
        if silence or error.code in _SILENCE:
            raise silent(node) from error
        raise
    assert answer is not None
    return answer[0]


def _there_steps(nodes: Nodes, node: Node, links: list[Link], blockers: str, until: float) -> Steps[None]:
    """Raises where the node says nothing, or says that the look waits for a lock."""
    try:
        link = yield from nodes.connect_steps(node.direct or node, until)
    except Error as error:
        if error.code in _SILENCE:
            raise silent(node) from error
        # It has answered, if only that it has no connection left; what became of the look, the look will see.
        return
    try:
        rows = yield from link.run_steps(blockers, [_backend(links)], until=until, prepare=False)
    except Error as error:
        if error.code in _SILENCE:
            raise silent(node) from error
        return
    finally:
        link.close()
    if holders := rows.rows[0][0]:
        raise _blocked(node, _shown(holders))


def _backend(links: list[Link]) -> int:
    """The server's process that looks; a pooler hides it."""
    return links[0].backend_pid if links and not links[0].pooled else 0


def silent(node: Node) -> NodeLost:
    return NodeLost(
        "OG-RUN-080",
        f"the node says nothing within {ANSWER_SECONDS:g} s",
        cure="see whether the machine, the network or the server's processes are stopped or overloaded",
        shard=node.shard,
        node=node.name,
    )


def _shown(holders: list[int] | str) -> str:
    """Numbers of processes, 0 being a prepared transaction; or what the server says itself."""
    if isinstance(holders, str):
        return holders
    return ", ".join(f"pid {pid}" if pid else "a prepared transaction" for pid in sorted(set(holders)))


def _blocked(node: Node, holders: str) -> OperationalError:
    return OperationalError(
        "OG-RUN-081",
        f"a lock stands in the way, held by {holders}",
        cure="let that transaction end (or end it), and run the doctor again",
        shard=node.shard,
        node=node.name,
    )


def within_steps(steps: Steps[T], seconds: float, late: Callable[[], Error]) -> Steps[T]:
    """Run `steps`; after so many seconds they are stopped, and the error that `late` makes is raised."""
    over: concurrent.futures.Future[None] = concurrent.futures.Future()

    def look_steps() -> Steps[tuple[T] | None]:
        try:
            return ((yield from steps),)
        finally:
            over.set_result(None)

    def watch_steps() -> Steps[tuple[T] | None]:
        if not (yield Future(over, monotonic() + seconds)):
            raise late()
        return None

    answer, _ = yield from together([look_steps(), watch_steps()])
    assert answer is not None
    return answer[0]


def late(domain: Domain, seconds: float) -> OperationalError:
    return OperationalError(
        "OG-RUN-082",
        f"ledger and tables of the domain {domain.name} could not be read within {seconds:g} s",
        cure="look for a lock on the catalogue, or for a server or network that is overloaded",
    )
