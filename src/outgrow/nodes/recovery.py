"""After something went wrong in the middle of a statement: make the link usable again, or close it."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq.abc import PGresult

from outgrow import errors
from outgrow.nodes import translate
from outgrow.nodes.exchange import (
    COMMAND_OK,
    FATAL_ERROR,
    TUPLES_OK,
    Late,
    cancel_until,
    flush_steps,
    only_result_steps,
    stop_steps,
)
from outgrow.nodes.queries import QUERIES
from outgrow.nodes.waiting import undisturbed_steps
from outgrow.waits import READ, Socket, Steps

if TYPE_CHECKING:
    from outgrow.nodes.link import Link


def recover_steps(link: Link, error: BaseException, seen: PGresult | None = None) -> Steps[Any]:
    """Handle `error`, met while a statement was under way on `link`.

    Whatever interrupted the wait, the statement is cancelled on the server and its remains are read; where that
    fails the link is closed.  Returns the statement's result if it was faster than its cancellation; else raises.
    `seen` is a result that had come before the error: the server's own parting words outrank libpq's.
    """
    if isinstance(error, GeneratorExit):
        # Nobody will resume this generator: there is no waiting any more.
        link.close()
        raise error
    if isinstance(error, psycopg.Error):
        raise lost(link, error, seen=() if seen is None else (seen,)) from error
    if link.pgconn.status != 0:
        raise error
    try:
        until = cancel_until(link.settings.cancel_timeout_seconds)
        results = yield from undisturbed_steps(stop_steps(link.pgconn, until, link.pooled))
    except BaseException as second:
        link.close()
        if isinstance(error, Late) and isinstance(second, Exception):
            raise translate.unconfirmed(link.node) from None
        raise error from second
    link.in_flight = False
    if not isinstance(error, Late):
        raise error
    if results and (
        results[-1].status in (COMMAND_OK, TUPLES_OK) or translate.sqlstate_of(results[-1]) != translate.CANCELED
    ):
        return results[-1]
    raise translate.late(link.node) from None


def lost(link: Link, error: psycopg.Error, before: bool = False, seen: Sequence[PGresult] = ()) -> errors.Error:
    """Close the link and say why: the server's parting words if there were any, else libpq's."""
    last: PGresult | None = seen[-1] if seen else None
    if last is None:
        with contextlib.suppress(psycopg.Error):
            last = link.pgconn.get_result()
    link.close()
    if last is not None and last.status == FATAL_ERROR and translate.sqlstate_of(last):
        return translate.from_result(last, link.node)
    return translate.lost(link.node, str(error), before=before)


def peek(link: Link) -> bool:
    """See `Link.peek`."""
    poll = select.poll()
    poll.register(link.fd, select.POLLIN)
    try:
        while poll.poll(0):
            link.pgconn.consume_input()
            link.pgconn.is_busy()
    except psycopg.Error:
        link.close()
    return not link.broken


def alive_steps(link: Link, until: float) -> Steps[bool]:
    """See `Link.alive_steps`."""
    link.in_flight = True
    try:
        link.pgconn.send_query_params(QUERIES["alive"].encode(), None)
        yield from flush_steps(link.pgconn, until)
        result = yield from only_result_steps(link.pgconn, Socket(link.fd, READ, until))
    except (Late, psycopg.Error):
        link.close()
        return False
    except BaseException:
        link.close()
        raise
    link.in_flight = False
    return result.status == TUPLES_OK


def used_wrongly(link: Link) -> errors.Error:
    if link.abandoned:
        return errors.InterfaceError(
            "OG-NODE-015",
            "this connection belongs to the parent process",
            cure="open a session in the forked process instead of using the parent's",
            node=link.node.name,
        )
    if link.pgconn.status != 0:
        return translate.lost(link.node, "it was closed before", before=True)
    return errors.InterfaceError(
        "OG-NODE-016",
        "a statement is still under way on this connection",
        cure="finish or close what runs (a stream, a COPY) first; a session belongs to one thread or task",
        node=link.node.name,
    )
