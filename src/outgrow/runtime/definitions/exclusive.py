"""One DDL of a domain at a time: an advisory lock on the home shard, held by a connection of its own."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import Link, Pool
from outgrow.runtime import pooled
from outgrow.runtime.dress import dressed_steps
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

T = TypeVar("T")

#: How long to wait for another process's DDL.
WAIT_SECONDS = 30.0


def exclusively_steps(state: DomainState, until: float | None, body: Callable[[Link], Steps[T]]) -> Steps[T]:
    """Run `body` on a connection to the home shard while nobody else defines anything in the domain.

    Should that connection break, the lock is gone with it: `body` fails at its next step there, and every shard's own
    note keeps a second process from running what the first one has run.
    """
    pooled.check_direct(state, "a change of the schema outside a transaction")
    link, pool = yield from _home_steps(state, until)
    try:
        if link.dress:
            yield from dressed_steps(link, ())
        yield from _lock_steps(link, until)
        try:
            return (yield from body(link))
        except GeneratorExit:
            # No step may follow, and the lock ends with its connection.
            link.close()
            raise
        finally:
            if not link.broken:
                yield from _unlock_steps(link)
    finally:
        pool.give(link)


def _home_steps(state: DomainState, until: float | None) -> Steps[tuple[Link, Pool]]:
    shard = state.picture.domain.home.name
    for last_try in (False, True):
        node = state.health.seats(state.name, shard).primary
        pool = state.nodes.past(node)
        try:
            link = yield from pool.take_steps(until)
        except NodeLost:
            if last_try or not (yield from state.survey_steps(shard, until)):
                raise
            continue
        if not link.standby:
            break
        try:
            yield from state.not_primary_steps(node, link, until)
        finally:
            pool.give(link)
    return link, pool


def _lock_steps(link: Link, until: float | None) -> Steps[None]:
    limit = monotonic() + WAIT_SECONDS
    if until is not None:
        limit = min(limit, until)
    while True:
        answer = yield from link.run_steps(ledger.queries(link.engine)["definition_lock"], None)
        if answer.rows[0][0]:
            return
        if monotonic() > limit:
            raise (yield from busy_steps(link))
        yield Until(monotonic() + random.uniform(0.05, 0.25))


def busy_steps(link: Link) -> Steps[OperationalError]:
    """The error for a lock that another process holds."""
    holder = ""
    with contextlib.suppress(Error):
        found = yield from link.run_steps(ledger.queries(link.engine)["definition_lock_holder"], None)
        if found.rows:
            pid, application, address, since = found.rows[0]
            holder = f": backend {pid} ({application or 'unnamed'}, from {address}, there since {since})"
    return OperationalError(
        "OG-RUN-051",
        f"another process is at work on a DDL of this domain{holder}",
        cure="wait until it is done, or end that backend; what it leaves unfinished is finished by the next DDL",
        shard=link.node.shard,
        node=link.node.name,
    )


def _unlock_steps(link: Link) -> Steps[None]:
    try:
        if link.in_transaction:
            yield from link.run_steps("ROLLBACK", None)
        yield from link.run_steps(ledger.queries(link.engine)["definition_unlock"], None)
    except Error:
        # The lock ends with its connection, and what `body` did or said matters more.
        link.close()
