"""Waiting for a DDL that a server goes on with although whoever began it is gone."""

from __future__ import annotations

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import OperationalError
from outgrow.ledger import Definition
from outgrow.nodes import Link
from outgrow.waits import Steps, Until

#: How long to wait for it, and how often to look.
_AT_WORK_SECONDS_MAX = 60.0
_LOOK_EVERY_SECONDS = 0.25


def waited_steps(link: Link, definition: Definition, until: float | None) -> Steps[None]:
    """Until the connection that began it is through with the shard's part."""
    limit = monotonic() + _AT_WORK_SECONDS_MAX
    while True:
        part = yield from ledger.part_steps(link, definition)
        if part is None or not part.at_work:
            return
        if monotonic() > limit or (until is not None and monotonic() > until):
            raise OperationalError(
                "OG-RUN-053",
                f"the server is still at work on DDL {definition.number}, which another process began",
                cure="wait until that connection is done, then run `outgrow schema resume`",
                shard=link.node.shard,
                node=link.node.name,
            )
        yield Until(monotonic() + _LOOK_EVERY_SECONDS)
